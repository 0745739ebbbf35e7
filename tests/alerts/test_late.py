"""What was promised and has not happened is told by the clock, with its money."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from governance.models import ServiceLevel
from monitoring.models import (
    Alert,
    Expectation,
    ExpectationPosition,
    Reconciliation,
    ReconciliationGap,
    ReconciliationRun,
)
from tests.alerts.builders import HOUR, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(domains: Any) -> World:
    return World()


def level(world: World, **fields: Any) -> ServiceLevel:
    made = world.level(**fields)
    made.save()
    now = timezone.now()
    ExpectationPosition.objects.create(service_level=made, begun_at=now, watched_from=now - 10 * HOUR, taken_to=now)
    return made


def expect(of: ServiceLevel, state: str, *, due: timedelta = -HOUR, subject: int = 1, **fields: Any) -> Expectation:
    at = timezone.now()
    breached = at if state == "breached" else None
    given = {"domain": of.domain, "entity": of.entity, "key": f"T-{subject}", "cause_id": subject, "record_id": subject}
    times = {"opened_at": at - 9 * HOUR, "warn_at": at - 2 * HOUR, "due_at": at + due, "breached_at": breached}
    return Expectation.objects.create(service_level=of, subject_id=subject, state=state, **{**given, **times, **fields})


def found(what: str) -> Alert:
    return Alert.objects.get(rule__what=what)


def test_what_is_soon_late_warns_and_what_is_late_is_critical(world: World) -> None:
    world.rule("expectation", "1", "2")
    of = level(world)
    expect(of, "warned", due=HOUR, amount=Decimal("500"), currency="GBP")
    world.look()
    assert (found("expectation").state, found("expectation").words) == ("warning", "1 soon late.")
    expect(of, "breached", subject=2, amount=Decimal("84200"), currency="GBP")
    world.look()
    alert = found("expectation")
    assert (alert.state, alert.words, alert.records, alert.amount_firm) == (
        "critical",
        "1 late and 1 soon late.",
        2,
        84700,
    )


def test_what_was_due_before_it_was_watched_alarms_nobody(world: World) -> None:
    world.rule("expectation", "1", "2")
    expect(level(world), "breached", due=-11 * HOUR)
    world.look()
    assert not Alert.objects.exists()


def test_a_late_reading_counts_its_minutes_and_names_its_sync(world: World) -> None:
    world.rule("freshness", "0", "90")
    of = level(world, measure="freshness", target=None, condition={})
    expect(of, "breached", due=-HOUR, subject=world.reads.pk, record_id=None)
    world.look()
    alert = found("freshness")
    assert (alert.state, alert.subject, round(alert.value or 0)) == ("warning", f"sync:{world.reads.pk}", 60)


def test_a_late_reading_of_a_connection_that_is_down_is_told_with_it(world: World) -> None:
    world.rule("freshness", "0", "90")
    from monitoring.models import AlertRule

    AlertRule.objects.filter(slug="connection-down").update(warning=0)
    of = level(world, measure="freshness", target=None, condition={})
    expect(of, "breached", due=-HOUR, subject=world.reads.pk, record_id=None)
    world.circuit()
    world.look()
    assert found("freshness").cause == found("connection_down")


def gap(of: Reconciliation, run: ReconciliationRun, number: int, **fields: Any) -> ReconciliationGap:
    now = timezone.now()
    given = {
        "kind": "only_left",
        "key": f"T-{number}",
        "period": "2026-11",
        "content": "x",
        "opened_at": now,
        "seen_at": now,
    }
    return ReconciliationGap.objects.create(reconciliation=of, run=run, identity=f"{number}", **{**given, **fields})


def test_gaps_that_nobody_can_explain_carry_their_difference(world: World) -> None:
    world.rule("reconciliation", "1", "50")
    of = Reconciliation.objects.create(
        slug="time", name="Time, UK", domain=world.entity.domain, entity=world.entity, left={}, right={}, key=[]
    )
    run = ReconciliationRun.objects.create(reconciliation=of, status="done", trigger="manual")
    gap(of, run, 1, left_amount=Decimal("1236.00"), currency="GBP")
    gap(of, run, 2, left_amount=Decimal("10"), right_amount=Decimal("9"), currency="GBP", kind="differing")
    gap(of, run, 3, label="rounding", left_amount=Decimal("5000"), currency="GBP")
    gap(of, run, 4, state="explained", left_amount=Decimal("5000"), currency="GBP")
    world.look()
    alert = found("reconciliation")
    assert (alert.state, alert.records, alert.amount_firm) == ("warning", 2, 1237)
