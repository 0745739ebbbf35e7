"""What the shipped conditions find: robust volumes, empty and slow runs, credentials with what hangs on them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from connectors import circuits
from connectors.models import Health
from hub.common.times import business_today
from hub.records.models import CanonicalRecord
from hub.sync.models import Crawl, Schedule, Transaction
from hub.sync.removals.services import confirm
from hub.sync.states import Outcome, RunStatus
from monitoring.alerts import risk
from monitoring.alerts.usual import ENOUGH, usual_of
from monitoring.models import Alert, AlertChange
from tests.alerts.builders import HOUR, World

DAY = timedelta(days=1)
MONDAY = datetime(2026, 11, 2, 9, tzinfo=UTC)


@pytest.fixture
def world(domains: Any) -> World:
    return World()


def found(what: str) -> Alert | None:
    return Alert.objects.exclude(state="ok").filter(rule__what=what).first()


# What is usual, pure ---------------------------------------------------------------------------------------
def weekly(numbers: list[int], start: datetime = MONDAY) -> list[tuple[int, datetime, int]]:
    return [(n + 1, start - 7 * DAY * (len(numbers) - n), number) for n, number in enumerate(numbers)]


def test_without_enough_history_nothing_is_usual() -> None:
    assert usual_of(weekly([100] * (ENOUGH - 1)), MONDAY) is None
    assert usual_of(weekly([100] * ENOUGH), MONDAY) is not None


def test_mondays_are_held_against_mondays() -> None:
    mondays = weekly([1000] * 8)
    others = [(100 + n, MONDAY - n * DAY - 3 * HOUR, 10) for n in range(1, 60) if n % 7]
    usual = usual_of(mondays + others, MONDAY)
    assert usual is not None
    assert (usual.middle, usual.words) == (1000, "8 runs of that weekday and hour")
    assert usual.distance(1003) == 0
    assert usual.distance(10) > 6


@given(st.lists(st.integers(90, 110), min_size=20, max_size=50), st.integers(0, 10**9))
def test_one_odd_run_moves_what_is_usual_little(numbers: list[int], odd: int) -> None:
    usual = usual_of(weekly([*numbers, odd]), MONDAY)
    assert usual is not None
    assert 90 <= usual.middle <= 110
    assert usual.distance(1000) > 6


@given(st.lists(st.integers(0, 10**6), min_size=ENOUGH, max_size=40))
def test_what_is_in_the_middle_is_never_odd(numbers: list[int]) -> None:
    usual = usual_of(weekly(numbers), MONDAY)
    assert usual is not None
    assert usual.distance(usual.middle) == 0


def test_a_run_is_not_held_against_itself() -> None:
    history = weekly([100] * ENOUGH)
    assert usual_of([*history, (999, MONDAY, 0)], MONDAY, but=999) == usual_of(history, MONDAY)


# Through the database --------------------------------------------------------------------------------------
@pytest.mark.django_db
@pytest.mark.parametrize(("number", "state"), [(100, None), (103, None), (0, "critical"), (100_000, "critical")])
def test_an_unusual_volume(world: World, number: int, state: str | None) -> None:
    world.rule("volume", "6", "12")
    for hours in range(20, 0, -1):
        world.ran(at=timezone.now() - hours * HOUR, read=100 + hours % 3, updated=100)
    world.ran(read=number)
    world.look()
    alert = found("volume")
    assert (alert.state if alert else None) == state


@pytest.mark.django_db
def test_a_run_of_an_unusual_volume_is_suspect_until_a_person_calls_it_right(world: World, ada: Any) -> None:
    rule = world.rule("volume", "6", "12")
    for hours in range(20, 0, -1):
        world.ran(at=timezone.now() - hours * HOUR, read=100, updated=100)
    run = world.ran(read=3, updated=3)
    Crawl.objects.create(run=run, source="x", is_whole=True)
    world.look()
    run.refresh_from_db()
    assert (run.status, run.error_code) == (RunStatus.SUSPECT, "UNUSUAL_VOLUME")
    assert found("suspect_run") is None
    confirm(run=run, reason="A holiday at the client.", by=ada)
    world.look()
    run.refresh_from_db()
    assert run.status == RunStatus.SUCCEEDED
    assert rule.alerts.count() == 1


@pytest.mark.django_db
def test_empty_runs_alarm_only_where_there_usually_is_something(world: World) -> None:
    world.rule("no_records", "2", "6")
    for hours in range(40, 2, -1):
        world.ran(at=timezone.now() - hours * HOUR, read=50)
        world.ran(sync=world.delivers, at=timezone.now() - hours * HOUR, read=0)
    for _ in range(2):
        world.ran(read=0)
        world.ran(sync=world.delivers, read=0)
    world.look()
    alert = found("no_records")
    assert alert is not None
    assert (alert.sync_id, alert.words) == (world.reads.pk, "2 runs brought no record; usually there are 50.")


@pytest.mark.django_db
def test_a_slow_run_is_slow_against_its_own_kind(world: World) -> None:
    world.rule("slow_run", "3", "10")
    for hours in range(20, 0, -1):
        world.ran(at=timezone.now() - hours * HOUR, seconds=30)
    world.ran(seconds=50)
    world.look()
    assert found("slow_run") is None
    world.ran(seconds=120)
    world.look()
    alert = found("slow_run")
    assert alert is not None
    assert alert.words == "It took 2 m 00 s; usually it takes 30 s."


@pytest.mark.django_db
def test_a_scheduled_sync_without_a_recent_success(world: World) -> None:
    world.rule("no_success", "26", "74")
    Schedule.objects.create(slug="s", sync=world.reads, cron="0 * * * *")
    world.ran(at=timezone.now() - 30 * HOUR)
    world.ran(RunStatus.FAILED)
    world.look()
    alert = found("no_success")
    assert alert is not None
    assert (alert.state, alert.sync_id) == ("warning", world.reads.pk)


@pytest.mark.django_db
def test_rejected_records_count_by_their_part(world: World) -> None:
    world.rule("rejected_rows", "1", "10")
    world.ran(RunStatus.COMPLETED_WITH_ERRORS, read=1000, rejected=9, updated=991)
    world.look()
    assert found("rejected_rows") is None
    world.ran(RunStatus.COMPLETED_WITH_ERRORS, read=1000, rejected=20, updated=980)
    world.look()
    alert = found("rejected_rows")
    assert alert is not None
    assert (alert.state, alert.records) == ("warning", 20)


# Risk before failure ---------------------------------------------------------------------------------------
def passed(world: World, days: int, amount: str, currency: str = "GBP") -> CanonicalRecord:
    """A record that was delivered so many days ago; the ledger keeps what it was worth."""
    record = world.record(timezone.now())
    number = world.ledger(world.delivers, record, timezone.now() - days * DAY, Outcome.CREATED)
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "update sync_transaction set amount = %s, currency = %s, version = 1 where id = %s",
            [amount, currency, number],
        )
    return record


@pytest.mark.django_db
def test_credentials_that_end_are_told_with_what_hangs_on_them(world: World) -> None:
    world.rule("credential_expiry", "14", "3")
    world.route()
    world.level().save()
    for number in range(20):
        passed(world, 10 - number % 10, "3050.00")
    erp = world.delivers.stream.connection
    erp.secret_expires_date = business_today() + 6 * DAY
    erp.save()
    world.look()
    change = AlertChange.objects.get()
    assert change.words.startswith("Its credentials end in 6 days")
    assert change.details[0] == ("Hangs on it: 1 sync, 1 service level, about 2 records a day, about GBP 6,100 a day.")
    assert change.details[2] == "Service levels: Approved time to the ERP."


@pytest.mark.django_db
def test_each_version_of_a_record_counts_once_and_what_has_no_rate_is_named(world: World) -> None:
    record = passed(world, 1, "100.00")
    passed(world, 1, "50.00", "CHF")
    world.ledger(world.delivers, record, timezone.now() - 1 * DAY, Outcome.DEAD)
    assert Transaction.objects.count() == 3
    impact = risk.impact_of(world.delivers.stream.connection)
    assert (impact.events, impact.amount, impact.rest) == (2, Decimal(100), {"CHF": Decimal(50)})
    assert "CHF 50 a day without a rate" in impact.sentence


@pytest.mark.django_db
@pytest.mark.parametrize(("days", "state"), [(20, None), (14, "warning"), (3, "critical"), (-1, "critical")])
def test_less_time_is_worse(world: World, days: int, state: str | None) -> None:
    world.rule("credential_expiry", "14", "3")
    erp = world.delivers.stream.connection
    erp.secret_expires_date = business_today() + days * DAY
    erp.save()
    world.look()
    alert = found("credential_expiry")
    assert (alert.state if alert else None) == state


@pytest.mark.django_db
def test_a_connection_that_is_slow_for_long_is_told_and_one_that_is_down_only_once(world: World) -> None:
    world.rule("connection_trouble", "10", "60")
    erp = world.delivers.stream.connection
    Health.objects.create(
        connection=erp, state="slow", since=timezone.now() - timedelta(minutes=20), detail="It took 9 s."
    )
    world.look()
    alert = found("connection_trouble")
    assert alert is not None
    assert alert.state == "warning"
    assert "It is slow for 20 m" in AlertChange.objects.latest("pk").words
    circuits.pause_for_sign_in(erp.pk, "No.")
    world.look()
    assert found("connection_trouble") is None


@pytest.mark.django_db
def test_a_certificate_that_ends_is_told_like_a_secret(world: World) -> None:
    world.rule("credential_expiry", "14", "3")
    erp = world.delivers.stream.connection
    Health.objects.create(
        connection=erp, state="healthy", certificate_expires_at=timezone.now() + timedelta(days=2, hours=1)
    )
    world.look()
    alert = found("credential_expiry")
    assert alert is not None
    assert alert.state == "critical"
