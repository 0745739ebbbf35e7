"""What a target is told of a record that is gone."""

from __future__ import annotations

import random

import pytest

from hub.common.errors import TransientError, UnknownOutcome
from hub.sync import configure
from hub.sync.models import Delivery, Run, Sync, Transaction
from hub.sync.states import DeliveryState, Outcome
from tests.removals.conftest import rows
from tests.sync import builders as build
from tests.sync.worlds import Firm

pytestmark = pytest.mark.django_db(transaction=True)
ALL = tuple(range(10))


def told(firm: Firm, policy: str = "", **fields: object) -> Run:
    """Ten projects are at the ERP, the last one goes."""
    Sync.objects.filter(pk=firm.outbound.pk).update(on_removal=policy, **fields)
    firm.read(*rows(*ALL))
    firm.deliver()
    firm.erp.writes.clear()
    firm.read(*rows(*ALL[:-1]))
    return firm.deliver()


def last() -> Delivery:
    return Delivery.objects.get(record__key="P-0009")


def operations(firm: Firm) -> list[tuple[str, str, str | None]]:
    return [(item.operation, item.key, item.ref) for item in firm.erp.writes]


@pytest.mark.parametrize(
    ("policy", "operation", "outcome"),
    [
        ("", "deactivate", Outcome.DEACTIVATED),
        ("deactivate", "deactivate", Outcome.DEACTIVATED),
        ("delete", "delete", Outcome.REMOVED),
    ],
)
def test_a_removal_takes_the_way_of_a_delivery(firm: Firm, policy: str, operation: str, outcome: Outcome) -> None:
    run = told(firm, policy)
    assert operations(firm) == [(operation, "P-0009", "ref-P-0009")]
    assert (run.status, run.read, run.updated, last().state) == ("succeeded", 1, 1, DeliveryState.DELIVERED)
    row = Transaction.objects.get(outcome=outcome, run_id=run.pk)
    cause = Transaction.objects.get(outcome=Outcome.REMOVED, sync_id=firm.inbound.pk)
    assert (row.key, row.target_ref, row.correlation_id) == ("P-0009", "ref-P-0009", cause.pk)


def test_closing_sends_the_record_once_more_with_the_closing_values(firm: Firm) -> None:
    run = told(firm, "close", closing_values={"name": "closed"})
    assert [(item.operation, item.body["description"]) for item in firm.erp.writes] == [("upsert", "closed")]
    assert Transaction.objects.filter(outcome=Outcome.CLOSED, run_id=run.pk).count() == 1


def test_ignoring_leaves_the_record_at_the_target(firm: Firm) -> None:
    told(firm, "ignore")
    assert (operations(firm), last().state) == ([], DeliveryState.DISCARDED)
    assert "P-0009" in firm.erp.targets["jobs"]


def test_a_target_that_cannot_deactivate_keeps_the_record_by_default(firm: Firm) -> None:
    firm.erp.removals = frozenset()
    told(firm)
    assert operations(firm) == []


def test_what_was_never_delivered_is_not_delivered_any_more(firm: Firm) -> None:
    firm.read(*rows(*ALL))
    firm.read(*rows(*ALL[:-1]))
    firm.deliver()
    assert (len(firm.erp.writes), last().state) == (9, DeliveryState.DISCARDED)


def test_gone_already_is_done(firm: Firm) -> None:
    firm.read(*rows(*ALL))
    firm.deliver()
    del firm.erp.targets["jobs"]["P-0009"]
    firm.read(*rows(*ALL[:-1]))
    assert (firm.deliver().status, last().state) == ("succeeded", DeliveryState.DELIVERED)


@pytest.mark.parametrize("safety", ["A", "B", "C", "D"])
@pytest.mark.parametrize("error", [UnknownOutcome("The answer was lost."), TransientError("Busy.")])
def test_a_removal_whose_answer_was_lost_is_simply_repeated(
    firm: Firm, safety: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high)  # else a slow run meets its own next attempt
    firm.read(*rows(*ALL))
    firm.deliver()
    firm.erp.safety, firm.erp.fail_with = safety, [error]
    firm.read(*rows(*ALL[:-1]))
    firm.deliver()
    assert (last().state, last().attempts) == (DeliveryState.PENDING, 1)
    Delivery.objects.update(next_at="2020-01-01T00:00Z")
    Run.objects.create(sync=firm.outbound, trigger=Run.Trigger.CHANGE)
    firm.deliver()
    assert (last().state, firm.erp.inactive) == (DeliveryState.DELIVERED, {"P-0009"})


def test_a_deactivated_record_that_comes_back_is_sent_under_its_old_id(firm: Firm) -> None:
    told(firm, "deactivate")
    firm.erp.writes.clear()
    firm.read(*rows(*ALL))
    firm.deliver()
    assert operations(firm) == [("upsert", "P-0009", "ref-P-0009")]


def test_a_deleted_record_that_comes_back_is_new_to_the_target(firm: Firm) -> None:
    told(firm, "delete")
    firm.erp.writes.clear()
    firm.read(*rows(*ALL))
    firm.deliver()
    assert operations(firm) == [("upsert", "P-0009", None)]
    assert (last().state, last().target_ref) == (DeliveryState.DELIVERED, "ref-P-0009")


def test_gone_and_back_before_a_delivery_changes_nothing_at_the_target(firm: Firm) -> None:
    firm.read(*rows(*ALL))
    firm.deliver()
    firm.erp.writes.clear()
    firm.read(*rows(*ALL[:-1]))
    firm.read(*rows(*ALL))
    firm.deliver()
    assert operations(firm) == []


def test_a_record_that_the_condition_leaves_out_is_still_removed_where_it_had_been_sent(firm: Firm) -> None:
    firm.read(*rows(*ALL))
    firm.deliver()
    firm.erp.writes.clear()
    Sync.objects.filter(pk=firm.outbound.pk).update(only_when={"status": ["closed"]})
    firm.read(*rows(*ALL[:-1]))
    firm.deliver()
    assert operations(firm) == [("deactivate", "P-0009", "ref-P-0009")]


# Finance, and what a target lacks --------------------------------------------------------------------------
@pytest.fixture
def finance(firm: Firm, domains: dict[str, object]) -> Firm:
    entity = firm.inbound.entity
    entity.domain = domains["billing-gl"]  # type: ignore[assignment]
    entity.save()
    firm.outbound = Sync.objects.get(pk=firm.outbound.pk)
    return firm


def sentence(sync: Sync, **fields: object) -> str:
    for name, value in fields.items():
        setattr(sync, name, value)
    return " ".join(text for _, text in configure.problems(sync))


def test_records_of_finance_may_not_be_deleted_at_a_target(finance: Firm) -> None:
    assert "never deleted at a target" in sentence(finance.outbound, on_removal="delete")
    assert sentence(finance.outbound, on_removal="deactivate") == ""


def test_a_setting_that_slipped_through_deletes_nothing_of_finance(finance: Firm) -> None:
    told(finance, "delete")
    assert (operations(finance), last().state, last().error_code) == ([], DeliveryState.DEAD, "NEVER_DELETED")


def test_a_target_that_lacks_the_operation_is_named_at_once(firm: Firm) -> None:
    firm.erp.removals = frozenset({"delete"})
    found = sentence(firm.outbound, on_removal="deactivate")
    assert "declares no way to deactivate a record. It offers: delete." in found


@pytest.mark.parametrize(
    ("values", "part"),
    [({}, "Write the fields"), ({"state": "x"}, "no field 'state'"), ({"status": "gone"}, "never 'gone'")],
)
def test_closing_values_are_those_of_the_contract(firm: Firm, values: dict[str, str], part: str) -> None:
    assert part in sentence(firm.outbound, on_removal="close", closing_values=values)
    assert sentence(firm.outbound, on_removal="close", closing_values={"status": "closed"}) == ""


def test_an_echo_of_the_target_is_removed_all_the_same(firm: Firm) -> None:
    """The ERP also says what the projects are; when the PSA lets go, so does the hub."""
    firm.read(*rows(1, 2))
    firm.deliver()
    firm.erp.writes.clear()
    stream = firm.outbound.stream
    rules = [{"target": "code", "source": "number"}, {"target": "name", "source": "description"}]
    rules.append({"target": "budget", "source": "amount", "type": "decimal"})
    back = build.sync("erp-back", "in", stream, firm.inbound.entity, rules, mode="full")
    firm.erp.sources["jobs"] = [
        {"id": f"ref-P-000{n}", "number": f"P-000{n}", "description": "Renamed", "amount": "5.00"} for n in (1, 2)
    ]
    from hub.sync import services

    services.run_here(sync=back)
    firm.read(*rows(1))
    firm.deliver()
    assert [(name, key) for name, key, _ in operations(firm)][-1] == ("deactivate", "P-0002")
