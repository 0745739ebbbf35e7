"""What rules do to records on their way in: stopped values, what becomes of them, and records that wait for their owner."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from governance.ownership import services
from governance.services import activate_schema
from hub.common.times import set_business_clock
from hub.records.models import CanonicalRecord
from hub.records.reading import sources_of
from hub.sync.models import BlockedValue, Delivery, HeldRecord, Transaction
from hub.sync.states import HeldState, Outcome
from mappings.services import activate_rules
from tests import memory
from tests.ownership import builders as build
from tests.ownership.builders import Firm, row

pytestmark = pytest.mark.django_db(transaction=True)
State = BlockedValue.State


@pytest.fixture
def firm(domains: Any) -> Firm:
    return build.firm()


def rules(firm: Firm, **erp_budget: Any) -> None:
    """The CRM owns projects, the ERP their budget."""
    budget = build.document("erp-budget", "erp", fields=["budget", "currency"], **erp_budget)
    build.active(firm.entity, build.document("crm-rest", "crm"), budget)


def test_a_value_of_another_system_is_stopped_and_kept_with_its_money(firm: Firm) -> None:
    rules(firm)
    firm.read("crm", row(name="Alpha"))
    run = firm.read("erp", row(name="Beta", budget="1000.00", currency="EUR"))
    record = firm.record()
    assert (record.body["name"], record.body["budget"]) == ("Alpha", "1000.00")
    assert sources_of(record, "slug")["budget"] == "erp"
    kept = firm.blocked()
    assert (kept.field, kept.system.slug, kept.offered, kept.kept) == ("name", "erp", "Beta", "Alpha")
    assert (kept.state, kept.rule, kept.policy, kept.run_id) == (State.IGNORED, "crm-rest", "ignore", run.pk)
    assert (kept.amount, kept.currency) == (1000, "EUR")
    told = Transaction.objects.get(pk=kept.transaction_id)
    assert (told.changed, told.refused) == (["budget", "currency"], ["name"])


def test_a_record_of_which_nothing_passes_is_refused(firm: Firm) -> None:
    rules(firm)
    firm.read("crm", row(name="Alpha"))
    firm.read("erp", row(name="Alpha"))
    firm.read("erp", row(name="Beta"))
    assert Transaction.objects.latest("pk").outcome == Outcome.REFUSED
    assert firm.record().version == 1


def test_an_entity_without_rules_costs_one_look_a_run(firm: Firm) -> None:
    firm.read("crm", row(name="Alpha"))
    memory.system("crm").page_size = 1
    with CaptureQueriesContext(
        connection,
    ) as seen:
        firm.read("crm", row(1, name="Beta"), row(2, name="Gamma"), row(3, name="Delta"))
    about = [query["sql"] for query in seen if "ownership" in query["sql"] or "blockedvalue" in query["sql"]]
    assert len(about) == 1
    assert not BlockedValue.objects.exists()


def test_absent_fields_blank_nothing_and_an_owner_may_empty_its_own(firm: Firm) -> None:
    rules(firm)
    firm.read("crm", row(name="Alpha", status="won", company="UK"))
    firm.read("crm", row(company=None))
    assert firm.record().body == {"code": "P-1", "name": "Alpha", "status": "won", "company": None}
    firm.read("erp", row(status=None))
    assert firm.record().body["status"] == "won"


def test_a_new_record_takes_what_its_system_may_set(firm: Firm) -> None:
    rules(firm)
    firm.read("erp", row(name="Alpha", budget="5.00"))
    assert firm.record().body == {"code": "P-1", "budget": "5.00"}
    assert firm.blocked().kept is None
    firm.read("crm", row(name="Beta"))
    assert firm.record().body == {"code": "P-1", "budget": "5.00", "name": "Beta"}


def test_a_new_record_that_needs_more_waits_for_its_owner(firm: Firm) -> None:
    schema = {**build.PROJECT, "required": ["code", "name"]}
    activate_schema(contract=firm.entity.contract, schema=schema, by=None, accepted_break="Test.")
    rules(firm)
    firm.read("erp", row(name="Beta", budget="5.00"))
    held = HeldRecord.objects.get()
    assert (held.state, held.error_code) == (HeldState.WAITING, "NOT_OWNER")
    assert "erp may not set name" in held.error_detail
    firm.read("crm", row(name="Alpha"))
    assert HeldRecord.objects.get().state == HeldState.RELEASED
    firm.read("erp", row(name="Beta", budget="5.00"))
    assert not HeldRecord.objects.exists()
    assert firm.record().body == {"code": "P-1", "name": "Alpha", "budget": "5.00"}


def test_a_child_waits_with_its_parent(firm: Firm) -> None:
    properties = {**build.PROJECT["properties"], "parent": {"type": "string", "x-ref": "project"}}
    schema = {**build.PROJECT, "required": ["code", "name"], "properties": properties}
    activate_schema(contract=firm.entity.contract, schema=schema, by=None, accepted_break="Test.")
    rules = [*build.RULES, {"target": "parent", "source": "parent", "kind": "reference", "entity": "project"}]
    activate_rules(mapping=firm.erp.mapping, rules=rules, by=None)
    owner = build.document("crm-names", "crm", fields=["name"], phase_field="status", phases=["won"])
    build.active(firm.entity, owner, build.document("any", decide="latest"))
    firm.read(
        "erp",
        row(1, name="Parent", status="won"),
        row(2, name="Child", status="draft", parent="P-1"),
        row(3, name="Grandchild", status="draft", parent="P-2"),
        row(4, name="Alone", status="draft"),
    )
    assert [record.key for record in CanonicalRecord.objects.all()] == ["P-4"]
    held = dict(HeldRecord.objects.values_list("external_id", "missing_key"))
    assert held == {"1": "P-1", "2": "P-1", "3": "P-2"}
    firm.read("crm", row(1, name="Parent", status="won"))
    firm.read("erp", *(row(n) for n in ()))
    firm.read("erp", *(row(n) for n in ()))
    assert {record.key for record in CanonicalRecord.objects.all()} == {"P-1", "P-2", "P-3", "P-4"}


# Policies ----------------------------------------------------------------------------------------------------


def test_the_hubs_value_goes_back_to_where_another_one_came_from(firm: Firm) -> None:
    rules(firm, policy="revert")
    firm.read("erp", row(budget="100.00"))
    firm.read("crm", row(budget="999.00"))
    firm.deliver()
    assert firm.blocked().state == State.SENT_BACK
    assert memory.system("crm").targets["projects"]["P-1"]["budget"] == "100.00"
    firm.read("crm", row(budget="100.00"))
    assert firm.blocked().state == State.AGREED


def test_what_cannot_go_back_says_why(firm: Firm) -> None:
    rules(firm, policy="revert")
    firm.read("crm", row(budget="999.00"))
    assert (firm.blocked().state, firm.blocked().note) == (
        State.STUCK,
        "The hub holds no value that could be sent back.",
    )
    firm.read("erp", row(budget="100.00", currency="EUR"))
    firm.read("crm", row(budget="999.00", currency="GBP"))
    assert firm.blocked(field="currency").note == "No sync delivers the field to crm."
    firm.crm_out.delete()
    firm.read("crm", row(budget="998.00", currency="GBP"))
    assert firm.blocked(field="budget").note == "No sync delivers the field to crm."


def test_a_value_that_was_the_systems_own_goes_back_too(firm: Firm) -> None:
    firm.read("crm", row(name="Alpha", budget="100.00", status="won"))
    rules(firm, policy="revert")
    firm.read("crm", row(name="Alpha", budget="999.00", status="won"))
    firm.deliver()
    assert memory.system("crm").targets["projects"]["P-1"]["budget"] == "100.00"


def test_two_systems_do_not_talk_for_ever(firm: Firm) -> None:
    rules(firm, policy="revert")
    firm.read("erp", row(budget="100.00"))
    for number in range(5):
        firm.read("crm", row(budget="999.00", changed=f"2026-01-0{number + 1}T00:00:00Z"))
        firm.deliver()
    kept = firm.blocked(field="budget")
    assert (kept.state, kept.times) == (State.OPEN, 5)
    assert "3 times" in kept.note
    assert sum(item.key == "P-1" for item in memory.system("crm").writes) == 3


@pytest.mark.parametrize("policy", ["quarantine", "review"])
def test_a_value_waits_for_a_person(firm: Firm, policy: str) -> None:
    rules(firm, policy=policy)
    firm.read("erp", row(budget="100.00"))
    firm.read("crm", row(budget="999.00"))
    assert firm.blocked().state == State.OPEN


def test_what_the_owner_says_too_is_no_question_any_more(firm: Firm) -> None:
    rules(firm, policy="review")
    firm.read("erp", row(budget="100.00"))
    firm.read("crm", row(budget="999.00"))
    firm.read("erp", row(budget="999.00"))
    assert firm.blocked().state == State.AGREED


def test_one_row_tells_how_often_the_same_value_was_offered(firm: Firm) -> None:
    rules(firm)
    firm.read("erp", row(budget="100.00"))
    for day in (1, 2, 3):
        firm.read("crm", row(budget="999.00", name=f"Name {day}"))
    assert firm.blocked().times == 3
    firm.read("crm", row(budget="998.00"))
    assert (firm.blocked().times, firm.blocked().offered) == (1, "998.00")


def test_two_records_of_a_system_that_are_one_do_not_stop_the_page(firm: Firm) -> None:
    rules(firm)
    firm.read("erp", row(budget="100.00"))
    done = firm.read("crm", row(1, budget="1.00"), {**row(1, budget="2.00"), "id": "again"})
    assert done.status == "succeeded"
    assert firm.blocked().offered == "2.00"


# Conditions --------------------------------------------------------------------------------------------------


def test_another_phase_has_another_owner_and_its_value_counts_from_then_on(firm: Firm) -> None:
    late = build.document("erp-name", "erp", fields=["name"], phase_field="status", phases=["won", "closed"])
    build.active(firm.entity, build.document("crm-rest", "crm"), late)
    firm.read("crm", row(name="Alpha", status="draft"))
    firm.read("erp", row(name="Beta"))
    assert firm.record().body["name"] == "Alpha"
    firm.read("crm", row(name="Alpha", status="won"))
    firm.read("erp", row(name="Beta"))
    assert firm.record().body["name"] == "Beta"
    firm.read("crm", row(name="Gamma", status="won"))
    assert firm.record().body["name"] == "Beta"


def test_a_rule_holds_from_its_first_day_on(firm: Firm) -> None:
    set_business_clock(datetime(2026, 6, 30, 12, tzinfo=UTC))
    build.active(
        firm.entity,
        build.document("crm-rest", "crm", to_date="2026-06-30"),
        build.document("erp-rest", "erp", from_date="2026-07-01"),
    )
    firm.read("crm", row(name="Alpha"))
    firm.read("erp", row(name="Beta"))
    assert firm.record().body["name"] == "Alpha"
    set_business_clock(datetime(2026, 7, 1, 12, tzinfo=UTC))
    firm.read("erp", row(name="Beta"))
    assert firm.record().body["name"] == "Beta"


def test_what_was_stopped_passes_when_the_rules_change(firm: Firm) -> None:
    rules(firm)
    firm.read("crm", row(name="Alpha"))
    firm.read("erp", row(name="Beta"))
    services.release(entity=firm.entity, by=None)
    firm.read("erp", row(name="Beta"))
    assert firm.record().body["name"] == "Beta"


def test_a_target_is_told_of_what_was_let_in_alone(firm: Firm) -> None:
    rules(firm)
    firm.read("crm", row(name="Alpha"))
    firm.deliver()
    firm.read("erp", row(name="Beta"))
    assert Delivery.objects.filter(sync=firm.crm_out, state=1).count() == 0
