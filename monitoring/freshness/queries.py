"""Streams with their newest reading, when the next one is expected, and what is stale: by domain and system."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Max, QuerySet

from governance.calendars.opening import add_business_time
from governance.models import ServiceLevel
from governance.service_levels.promise import Measure
from governance.service_levels.queries import levels_for
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.common.db import plain_cursor
from hub.common.errors import HubError
from hub.common.money import CURRENCY_DIGITS
from hub.common.times import business_now
from hub.records.rates import Rates
from hub.sync.models import Run, Sync
from hub.sync.states import ACTIVE, RunStatus
from monitoring.models import Expectation, StaleAcknowledgement, StaleCount
from monitoring.models.expectation import plain

SEE = "monitor.view"
# Arrivals that a row shows.
SHOWN = timedelta(days=3)
MOST_MARKS = 60
STATES = {"late": "Late", "warn": "Soon late", "ok": "Fresh", "no_data": "No data yet", "unlimited": "No limit"}
_ORDER = list(STATES)


@dataclass(slots=True)
class Row:
    """One inbound sync: how old its data is, by the strictest limit that a freshness level gives it.

    `limit_at`: what was confirmed before it is too old; `stale` counts those records, as of its own time.
    """

    sync: Sync
    level: ServiceLevel | None = None
    current: Expectation | None = None
    last_at: datetime | None = None
    readings: list[tuple[datetime, str]] = field(default_factory=list)
    active_run: Run | None = None
    acknowledged: StaleAcknowledgement | None = None
    stale: StaleCount | None = None
    limit_at: datetime | None = None
    now: datetime = field(default_factory=business_now)

    @property
    def state(self) -> str:
        if self.current is None:
            return "unlimited" if self.last_at else "no_data"
        if self.current.state == Expectation.State.BREACHED or self.current.due_at < self.now:
            return "late"
        if self.last_at is None:
            return "no_data"
        return "warn" if self.current.warn_at <= self.now else "ok"

    @property
    def is_read_in_time(self) -> bool:
        return bool(self.last_at and self.limit_at and self.last_at >= self.limit_at)

    @property
    def due_at(self) -> datetime | None:
        return self.current.due_at if self.current else None

    @property
    def overdue_seconds(self) -> float | None:
        """None while it is in time."""
        late = (self.now - self.current.due_at).total_seconds() if self.current else 0
        return late if late > 0 else None

    @property
    def since(self) -> datetime:
        return self.now - SHOWN

    @property
    def words(self) -> str:
        """What the chart draws."""
        if self.last_at is None:
            return f"{self.sync.name}: never read"
        due = f", next one by {self.due_at:%Y-%m-%d %H:%M}" if self.due_at else ""
        return f"{self.sync.name}: {len(self.readings)} readings in three days, last {self.last_at:%Y-%m-%d %H:%M}{due} (UTC)"


def inbound_for(user: User, permission: str = SEE) -> QuerySet[Sync]:
    rows = Sync.objects.filter(mapping__direction="in").select_related(
        "mapping__entity__domain", "mapping__stream__connection__system"
    )
    return scope_to_domains(rows, user, permission, "mapping__entity__domain").order_by("name")


def freshness_levels(user: User) -> QuerySet[ServiceLevel]:
    return levels_for(user).filter(measure=Measure.FRESHNESS)


def rows_of(syncs: Iterable[Sync], levels: Iterable[ServiceLevel]) -> list[Row]:
    """The worst first: late, soon late, and then by deadline. A handful of statements, however many syncs."""
    now = business_now()
    found = {sync.pk: Row(sync, now=now) for sync in syncs}
    _promised(found, levels)
    _read(found, now)
    runs = Run.objects.filter(sync__in=list(found), status__in=ACTIVE)
    for run in runs.exclude(trigger=Run.Trigger.BACKFILL):
        found[run.sync_id].active_run = run
    for said in StaleAcknowledgement.objects.filter(sync__in=list(found), until__gt=now).select_related("by"):
        row = found[said.sync_id]
        if row.acknowledged is None and (row.last_at is None or row.last_at < said.at):
            row.acknowledged = said
    for counted in StaleCount.objects.filter(sync__in=list(found)):
        found[counted.sync_id].stale = counted
    rows = list(found.values())
    return sorted(rows, key=lambda row: (_ORDER.index(row.state), row.due_at or now, row.sync.name))


def _promised(found: Mapping[int, Row], levels: Iterable[ServiceLevel]) -> None:
    """The open expectation with the nearest deadline, and its level."""
    by_pk = {level.pk: level for level in levels}
    rows = Expectation.objects.filter(
        service_level__in=list(by_pk), subject_id__in=list(found), state__in=Expectation.UNFINISHED
    )
    for current in rows.order_by("-due_at"):
        row = found[current.subject_id]
        row.current, row.level = current, by_pk[current.service_level_id]
        row.limit_at = limit_of(row.level, row.now)


def limit_of(level: ServiceLevel, now: datetime) -> datetime:
    """Data confirmed before this instant is stale: it lies the level's business time in the past."""
    seconds = level.breach_seconds
    low, high = now - timedelta(days=max(30, 8 * seconds // 86_400)), now
    try:
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) / 2
            if add_business_time(level.promise.hours, middle, timedelta(seconds=seconds)) <= now:
                low = middle
            else:
                high = middle
    except HubError:
        return now - timedelta(seconds=seconds)
    return low


def _read(found: Mapping[int, Row], now: datetime) -> None:
    """When each sync was read cleanly: the newest time, and those of the last days."""
    clean = Run.objects.filter(sync__in=list(found), status=RunStatus.SUCCEEDED, finished_at__isnull=False)
    clean = clean.exclude(trigger__in=[*Run.NARROW, Run.Trigger.BACKFILL]).order_by()
    for sync_id, last in clean.values_list("sync").annotate(last=Max("finished_at")):
        found[sync_id].last_at = last
    late = set(
        Expectation.objects.filter(
            subject_id__in=list(found), state=Expectation.State.MET_LATE, arrived_at__gte=now - SHOWN, record_id=None
        ).values_list("subject_id", "arrived_at")
    )
    marks: dict[int, list[tuple[datetime, str]]] = defaultdict(list)
    for sync_id, at in (
        clean.filter(finished_at__gte=now - SHOWN).values_list("sync", "finished_at").order_by("finished_at")
    ):
        if at is not None:
            marks[sync_id].append((at, "met_late" if (sync_id, at) in late else "met"))
    for sync_id, readings in marks.items():
        found[sync_id].readings = readings[-MOST_MARKS:]


# Stale records ------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class StaleRecord:
    """A record, when its source last showed it, and what it is worth; `held_since` where the source has a newer version
    that may not pass, with the reason."""

    record_id: int
    key: str
    external_id: str
    confirmed_at: datetime
    customer: str
    project: str
    amount: Decimal | None
    currency: str
    held_since: datetime | None
    held_why: str

    @property
    def plain(self) -> Decimal | None:
        """The amount with the decimals of its currency."""
        return plain(self.amount, CURRENCY_DIGITS.get(self.currency, 0))


# A stream that was read since the limit is confirmed as a whole, but for what was held back of it.
_FROM = (
    " from records_crosswalk x join records_canonicalrecord r on r.id = x.record_id left join sync_batch b on b.id = x.batch_id"
    " {join} sync_heldrecord h on h.sync_id = %(sync)s and h.external_id = x.external_id and h.state in (1, 2, 3)"
    "   and h.first_at < %(limit)s"
    " left join unnest(%(currencies)s::text[], %(rates)s::numeric[]) fx(currency, rate) on fx.currency = r.currency"
    " where x.stream_id = %(stream)s and x.gone_at is null and r.deleted_at is null and {stale}"
)


def _from(row: Row) -> str:
    if row.is_read_in_time:
        return _FROM.format(join="join", stale="true")
    return _FROM.format(join="left join", stale="(h.sync_id is not null or greatest(b.at, r.updated_at) < %(limit)s)")


def _asked(row: Row, rates: Rates) -> dict[str, Any]:
    return {
        "sync": row.sync.pk,
        "stream": row.sync.stream.pk,
        "limit": row.limit_at,
        "currencies": list(rates.by_currency),
        "rates": [each.rate for each in rates.by_currency.values()],
        "digits": CURRENCY_DIGITS.get(rates.currency, 2),
    }


def count_stale(row: Row, rates: Rates) -> tuple[int, Decimal | None, int]:
    """(records, what they are worth in the firm's currency, how many have an amount without a rate)."""
    if row.limit_at is None:
        return 0, None, 0
    with plain_cursor() as cursor:
        found = cursor.execute(
            "select count(*), sum(round(r.amount * fx.rate, %(digits)s)),"
            f" count(*) filter (where r.amount is not null and fx.rate is null){_from(row)}",
            _asked(row, rates),
        ).fetchone()
    assert found is not None
    return found[0], found[1], found[2]


def stale_records(row: Row, *, after: str = "", limit: int = 100) -> list[StaleRecord]:
    """In the order of their ids at the source, behind `after`."""
    if row.limit_at is None:
        return []
    with plain_cursor() as cursor:
        rows = cursor.execute(
            "select r.id, r.key, x.external_id, greatest(b.at, r.updated_at), coalesce(r.customer, ''),"
            " coalesce(r.project, ''), r.amount, coalesce(r.currency, ''), h.first_at, coalesce(h.error_detail, '')"
            f"{_from(row)} and x.external_id > %(after)s order by x.external_id limit %(most)s",
            {**_asked(row, Rates()), "after": after, "most": limit},
        ).fetchall()
    return [StaleRecord(*each) for each in rows]


def by_stream(user: User, slug: str) -> Row | None:
    """The row of one stream, by its short name; None where there is no such stream or the person may not see it."""
    syncs = inbound_for(user).filter(mapping__stream__slug=slug)
    rows = rows_of(syncs, freshness_levels(user))
    return rows[0] if rows else None


def narrow(rows: Iterable[Row], *, domain: str = "", system: str = "", state: str = "", text: str = "") -> list[Row]:
    return [
        row
        for row in rows
        if domain in ("", row.sync.entity.domain.slug)
        and system in ("", row.sync.stream.connection.system.slug)
        and state in ("", row.state)
        and text.lower() in row.sync.name.lower()
    ]
