"""Discarding what is queued, for a whole sync or connection: counted first, then dropped with a reason that stays.

Only deliveries that were not sent are dropped: due, retried, or waiting for another record. What is in doubt, held or dead
is decided one by one (hub.sync.trouble).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.db.models import Count, Min, QuerySet

from hub.common import facts
from hub.common.errors import ConfigError
from hub.common.reasons import needed
from hub.sync import gate, history, totals
from hub.sync.models import Delivery, Run, Sync
from hub.sync.states import DeliveryState, Outcome, RunStatus

QUEUED = (DeliveryState.PENDING, DeliveryState.WAITING)


@dataclass(frozen=True, slots=True)
class PurgePlan:
    """What a purge would drop. `by_sync` is (slug, number); `oldest_at` is since when the oldest has been due."""

    number: int
    amounts: list[tuple[str, Decimal]]
    oldest_at: datetime | None
    by_sync: list[tuple[str, int]]

    def as_data(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "amounts": {currency: totals.exact(total) for currency, total in self.amounts},
            "oldest_at": self.oldest_at,
            "by_sync": dict(self.by_sync),
        }


def plan(syncs: QuerySet[Sync]) -> PurgePlan:
    """Look, and drop nothing."""
    slugs = dict(syncs.order_by().values_list("pk", "slug"))
    rows = _queued(list(slugs))
    numbers = rows.values_list("sync_id").annotate(number=Count("record_id")).order_by("sync_id")
    by_sync = [(slugs[pk], number) for pk, number in numbers]
    oldest = rows.aggregate(at=Min("next_at"))["at"]
    return PurgePlan(sum(n for _, n in by_sync), totals.amounts(rows, prefix="record__"), oldest, by_sync)


@transaction.atomic
def purge(syncs: QuerySet[Sync], *, reason: str, by: Any) -> PurgePlan:
    """Drop what is queued and write each into the ledger as discarded; returns what was dropped.

    A later change of a record is delivered again. Raises ConfigError without a reason, and while a sync is not paused:
    what is being sent cannot be called back.
    """
    reason = needed(reason, "Say why these deliveries are discarded.", where="reason")
    found = list(syncs.filter(mapping__direction="out").select_for_update(of=("self",)).order_by("pk"))
    for sync in found:
        _refuse_moving(sync)
    dropped = plan(Sync.objects.filter(pk__in=[sync.pk for sync in found]))
    _discard([sync.pk for sync in found], f"Purged by {by or 'the command line'}: {reason}")
    for sync in found:
        if number := dict(dropped.by_sync).get(sync.slug):
            _remember(sync, number, reason, by)
    facts.publish("deliveries_purged", sync_ids=[s.pk for s in found], number=dropped.number, reason=reason, by=by)
    return dropped


def _queued(sync_ids: Sequence[int]) -> QuerySet[Delivery]:
    return Delivery.objects.filter(sync_id__in=sync_ids, state__in=QUEUED)


def _refuse_moving(sync: Sync) -> None:
    """Also keeps the sync's runs from being claimed until the purge is done."""
    runs = list(Run.objects.select_for_update().filter(sync=sync, status__in=(RunStatus.QUEUED, RunStatus.RUNNING)))
    reason = gate.why_shut(sync.pk)
    if reason is None or reason.why not in gate.BY_PEOPLE or any(run.lease_until for run in runs):
        raise ConfigError(
            f"The sync {sync.name!r} may be sending at this moment.",
            where=sync.slug,
            fix="Pause it, its connection or everything, wait until its run has stopped, then purge.",
            code="MOVING",
        )


def _discard(sync_ids: list[int], detail: str) -> None:
    with database.cursor() as cursor:
        cursor.execute(
            "with gone as (update sync_delivery d set state = %s, next_at = now(), missing_entity_id = null,"
            "   missing_key = null, error_code = null, error_detail = null"
            "   from records_canonicalrecord c where c.id = d.record_id and d.sync_id = any(%s) and d.state = any(%s)"
            "   returning d.sync_id, d.record_id, d.target_ref, c.key, d.version, c.amount, c.currency, d.cause_id)"
            " select count(sync_append_decision(sync_id, record_id, target_ref, key, %s::smallint, version, 'BY_HAND', %s,"
            "   target_ref, amount, currency, cause_id)) from gone",
            [int(DeliveryState.DISCARDED), sync_ids, [int(s) for s in QUEUED], int(Outcome.DISCARDED), detail],
        )


def _remember(sync: Sync, number: int, reason: str, by: Any) -> None:
    what = "1 queued delivery" if number == 1 else f"{number:,} queued deliveries"
    history.note(sync, f"Purged {what}: {reason}", by=by)
