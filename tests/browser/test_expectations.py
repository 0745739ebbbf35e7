"""Expectations, stale records and the page of a service level in a browser: empty, full and failing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from connectors.models import System
from governance.models import Firm
from governance.service_levels.services import save_service_level
from hub.accounts.models import User
from hub.records.models import CanonicalRecord, Crosswalk
from hub.sync.models import Batch
from hub.sync.states import DeliveryState
from monitoring.expectations import services
from monitoring.freshness import services as freshness
from monitoring.models import Exclusion, Expectation
from tests.service_levels.builders import World, document

HOUR = timedelta(hours=1)


@pytest.fixture
def world(visit: Any, domains: Any) -> World:
    made = World()
    System.objects.filter(slug="erp").update(name="Oracle Fusion")
    System.objects.filter(slug="psa").update(name="Kantata")
    return made


@pytest.fixture
def busy(world: World, ada: User) -> World:
    """Time of three weeks; some late without a delivery, some dead, some on the way; the PSA was not read for six hours."""
    now = timezone.now()
    Firm.objects.create(name="Acme Consulting", currency="EUR")
    save_service_level(document(world, owner="Finance operations"), by=None)
    save_service_level(
        document(world, slug="fresh-time", name="Time of Kantata is fresh", measure="freshness", source="psa", target=None,
                 condition={}), by=None,
    )  # fmt: skip
    for number in range(1, 90):
        world.arrived(now - number * 6 * HOUR, (6 if number % 40 == 0 else 1 + number % 3) * HOUR)
    late = [world.stuck(now - 7 * HOUR, DeliveryState.DEAD), world.record(now - 6 * HOUR), world.record(now - 5 * HOUR)]
    for record in late[1:]:
        world.ledger(world.reads, record, now - 6 * HOUR)
    soon = world.stuck(now - 3.5 * HOUR)
    world.stuck(now - HOUR)
    for number, record in enumerate([*late, soon]):
        CanonicalRecord.objects.filter(pk=record.pk).update(
            customer="Acme", project="P-4711", period="2026-11", amount=Decimal(1480) + number, legal_entity="DE01",
            currency="GBP" if number == 2 else "EUR",
        )  # fmt: skip
    for record in late:
        batch = Batch.objects.create(run_id=record.pk, sync_id=world.reads.pk, page_no=1, at=now - 6 * HOUR)
        Crosswalk.objects.create(
            stream=world.reads.stream, external_id=f"K-{record.pk}", record=record, batch_id=batch.pk, hash=b"1" * 16
        )
        CanonicalRecord.objects.filter(pk=record.pk).update(updated_at=now - 6 * HOUR)
    for hours in (60, 52, 44, 40, 30, 26, 20, 6):
        world.run(world.reads, now - hours * HOUR, timedelta(minutes=1))
    services.sweep(seconds=60)
    Expectation.objects.filter(amount=None).update(client="Acme")
    freshness.count()
    return world


def test_empty_pages(visit: Any, ada: User, domains: Any) -> None:
    visit(ada).inspect("/expectations/", "expectations_first")
    visit(ada).inspect("/freshness/", "freshness_first")


def test_nothing_is_late(visit: Any, ada: User, world: World) -> None:
    save_service_level(document(world), by=None)
    services.sweep()
    visit(ada).inspect("/expectations/", "expectations_good")
    visit(ada).inspect("/service-levels/approved-time/", "level_good")


def test_the_pages_when_much_is_late(visit: Any, ada: User, busy: World) -> None:
    visit(ada).inspect("/expectations/", "expectations_full")
    late = Expectation.objects.filter(state="breached", record_id__isnull=False).order_by("pk")[0]
    visit(ada).inspect(late.get_absolute_url(), "expectation")
    visit(ada).inspect("/freshness/", "freshness_full")
    visit(ada).inspect("/freshness/psa-time/records/", "freshness_records")
    visit(ada).inspect("/service-levels/", "levels_full")
    visit(ada).inspect("/service-levels/approved-time/", "level_full")
    visit(ada).inspect("/service-levels/fresh-time/", "level_fresh")


def test_a_delay_is_acknowledged_in_the_list(visit: Any, ada: User, busy: World) -> None:
    page = visit(ada).go("/freshness/")
    page.click("text=Acknowledge…")
    page.fill("dialog[open] textarea", "Kantata is being upgraded")
    page.click("dialog[open] button.btn-primary")
    page.wait_for_selector("text=Known: Kantata is being upgraded")


def test_a_time_is_asked_not_to_count(visit: Any, ada: User, busy: World) -> None:
    page = visit(ada).go("/service-levels/approved-time/")
    page.click("summary:has-text('Ask that a time')")
    page.fill("#id_starts_at", "2026-11-18T11:00")
    page.fill("#id_ends_at", "2026-11-18T15:00")
    page.fill("#id_reason", "Upgrade of the ERP")
    page.click("form[action$='/exclusions/'] button")
    page.wait_for_selector("td:has-text('Needs approval')")
    assert Exclusion.objects.get().reason == "Upgrade of the ERP"
