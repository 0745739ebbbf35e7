"""The tick: everything that must happen although nobody rang. Any number of ticks may run; each claims its work once."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from hub.common.db import plain_cursor
from hub.common.times import business_now
from hub.sync import bell, engine, gate, held, probing
from hub.sync.adopt import work as adopting
from hub.sync.models import Delivery, Run, Schedule, ScheduleSlot
from hub.sync.replays import work as replays
from hub.sync.scheduling import next_slot
from hub.sync.states import ACTIVE, DeliveryState

MONTHS_AHEAD = 3
# A run that was rung for just now is not stranded yet.
QUIET_SECONDS = 5


def tick() -> None:
    fire_schedules()
    ring_stranded_runs()
    start_due_deliveries()
    release_waiting()
    probing.ring_due_probes()
    replays.ring_open()
    adopting.ring_due()
    ensure_partitions()


def fire_schedules() -> list[Run]:
    """Start a run for each due slot. Slots missed while nothing ran fire once, not once each."""
    fired = []
    now = business_now()
    for schedule in Schedule.objects.filter(is_active=True, next_at__lte=now).select_related("sync__mapping"):
        assert schedule.next_at
        with transaction.atomic():
            slot, claimed = ScheduleSlot.objects.get_or_create(schedule=schedule, slot_at=schedule.next_at)
            following = next_slot(schedule.cron, schedule.time_zone, after=now)
            Schedule.objects.filter(pk=schedule.pk, next_at=schedule.next_at).update(next_at=following)
            if not claimed or schedule.sync.is_paused:
                continue
            slot.run, made = engine.start(schedule.sync, trigger=Run.Trigger.SCHEDULE)
            slot.save(update_fields=["run"])
            if made:
                fired.append(slot.run)
    return fired


def ring_stranded_runs() -> int:
    """Runs whose ring was lost or whose worker is gone; who opens a gate rings for the runs behind it."""
    quiet = Now() - timedelta(seconds=QUIET_SECONDS)
    stranded = Run.objects.filter(status__in=ACTIVE).filter(
        Q(lease_until__isnull=True, created_at__lt=quiet) & (Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=quiet))
        | Q(lease_until__lt=Now())
    )
    found = list(stranded.exclude(sync_id__in=gate.shut_sync_ids()).select_related("sync__mapping"))
    for run in found:
        bell.ring(run, direction=run.sync.direction)
    return len(found)


def start_due_deliveries() -> list[Run]:
    """Retries whose time has come, changes whose ring was lost, and doubts that the target can be asked about by now."""
    syncs = (
        Delivery.objects.filter(state__in=(DeliveryState.PENDING, DeliveryState.UNSURE), next_at__lte=Now())
        .values_list("sync_id", flat=True)
        .distinct()
    )
    return engine.start_all(list(syncs), trigger=Run.Trigger.CHANGE)


def release_waiting() -> list[Run]:
    with transaction.atomic(), plain_cursor() as cursor:
        held.sweep(cursor)
        held.expire(cursor)
        released = cursor.execute("select distinct sync_id from sync_heldrecord where state = 4").fetchall()
    return engine.start_all([row[0] for row in released], trigger=Run.Trigger.RELEASE)


def ensure_partitions() -> None:
    with connection.cursor() as cursor:
        cursor.execute("select sync_ensure_partitions(%s)", [MONTHS_AHEAD])
