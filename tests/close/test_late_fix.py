"""What the queue offers for postings whose period is closed, and what a choice changes."""

from __future__ import annotations

from typing import Any

import pytest

from hub.common.errors import ConfigError
from hub.common.times import set_business_clock
from monitoring.close.books import takes_postings
from monitoring.exceptions import fixes
from monitoring.models import LateDecision
from tests.close.builders import NOW, CloseWorld, period
from tests.close.test_late_postings import an_item, late

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(domains: Any) -> CloseWorld:
    set_business_clock(NOW)
    made = CloseWorld()
    period(month="2026-10", status="closed")
    period(month="2026-11")
    return made


def offered(world: CloseWorld, by: Any) -> Any:
    item = an_item(world)
    return item, next((offer for offer in fixes.offers([item], by=by) if offer.fix == "closed_period"), None)


def test_the_legal_choices_are_offered_and_writing_off_is_left_to_its_own_act(world: CloseWorld, finn: Any) -> None:
    _, offer = offered(world, finn)
    assert [slug for slug, _ in offer.inputs[0].choices] == ["next_period", "reopen", "hold"]
    assert offer.inputs[0].value == "next_period"
    assert not offer.retries


def test_a_choice_is_recorded_for_each_with_its_reason(world: CloseWorld, finn: Any) -> None:
    items = [an_item(world), an_item(world, late(world))]
    fix = fixes.find("closed_period")
    given = fix.cleaned(items, {"choice": "next_period", "why": "Approved late"}, by=finn)
    assert fix.apply(items, given, by=finn).startswith("2 postings")
    made = LateDecision.objects.filter(ended_at__isnull=True)
    assert {(one.choice, one.to_period, one.reason, one.by) for one in made} == {
        ("next_period", "2026-11", "Approved late", finn)
    }
    assert made.count() == 2


def test_a_choice_needs_a_reason(world: CloseWorld, finn: Any) -> None:
    item, _ = offered(world, finn)
    with pytest.raises(ConfigError, match="Why is missing"):
        fixes.find("closed_period").cleaned([item], {"choice": "hold", "why": " "}, by=finn)


def test_nothing_is_offered_once_the_period_is_open_again(world: CloseWorld, finn: Any) -> None:
    period(month="2026-10", status="open")
    _, offer = offered(world, finn)
    assert offer is None


def test_what_is_snoozed_until_its_period_opens_goes_by_the_books(world: CloseWorld) -> None:
    assert not takes_postings("HV-UK", "2026-10")
    assert takes_postings("HV-UK", "2026-11")
    assert takes_postings("HV-XX", "2026-09"), "without books the calendar decides"
    assert not takes_postings("HV-XX", "2027-09")
