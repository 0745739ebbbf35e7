"""Neither process works as the owner of the tables: each may do what is its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from monitoring import tasks
from monitoring.models import Exclusion, Expectation, ServiceLevelDay, StaleAcknowledgement, StaleCount
from tests.expectations.builders import HOUR, NOW, State, Watched, rewind

pytestmark = pytest.mark.django_db


@contextmanager
def acting_as(role: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"set role {role}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("reset role")


@pytest.fixture
def world(domains):
    made = Watched()
    made.keep()
    made.keep(slug="fresh", measure="freshness", source=made.psa, target=None, condition={})
    made.read(NOW - 5 * HOUR)
    rewind()
    return made


def test_the_engine_takes_the_ledger_and_forgets(world):
    with acting_as("syncline_engine"):
        tasks.sweep_expectations()
        tasks.forget_expectations()
        tasks.count_stale()
    assert Expectation.objects.filter(state=State.BREACHED, record_id__isnull=False).count() == 1
    assert ServiceLevelDay.objects.filter(breached__gt=0).exists()
    assert StaleCount.objects.count() == 1


def test_the_web_process_shows_acknowledges_and_excludes(world, ada, grace, browse):
    tasks.sweep_expectations()
    client = browse(ada)
    with acting_as("syncline_web"):
        for page in ("/expectations/", "/freshness/", "/freshness/psa-time/records/", "/service-levels/fresh/"):
            assert client.get(page).status_code == 200
        client.post("/freshness/psa-time/acknowledge/", {"reason": "Known", "hours": "4"})
        form = {"starts_at": "2026-11-20T06:00", "ends_at": "2026-11-20T07:30", "reason": "Upgrade"}
        client.post("/service-levels/approved-time/exclusions/", form)
        asked = Exclusion.objects.get()
        browse(grace).post(f"/service-levels/approved-time/exclusions/{asked.pk}/", {"do": "approve"})
    assert StaleAcknowledgement.objects.count() == 1
    assert Exclusion.objects.get().state == "approved"
    day = ServiceLevelDay.objects.get(service_level__slug="approved-time")
    assert (day.breached, day.excluded) == (0, 1)
