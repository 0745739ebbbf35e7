"""Whom a change really hits, when a version may go, and what its consumers are told before."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from governance import deprecation, lifecycle, traffic
from governance.compatibility.verdict import judge
from governance.consumers import Consumer, effective
from governance.models import AuditEntry, Contract, ContractVersion
from hub.accounts.services import create_token
from hub.common import facts
from hub.common.errors import ConfigError
from hub.common.times import set_business_clock
from hub.sync import engine
from hub.sync.models import Run
from hub.sync.plan import load_plan
from tests.contracts_lifecycle.builders import TEXT, contract_of, in_force, schema
from tests.records.builders import example, put, stream
from tests.sync import builders

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 2, 9, tzinfo=UTC)
NUMBER = {"type": "integer"}
READER = Consumer("Sync", "to-erp", "To ERP", "reads", frozenset({"code", "size"}))
WRITER = Consumer("Sync", "from-crm", "From CRM", "writes", frozenset({"code", "name"}))


@pytest.fixture
def contract(domains: Any) -> Contract:
    set_business_clock(START)
    found = contract_of(domains["resource"], schema(name=TEXT, size=TEXT))
    in_force(found, schema(name=TEXT, size=TEXT, note=TEXT))
    return found


@pytest.fixture
def old(contract: Contract) -> ContractVersion:
    return contract.versions.get(number=2)


def later(**delta: float) -> None:
    set_business_clock(START + timedelta(**delta))


# Effective verdict ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "hit"),
    [
        (schema(name=TEXT, size=NUMBER), ["to-erp"]),
        (schema(name=NUMBER, size=TEXT), ["from-crm"]),
        (schema(("size",), name=TEXT, size=TEXT), ["from-crm"]),
        (schema(("name",), name=TEXT, size=TEXT), []),
        (schema(name=TEXT, size=TEXT, note=TEXT), []),
        (schema(name=TEXT, size={**TEXT, "maxLength": 3}), []),
        (schema(name={**TEXT, "maxLength": 3}, size=TEXT), ["from-crm"]),
    ],
)
def test_a_change_hits_who_uses_what_it_changes(after: Any, hit: list[str]) -> None:
    verdict = judge(schema(name=TEXT, size=TEXT), after)
    assert [each.name for each in effective(verdict, [READER, WRITER]).broken] == hit


def test_a_consumer_of_the_whole_record_is_hit_by_whatever_breaks_readers() -> None:
    verdict = judge(schema(size=TEXT), schema(size=NUMBER))
    real = effective(verdict, [Consumer("Subscription", "all", "All", "reads"), WRITER])
    assert (real.is_breaking, real.sentence) == (True, "Breaks 1 of the 2 that use it: Subscription all.")


def test_the_command_says_both_verdicts(domains: Any) -> None:
    owner = builders.connection("crm")
    target = builders.entity("project", builders.PROJECT)
    builders.sync("projects-in", "in", builders.stream(owner, "projects"), target, builders.PROJECT_RULES)
    builders.sync("projects-out", "out", builders.stream(owner, "jobs"), target, builders.OUT_RULES)
    changed = {name: spec for name, spec in builders.PROJECT["properties"].items() if name != "customer"}
    changed["customer"] = {"type": "integer", "x-customer": True}
    lifecycle.propose(contract=target.contract, schema=builders.PROJECT | {"properties": changed}, by=None)
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("contract", "diff", "project@2", "project@3", "--json", stdout=out)
    said = json.loads(out.getvalue())
    assert (ended.value.code, said["verdict"], said["effective"]["verdict"]) == (2, "BREAKING", "FULL")
    assert (said["effective"]["breaking"], said["effective"]["consumers"]) == (False, 2)


# Traffic ----------------------------------------------------------------------------------------------------


def test_uses_are_counted_by_consumer_and_day(old: ContractVersion) -> None:
    for days in (0, 0, 1):
        later(days=days)
        traffic.note(old.pk, "ApiToken", "bi")
    assert [(row.day.day, row.uses) for row in old.uses.order_by("day")] == [(2, 2), (3, 1)]
    assert [(each.name, each.uses) for each in traffic.of_version(old)] == [("bi", 3)]


def test_a_run_is_a_use_of_the_version_that_it_works_with(domains: Any) -> None:
    sync = builders.sync(
        "in", "in", builders.stream(builders.connection("crm"), "projects"),
        builders.entity("project", builders.PROJECT), builders.PROJECT_RULES,
    )  # fmt: skip
    engine.execute(engine.start(sync, trigger=Run.Trigger.MANUAL)[0].pk)
    version = sync.entity.contract.versions.get(status="active")
    assert [(each.kind, each.name, each.uses) for each in traffic.of_version(version)] == [("Sync", "in", 1)]


# Deprecation ------------------------------------------------------------------------------------------------


def test_a_version_is_not_retired_before_its_sunset_nor_while_it_is_used(old: ContractVersion, ada: Any) -> None:
    deprecation.announce_sunset(old, sunset_date=date(2026, 12, 1), by=ada)
    with pytest.raises(ConfigError, match="served until its sunset on 2026-12-01"):
        deprecation.retire(old, by=ada, reason="Over.")
    later(days=25)
    traffic.note(old.pk, "ApiToken", "bi")
    later(days=30)
    with pytest.raises(ConfigError, match="used in the last 14 days by ApiToken bi"):
        deprecation.retire(old, by=ada, reason="Over.")
    later(days=40)
    assert deprecation.retire(old, by=ada, reason="Over.").status == "retired"
    assert AuditEntry.objects.latest("pk").act == "contract.version_retired"


def test_a_consumer_is_notified_acknowledges_and_is_seen_to_migrate(
    contract: Contract, old: ContractVersion, ada: Any
) -> None:
    def state() -> list[str]:
        return [each.state for each in deprecation.standings(old)]

    traffic.note(old.pk, "ApiToken", "bi")
    assert state() == ["in_use"]
    deprecation.announce_sunset(old, sunset_date=date(2026, 12, 1), by=ada)
    assert state() == ["notified"]
    deprecation.acknowledge(old, kind="ApiToken", name="bi", by=ada, note="In the next sprint.")
    assert state() == ["acknowledged"]
    later(hours=1)
    traffic.note(contract.versions.get(status="active").pk, "ApiToken", "bi")
    assert state() == ["migrated"]


def test_notices_go_out_at_set_days_and_each_once(old: ContractVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    monkeypatch.setitem(facts._subscribers, "contract_deprecated", [lambda version, days: told.append(days)])
    deprecation.announce_sunset(old, sunset_date=date(2026, 12, 12), by=None)
    for day in range(41):
        later(days=day)
        deprecation.send_due()
        deprecation.send_due()
    assert told == [40, 30, 14, 7, 1]


def test_a_late_notice_stands_for_those_before_it(old: ContractVersion) -> None:
    deprecation.announce_sunset(old, sunset_date=date(2026, 12, 12), by=None)
    later(days=35)
    assert (deprecation.send_due(), deprecation.send_due()) == (1, 0)


def test_a_retired_version_names_its_successor(contract: Contract, old: ContractVersion) -> None:
    deprecation.retire(old, by=None, reason="Nobody has it.")
    with pytest.raises(ConfigError, match=r"Version 2 of the contract is retired.*Use version 3"):
        lifecycle.refuse_retired(ContractVersion.objects.get(pk=old.pk))


def test_a_run_with_a_retired_version_is_refused(domains: Any) -> None:
    target = builders.entity("project", builders.PROJECT)
    sync = builders.sync(
        "in", "in", builders.stream(builders.connection("crm"), "projects"), target, builders.PROJECT_RULES
    )
    retired = target.contract.versions.get(number=1)
    deprecation.retire(retired, by=None, reason="Nobody has it.")
    run = Run(sync=sync, contract_version=retired)
    with pytest.raises(ConfigError, match="retired"):
        load_plan(sync, run=run)


# The API ----------------------------------------------------------------------------------------------------


@pytest.fixture
def bi(contract: Contract, olga: Any) -> APIClient:
    from governance.models import Entity

    entity = Entity.objects.get(slug="truck")
    put(entity, [{"code": "T-1", "name": "Red", "size": "L", "note": "new"}], stream("crm", "trucks"), ids=["1"])
    _, secret = create_token(olga, name="bi", days=None, by=olga)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.mark.parametrize("address", ["/api/v1/records/truck/", "/api/v1/records/truck/T-1/"])
def test_an_answer_by_a_deprecated_version_says_when_it_ends(bi: APIClient, old: ContractVersion, address: str) -> None:
    deprecation.announce_sunset(old, sunset_date=date(2026, 12, 1), by=None)
    answer = bi.get(f"{address}?contract_version=2")
    assert answer.headers["Deprecation"] == f"@{int(START.timestamp())}"
    assert answer.headers["Sunset"] == "Tue, 01 Dec 2026 00:00:00 GMT"
    assert answer.headers["Link"] == '</api/v1/contracts/truck/versions/3/>; rel="successor-version"'
    row = answer.json()
    assert "note" not in (row["results"][0] if "results" in row else row)["body"]
    assert "Deprecation" not in bi.get(address).headers


def test_the_api_counts_programs_by_version(bi: APIClient, old: ContractVersion) -> None:
    bi.get("/api/v1/records/truck/?contract_version=2")
    assert [(each.kind, each.name) for each in traffic.of_version(old)] == [("ApiToken", "bi (olga@example.com)")]


def test_a_retired_version_is_gone_and_the_answer_names_the_next(bi: APIClient, old: ContractVersion) -> None:
    deprecation.retire(old, by=None, reason="Nobody has it.")
    answer = bi.get("/api/v1/records/truck/?contract_version=2")
    assert (answer.status_code, answer.json()["code"]) == (410, "CONTRACT_RETIRED")
    assert answer.json()["fix"].startswith("Use version 3")


def test_renamed_fields_are_served_under_their_old_name() -> None:
    before, after = schema(title=TEXT), schema(name={**TEXT, "x-aliases": ["title"]}, note=TEXT)
    assert deprecation.as_version({"code": "1", "name": "Red", "note": "x"}, before, after) == {
        "code": "1",
        "title": "Red",
    }


def test_an_example_of_the_model_is_served_whole_by_its_own_version() -> None:
    body = example("resource")
    shown = {"properties": dict.fromkeys(body, TEXT)}
    assert deprecation.as_version(body, shown, shown) == body
