"""One look at the hub that all conditions of an evaluation share: syncs, connections, rates, and the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from django.urls import reverse

from connectors.models import Circuit
from hub.common.db import plain_cursor
from hub.records.rates import Rates, rates_on
from hub.sync.models import Schedule, Sync
from hub.sync.states import WENT_THROUGH
from monitoring.alerts.usual import Volume


@dataclass(frozen=True, slots=True)
class WatchedSync:
    """A sync as findings name it."""

    id: int
    slug: str
    name: str
    direction: str
    is_paused: bool
    entity_id: int
    domain_id: int
    system_id: int
    connection_id: int
    created_at: datetime
    has_schedule: bool

    @property
    def subject(self) -> str:
        return f"sync:{self.id}"

    @property
    def url(self) -> str:
        return reverse("sync:sync_detail", args=[self.slug])


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """A run that ended by itself, as conditions compare it."""

    id: int
    status: str
    started_at: datetime
    seconds: float
    read: int
    rejected: int
    failed: int
    error: str
    error_code: str


class Look:
    """`now` is the business's clock; what orders work asks the database's own."""

    RUNS = 60

    def __init__(self, now: datetime) -> None:
        self.now = now

    @cached_property
    def rates(self) -> Rates:
        return rates_on()

    @cached_property
    def syncs(self) -> dict[int, WatchedSync]:
        scheduled = set(Schedule.objects.filter(is_active=True).values_list("sync_id", flat=True))
        columns = (
            "id", "slug", "name", "mapping__direction", "is_paused", "mapping__entity_id", "mapping__entity__domain_id",
            "mapping__stream__connection__system_id", "mapping__stream__connection_id", "created_at",
        )  # fmt: skip
        rows = Sync.objects.order_by("pk").values_list(*columns)
        return {row[0]: WatchedSync(*(*row, row[0] in scheduled)) for row in rows}

    @cached_property
    def live(self) -> list[WatchedSync]:
        """Syncs that people let run."""
        return [sync for sync in self.syncs.values() if not sync.is_paused]

    @cached_property
    def shut_connections(self) -> set[int]:
        """Connections that are not called, because they do not answer or refuse the sign-in."""
        shut = Circuit.objects.exclude(state__in=[Circuit.State.CLOSED, Circuit.State.HALF_OPEN])
        return set(shut.values_list("connection_id", flat=True))

    @cached_property
    def runs(self) -> dict[int, list[JudgedRun]]:
        """The last runs of every sync that ended by themselves, newest first; narrow ones and backfills say nothing."""
        with plain_cursor() as cursor:
            rows = cursor.execute(
                "select s.id, r.id, r.status, r.started_at, extract(epoch from r.finished_at - r.started_at)::float8,"
                " r.read, r.rejected, r.failed, r.error, r.error_code from unnest(%s::bigint[]) s(id) cross join lateral"
                " (select * from sync_run where sync_id = s.id and trigger not in"
                "   ('backfill', 'release', 'event', 'removal', 'adopt') and started_at is not null"
                "   and status in ('succeeded', 'completed_with_errors', 'suspect', 'failed')"
                "  order by id desc limit %s) r order by s.id, r.id desc",
                [list(self.syncs), self.RUNS],
            ).fetchall()
        found: dict[int, list[JudgedRun]] = {}
        for sync_id, *run in rows:
            found.setdefault(sync_id, []).append(JudgedRun(*run))
        return found

    @cached_property
    def stopped(self) -> dict[int, tuple[int, list[tuple[str, Decimal]]]]:
        """Records that wait for a decision, by sync: (number, amounts by currency)."""
        with plain_cursor() as cursor:
            rows = cursor.execute(
                "select d.sync_id, c.currency, count(*), sum(c.amount) from sync_delivery d"
                " join records_canonicalrecord c on c.id = d.record_id where d.state in (2, 4, 5) group by 1, 2"
                " union all select h.sync_id, h.currency, count(*), sum(h.amount) from sync_heldrecord h"
                " where h.state in (1, 3) group by 1, 2"
            ).fetchall()
        found: dict[int, tuple[int, list[tuple[str, Decimal]]]] = {}
        for sync_id, currency, number, amount in rows:
            count, amounts = found.get(sync_id, (0, []))
            found[sync_id] = (count + number, amounts + ([(currency or "", amount)] if amount else []))
        return found

    @cached_property
    def volumes(self) -> dict[int, list[Volume]]:
        """What earlier runs read: the last ones, and those of eight weeks at the same hour of the same weekday."""
        found = {
            sync_id: {run.id: (run.id, run.started_at, run.read) for run in runs if run.status in WENT_THROUGH}
            for sync_id, runs in self.runs.items()
        }
        newest = [(sync_id, max(runs.values(), key=lambda one: one[1])[1]) for sync_id, runs in found.items() if runs]
        with plain_cursor() as cursor:
            rows = cursor.execute(
                "select s.id, r.id, r.started_at, r.read from unnest(%s::bigint[], %s::timestamptz[]) s(id, at)"
                " cross join lateral (select id, started_at, read from sync_run where sync_id = s.id"
                "   and status in ('succeeded', 'completed_with_errors', 'suspect')"
                "   and trigger not in ('backfill', 'release', 'event', 'removal', 'adopt')"
                "   and started_at >= s.at - interval '57 days' and started_at <= s.at"
                "   and extract(isodow from started_at at time zone 'utc') = extract(isodow from s.at at time zone 'utc')"
                "   and abs(extract(hour from started_at at time zone 'utc')"
                "     - extract(hour from s.at at time zone 'utc')) <= 1 order by id desc limit 100) r",
                [[sync_id for sync_id, _ in newest], [at for _, at in newest]],
            ).fetchall()
        for sync_id, run_id, at, read in rows:
            found[sync_id][run_id] = (run_id, at, read)
        return {sync_id: list(runs.values()) for sync_id, runs in found.items()}

    @cached_property
    def last_success(self) -> dict[int, datetime]:
        """When each sync last went through, whatever started it."""
        with plain_cursor() as cursor:
            rows = cursor.execute(
                "select s.id, r.finished_at from unnest(%s::bigint[]) s(id) cross join lateral (select finished_at"
                " from sync_run where sync_id = s.id and status in ('succeeded', 'completed_with_errors')"
                " and finished_at is not null order by id desc limit 1) r",
                [list(self.syncs)],
            ).fetchall()
        return dict(rows)

    def in_firm_currency(self, amounts: list[tuple[str, Decimal]]) -> tuple[Decimal | None, dict[str, Decimal]]:
        """(sum or None where nothing could be converted, the rest by currency)."""
        total, rest = self.rates.total(amounts)
        return (total if amounts and len(rest) < len({currency for currency, _ in amounts}) else None), rest
