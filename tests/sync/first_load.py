"""A first load over HTTP: the simulated CRM and ERP both hold the firm's customers, each in its own words.

Sixty of a hundred are in both systems, five of a hundred accounts of the CRM were entered twice with a slip of the pen.
`identity` of a row says which customer it truly is; no system knows it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connectors.models import Connection, Stream, System
from connectors.simulators.clock import Clock
from connectors.simulators.crm import CrmSimulator
from connectors.simulators.erp import ErpSimulator
from connectors.simulators.wire import SimulatorServer
from hub.sync import services as syncs
from hub.sync.adopt import queries, services
from hub.sync.models import Adoption, MatchDefinition, StagedRecord, Sync
from tests.sync import builders as build

CUSTOMER: dict[str, Any] = {
    "type": "object",
    "required": ["number", "name"],
    "properties": {
        "number": {"type": "string", "x-key": True},
        "name": {"type": "string"},
        "street": {"type": ["string", "null"]},
        "city": {"type": ["string", "null"]},
        "postal_code": {"type": ["string", "null"]},
        "country": {"type": ["string", "null"]},
        "tax_id": {"type": ["string", "null"]},
        "email": {"type": ["string", "null"]},
        "currency": {"type": ["string", "null"]},
    },
}
FROM_CRM = {
    "number": "AccountNumber", "name": "Name", "street": "BillingStreet", "city": "BillingCity",
    "postal_code": "BillingPostalCode", "country": "BillingCountryCode", "tax_id": "Tax_Id__c", "currency": "CurrencyIsoCode",
}  # fmt: skip
TO_ERP = {
    "number": "number", "displayName": "name", "addressLine1": "street", "city": "city", "postalCode": "postal_code",
    "country": "country", "taxRegistrationNumber": "tax_id", "email": "email", "currencyCode": "currency",
}  # fmt: skip
MATCHED = [
    {"field": "tax_id", "form": "tax_id", "weight": 3, "decides": True},
    {"field": "name", "compare": "similar", "form": "company", "weight": 3},
    {"field": "postal_code", "form": "key"},
]
START = datetime(2026, 1, 5, 8, tzinfo=UTC)
SYLLABLES = [
    "ba",
    "cor",
    "del",
    "fen",
    "gal",
    "hor",
    "ix",
    "jun",
    "kel",
    "lam",
    "mon",
    "nor",
    "pel",
    "quin",
    "ros",
    "sten",
]
TRADES = ["Logistics", "Foods", "Energy", "Medical", "Textiles", "Optics", "Marine", "Paper", "Steel", "Media", "Rail"]
FORMS = ["Ltd", "Limited", "GmbH", "S.A.", "Inc.", "BV", "PLC"]


@dataclass
class World:
    crm: CrmSimulator
    erp: ErpSimulator
    source: Sync
    target: Sync
    identity: dict[str, int] = field(default_factory=dict)  # CRM Id or ERP id → true customer
    before: dict[str, dict[str, Any]] = field(default_factory=dict)

    # What the test asks ----------------------------------------------------------------------------------------
    def customers(self) -> dict[str, dict[str, Any]]:
        return self.erp.tables["customers"].rows

    def writes(self) -> int:
        """Requests that would change either system, calls for tokens left out."""
        seen = [entry for one in (self.crm, self.erp) for entry in one.journal.entries(path="^(?!.*oauth2)")]
        return sum(entry["method"] != "GET" for entry in seen)

    def forget_writes(self) -> None:
        for one in (self.crm, self.erp):
            one.journal.clear()

    def new_duplicates(self) -> int:
        """Customers of the ERP that were made although it held them, or that were made twice."""
        by_number = {row["AccountNumber"]: self.identity[row["Id"]] for row in self.crm.tables["Account"].rows.values()}
        made = Counter(by_number[row["number"]] for id_, row in self.customers().items() if id_ not in self.before)
        held = {self.identity[id_] for id_ in self.before}
        return sum(number - 1 for number in made.values()) + sum(one in held for one in made)

    def blanked(self) -> list[tuple[str, str]]:
        """Fields of the ERP that held a value and hold none now."""
        empty = (None, "", " ")
        return [
            (id_, name)
            for id_, row in self.before.items()
            for name, value in row.items()
            if value not in empty and self.customers()[id_].get(name) in empty
        ]

    # What people do --------------------------------------------------------------------------------------------
    def plan(self) -> Adoption:
        adoption = services.start(target=self.target, source=self.source, by=None)
        return services.work_here(adoption)

    def approve(self, adoption: Adoption) -> Adoption:
        done = services.work_here(services.approve(adoption=adoption, by=None))
        self.deliver()
        return done

    def deliver(self) -> Any:
        self.target.refresh_from_db()
        return syncs.run_here(sync=self.target)

    def decide_truly(self, adoption: Adoption) -> None:
        """A person who knows every customer."""
        linked = StagedRecord.objects.filter(adoption=adoption, partner__isnull=False)
        taken = set(linked.values_list("partner__external_id", flat=True))
        new: set[int] = set()
        for row in services.undecided(adoption).order_by("pk"):
            who = self.identity[row.external_id]
            same = [near for _, near, _ in queries.near(row) if self.identity[near.external_id] == who]
            if same and same[0].external_id not in taken:
                services.decide(row=row, decision="link", partner_id=same[0].pk, by=None)
                taken.add(same[0].external_id)
            elif who in {self.identity[id_] for id_ in self.before} | new | self._linked_or_new(adoption):
                services.decide(row=row, decision="leave", by=None)
            else:
                services.decide(row=row, decision="new", by=None)
                new.add(who)

    def _linked_or_new(self, adoption: Adoption) -> set[int]:
        if not hasattr(self, "_settled"):
            rows = StagedRecord.objects.filter(adoption=adoption, side=1, verdict__in=["linked", "conflict", "create"])
            self._settled = {self.identity[id_] for id_ in rows.values_list("external_id", flat=True)}
        return self._settled


@contextmanager
def world(customers: int, *, seed: int = 1) -> Iterator[World]:
    clock = Clock()
    crm, erp = SimulatorServer(CrmSimulator(clock)), SimulatorServer(ErpSimulator(clock))
    for server in (crm, erp):
        server.start()
    try:
        source, target = _syncs(crm.url, erp.url)
        found = World(crm.simulator, erp.simulator, source, target)  # type: ignore[arg-type]
        _fill(found, customers, random.Random(seed))
        found.before = {id_: dict(row) for id_, row in found.customers().items()}
        yield found
    finally:
        for server in (crm, erp):
            server.stop()


def _syncs(crm_url: str, erp_url: str) -> tuple[Sync, Sync]:
    customer = build.entity("customer", CUSTOMER)
    accounts = Stream.objects.create(
        connection=_connection("crm", crm_url, {"client_secret": "demo-crm-secret"}),
        slug="crm-accounts", name="Account", key_fields=["Id"], cursor_field="SystemModstamp",
    )  # fmt: skip
    there = Stream.objects.create(
        connection=_connection("erp", erp_url, {"client_secret": "demo-erp-secret"}),
        slug="erp-customers", name="customers", key_fields=["id"],
    )  # fmt: skip
    source = build.sync(
        "crm-customers", "in", accounts, customer, [{"target": t, "source": s} for t, s in FROM_CRM.items()]
    )
    rules = [{"target": t, "source": s, "on_missing": "null"} for t, s in TO_ERP.items()]
    target = build.sync("erp-customers", "out", there, customer, rules)
    MatchDefinition.objects.create(slug="customer", entity=customer, fields=MATCHED)
    return source, target


def _connection(name: str, url: str, secrets: dict[str, str]) -> Connection:
    system = System.objects.create(slug=name, name=name.upper())
    return Connection.objects.create(
        slug=name, name=name.upper(), system=system, catalogue=f"sim_{name}", protocol="rest",
        config={"url": url}, secrets=secrets, allowed_networks=["127.0.0.0/8"],
    )  # fmt: skip


# The customers -----------------------------------------------------------------------------------------------
def _fill(found: World, customers: int, rng: random.Random) -> None:
    """`customers` rows on each side: 60 % shared; of the CRM's, 5 % are entered a second time."""
    doubles, shared = customers * 5 // 100, customers * 60 // 100
    names = _names(2 * customers, rng)
    accounts = [_customer(n, names[n], rng) for n in range(customers - doubles)]
    for n, one in enumerate(accounts):
        _account(found, n, one, n)
        if n < shared:
            _there(found, n, _said_otherwise(one, n, rng))
    for n in range(doubles):
        who = rng.randrange(len(accounts) if n % 2 else shared)
        _account(found, len(accounts) + n, _slipped(accounts[who], rng), who)
    for n in range(customers - shared):
        who = customers + n
        _there(found, who, _customer(who, names[who], rng))


def _names(count: int, rng: random.Random) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        word = "".join(rng.choices(SYLLABLES, k=rng.choice((3, 4)))).capitalize()
        found[f"{word} {rng.choice(TRADES)}"] = None
    return list(found)


def _customer(n: int, name: str, rng: random.Random) -> dict[str, Any]:
    return {
        "number": f"A-{n:05d}", "name": f"{name} {rng.choice(FORMS)}", "city": rng.choice(["Leeds", "Hull", "Köln", "Lyon"]),
        "street": f"{rng.randrange(1, 200)} High Street", "postal": f"{rng.randrange(10_000, 99_999)}",
        "tax": f"GB{100_000_000 + n}", "country": "GB", "currency": "GBP",
    }  # fmt: skip


def _said_otherwise(one: dict[str, Any], n: int, rng: random.Random) -> dict[str, Any]:
    """The same customer as the ERP has it: another number, spelling, legal form; one in ten without its tax number."""
    stem = one["name"].rsplit(" ", 1)[0]
    tax = f"gb {one['tax'][2:5]} {one['tax'][5:]}" if n % 10 else ""
    return {**one, "number": f"C-{n:05d}", "name": f"{stem.upper()} {rng.choice(FORMS)}", "tax": tax}


def _slipped(one: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Entered a second time: a letter is missing, the tax number was not at hand."""
    at = rng.randrange(2, 6)
    return {**one, "number": "", "name": one["name"][:at] + one["name"][at + 1 :], "tax": ""}


def _account(found: World, n: int, one: dict[str, Any], who: int) -> None:
    """One in five accounts has no street: what the CRM does not know must not be emptied in the ERP."""
    id_ = f"001HV{n:010d}YAA"
    found.identity[id_] = who
    row = {
        "Id": id_, "Name": one["name"], "AccountNumber": one["number"] or f"A-{n:05d}", "Type": "Customer", "Industry": None,
        "BillingStreet": one["street"] if n % 5 else None, "BillingCity": one["city"], "BillingPostalCode": one["postal"],
        "BillingCountry": None, "BillingCountryCode": one["country"], "Tax_Id__c": one["tax"] or None,
        "CurrencyIsoCode": one["currency"], "OwnerId": None, "Hub_External_Id__c": None, "IsDeleted": False,
        "SystemModstamp": found.crm.stamp(START), "CreatedDate": found.crm.stamp(START),
        "LastModifiedDate": found.crm.stamp(START),
    }  # fmt: skip
    found.crm.tables["Account"].load(row, START)


def _there(found: World, who: int, one: dict[str, Any]) -> None:
    id_ = f"00000000-0000-4000-8000-{who:012d}"
    found.identity[id_] = who
    row = {
        "id": id_, "number": one["number"], "displayName": one["name"], "type": "Company", "addressLine1": one["street"],
        "city": one["city"], "postalCode": one["postal"], "country": one["country"],
        "email": f"ap{who}@example.org", "taxRegistrationNumber": one["tax"], "currencyCode": one["currency"],
        "paymentTermsCode": "30 DAYS", "balanceDue": Decimal("0.00"), "blocked": " ", "@odata.etag": f'W/"{who + 1}"',
        "lastModifiedDateTime": found.erp.stamp(START),
    }  # fmt: skip
    found.erp.tables["customers"].load(row, START)
