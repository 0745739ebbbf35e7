"""Postings whose period was closed when they came, and what may be done with them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hub.common.errors import ConfigError
from hub.common.times import set_business_clock
from hub.records.models import CanonicalRecord
from hub.sync.states import DeliveryState
from monitoring.close.books import book_of
from monitoring.close.choices import choices_for, choose, decisions_of
from monitoring.close.closed_periods import CAUSE, late_postings
from monitoring.close.readiness import readiness
from monitoring.close.scope import scope_of
from monitoring.models import ExceptionEvent, ExceptionItem, LateDecision
from tests.close.builders import NOW, CloseWorld, item, period

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(domains: Any) -> CloseWorld:
    set_business_clock(NOW)
    made = CloseWorld()
    period(month="2026-10", status="closed")  # closed on 4 November at 17:30 in London
    period(month="2026-11")
    return made


def late(world: CloseWorld, **fields: Any) -> CanonicalRecord:
    """Time of October that was approved on 1 December, and is not billed."""
    body = {"date": "2026-10-20", "approved_at": "2026-12-01T18:05:00Z", "billing_status": "unbilled"}
    return world.entry("100.00", body={**body, **fields.pop("body", {})}, **fields)


def test_what_was_approved_after_the_closing_is_late_with_its_money_and_deadline(world: CloseWorld) -> None:
    record = late(world)
    (found,) = late_postings()
    assert (found.record_id, found.cause, found.amount, found.currency) == (record.pk, CAUSE, Decimal(100), "GBP")
    assert (found.legal_entity, found.period, found.business) == ("HV-UK", "2026-10", True)
    november = book_of("HV-UK", "2026-11")
    assert november is not None
    assert found.due_at == november.closes_at
    assert found.facts == {"legal_entity": "HV-UK", "period": "2026-10"}
    assert "closed on 4 Nov 2026" in found.detail


@pytest.mark.parametrize(
    "body",
    [
        {"approved_at": "2026-11-04T17:30:00Z"},  # in the last second
        {"approved_at": "2026-10-21T09:00:00Z"},
        {"billing_status": "billed"},
        {"status": "submitted"},
        {"date": "2026-11-20"},  # of a period that is open
        {"billing_status": None},  # nobody knows whether it is billed, and nothing waits to be delivered
    ],
)
def test_what_came_in_time_or_is_settled_is_not(world: CloseWorld, body: dict[str, Any]) -> None:
    late(world, body=body)
    assert list(late_postings()) == []


def test_what_waits_to_be_delivered_is_late_though_nobody_says_what_is_billed(world: CloseWorld) -> None:
    record = late(world, body={"billing_status": None})
    world.delivery(record, DeliveryState.PENDING)
    assert [found.record_id for found in late_postings()] == [record.pk]


def test_what_is_stuck_at_a_target_is_before_people_already(world: CloseWorld) -> None:
    world.delivery(late(world), DeliveryState.DEAD)
    assert list(late_postings()) == []


def test_a_deleted_record_is_not_posted(world: CloseWorld) -> None:
    late(world, deleted_at=NOW)
    assert list(late_postings()) == []


def test_the_project_says_the_legal_entity_and_another_ones_books_do_not_count(world: CloseWorld) -> None:
    late(world, project="P-DE")
    assert list(late_postings()) == []
    period("HV-DE", "2026-10", status="closed")
    assert [found.legal_entity for found in late_postings()] == ["HV-DE"]


def test_what_came_after_the_freeze_is_late_though_the_period_is_open(world: CloseWorld) -> None:
    period(month="2026-11", is_frozen=True)
    body = {"date": "2026-11-20", "approved_at": "2026-12-02T12:00:01Z"}
    assert late(world, body=body).pk in [found.record_id for found in late_postings()]
    assert "frozen" in next(iter(late_postings())).detail


def an_item(world: CloseWorld, record: CanonicalRecord | None = None) -> ExceptionItem:
    record = record or late(world)
    return item(
        world, origin="period", origin_key=f"period:{record.pk}", cause=CAUSE, record_id=record.pk,
        period="2026-10", amount=record.amount, currency=record.currency,
    )  # fmt: skip


def test_the_choices_are_those_that_the_books_allow_and_the_usual_one_comes_first(world: CloseWorld) -> None:
    choices = choices_for(an_item(world))
    assert [choice.slug for choice in choices] == ["next_period", "reopen", "hold", "write_off"]
    assert (choices[0].is_usual, choices[0].to_period, choices[0].why_not) == (True, "2026-11", "")
    period(month="2026-10", status="closed", late_policy="reopen")
    assert choices_for(an_item(world))[0].slug == "reopen"


def test_without_an_open_period_nothing_can_be_posted_to_the_next(world: CloseWorld, finn: Any) -> None:
    period(month="2026-11", status="closed")
    made = an_item(world)
    choice = next(one for one in choices_for(made) if one.slug == "next_period")
    assert "no later period that is open" in choice.why_not
    with pytest.raises(ConfigError, match="no later period"):
        choose(made, "next_period", "Late", by=finn)


def test_a_period_that_was_opened_again_leaves_no_choice(world: CloseWorld) -> None:
    made = an_item(world)
    period(month="2026-10", status="open")
    assert choices_for(made) == []


def test_another_kind_of_item_has_no_such_choices(world: CloseWorld) -> None:
    record = late(world)
    assert choices_for(item(world, record_id=record.pk, period="2026-10")) == []


def test_what_goes_to_the_next_period_leaves_the_queue_and_stands_in_that_periods_close(
    world: CloseWorld, finn: Any
) -> None:
    record = late(world)
    made = choose(an_item(world, record), "next_period", "Approved late", by=finn)
    assert (made.choice, made.to_period, made.by, made.at) == ("next_period", "2026-11", finn, NOW)
    assert list(late_postings()) == []
    november = book_of("HV-UK", "2026-11")
    assert november is not None
    rows = {each.row.key: each.row for each in readiness(scope_of(november)).rows}
    assert (rows["moved-GBP"].count, rows["moved-GBP"].amount) == (1, Decimal(100))
    CanonicalRecord.objects.filter(pk=record.pk).update(body={**record.body, "billing_status": "billed"})
    assert "moved-GBP" not in {each.row.key for each in readiness(scope_of(november)).rows}


@pytest.mark.parametrize(("choice", "stays"), [("reopen", True), ("hold", True), ("write_off", False)])
def test_what_waits_stays_in_the_queue(world: CloseWorld, finn: Any, choice: str, stays: bool) -> None:
    choose(an_item(world), choice, "As agreed with the auditors", by=finn)
    assert bool(list(late_postings())) is stays


def test_a_decision_is_told_with_who_when_and_why_and_a_later_one_ends_it(
    world: CloseWorld, finn: Any, ada: Any
) -> None:
    made = an_item(world)
    choose(made, "hold", "Wait for the client", by=finn)
    choose(made, "write_off", "The client is gone", by=ada)
    newest, first = decisions_of(made.record_id or 0)
    assert (first.ended_at, newest.ended_at, newest.by) == (NOW, None, ada)
    assert [event.text for event in ExceptionEvent.objects.all()] == [
        "Hold it until somebody decides: Wait for the client",
        "Write it off: The client is gone",
    ]


def test_a_new_version_of_the_record_is_decided_anew(world: CloseWorld, finn: Any) -> None:
    record = late(world)
    choose(an_item(world, record), "next_period", "Approved late", by=finn)
    CanonicalRecord.objects.filter(pk=record.pk).update(version=2)
    assert [found.record_id for found in late_postings()] == [record.pk]


def test_a_choice_needs_a_reason_and_has_to_be_one(world: CloseWorld, finn: Any) -> None:
    made = an_item(world)
    with pytest.raises(ConfigError, match="Say why"):
        choose(made, "hold", " ", by=finn)
    with pytest.raises(ConfigError, match="no choice"):
        choose(made, "ignore", "Because", by=finn)
    assert not LateDecision.objects.exists()
