"""Asking for a backfill, seeing beforehand what it would be, and stopping and resuming it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import IntegrityError, transaction

from connectors.base import Connector
from connectors.limiter import gap_seconds
from connectors.services import open_connection
from hub.common import facts
from hub.common.errors import ConfigError
from hub.common.reasons import tidy
from hub.records.models import Crosswalk
from hub.sync import bell, services
from hub.sync.models import Backfill, Run, Sync
from hub.sync.plan import SyncPlan, load_plan
from hub.sync.windows import Window, end_of_day

MOST_KEYS = 100_000
SLOWEST, FASTEST = 0.1, 100.0
# Of the pace that a system states; without one, this many requests a second.
SHARE, USUAL = 0.2, 2.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants read again: keys, or a window whose ends may be open. `per_second` 0 takes the usual share."""

    from_value: str = ""
    to_value: str = ""
    keys: Sequence[str] = ()
    per_second: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """What a backfill would be; `number` is None where the source does not tell, `known` are keys that the hub has."""

    what: str
    number: int | None
    known: int | None
    per_second: float
    reads_all: bool

    def as_data(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def in_words(self) -> str:
        amount = "an unknown number of records" if self.number is None else f"{self.number:,} records"
        known = "" if self.known is None else f", {self.known:,} of them known to the hub"
        way = "; the source is read whole, because it cannot be asked by key" if self.reads_all else ""
        return f"{self.what}: {amount}{known}, at most {self.per_second:g} requests a second{way}."


def keys_in(lines: Iterable[str], *, header: str = "") -> list[str]:
    """Keys of a pasted text or a CSV file: the first column, each once, without a first line that names the key field."""
    found = [row[0].strip() for row in csv.reader(lines) if row and row[0].strip()]
    if found and found[0].lower() == header.lower():
        found = found[1:]
    return list(dict.fromkeys(found))


def plan(sync: Sync, asked: Asked) -> BackfillPlan:
    """What it would read, without writing anything. Raises ConfigError where it cannot be done."""
    compiled = _checked(sync, asked)
    with open_connection(sync.stream.connection) as connector:
        rate = asked.per_second or _usual(getattr(connector, "limits", {}))
        if not asked.keys:
            what = f"{compiled.stream.cursor} from {asked.from_value or 'the beginning'} to {asked.to_value or 'now'}"
            number = connector.count(compiled.stream, start=asked.from_value, end=end_of_day(asked.to_value))
            return BackfillPlan(what, number, None, rate, reads_all=False)
        known = Crosswalk.objects.filter(stream_id=compiled.stream_id, external_id__in=list(asked.keys)).count()
        return BackfillPlan("Keys", len(asked.keys), known, rate, reads_all=not _can_ask(connector, compiled, asked))


def _checked(sync: Sync, asked: Asked) -> SyncPlan:
    if sync.direction != "in":
        raise ConfigError(f"{sync.name} delivers. Choose a sync that reads.", code="BACKFILL")
    if bool(asked.keys) == bool(asked.from_value or asked.to_value):
        raise ConfigError("Say what is read: a window (one end may be open), or keys.", code="BACKFILL")
    if len(asked.keys) > MOST_KEYS:
        raise ConfigError(
            f"At most {MOST_KEYS:,} keys at once.", fix="Use a window, or several lists.", code="BACKFILL"
        )
    if asked.per_second and not SLOWEST <= asked.per_second <= FASTEST:
        raise ConfigError(f"Between {SLOWEST:g} and {FASTEST:g} requests a second.", code="BACKFILL")
    compiled = load_plan(sync)
    if not asked.keys:
        if not compiled.stream.cursor:
            raise ConfigError(
                f"{sync.stream} has no cursor field, so it has no window.", fix="Give keys, or read everything again."
            )
        Window.of(compiled.stream.cursor, asked.from_value, asked.to_value)
    return compiled


def _usual(limits: Mapping[str, Any]) -> float:
    """A share of what the system lets pass, so that the runs that follow it keep the rest."""
    gap = gap_seconds(limits)
    return max(round(SHARE / gap, 2), SLOWEST) if gap else USUAL


def _can_ask(connector: Connector, compiled: SyncPlan, asked: Asked) -> bool:
    try:
        connector.find(compiled.stream, asked.keys[:1])
    except NotImplementedError:
        return False
    return True


# Starting and stopping -------------------------------------------------------------------------------------
def start(sync: Sync, asked: Asked, *, by: Any) -> Backfill:
    """Put a backfill in its lane. Raises ConfigError where it cannot be done, or one of the sync is under way."""
    services.refuse_paused(sync)
    planned = plan(sync, asked)
    with transaction.atomic():
        found = Backfill.objects.create(
            sync=sync,
            run=_run(sync, by),
            from_value=asked.from_value,
            to_value=asked.to_value,
            keys=list(asked.keys),
            not_found=list(asked.keys),
            per_second=planned.per_second,
            expected=planned.number,
            reason=tidy(asked.reason),
            requested_by=by,
        )
        facts.publish("backfill_started", backfill=found, by=by)
    return found


def _run(sync: Sync, by: Any, **values: Any) -> Run:
    try:
        with transaction.atomic():
            run = Run.objects.create(sync=sync, trigger=Run.Trigger.BACKFILL, requested_by=by, **values)
    except IntegrityError:
        raise ConfigError(
            f"A backfill of {sync.name} is under way.", fix="Wait for its end, pause it, or cancel it.", code="RUNNING"
        ) from None
    bell.ring(run, direction="in")
    return run


@transaction.atomic
def pause(backfill: Backfill, *, by: Any) -> bool:
    """Stop at the next page and remember where; False when it was not at work."""
    return _stop(backfill, Backfill.State.PAUSED, by)


@transaction.atomic
def cancel(backfill: Backfill, *, by: Any) -> bool:
    """Stop for good; what was stored stays. False when it had ended already."""
    return _stop(backfill, Backfill.State.CANCELLED, by)


def _stop(backfill: Backfill, state: str, by: Any) -> bool:
    found = Backfill.objects.select_for_update().select_related("run__sync").get(pk=backfill.pk)
    if not (found.is_at_work or found.may_go_on):
        return False
    services.cancel_run(run=found.run, by=by, note=f"backfill {Backfill.State(state).label.lower()}")
    Backfill.objects.filter(pk=found.pk).update(state=state)
    facts.publish("backfill_stopped", backfill=found, state=state, by=by)
    return True


@transaction.atomic
def resume(backfill: Backfill, *, by: Any) -> bool:
    """Go on after the last page that was stored, with a new run; False when it is at work or over."""
    found = Backfill.objects.select_for_update().select_related("run", "sync__mapping").get(pk=backfill.pk)
    if not found.may_go_on:
        return False
    services.refuse_paused(found.sync)
    before = found.run
    found.run = _run(found.sync, by, resume=before.resume, is_complete=before.is_complete)
    found.state = Backfill.State.ACTIVE
    found.save(update_fields=["run", "state"])
    facts.publish("backfill_resumed", backfill=found, by=by)
    return True


def report(backfill: Backfill) -> dict[str, Any]:
    """A backfill as commands print it; counts are of its newest run."""
    run = backfill.run
    return {
        "backfill": backfill.pk,
        "sync": backfill.sync.slug,
        "what": str(backfill),
        "state": backfill.shown_state,
        "run": run.pk,
        "expected": backfill.expected,
        "per_second": backfill.per_second,
        **run.counts,
        "not_found": len(backfill.not_found) if backfill.keys else None,
    }
