"""A firm that has worked with its hub for half a year: the demo's configuration, and months of records by set-based SQL.

Of twenty ledger rows eight are time that came in, eight the same time arriving in the ERP, two news of other records, one a
delivery of a project, and one is in trouble. Numbers rise with time as they do in a hub. One project has every twentieth of
the first 400,000 entries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

import psycopg
from django.utils import timezone

from governance.models import Entity
from hub.sync import demo
from hub.sync.demo import Demo
from hub.sync.models import Run, Sync
from hub.sync.states import DeliveryState, Outcome, RunStatus

MONTHS = 6
PROJECTS, CUSTOMERS = 2_000, 300
BLOCK = 20_000
GROUPS = 400
LARGE = "P-00001"


@dataclass
class Firm:
    """Where things stand in the database; ids of records by entity are consecutive from `first`."""

    db: psycopg.Connection[Any]
    transactions: int
    exceptions: int
    start: datetime = field(default_factory=lambda: timezone.now() - timedelta(days=30 * MONTHS))
    entities: dict[str, int] = field(default_factory=dict)
    syncs: dict[str, int] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)

    @property
    def entries(self) -> int:
        return max(self.transactions * 8 // 20, 20)

    @property
    def step(self) -> timedelta:
        return timedelta(days=30 * MONTHS - 1) / self.transactions

    def run(self, sql: str, **more: Any) -> None:
        self.db.execute(sql, self.values | more)

    @property
    def values(self) -> dict[str, Any]:
        first = {f"first_{slug}": number for slug, number in self.first.items()}
        entities = {f"entity_{slug}": number for slug, number in self.entities.items()}
        syncs = {f"sync_{slug.replace('-', '_')}": number for slug, number in self.syncs.items()}
        return {
            **first, **entities, **syncs, "start": self.start, "step": self.step, "n": self.transactions,
            "entries": self.entries, "projects": PROJECTS, "customers": CUSTOMERS, "block": BLOCK, "large": LARGE,
        }  # fmt: skip


Seed = Callable[[Firm], None]
_seeds: list[tuple[int, Seed]] = []


def seed(order: int = 50) -> Callable[[Seed], Seed]:
    """Register a part that fills its own tables: `seed(firm)` runs after records, ledger and deliveries are there."""

    def register(fill: Seed) -> Seed:
        _seeds.append((order, fill))
        return fill

    return register


def build(db: psycopg.Connection[Any], *, transactions: int, exceptions: int, say: Callable[[str], None]) -> Firm:
    say("configuration of the demo firm")
    demo.load(Demo(9, "tiny", 1, "2026-01-01"))
    _blank_defaults(db)
    firm = Firm(db, transactions, exceptions)
    firm.entities = dict(Entity.objects.values_list("slug", "pk"))
    firm.syncs = dict(Sync.objects.values_list("slug", "pk"))
    numbers = {"time_entry": firm.entries, "project": PROJECTS, "customer": CUSTOMERS, "opportunity": PROJECTS}
    firm.first = dict(zip(numbers, accumulate(numbers.values(), initial=1), strict=False))
    steps: list[tuple[str, Seed]] = [
        ("months", _months), ("records", _records), ("ids at systems", _crosswalk), ("runs", _runs), ("ledger", _ledger),
        ("deliveries", _deliveries), ("held records", _held),
        *((fill.__name__, fill) for _, fill in sorted(_seeds, key=_order)),
    ]  # fmt: skip
    for word, fill in steps:
        say(word)
        fill(firm)
    say("statistics")
    db.execute("vacuum analyze")
    return firm


def _blank_defaults(db: psycopg.Connection[Any]) -> None:
    """What models leave blank is blank for SQL too, so that seeds name only the columns that pages read."""
    db.execute(
        "do $$ declare c record; begin for c in select table_name, column_name, data_type from information_schema.columns"
        " where table_name like 'monitoring\\_%%' and is_nullable = 'NO' and column_default is null and is_identity = 'NO'"
        " loop if c.data_type in ('text', 'character varying', 'jsonb', 'ARRAY', 'integer', 'smallint') then execute format("
        " 'alter table %I alter column %I set default %L', c.table_name, c.column_name, case when c.data_type in"
        " ('jsonb', 'ARRAY') then '{}' when c.data_type in ('integer', 'smallint') then '0' else '' end);"
        " end if; end loop; end $$".replace("%%", "%")
    )


def records(firm: Firm) -> None:
    """Canonical records alone, and their ids at systems: for what reads nothing else."""
    firm.syncs = dict(Sync.objects.values_list("slug", "pk"))
    numbers = {"time_entry": firm.entries, "project": PROJECTS, "customer": CUSTOMERS, "opportunity": PROJECTS}
    firm.first = dict(zip(numbers, accumulate(numbers.values(), initial=1), strict=False))
    _blank_defaults(firm.db)
    _records(firm)
    _crosswalk(firm)


def _order(one: tuple[int, Seed]) -> int:
    return one[0]


def _months(firm: Firm) -> None:
    """Partitions of the past; the product makes those of the future only."""
    firm.db.execute(
        "do $$ declare m date; begin for k in 0 .. 8 loop"
        " m := (date_trunc('month', now()) - make_interval(months => k))::date;"
        " if to_regclass('sync_transaction_' || to_char(m, 'YYYY_MM')) is null then execute format("
        " 'create table %I partition of sync_transaction for values from (%L) to (%L)',"
        " 'sync_transaction_' || to_char(m, 'YYYY_MM'), m::timestamptz, (m + interval '1 month')::timestamptz);"
        " end if; end loop; end $$"
    )


_HEAD = (
    "insert into records_canonicalrecord (id, entity_id, key, version, body, provenance_id, hash, customer, project, period,"
    " amount, currency, updated_at) select "
)
_PROFILE = "(select min(id) from records_provenanceprofile), ''"


def _records(firm: Firm) -> None:
    firm.db.execute(
        "insert into records_provenanceprofile (fields, digest) values ('{}', 'bench') on conflict do nothing"
    )
    firm.run(
        f"{_HEAD} %(first_customer)s + i, %(entity_customer)s, c, 1, jsonb_build_object('code', c, 'name', 'Client ' || i,"
        f" 'status', 'active'), {_PROFILE}, c, null, null, null, null, %(start)s from generate_series(0,"
        " %(customers)s - 1) i,"
        " lateral (select 'C-' || lpad(i::text, 5, '0') c) x"
    )
    firm.run(
        f"{_HEAD} %(first_opportunity)s + i, %(entity_opportunity)s, o, 1, jsonb_build_object('number', o, 'customer', c,"
        " 'status', 'won', 'won_at', to_char(%(start)s, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), 'amount', '90000.00',"
        " 'currency', 'GBP'),"
        f" {_PROFILE}, c, null, null, 90000, 'GBP', %(start)s from generate_series(0, %(projects)s - 1) i,"
        " lateral (select 'O-' || lpad(i::text, 5, '0') o, 'C-' || lpad((i %% %(customers)s)::text, 5, '0') c) x"
    )
    firm.run(
        f"{_HEAD} %(first_project)s + i, %(entity_project)s, p, 1, jsonb_build_object('code', p, 'name', 'Project ' || i,"
        " 'customer', c, 'opportunity', 'O-' || lpad(i::text, 5, '0'), 'status', 'active', 'billing_type', 'tm',"
        " 'legal_entity', 'NL-UK',"
        f" 'budget_revenue', '90000.00', 'currency', 'GBP'), {_PROFILE}, c, p, null, 90000, 'GBP', %(start)s"
        " from generate_series(0, %(projects)s - 1) i,"
        " lateral (select 'P-' || lpad(i::text, 5, '0') p, 'C-' || lpad((i %% %(customers)s)::text, 5, '0') c) x"
    )
    firm.run(
        f"{_HEAD} %(first_time_entry)s + i, %(entity_time_entry)s, 'TE-' || lpad(i::text, 8, '0'), 1, jsonb_build_object("
        " 'number', 'TE-' || lpad(i::text, 8, '0'), 'project', p, 'resource', lpad((i %% 900)::text, 6, '0'), 'date',"
        " t::date::text, 'hours', '7.50', 'status', case when i %% 25 = 3 then 'submitted' else 'approved' end,"
        " 'approved_at',"
        " to_char(t at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), 'amount', '900.00', 'currency', 'GBP'),"
        f" {_PROFILE}, null, p, to_char(t, 'YYYY-MM'), 900, 'GBP', t from generate_series(0, %(entries)s - 1) i,"
        " lateral (select %(start)s + (i / 8 * 20 + i %% 8) * %(step)s t, case when i %% 20 = 0 and i < 400000 then %(large)s"
        " else 'P-' || lpad((i::bigint * 7919 %% %(projects)s)::text, 5, '0') end p) x"
    )
    firm.run(
        "insert into monitoring_awaitingapproval (record_id) select %(first_time_entry)s + i"
        " from generate_series(0, %(entries)s - 1) i where i %% 25 = 3"
    )


def _crosswalk(firm: Firm) -> None:
    rows = (
        ("psa-time", "time_entry", "entries", "'psa-te-'"), ("psa-projects", "project", "projects", "'psa-p-'"),
        ("crm-accounts", "customer", "customers", "'001A'"), ("crm-opportunities", "opportunity", "projects", "'006A'"),
    )  # fmt: skip
    for sync, entity, number, prefix in rows:
        firm.run(
            "insert into records_crosswalk (stream_id, external_id, record_id, batch_id, hash) select m.stream_id,"
            f" {prefix} || i, %(first_{entity})s + i, 0, '' from generate_series(0, %({number})s - 1) i,"
            f" sync_sync s join mappings_mapping m on m.id = s.mapping_id where s.id = %(sync_{sync.replace('-', '_')})s"
        )


def _runs(firm: Firm) -> None:
    """A run of every sync for each block of rows, in the order of time."""
    Run.objects.bulk_create(
        (
            Run(
                sync_id=sync_id, status=RunStatus.SUCCEEDED, trigger=Run.Trigger.SCHEDULE, read=BLOCK // 20, page_no=block,
                stage="bench", started_at=(at := firm.start + block * BLOCK * firm.step),
                finished_at=at + timedelta(minutes=4),
            )
            for block in range(firm.transactions // BLOCK + 1)
            for sync_id in firm.syncs.values()
        ),
        batch_size=2_000,
    )  # fmt: skip


def _ledger(firm: Firm) -> None:
    """Columns of a row by its place of twenty; the inbound row of an entry stands eight before its outbound one."""
    others = ["psa-projects", "crm-accounts", "crm-opportunities", "erp-projects"]
    firm.run(
        "insert into sync_transaction (id, at, run_id, sync_id, batch_id, position, correlation_id, record_id, external_id,"
        " key, outcome, version, changed, attempt, error_code, error_detail, amount, currency, target_ref,"
        " http_status, duration_us)"
        " select n + 1, %(start)s + n * %(step)s, coalesce(r.id, 0), s.sync_id, 0, n %% 1000, case when k between 8 and 15"
        " then n - 7 else n + 1 end, case when k < 16 then %(first_time_entry)s + e when k = 19 then null"
        " else %(first_project)s + n %% %(projects)s end, case when k < 8 then 'psa-te-' || e when k = 19 then"
        " 'BAD-' || n end,"
        " case when k < 16 then 'TE-' || lpad(e::text, 8, '0') when k < 19 then 'P-' || lpad((n %%"
        " %(projects)s)::text, 5, '0') end,"
        " case when k < 8 then %(created)s when k < 16 then %(created)s when k < 19 then %(updated)s"
        " when n %% 40 = 19 then %(quarantined)s else %(dead)s end, 1, case when k between 16 and 18 then"
        " '{status}'::text[] end, 1,"
        " case when k = 19 then case when n %% 40 = 19 then 'CONTRACT' else 'PERIOD_CLOSED' end end,"
        " case when k = 19 then 'The period is closed.' end, case when k < 16 then 900 end, case when k < 16 then 'GBP' end,"
        " case when k between 8 and 15 then 'ERP-' || e end, case when k between 8 and 15 then 201 end, 400"
        " from generate_series(0::bigint, %(n)s - 1) n"
        " cross join lateral (select n %% 20 as k, n / 20 * 8 + (n %% 20) %% 8 as e) x"
        " cross join lateral (select case when k < 8 then %(sync_psa_time)s when k < 16 then %(sync_time_to_erp)s"
        " when k < 18 then (%(others)s::bigint[])[1 + n %% 4] when k = 18 then case when n %% 3 = 0 then"
        " %(sync_project_to_psa)s"
        " else %(sync_project_to_erp)s end when n %% 40 = 19 then %(sync_psa_expenses)s else"
        " %(sync_time_to_erp)s end sync_id) s"
        " left join sync_run r on r.sync_id = s.sync_id and r.page_no = n / %(block)s and r.stage = 'bench'",
        others=[firm.syncs[slug] for slug in others],
        **{outcome.name.lower(): int(outcome) for outcome in Outcome},
    )
    firm.db.execute("select setval('sync_transaction_seq', %s)", [firm.transactions + 4_000])
    firm.db.execute("select setval('records_canonical_seq', %s)", [firm.entries + 10_000])


def _deliveries(firm: Firm) -> None:
    """Of a hundred approved entries 97 have arrived."""
    states = {state.name.lower(): int(state) for state in DeliveryState}
    head = (
        "insert into sync_delivery (sync_id, record_id, version, state, next_at, attempts, cause_id, target_ref,"
        " delivered_version, error_code, error_detail) "
    )
    firm.run(
        f"{head} select %(sync_time_to_erp)s, %(first_time_entry)s + i, 1, state, %(start)s + place * %(step)s +"
        " interval '3 min',"
        " case when state = %(delivered)s then 0 else 3 end, place + 1, case when state = %(delivered)s then 'ERP-' || i end,"
        " case when state = %(delivered)s then 1 end, case when state = %(dead)s then 'PERIOD_CLOSED' end,"
        " case when state = %(dead)s then 'The period is closed.' end from generate_series(0, %(entries)s - 1) i"
        " cross join lateral (select i / 8 * 20 + i %% 8 as place, case i %% 100 when 7 then %(dead)s when 8 then %(pending)s"
        " when 9 then %(waiting)s else %(delivered)s end state) x where i %% 25 <> 3",
        **states,
    )
    for sync, entity, number in (
        ("project_to_erp", "project", "projects"), ("project_to_psa", "project", "projects"),
        ("customer_to_erp", "customer", "customers"), ("customer_to_psa", "customer", "customers"),
    ):  # fmt: skip
        firm.run(
            f"{head} select %(sync_{sync})s, %(first_{entity})s + i, 1, %(delivered)s, %(start)s + interval '1 h', 0, null,"
            f" 'T-' || i, 1, null, null from generate_series(0, %({number})s - 1) i",
            **states,
        )


def _held(firm: Firm) -> None:
    firm.run(
        "insert into sync_heldrecord (sync_id, external_id, state, error_code, error_detail, field, body, amount, currency,"
        " transaction_id, first_at, last_at) select %(sync_psa_expenses)s, 'BAD-' || (i * 40 + 19), 1, 'CONTRACT',"
        " 'The field hours is missing.', 'hours', '{}', 120, 'GBP', i * 40 + 20, %(start)s + i * 40 * %(step)s,"
        " %(start)s + i * 40 * %(step)s from generate_series(0, least(%(n)s / 40, 10000) - 1) i"
    )


@seed(order=10)
def exceptions(firm: Firm) -> None:
    """Items over all months and domains, in groups of a few root causes; nine of ten are open."""
    firm.run(
        "insert into monitoring_exceptiongroup (fingerprint, cause, title, entity_id, domain_id, facts, first_at, last_at,"
        " reopened, open_items, amount_firm, unconverted, unknown, due_at, oldest_at, rank) select 'bench:' || g, 'no_rate',"
        " 'No bill rate: role ' || g, %(entity_time_entry)s, (select domain_id from governance_entity where id ="
        " %(entity_time_entry)s), '{}', %(start)s, now(), 0, %(items)s / %(groups)s, 90000, 0, 0, now(), %(start)s, g * 1000"
        " from generate_series(1, %(groups)s) g",
        items=firm.exceptions, groups=GROUPS,
    )  # fmt: skip
    firm.run(
        "insert into monitoring_exceptionitem (origin, origin_key, group_id, state, kind, cause, title, detail,"
        " error_code, field,"
        " sync_id, entity_id, domain_id, record_id, external_id, transaction_id, client, client_name, project, project_name,"
        " period, legal_entity, amount, currency, amount_firm, amount_note, due_at, urgency, rank, team, tags,"
        " version, opened_at,"
        " seen_at, times, resolution, resolved_at) select case when i %% 3 = 0 then 'held' else 'delivery' end,"
        " 'bench:' || i, g.id,"
        " case when i %% 10 = 0 then 'resolved' else 'open' end, 'business', 'no_rate', 'No bill rate: entry ' || i,"
        " 'No rate card covers the role.', 'NO_RATE', 'bill_rate', %(sync_time_to_erp)s, e.id, e.domain_id,"
        " %(first_time_entry)s + i %% %(entries)s, 'psa-te-' || i, i %% %(n)s + 1, 'C-' || lpad((i %% 300)::text, 5, '0'),"
        " 'Client ' || i %% 300, 'P-' || lpad((i %% %(projects)s)::text, 5, '0'), 'Project', '2026-10', '', 900,"
        " 'GBP', 900, '',"
        " now() + (i %% 200 - 100) * interval '1 hour', 1 + i %% 3, (i::bigint * 7919 %% 100000),"
        " 'Finance operations', '{}', 1,"
        " %(start)s + i * interval '5 min', now(), 1, case when i %% 10 = 0 then 'passed' else '' end,"
        " case when i %% 10 = 0 then now() end from generate_series(0, %(items)s - 1) i"
        " join lateral (select id from monitoring_exceptiongroup where fingerprint = 'bench:' || (1 + i %%"
        " %(groups)s)) g on true"
        " join governance_entity e on e.id = case i %% 5 when 0 then %(entity_expense)s when 1 then %(entity_project)s"
        " when 2 then %(entity_customer)s else %(entity_time_entry)s end",
        items=firm.exceptions, groups=GROUPS,
    )  # fmt: skip
