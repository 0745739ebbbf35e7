"""From the ledger to expectations: `advance()` takes what is new for every service level, page for page set-based.

Ledger rows carry the instant at which their transaction began and become visible when it commits, so they appear out of
order. A level's position is therefore the horizon: the beginning of the oldest transaction that was still open when the
ledger was looked at. What is younger is looked at again; the unique key of expectations makes that harmless.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.db import Error, transaction

from governance.models import ServiceLevel
from governance.service_levels.windows import period_at
from hub.common.db import join_by_key, plain_cursor
from hub.common.errors import HubError
from hub.common.times import business_now
from monitoring.expectations import closing, opening, streams
from monitoring.expectations.telling import Changed, publish
from monitoring.expectations.terms import Terms, is_of_records, terms_of
from monitoring.models import ExpectationPosition
from monitoring.service_levels import rollups
from monitoring.service_levels.scope import Scope, scope_of

SLICE = timedelta(days=1)
SECONDS = 10.0
LOOK_BACK = timedelta(days=7)
FOREVER = "infinity"
# What keeps one level from being taken on, and no other.
FAILURES = (HubError, psycopg.Error, Error)
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Moved:
    """What an advance did; `is_behind` when history is left for the next one, `is_taken` when another process is at it."""

    opened: int = 0
    met: int = 0
    cancelled: int = 0
    is_behind: bool = False
    is_taken: bool = False

    def __add__(self, other: Moved) -> Moved:
        return Moved(
            self.opened + other.opened,
            self.met + other.met,
            self.cancelled + other.cancelled,
            self.is_behind or other.is_behind,
            self.is_taken or other.is_taken,
        )


def advance(*, seconds: float = SECONDS) -> Moved:
    """Take what is new for every service level, within a budget of time. One that fails keeps no other waiting."""
    stop, moved = time.monotonic() + seconds, Moved()
    for level in ServiceLevel.objects.select_related("calendar__parent__parent").order_by("pk"):
        try:
            moved += advance_level(level, stop=stop)
        except FAILURES:
            log.exception("The expectations of a service level could not be taken on.", extra={"level": level.slug})
    return moved


def advance_level(level: ServiceLevel, *, stop: float | None = None) -> Moved:
    """Take one level to the present, in slices that are each committed."""
    begin(level)
    moved = Moved()
    while True:
        step = _advance(level)
        moved = Moved(moved.opened + step.opened, moved.met + step.met, moved.cancelled + step.cancelled)
        moved.is_behind, moved.is_taken = step.is_behind, step.is_taken
        if not step.is_behind or step.is_taken or (stop is not None and time.monotonic() >= stop):
            return moved


def begin(level: ServiceLevel, *, since: datetime | None = None) -> None:
    """A new level counts from the beginning of its running window, in the first week of one from that of the window before,
    and is watched from now on."""
    now, promise = business_now(), level.promise
    start = since or period_at(promise.window, now - LOOK_BACK, promise.hours.zone).starts_at
    ExpectationPosition.objects.get_or_create(
        service_level=level, defaults={"begun_at": start, "taken_to": start, "watched_from": now, "is_behind": True}
    )


@transaction.atomic
def _advance(level: ServiceLevel) -> Moved:
    rows = ExpectationPosition.objects.select_for_update(skip_locked=True)
    position = rows.filter(service_level=level).first()
    if position is None:
        return Moved(is_taken=True)
    terms, scope = terms_of(level), scope_of(level)
    with plain_cursor() as cursor:
        if terms.digest != position.terms and is_of_records(level):
            opening.retime(cursor, level, terms)
        position.terms = terms.digest
        if is_of_records(level):
            moved, changed = _take_slice(cursor, level, scope, terms, position)
        else:
            opened, changed = streams.follow(level, scope, terms, position, business_now())
            moved = Moved(opened, len(changed))
        rollups.mark(cursor, level.pk, changed.days)
    position.is_behind = moved.is_behind
    position.save(update_fields=["terms", "taken_to", "is_behind"])
    return moved


def _take_slice(
    cursor: psycopg.Cursor[Any], level: ServiceLevel, scope: Scope, terms: Terms, position: ExpectationPosition
) -> tuple[Moved, Changed]:
    low, horizon, now = position.taken_to, ledger_horizon(cursor), business_now()
    is_last = low + SLICE >= horizon
    high: datetime | str = FOREVER if is_last else low + SLICE
    opened = opening.open_from_ledger(cursor, level, scope, terms, low, high)
    join_by_key(cursor)
    met = closing.close_by_ledger(cursor, level, scope, terms.zone, low, high, now)
    met += closing.close_unchanged(cursor, level, scope, terms.zone, low, high, now)
    cancelled = closing.cancel(cursor, level, scope, terms.zone, low, high)
    if not isinstance(high, datetime) or high > position.watched_from:
        publish("expectation_met", level.pk, met.ids)
    position.taken_to = max(low, horizon) if is_last else low + SLICE
    changed = met + cancelled
    if opened:
        changed += Changed(days=opening.days_of(cursor, level, terms.zone, low))
    return Moved(opened, len(met), len(cancelled), is_behind=not is_last), changed


def ledger_horizon(cursor: psycopg.Cursor[Any]) -> datetime:
    """Every ledger row that is older is committed, or never will be."""
    row = cursor.execute("select monitoring_ledger_horizon()").fetchone()
    assert row is not None
    found: datetime = row[0]
    return found
