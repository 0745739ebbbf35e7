"""Whether a sync runs as its data needs: the judgement by its figures, and the figures by what ran."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from hub.sync import modes
from hub.sync.models import Run, Schedule
from hub.sync.modes import Measured, judge
from hub.sync.views.modes import rows_of
from tests.sync import worlds

DAY, HOUR = 86_400.0, 3_600.0


@pytest.mark.parametrize(
    ("needed", "found", "word"),
    [
        (None, Measured(days=7, way="batch", every_seconds=HOUR), "Not declared"),
        (HOUR, Measured(days=0.2, way="batch", every_seconds=DAY), "Too early"),
        (HOUR, Measured(days=7, way="batch", every_seconds=DAY, runs=1), "Should be an event"),
        (HOUR, Measured(days=7, way="change", p95_seconds=2 * HOUR), "Too slow"),
        (
            DAY,
            Measured(days=7, way="batch", every_seconds=DAY, runs=1, requests=40, records=9_000),
            "Batch is justified",
        ),
        (
            DAY,
            Measured(days=7, way="batch", every_seconds=300, runs=288, requests=300, records=50),
            "Real time is not needed",
        ),
        (
            900,
            Measured(days=7, way="batch", every_seconds=300, runs=288, requests=288, empty=0.95),
            "An event would do",
        ),
        (DAY, Measured(days=7, way="event", requests=5_000, records=5_000), "Batch would do"),
        (900, Measured(days=7, way="event", requests=50, records=50), "Justified"),
    ],
)
def test_the_figures_decide(needed: float | None, found: Measured, word: str) -> None:
    assert judge(needed, found).word == word


def test_what_is_saved_is_computed_from_what_was_counted() -> None:
    found = judge(DAY, Measured(days=7, way="batch", every_seconds=300, runs=288, requests=576, records=50))
    assert found.saves == 576 - 576 / 288
    assert "2 requests a day instead of 576" in found.sentence


@given(
    needed=st.floats(60, 10 * DAY), every=st.floats(60, 10 * DAY), runs=st.floats(0.1, 2_000), more=st.floats(0, 5_000),
    empty=st.floats(0, 1), records=st.floats(0, 1e6),
)  # fmt: skip
def test_nothing_saves_more_than_is_asked_nor_less_than_nothing(
    needed: float, every: float, runs: float, more: float, empty: float, records: float
) -> None:
    measured = Measured(
        days=7, way="batch", every_seconds=every, runs=runs, requests=runs + more, empty=empty, records=records
    )
    saves = judge(needed, measured).saves
    assert saves is None or 0 <= saves <= runs + more


@pytest.mark.django_db
def test_runs_are_counted_by_day_with_those_that_found_nothing(domains: Any) -> None:
    firm = worlds.make()
    Schedule.objects.create(slug="often", sync=firm.inbound, cron="*/15 * * * *")
    now = timezone.now()
    for number in range(20):
        run = Run.objects.create(sync=firm.inbound, trigger="schedule", status="succeeded", updated=10 * (number < 2))
        Run.objects.filter(pk=run.pk).update(created_at=now - timedelta(hours=number * 5), finished_at=now)
    found = modes.measure([firm.inbound, firm.outbound])
    mine = found[firm.inbound.pk]
    days = 95 / 24
    assert (mine.way, mine.every_seconds) == ("batch", 900)
    assert mine.runs == pytest.approx(20 / days, rel=0.01)
    assert mine.records == pytest.approx(20 / days, rel=0.01)
    assert mine.empty == pytest.approx(0.9)
    assert found[firm.outbound.pk].runs == 0


@pytest.mark.django_db
def test_what_is_late_stands_before_what_wastes_and_the_critical_before_the_rest(domains: Any) -> None:
    firm = worlds.make()
    for sync, cron, needed in ((firm.inbound, "*/5 * * * *", 86_400), (firm.outbound, "0 3 * * *", 3_600)):
        Schedule.objects.create(slug=sync.slug, sync=sync, cron=cron)
        sync.latency_seconds = needed
        sync.save()
        for hour in range(60):
            run = Run.objects.create(sync=sync, trigger="schedule", status="succeeded", updated=1)
            moment = timezone.now() - timedelta(hours=hour)
            Run.objects.filter(pk=run.pk).update(created_at=moment, finished_at=moment)
    assert [row["advice"].word for row in rows_of([firm.inbound, firm.outbound])] == [
        "Should be an event", "Real time is not needed",
    ]  # fmt: skip


@pytest.mark.django_db
def test_the_page_says_it_and_is_exported(domains: Any, client: Any, olga: Any) -> None:
    firm = worlds.make()
    client.force_login(olga, backend="django.contrib.auth.backends.ModelBackend")
    assert "Not declared" in client.get("/modes/").content.decode()
    assert firm.inbound.slug in b"".join(client.get("/modes.csv").streaming_content).decode()
