"""A record that breaks its contract is treated as the contract is set, and what was done is kept."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.contracts import ContractCheck
from governance.models import Contract, ContractBreach
from governance.treatment import Policy, treat
from hub.records.models import CanonicalRecord
from hub.sync import engine
from hub.sync.models import HeldRecord, Run, Sync, Transaction
from hub.sync.states import Outcome
from tests import memory
from tests.sync import builders

MODES = ("evolve", "freeze", "discard_row", "discard_value")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["code", "name"],
    "additionalProperties": False,
    "properties": {
        "code": {"type": "string", "minLength": 1, "x-key": True},
        "name": {"type": "string", "maxLength": 5},
        "size": {"type": "integer"},
        "hours": {"type": "string", "format": "decimal"},
        "state": {"enum": ["open", "closed"]},
        "pay": {"type": "integer", "x-classification": "restricted"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}
CHECK = ContractCheck(SCHEMA)
GOOD = {"code": "1", "name": "Red"}
BAD = {"field": {"colour": 1}, "type": {"size": "L"}, "value": {"state": "gone"}}


def policy(on_breach: str = "quarantine", **modes: str) -> Policy:
    return Policy({"field": "freeze", "type": "freeze", "value": "freeze"} | modes, on_breach)


@pytest.mark.parametrize("level", ["field", "type", "value"])
@pytest.mark.parametrize(
    ("mode", "action", "kept"),
    [
        ("evolve", "pass", True),
        ("freeze", "quarantined", True),
        ("discard_row", "row_dropped", True),
        ("discard_value", "pass", False),
    ],
)
def test_each_level_is_treated_by_its_own_mode(level: str, mode: str, action: str, kept: bool) -> None:
    treated = treat(CHECK, GOOD | BAD[level], policy(**{level: mode}))
    assert (treated.action, treated.body == GOOD | BAD[level]) == (action, kept)
    assert treated.body == GOOD or kept
    assert len(treated.breaches) == 1


def test_a_text_that_is_no_decimal_is_of_the_wrong_type() -> None:
    treated = treat(CHECK, GOOD | {"hours": "many"}, policy(type="discard_value"))
    assert (treated.body, treated.breaches[0].rule) == (GOOD, "pattern")


@pytest.mark.parametrize(
    ("on_breach", "action"), [("block", "blocked"), ("quarantine", "quarantined"), ("warn", "pass")]
)
def test_a_broken_rule_is_treated_by_the_policy_whatever_the_modes(on_breach: str, action: str) -> None:
    modes = {"field": "evolve", "type": "evolve", "value": "evolve"}
    treated = treat(CHECK, GOOD | {"name": "too long"}, policy(on_breach, **modes))
    assert (treated.action, treated.breaches[0].field, treated.breaches[0].rule) == (action, "name", "maxLength")
    assert treated.breaches[0].value == '"too long"'


def test_what_is_missing_after_a_value_was_dropped_is_a_breach() -> None:
    treated = treat(CHECK, {"code": "1", "name": 5}, policy(type="discard_value"))
    assert (treated.action, [b.action for b in treated.breaches]) == ("quarantined", ["value_dropped", "quarantined"])


@pytest.mark.parametrize("mode", ["evolve", "discard_value"])
@pytest.mark.parametrize("on_breach", ["quarantine", "warn"])
def test_the_key_is_never_dropped_and_never_kept_broken(mode: str, on_breach: str) -> None:
    treated = treat(CHECK, {"code": 7, "name": "Red"}, policy(on_breach, type=mode))
    assert (treated.action, treated.body["code"]) == ("quarantined", 7)


def test_a_field_may_have_a_mode_of_its_own() -> None:
    own = Policy(policy().modes, "quarantine", {"size": "discard_value"})
    assert treat(CHECK, GOOD | {"size": "L"}, own).body == GOOD


def test_a_masked_value_is_not_kept() -> None:
    schema_policy = Policy.of(Contract(on_breach="quarantine"), SCHEMA)
    breach = treat(CHECK, GOOD | {"pay": "4711"}, schema_policy).breaches[0]
    assert (breach.value, "4711" in breach.sentence) == ("", False)


def test_items_of_a_list_are_dropped_one_by_one() -> None:
    treated = treat(CHECK, GOOD | {"tags": [1, "a", 2, "b", 3]}, policy(type="discard_value"))
    assert treated.body["tags"] == ["a", "b"]


@given(
    body=st.fixed_dictionaries(
        {"code": st.text("ab", min_size=1)},
        optional={
            name: st.one_of(st.none(), st.integers(), st.text("ab"), st.lists(st.integers() | st.text("ab")))
            for name in ("name", "size", "hours", "state", "tags", "colour")
        },
    ),
    modes=st.fixed_dictionaries({level: st.sampled_from(MODES) for level in BAD}),
    on_breach=st.sampled_from(["block", "quarantine", "warn"]),
)
def test_what_passes_keeps_the_contract_or_every_break_of_it_is_told(
    body: dict[str, Any], modes: dict[str, str], on_breach: str
) -> None:
    before = copy.deepcopy(body)
    treated = treat(CHECK, body, policy(on_breach, **modes))
    assert body == before
    left = CHECK.findings(treated.body)
    assert bool(treated.breaches) == (not CHECK.passes(body))
    if treated.action == "pass":
        told = {each.field for each in treated.breaches if each.action in ("kept", "warned")}
        assert {found.field for found in left} <= told
    else:
        assert left


# In a run ---------------------------------------------------------------------------------------------------


@pytest.fixture
def inbound(db: Any, domains: Any) -> Sync:
    target = builders.entity("project", builders.PROJECT)
    source = builders.stream(builders.connection("crm"), "projects")
    memory.SYSTEMS["crm"].sources["projects"] = [
        builders.project_row(1),
        builders.project_row(2, status="paused"),
        builders.project_row(3, title=None),
    ]
    return builders.sync("in", "in", source, target, builders.PROJECT_RULES)


def run(sync: Sync, **settings: str) -> Run:
    Contract.objects.filter(entity=sync.entity).update(**settings)
    found = engine.execute(engine.start(sync, trigger=Run.Trigger.MANUAL)[0].pk)
    assert found is not None
    return found


def keys() -> list[str]:
    return list(CanonicalRecord.objects.order_by("key").values_list("key", flat=True))


def test_by_default_a_breach_sets_the_record_aside_and_is_kept(inbound: Sync) -> None:
    found = run(inbound)
    assert (keys(), found.rejected) == (["P-0001"], 2)
    kept = ContractBreach.objects.filter(run_id=found.pk, sync="in").order_by("external_id")
    assert [(b.external_id, b.field, b.rule, b.action) for b in kept] == [
        ("2", "status", "enum", "quarantined"),
        ("3", "name", "type", "quarantined"),
    ]
    assert kept[0].value == '"paused"'


def test_a_value_that_is_dropped_lets_the_record_pass(inbound: Sync) -> None:
    run(inbound, value_mode="discard_value")
    assert keys() == ["P-0001", "P-0002"]
    assert "status" not in CanonicalRecord.objects.get(key="P-0002").body


def test_a_record_that_is_dropped_is_noted_and_not_held(inbound: Sync) -> None:
    run(inbound)
    memory.SYSTEMS["crm"].sources["projects"][1]["title"] = "Project two"
    found = run(inbound, value_mode="discard_row")
    assert not HeldRecord.objects.filter(external_id="2").exists()
    row = Transaction.objects.get(run_id=found.pk, external_id="2")
    assert (row.outcome, row.error_code) == (Outcome.DISCARDED, "DISCARDED")


def test_a_warning_lets_the_record_pass_as_it_is(inbound: Sync) -> None:
    run(inbound, on_breach="warn")
    assert CanonicalRecord.objects.get(key="P-0002").body["status"] == "paused"
    assert ContractBreach.objects.filter(action="warned").count() >= 1


def test_a_block_stops_the_run_before_anything_of_the_page_is_stored(inbound: Sync) -> None:
    found = run(inbound, on_breach="block")
    assert (found.status, found.error_code, keys()) == ("failed", "CONTRACT_BREACH", [])
    assert ContractBreach.objects.filter(run_id=found.pk, action="blocked").exists()


def test_the_schema_of_the_source_follows_the_same_modes(inbound: Sync) -> None:
    inbound.stream.source_schema = {"type": "object", "properties": {"status": {"enum": ["active"]}}}
    inbound.stream.save()
    run(inbound, value_mode="discard_value")
    assert ContractBreach.objects.get(external_id="2").is_at_source
    assert "P-0002" in keys()
