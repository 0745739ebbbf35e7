"""Every gap says why it is there, as far as the hub's own memory knows; what nothing explains stays unexplained."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from hub.common.errors import PermanentError
from hub.records.models import CanonicalRecord, Crosswalk
from hub.sync import services as syncs
from hub.sync.models import Delivery, HeldRecord, Sync
from hub.sync.states import DeliveryState, HeldState
from mappings.services import activate_rules
from monitoring.models import ReconciliationRun
from tests import memory
from tests.sync import builders as build

from .builders import IN_RULES, World, entry, gaps, labels, posted

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def one_that_agrees(world: World) -> None:
    """A side without any record is not comparable."""
    world.psa.append(entry(900))
    world.erp.append(posted(900))


@pytest.fixture
def delivery(world: World) -> Sync:
    return world.with_delivery()


def long_ago(*keys: str) -> None:
    """The hub has had these records for days."""
    old = timezone.now() - timedelta(days=3)
    CanonicalRecord.objects.filter(key__in=keys).update(updated_at=old)


def only(run: ReconciliationRun) -> Any:
    (gap,) = gaps(run)
    return gap


def age_ledger() -> None:
    """What the ledger says happened days ago, not while the sides were read."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("update sync_transaction set at = at - interval '3 days'")


def test_a_record_that_only_the_erp_knows_is_unexplained(world: World, delivery: Sync) -> None:
    world.psa.append(entry(1))
    world.read()
    world.erp += [posted(1), posted(2, ref="BY-HAND")]
    run = world.compare()
    gap = only(run)
    assert (gap.key, gap.kind, gap.label, run.unexplained) == ("BY-HAND", "only_right", "unexplained", 1)


def test_what_waits_in_the_outbox_is_in_flight(world: World, delivery: Sync) -> None:
    world.psa.append(entry(1))
    world.read()
    run = world.compare()
    gap = only(run)
    assert (gap.label, run.explained, run.unexplained) == ("in_flight", 1, 0)
    assert gap.evidence == {"delivery": [delivery.pk, gap.record_id]}
    assert delivery.name in gap.note


@pytest.mark.parametrize(
    ("state", "label"),
    [
        (DeliveryState.DEAD, "dead_letter"),
        (DeliveryState.UNSURE, "exception"),
        (DeliveryState.WAITING, "exception"),
        (DeliveryState.HELD, "exception"),
        (DeliveryState.DISCARDED, "suppressed"),
    ],
)
def test_the_state_of_the_delivery_says_why(world: World, delivery: Sync, state: DeliveryState, label: str) -> None:
    world.psa.append(entry(1))
    world.read()
    Delivery.objects.update(state=state, error_detail="Period is closed.")
    age_ledger()
    assert only(world.compare()).label == label


def test_a_dead_letter_gives_the_words_of_the_target(world: World, delivery: Sync) -> None:
    world.psa.append(entry(1))
    world.read()
    memory.system("erp").refuse["T-1"] = PermanentError("The job is blocked.", code="BLOCKED")
    syncs.run_here(sync=delivery)
    age_ledger()
    gap = only(world.compare())
    assert (gap.label, "The job is blocked." in gap.note) == ("dead_letter", True)


def test_what_was_delivered_and_is_not_there_stays_unexplained_and_says_so(world: World, delivery: Sync) -> None:
    world.psa.append(entry(1))
    world.read()
    syncs.run_here(sync=delivery)
    long_ago("T-1")
    age_ledger()
    gap = only(world.compare())
    assert gap.label == "unexplained"
    assert "which does not show it" in gap.note


@pytest.mark.django_db(transaction=True)
def test_what_moved_while_the_sides_were_read_is_no_gap_to_explain(world: World, delivery: Sync) -> None:
    """The delivery ends between the reading of the ERP and the comparison."""
    world.psa.append(entry(1))
    world.read()
    reconciliation = world.reconciliation()

    from monitoring.reconciliation import runs
    from monitoring.reconciliation.work import Comparison

    run, _ = runs.start(reconciliation, trigger="manual")
    claimed = runs.claim(run.pk)
    assert claimed
    comparison = Comparison.of(claimed)
    read = comparison._read

    def and_deliver(name: str, side: Any) -> int:
        number = read(name, side)
        if name == "right":
            syncs.run_here(sync=delivery)
        return number

    comparison._read = and_deliver  # type: ignore[method-assign]
    comparison.work()
    assert only(claimed).label == "in_flight"


def test_a_held_record_is_an_exception(world: World, delivery: Sync) -> None:
    world.psa.append(entry(1))
    build.held(world.reads, "1", entry(1), HeldState.QUARANTINED)
    HeldRecord.objects.update(error_detail="Billable time has a bill rate.")
    gap = only(world.compare())
    assert (gap.label, gap.note) == ("exception", "Billable time has a bill rate.")
    assert gap.evidence["held"] == [world.reads.pk, "1"]


def test_a_record_that_cannot_be_mapped_is_compared_all_the_same(world: World, delivery: Sync) -> None:
    rules = [{**rule, **({"type": "decimal"} if rule["target"] == "hours" else {})} for rule in IN_RULES]
    activate_rules(mapping=world.reads.mapping, rules=rules, by=None)
    world.psa.append(entry(1, hours="eight"))
    world.read()
    run = world.compare()
    gap = only(run)
    assert (gap.key, gap.label, run.left) == ("T-1", "exception", 2)


def test_what_a_sync_does_not_take_is_suppressed(world: World) -> None:
    world.with_delivery(only_when={"status": ["approved"]})
    world.psa += [entry(1, status="draft"), entry(2)]
    world.read()
    assert labels(world.compare()) == {"T-1": "suppressed", "T-2": "in_flight"}


def test_what_was_deleted_at_its_source_is_deleted(world: World, delivery: Sync) -> None:
    world.psa.append(entry(1))
    world.read()
    CanonicalRecord.objects.filter(key="T-1").update(deleted_at=timezone.now())
    world.psa.pop()
    world.erp.append(posted(1))
    gap = only(world.compare())
    assert (gap.kind, gap.label) == ("only_right", "deleted")


def test_what_is_gone_at_the_target_is_deleted(world: World, delivery: Sync) -> None:
    world.psa.append(entry(1))
    world.read()
    record = CanonicalRecord.objects.get(key="T-1")
    Crosswalk.objects.create(
        stream=world.erp_stream, external_id="E-1", record=record, batch_id=0, hash=b"", gone_at=timezone.now()
    )
    assert only(world.compare()).label == "deleted"


def test_what_the_source_changed_after_the_last_reading_is_in_flight(world: World, delivery: Sync) -> None:
    world.psa_stream.cursor_field = "changed"
    world.psa_stream.save()
    world.psa[:] = [entry(1, changed="2026-11-05T10:00:00Z")]
    world.erp.clear()
    world.read()
    world.psa += [entry(2, changed="2026-11-05T11:00:00Z"), entry(3, changed="2026-11-05T09:00:00Z")]
    world.erp.append(posted(1))
    assert labels(world.compare()) == {"T-2": "in_flight", "T-3": "unexplained"}


# Differences -----------------------------------------------------------------------------------------------
def deliver(world: World, delivery: Sync) -> None:
    world.read()
    syncs.run_here(sync=delivery)
    long_ago(*CanonicalRecord.objects.values_list("key", flat=True))
    age_ledger()


def test_what_the_mapping_makes_of_a_value_is_explained_by_it(world: World, delivery: Sync) -> None:
    world.psa.append(entry(1, notes="A long story of the day"))
    deliver(world, delivery)
    world.erp.append(posted(1, description="A long sto"))
    gap = only(world.compare(compare=[{"field": "notes"}]))
    assert gap.label == "mapping"
    assert gap.evidence["mapping"] == delivery.mapping.slug


def test_another_value_than_was_delivered_was_changed_at_the_target(world: World, delivery: Sync) -> None:
    world.psa.append(entry(1))
    deliver(world, delivery)
    world.erp.append(posted(1, quantity="6.00"))
    assert only(world.compare()).label == "changed_at_target"


def test_a_change_that_waits_in_the_outbox_is_in_flight(world: World, delivery: Sync) -> None:
    world.psa.append(entry(1))
    deliver(world, delivery)
    world.erp.append(posted(1))
    world.psa[1]["hours"] = "4.00"
    world.read()
    assert only(world.compare()).label == "in_flight"


@pytest.mark.parametrize(("hours", "label"), [("8.01", "rounding"), ("7.99", "rounding"), ("8.02", "unexplained")])
def test_a_cent_is_rounding_and_two_are_not(world: World, hours: str, label: str) -> None:
    world.psa.append(entry(1))
    world.erp.append(posted(1, quantity=hours))
    assert only(world.compare()).label == label


@pytest.mark.parametrize(
    ("kind", "right", "label"),
    [
        ("date", "2026-11-06", "cut_off"),
        ("date", "2026-11-07", "unexplained"),
        ("instant", "2026-11-05T05:30:00Z", "cut_off"),
        ("instant", "2026-11-05T05:31:00Z", "unexplained"),
    ],
)
def test_a_day_or_whole_quarters_of_an_hour_are_a_cut_off(world: World, kind: str, right: str, label: str) -> None:
    world.psa.append(entry(1))
    world.erp.append(posted(1, day=right))
    run = world.compare(compare=[{"field": "date", "type": kind}], totals={})
    assert only(run).label == label


def test_a_field_that_another_system_owns_is_suppressed_by_the_mapping(world: World) -> None:
    rules = [{**rule, **({"write_mode": "if_new"} if rule["target"] == "notes" else {})} for rule in IN_RULES]
    activate_rules(mapping=world.reads.mapping, rules=rules, by=None)
    world.psa.append(entry(1, notes="first"))
    world.read()
    age_ledger()
    world.psa[1]["notes"] = "second"
    run = world.compare(right={"hub": True}, compare=[{"field": "notes"}])
    assert only(run).label == "suppressed"
