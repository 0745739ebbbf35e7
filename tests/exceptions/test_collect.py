"""The queue says what is open in the hub: it opens, updates and settles by itself, and never twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from hub.sync import trouble
from hub.sync.models import HeldRecord
from hub.sync.states import DeliveryState, HeldState, Outcome
from monitoring.exceptions import intake
from monitoring.exceptions.collect import LOCK, collect
from monitoring.exceptions.intake import Found
from monitoring.models import ExceptionGroup, ExceptionItem, ExceptionSweep
from tests.exceptions.world import World, hours_ago, only, sweep

pytestmark = pytest.mark.django_db


def test_what_is_held_and_what_is_refused_is_opened_once(world: World) -> None:
    held, record = world.held(), world.refused()
    assert sweep().opened == 2
    assert (sweep().opened, sweep().updated) == (0, 0)
    keys = set(ExceptionItem.objects.values_list("origin_key", flat=True))
    assert keys == {f"held:{world.reads.pk}:{held.external_id}", f"delivery:{world.delivers.pk}:{record.pk}"}
    assert ExceptionItem.objects.get(record_id=record.pk).events.get().act == "opened"


def test_what_the_hub_goes_on_with_by_itself_is_no_exception(world: World, settings: Any) -> None:
    settings.HUB_EXCEPTION_WAIT_SECONDS = 3600
    record = world.refused()
    world.deliver(record, DeliveryState.PENDING)
    world.held("WAITING", "Project 'P-9' is not in the hub yet.", state=HeldState.WAITING, missing_key="P-9")
    assert sweep().opened == 0
    old = hours_ago(2)
    late = world.held(
        "WAITING", "Project 'P-9' is not in the hub yet.", state=HeldState.WAITING, missing_key="P-9", at=old
    )
    sweep()
    assert only().external_id == late.external_id


def test_a_record_that_passes_settles_itself_with_its_evidence(world: World) -> None:
    record = world.refused()
    sweep()
    evidence = world.ledger(world.delivers, Outcome.CREATED, record_id=record.pk)
    world.deliver(record, DeliveryState.DELIVERED)
    assert sweep().resolved == 1
    item = only()
    assert (item.state, item.resolution, item.evidence_id) == ("resolved", "passed", evidence)
    assert [event.act for event in item.events.all()] == ["opened", "resolved"]
    assert item.events.last().transaction_id == evidence  # type: ignore[union-attr]
    assert item.group.open_items == 0


def test_a_held_record_that_passes_is_found_by_its_id_at_the_source(world: World) -> None:
    held = world.held()
    sweep()
    record = world.refused()
    world.deliver(record, DeliveryState.DELIVERED)
    stream_id = world.reads.stream.pk
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into records_crosswalk (stream_id, external_id, record_id, batch_id, hash) values (%s, %s, %s, 1, '')",
            [stream_id, held.external_id, record.pk],
        )
    evidence = world.ledger(world.reads, Outcome.CREATED, record_id=record.pk)
    held.delete()
    sweep()
    assert (only().resolution, only().evidence_id) == ("passed", evidence)


def test_what_is_put_again_stays_until_it_has_come_out(world: World) -> None:
    held, record = world.held(), world.refused()
    sweep()
    HeldRecord.objects.update(state=HeldState.RELEASED)
    world.deliver(record, DeliveryState.PENDING)
    assert sweep().resolved == 0
    HeldRecord.objects.filter(external_id=held.external_id).update(state=HeldState.QUARANTINED, last_at=timezone.now())
    assert sweep().updated == 1
    item = ExceptionItem.objects.get(external_id=held.external_id)
    assert (item.times, item.state) == (2, "open")


def test_a_discard_is_no_success(world: World, ada: Any) -> None:
    held = world.held()
    sweep()
    trouble.discard_held(held=held, reason="Entered twice.", by=ada)
    sweep()
    assert only().resolution == "discarded"


def test_what_vanishes_without_a_trace_is_gone(world: World) -> None:
    world.held().delete()
    world.held()
    sweep()
    HeldRecord.objects.all().delete()
    sweep()
    assert (only().resolution, only().evidence_id) == ("gone", None)


def test_a_cause_that_comes_back_is_counted(world: World) -> None:
    world.held()
    sweep()
    HeldRecord.objects.all().delete()
    sweep()
    world.held()
    world.held()
    sweep()
    group = ExceptionGroup.objects.get()
    assert (group.reopened, group.open_items) == (1, 2)
    world.held()
    sweep()
    assert ExceptionGroup.objects.get().reopened == 1


def test_another_error_puts_the_item_under_another_cause(world: World) -> None:
    held = world.held()
    sweep()
    before = only()
    HeldRecord.objects.update(
        error_code="UNMAPPED", error_detail="'x' is not in the value map roles.", last_at=timezone.now()
    )
    sweep()
    after = only()
    assert (before.cause, after.cause) == ("validation", "value-not-mapped")
    assert (after.pk, after.times, after.facts["value"]) == (before.pk, 2, "'x'")
    assert before.group.pk != after.group.pk
    assert ExceptionGroup.objects.get(pk=before.group.pk).open_items == 0
    assert held.external_id == after.external_id


def test_a_failing_retry_opens_the_item_again(world: World) -> None:
    world.held()
    sweep()
    ExceptionItem.objects.update(state="retrying")
    sweep()
    assert only().state == "retrying"
    HeldRecord.objects.update(last_at=timezone.now() + timedelta(seconds=1))
    sweep()
    assert only().state == "open"


def test_two_sweeps_never_run_at_once(world: World) -> None:
    world.held()
    settings = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    with psycopg.connect(**{name: settings[name] for name in names if settings.get(name)}) as other:
        other.execute("select pg_advisory_lock(%s)", [LOCK])
        assert collect() is None
    assert ExceptionItem.objects.count() == 0
    assert sweep().opened == 1


@pytest.fixture
def source() -> Iterator[list[Found]]:
    """Another part of the hub that puts things before people."""
    given: list[Found] = []
    before = dict(intake._sources)

    @intake.origin("gap")
    def gaps() -> list[Found]:
        if given and given[0].key == "broken":
            raise ValueError("no answer")
        return [Found(**{name: getattr(one, name) for name in Found.__slots__}) for one in given]

    yield given
    intake._sources.clear()
    intake._sources.update(before)


def test_other_parts_of_the_hub_put_things_into_the_queue(world: World, source: list[Found]) -> None:
    gap = Found(
        "9:T-1", "T-1 is only in the ERP", cause="gap", entity_id=world.time.pk, amount=Decimal(40), currency="GBP"
    )
    gap.facts, gap.client = {"set": "time"}, "C-1"
    source.append(gap)
    sweep()
    item = only()
    assert (item.origin, item.origin_key, item.title) == ("gap", "gap:9:T-1", "T-1 is only in the ERP")
    assert (item.client_name, item.domain_id, item.group.facts) == ("Acme", world.time.domain_id, {"set": "time"})
    assert sweep().updated == 0
    gap.amount = Decimal(50)
    assert sweep().updated == 1
    assert only().amount == 50
    source.clear()
    sweep()
    assert only().resolution == "gone"


def test_a_source_that_fails_leaves_its_items_alone(world: World, source: list[Found]) -> None:
    source.append(Found("1", "One", cause="gap", entity_id=world.time.pk))
    sweep()
    source[0] = Found("broken", "")
    world.held()
    done = sweep()
    assert done.problems == ["gap: no answer"]
    assert (done.opened, done.resolved) == (1, 0)
    assert ExceptionSweep.objects.get().problems == ["gap: no answer"]
