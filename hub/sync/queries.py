"""Reads of syncs and runs: what a person may see, a list's rows, and a run beside the last good one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, OuterRef, Prefetch, QuerySet, Subquery

from connectors.models import Circuit, Connection
from connectors.standing import Standing, standing
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.common.times import format_instant
from hub.sync import scheduling
from hub.sync.models import Backfill, Delivery, HeldRecord, Run, Schedule, Standstill, Sync
from hub.sync.states import WENT_THROUGH, DeliveryState, HeldState, RunStatus

DOMAIN = "mapping__entity__domain"
STRIP = 30
TROUBLED_DELIVERIES = (DeliveryState.UNSURE, DeliveryState.WAITING, DeliveryState.HELD, DeliveryState.DEAD)
# What a success rate counts: runs that ended by themselves.
JUDGED = (*WENT_THROUGH, RunStatus.FAILED)


# What a person may see -------------------------------------------------------------------------------------
def syncs_for(user: User, permission: str) -> QuerySet[Sync]:
    """Syncs of entities in whose domain the person holds the permission, with all that a page names of them."""
    rows = Sync.objects.select_related(
        "mapping__entity__domain",
        "mapping__stream__connection__system",
        "mapping__stream__connection__circuit",
        "after",
        "paused_by",
    )
    return scope_to_domains(rows, user, permission, DOMAIN)


def sync_ids_for(user: User, permission: str) -> list[int] | None:
    """Ids of the syncs that a person may see; None means all, also those that are gone."""
    if user.domain_ids_for(permission) is None:
        return None
    return list(scope_to_domains(Sync.objects.order_by("pk"), user, permission, DOMAIN).values_list("pk", flat=True))


def runs_for(user: User, permission: str) -> QuerySet[Run]:
    rows = Run.objects.select_related(
        "sync__mapping__entity__domain",
        "sync__mapping__stream__connection__system",
        "mapping_version",
        "contract_version__contract",
        "requested_by",
        "crawl",
    )
    return scope_to_domains(rows, user, permission, f"sync__{DOMAIN}")


def backfills_for(user: User, permission: str) -> QuerySet[Backfill]:
    rows = Backfill.objects.select_related("sync__mapping__entity__domain", "run", "requested_by")
    return scope_to_domains(rows, user, permission, f"sync__{DOMAIN}")


# What stands still -----------------------------------------------------------------------------------------
def standstill() -> Standstill | None:
    """The pause of everything, while it lasts."""
    return Standstill.objects.select_related("by").filter(is_paused=True).first()


def standings_of(syncs: QuerySet[Sync]) -> list[Standing]:
    """The connections of these syncs that are not called at the moment, with what waits for each."""
    of_syncs = syncs.order_by().values("mapping__stream__connection")
    rows = Connection.objects.select_related("circuit").filter(pk__in=of_syncs)
    shut = rows.exclude(circuit__isnull=True).exclude(circuit__state=Circuit.State.CLOSED)
    return [found for connection in shut.order_by("name") if (found := standing(connection))]


# The list of syncs -----------------------------------------------------------------------------------------
def with_schedules(rows: QuerySet[Sync]) -> QuerySet[Sync]:
    """With `active_schedules`, soonest first, read once for all rows."""
    active = Schedule.objects.filter(is_active=True).order_by("next_at")
    return rows.prefetch_related(Prefetch("schedules", queryset=active, to_attr="active_schedules"))


def whose_last_run_is(rows: QuerySet[Sync], status: str) -> QuerySet[Sync]:
    live = Run.objects.filter(sync=OuterRef("pk")).exclude(trigger=Run.Trigger.BACKFILL)
    newest = live.order_by("-pk").values("status")[:1]
    return rows.alias(newest_status=Subquery(newest)).filter(newest_status=status)


@dataclass(slots=True)
class SyncRow:
    """A sync as its list shows it; `marks` are its last runs, oldest first, as (status, title)."""

    sync: Sync
    runs: list[tuple[int, str, datetime]] = field(default_factory=list)
    waiting: int = 0
    held: int = 0
    troubled: int = 0

    @property
    def marks(self) -> list[tuple[str, str]]:
        return [(status, f"run {pk}, {format_instant(at)}: {status}") for pk, status, at in reversed(self.runs)]

    @property
    def last_run(self) -> tuple[int, str, datetime] | None:
        return self.runs[0] if self.runs else None

    @property
    def stopped(self) -> int:
        """Records that somebody has to look at: held ones, and deliveries in trouble."""
        return self.held + self.troubled

    @property
    def success(self) -> int | None:
        """Percent of the judged runs that succeeded without errors; None when there is none."""
        judged = [status for _, status, _ in self.runs if status in JUDGED]
        return judged.count(RunStatus.SUCCEEDED) * 100 // len(judged) if judged else None

    @property
    def next_at(self) -> datetime | None:
        times = [schedule.next_at for schedule in _active_schedules(self.sync) if schedule.next_at]
        return None if self.sync.is_paused else min(times, default=None)

    @property
    def trigger(self) -> str:
        return trigger_words(self.sync)


def sync_rows(syncs: Iterable[Sync]) -> list[SyncRow]:
    """The rows of one page: three queries however many syncs it has."""
    rows = {sync.pk: SyncRow(sync) for sync in syncs}
    for sync_id, pk, status, at in _newest_runs(list(rows)):
        rows[sync_id].runs.append((pk, status, at))
    for sync_id, state, number in held_counts(rows):
        if state == HeldState.WAITING:
            rows[sync_id].waiting += number
        else:
            rows[sync_id].held += number
    for sync_id, state, number in delivery_counts(rows):
        if state == DeliveryState.WAITING:
            rows[sync_id].waiting += number
        else:
            rows[sync_id].troubled += number
    return list(rows.values())


def _newest_runs(sync_ids: Sequence[int]) -> list[tuple[int, int, str, datetime]]:
    """(sync, run, status, made at), newest first: one index probe for each sync. Backfills say nothing of how it goes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select s.id, r.id, r.status, r.created_at from unnest(%s::bigint[]) s(id) cross join lateral"
            " (select id, status, created_at from sync_run where sync_id = s.id and trigger <> 'backfill'"
            " order by id desc limit %s) r",
            [list(sync_ids), STRIP],
        )
        return list(cursor.fetchall())


def held_counts(sync_ids: Collection[int]) -> list[tuple[int, int, int]]:
    """(sync, state, number)"""
    rows = HeldRecord.objects.filter(sync_id__in=list(sync_ids)).values_list("sync_id", "state")
    return list(rows.annotate(number=Count("external_id")).order_by())


def delivery_counts(sync_ids: Collection[int]) -> list[tuple[int, int, int]]:
    """(sync, state, number) of deliveries that want a person or a parent."""
    rows = Delivery.objects.filter(sync_id__in=list(sync_ids), state__in=TROUBLED_DELIVERIES)
    return list(rows.values_list("sync_id", "state").annotate(number=Count("record_id")).order_by())


def trigger_words(sync: Sync) -> str:
    """When a sync runs, in plain words: its schedules, the sync it follows, changes, or by hand."""
    parts = [schedule_words(schedule) for schedule in _active_schedules(sync)]
    if sync.after:
        parts.append(f"After {sync.after.name}")
    if sync.direction == "out":
        parts.append("When records change")
    return "; ".join(parts) or "By hand"


def schedule_words(schedule: Schedule) -> str:
    return f"{scheduling.in_words(schedule.cron)} ({schedule.time_zone})"


def _active_schedules(sync: Sync) -> Sequence[Schedule]:
    known: Sequence[Schedule] | None = getattr(sync, "active_schedules", None)
    return known if known is not None else list(sync.schedules.filter(is_active=True).order_by("next_at"))


# A run -----------------------------------------------------------------------------------------------------
def last_good_run(run: Run) -> Run | None:
    """The newest earlier run of the same sync that succeeded."""
    good = Run.objects.filter(sync=run.sync_id, status=RunStatus.SUCCEEDED, pk__lt=run.pk)
    return good.exclude(trigger=Run.Trigger.BACKFILL).order_by("-pk").first()


def compare(run: Run, other: Run) -> list[tuple[str, Any, Any]]:
    """(word, this run, the other run) for every count, and the seconds at the end."""
    counts = [(name.capitalize(), number, other.counts[name]) for name, number in run.counts.items()]
    return [*counts, ("Seconds", elapsed_seconds(run), elapsed_seconds(other))]


def elapsed_seconds(run: Run, now: datetime | None = None) -> float | None:
    """Seconds from the first claim to the end, or until `now` while it runs; None before it started."""
    end = run.finished_at or now
    return (end - run.started_at).total_seconds() if run.started_at and end else None


def due_count(sync_id: int, *, at_most: int = 1_000_000) -> int:
    """Deliveries of an outbound sync that still are to be sent, counted up to a limit."""
    pending = Delivery.objects.filter(sync_id=sync_id, state=DeliveryState.PENDING).order_by()
    return pending.values("record_id")[:at_most].count()
