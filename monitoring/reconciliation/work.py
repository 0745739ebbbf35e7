"""Carrying out a comparison: read both sides, join, label, and put the result in one transaction where the old one was."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from governance.queries import active_version, contract_of
from governance.schemas import Markers, fields_of, markers_of
from hub.common.db import plain_cursor
from hub.common.errors import HubError
from hub.common.registry import kind
from hub.common.times import business_today, period_of, shift_period
from hub.sync.runs import as_hub_error
from monitoring.models import Reconciliation, ReconciliationRun
from monitoring.reconciliation import labels, rules, runs, sides, staging, storing
from monitoring.reconciliation.definition import Definition, Side, parse
from monitoring.reconciliation.encoding import Encoder
from monitoring.reconciliation.sides import Brought

KIND = "Reconciliation"
# More than this is no list for people: the key is wrong, or one side is another one.
MOST_GAPS = 500_000
Status = ReconciliationRun.Status
Pages = Iterator[list[Brought]]
Source = Callable[[Side], Pages]


class NotComparable(HubError):
    """What was read cannot be held against the other side: nothing of it may count as a gap."""

    code = "NOT_COMPARABLE"


def execute(run_id: int) -> ReconciliationRun | None:
    """Claim a comparison and carry it out; None when there is nothing to claim. Every branch ends in a stored state."""
    run = runs.claim(run_id)
    if run is None:
        return None
    try:
        Comparison.of(run).work()
    except runs.LostLease:
        return run
    except NotComparable as error:
        runs.end(run, Status.NOT_COMPARABLE, reason=str(error))
    except Exception as error:
        runs.end(run, Status.FAILED, reason=str(as_hub_error(error)))
    finally:
        staging.drop()
    return run


def markers_for(reconciliation: Reconciliation) -> Markers | None:
    version = active_version(contract_of(reconciliation.entity))
    return markers_of(version.schema) if version else None


def _masked(reconciliation: Reconciliation) -> frozenset[str]:
    version = active_version(contract_of(reconciliation.entity))
    return frozenset(field.name for field in fields_of(version.schema) if field.is_masked) if version else frozenset()


def definition_of(reconciliation: Reconciliation) -> Definition:
    document = kind(KIND).dump(reconciliation.slug)
    assert document is not None
    return parse(document, markers_for(reconciliation), _masked(reconciliation))


@dataclass
class Comparison:
    """One comparison under way. `source` gives the pages of a side: streams and the hub, unless something else is said."""

    run: ReconciliationRun
    definition: Definition
    source: Source
    markers: Markers | None = None
    timings: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    since: datetime | None = None

    @classmethod
    def of(cls, run: ReconciliationRun) -> Comparison:
        reconciliation = run.reconciliation
        document = kind(KIND).dump(reconciliation.slug) or {}
        markers = markers_for(reconciliation)
        runs.fence(run)
        ReconciliationRun.objects.filter(pk=run.pk, epoch=run.epoch).update(document=document)
        definition = parse(document, markers, _masked(reconciliation))
        return cls(run, definition, lambda side: sides.pages(side, reconciliation.entity), markers)

    def work(self) -> None:
        self.since = self._now()
        staging.create(self.definition)
        left = self._read("left", self.definition.left)
        right = self._read("right", self.definition.right)
        self._refuse_odd(left, right)
        self._settle()

    def _now(self) -> datetime:
        with plain_cursor() as cursor:
            row = cursor.execute("select clock_timestamp()").fetchone()
        assert row is not None
        found: datetime = row[0]
        return found

    # Reading -----------------------------------------------------------------------------------------------
    def _read(self, name: str, side: Side) -> int:
        """Copy a whole side; a side that breaks off leaves nothing to compare."""
        started, number = time.perf_counter(), 0
        try:
            encoder = Encoder(self.definition, side, "UTC" if side.is_hub else self._zone(side))
            for chunk in staging.chunks(encoder.line(one) for page in self.source(side) for one in page):
                number += staging.fill(f"recon_{name}", self.definition, chunk)
                read: dict[str, Any] = {name: number, "stage": f"reading {side.label}"[:40]}
                runs.fence(self.run, **read)
        except runs.LostLease:
            raise
        except HubError as error:
            raise NotComparable(
                f"{side.label} broke off after {number:,} records: {error}", fix="Compare again when it answers."
            ) from error
        self.timings[f"read {name}"] += time.perf_counter() - started
        return number

    def _zone(self, side: Side) -> str:
        return sides.stream_of(side).time_zone if self.markers is not None else "UTC"

    def _refuse_odd(self, left: int, right: int) -> None:
        """Nothing, or far less than the last time, is no gap of everything."""
        if self.run.is_small_accepted:
            return
        before = storing.last_comparable(self.run)
        least = self.run.reconciliation.usual_min_percent
        for side, number, other, usual in (
            (self.definition.left, left, right, before.left if before else 0),
            (self.definition.right, right, left, before.right if before else 0),
        ):
            fix = "If that is right, compare again and say so."
            if not number and (other or usual):
                raise NotComparable(f"{side.label} shows no record at all.", fix=fix)
            if number * 100 < usual * least:
                raise NotComparable(f"{side.label} shows {number:,} records, the last time {usual:,}.", fix=fix)

    # Comparing ---------------------------------------------------------------------------------------------
    def _settle(self) -> None:
        runs.fence(self.run, seconds=runs.COMPARING_SECONDS, stage="comparing")
        with transaction.atomic(), plain_cursor() as cursor:
            counts = self._timed("compare", self._compare, cursor)
            self._refuse_flood(counts)
            self._timed("label", self._label, cursor)
            runs.fence(self.run, seconds=runs.COMPARING_SECONDS, stage="storing")
            self._timed("store", storing.store, cursor, self.run, self.definition)
            self._timed("match", rules.suggest_all, cursor, self.run.reconciliation, self.definition)
            done = runs.end(
                self.run,
                Status.DONE,
                **counts,
                **storing.outcome(cursor, self.run),
                timings={name: round(seconds, 3) for name, seconds in self.timings.items()},
            )
            if not done:
                raise runs.LostLease("The comparison was cancelled.", where=str(self.run))

    def _compare(self, cursor: Any) -> dict[str, int]:
        staging.prepare(cursor)
        if first := self._first_period():
            staging.cut(cursor, first)
        staging.mark_duplicates(cursor)
        staging.compare(cursor, self.definition)
        return staging.counts(cursor)

    def _first_period(self) -> str:
        periods = self.run.reconciliation.periods
        return shift_period(period_of(business_today()), 1 - periods) if periods else ""

    def _refuse_flood(self, counts: dict[str, int]) -> None:
        found = sum(number for name, number in counts.items() if name not in ("left", "right", "matched"))
        if found > MOST_GAPS:
            raise NotComparable(
                f"{found:,} of {counts['left']:,} and {counts['right']:,} records do not agree.",
                fix="Look at the key and the filters: these are hardly the same things.",
            )

    def _label(self, cursor: Any) -> None:
        staging.gather(cursor, self.definition)
        assert self.since is not None
        markers = self.markers
        is_canonical = markers is not None and self._key() == markers.key
        labels.label(cursor, self.definition, self.run.reconciliation.entity, is_canonical, self.since)

    def _key(self) -> tuple[str, ...]:
        return tuple(self.run.reconciliation.key)

    def _timed(self, name: str, act: Callable[..., Any], *args: Any) -> Any:
        started = time.perf_counter()
        try:
            return act(*args)
        finally:
            self.timings[name] += time.perf_counter() - started
