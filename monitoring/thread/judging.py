"""What state a leg is in, why, and whose turn it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta

from governance.service_levels.promise import Measure, Verdict
from hub.common.display import as_date
from hub.records.models import CanonicalRecord
from hub.sync.models import HeldRecord, Sync, Transaction
from monitoring.models import ExceptionItem
from monitoring.thread import evidence
from monitoring.thread.declaration import LegSpec, ThreadSpec
from monitoring.thread.gathering import DONE, FAILED, NEVER, OPEN, PENDING, UPDATING, WAITING, Members
from monitoring.thread.promises import Promises, standing
from monitoring.thread.shapes import Leg, LegState, moment_of
from monitoring.thread.wiring import Wiring

SHOWN = 5


class Judging:
    """Judges the legs of one engagement in their order: what is expected depends on what has happened."""

    def __init__(self, thread: ThreadSpec, anchor: CanonicalRecord, wiring: Wiring, now: datetime) -> None:
        self.thread, self.anchor, self.wiring, self.now = thread, anchor, wiring, now
        self.promises = Promises(thread, wiring)
        self.legs: dict[str, Leg] = {}
        self.waiting = evidence.waiting_for(anchor)
        self.items: list[ExceptionItem] = []

    def take_exceptions(self, members: Mapping[str, Members]) -> None:
        """What waits for a person because of any record of the engagement: one query for all legs."""
        ids = {record.pk for found in members.values() for record in found.records}
        self.items = evidence.exceptions_of(self.anchor.key, ids)

    def judge(self, spec: LegSpec, members: Members) -> Leg:
        leg = self.legs[spec.slug] = Leg(spec, systems=self.wiring.systems(spec), members=members)
        if not self.wiring.is_connected(spec):
            return self._not_connected(leg)
        leg.notes += self._notes(leg)
        self._arrived(leg) if spec.reaches else self._happened(leg)
        self._add_exceptions(leg)
        if leg.is_red and not leg.turn:
            leg.turn = next((problem.turn for problem in leg.problems if problem.turn), "")
        return leg

    def _not_connected(self, leg: Leg) -> Leg:
        leg.state, leg.members = LegState.NOT_CONNECTED, Members()
        where = f" to {_article(leg.spec.reaches)}" if leg.spec.reaches else ""
        leg.why = f"This hub moves no {self.wiring.entities[leg.spec.entity].name.lower()} records{where} yet."
        return leg

    # Legs that are done when the record is here ---------------------------------------------------------------
    def _happened(self, leg: Leg) -> None:
        members, here = leg.members, leg.members.buckets.get("here")
        if here is None:
            self._not_happened(leg)
            return
        leg.state = LegState.DONE
        leg.arrived_at, leg.left_day = moment_of(here.last_when)
        ins = [sync.pk for sync in self.wiring.ins(leg.spec.entity)]
        if here.sample and members.total == 1:
            leg.evidence = evidence.first_reading(here.sample, ins)
        if leg.arrived_at is None and not leg.left_day:
            leg.arrived_at = leg.evidence.at if leg.evidence else here.last_at or here.first_at
        if members.named:
            self._never_seen(leg)

    def _not_happened(self, leg: Leg) -> None:
        if leg.members.named:
            self._never_seen(leg)
        elif leg.members.others:
            leg.state = LegState.IN_FLIGHT
            leg.why = f"{_number(leg.members.others, 'record')} there, {_not_yet(leg)}."
            leg.turn = f"Whoever moves it on in {leg.system_words}"
        elif (since := self._expected_since(leg.spec)) is not None:
            self._expected(leg, since)
        else:
            leg.state = LegState.NOT_EXPECTED
            leg.why = self._not_expected_because(leg.spec)

    def _never_seen(self, leg: Leg) -> None:
        """Something names the record, and the hub has not got it: it may have been stopped at the gate."""
        keys, ins = leg.members.named, [sync.pk for sync in self.wiring.ins(leg.spec.entity)]
        stopped = evidence.held_as(keys, ins)
        leg.state = LegState.FAILED if stopped else LegState.MISSING
        leg.problems += [evidence.held_problem(held) for held in stopped[:SHOWN]]
        what = "was stopped when it came" if stopped else "has never come to the hub"
        leg.why = f"{', '.join(keys[:SHOWN])} is named and {what}."
        leg.turn = leg.problems[0].turn if leg.problems else f"Whoever keeps {leg.system_words}"

    def _expected_since(self, spec: LegSpec) -> datetime | None:
        """When the newest of the legs before it was done; None while none is, or where this project does not get there."""
        if any(str(self.anchor.body.get(name)) in values for name, values in spec.unless.items()):
            return None
        before = [self.legs[slug] for slug in spec.after if slug in self.legs]
        return evidence.latest(*(_end(leg) for leg in before if leg.done))

    def _expected(self, leg: Leg, since: datetime) -> None:
        leg.expected_at = since + timedelta(days=leg.spec.patience_days)
        is_late = self.now > leg.expected_at
        leg.state = LegState.MISSING if is_late else LegState.IN_FLIGHT
        before = [
            self.legs[slug].spec.sentence for slug in leg.spec.after if slug in self.legs and self.legs[slug].done
        ]
        nothing = "Nothing of it has come to the hub" if is_late else "Nothing of it is here yet"
        days = f"{leg.spec.patience_days} days are allowed, as no service level says it"
        leg.why = f"{nothing}. It follows “{before[0]}”; {days}."
        leg.turn = f"Whoever keeps {leg.system_words}"

    def _not_expected_because(self, spec: LegSpec) -> str:
        for name, values in spec.unless.items():
            if (value := str(self.anchor.body.get(name))) in values:
                return f"The project's {name.replace('_', ' ')} is {value.replace('_', ' ')}."
        if spec.after:
            return "Nothing before it has happened yet."
        return "Nothing of it is known." if spec.is_by_column else "The project names none."

    # Legs that have to reach a system ---------------------------------------------------------------------------
    def _arrived(self, leg: Leg) -> None:
        members, level = leg.members, self.promises.of(leg.spec)
        outs = [sync.pk for sync in self.wiring.outs(leg.spec.entity, leg.spec.reaches)]
        if members.total == 0:
            leg.state = LegState.NOT_EXPECTED
            leg.why = f"Nothing that goes there: {_not_yet(leg)}." if members.others else "Nothing of it is known."
            return
        start, cause = self._start(leg, level.measure if level else "", outs)
        open_count = members.count(*OPEN)
        if open_count:
            leg.left_at = start
            leg.sla = standing(level, start, None, self.now) if level and start else None
            leg.expected_at = leg.sla.due_at if leg.sla else None
        else:
            self._done(leg, outs)
            if level and start and leg.arrived_at:
                leg.sla = standing(level, start, leg.arrived_at, self.now)
            leg.left_at = start
        leg.state = self._state(leg)
        if leg.state != LegState.DONE:
            self._why_open(leg, outs)
        leg.evidence = leg.evidence or cause

    def _start(self, leg: Leg, measure: str, outs: Sequence[int]) -> tuple[datetime | None, Transaction | None]:
        """When what waits longest began, or else what arrived last; with the ledger row of it."""
        names = OPEN if leg.members.count(*OPEN) else DONE
        buckets = [leg.members.buckets[name] for name in names if name in leg.members.buckets]
        if measure == Measure.DURATION.value and leg.record:
            row = evidence.first_reading(leg.record.pk, [sync.pk for sync in self.wiring.ins(leg.spec.entity)])
            return (row.at, row) if row else (leg.record.updated_at, None)
        is_open = names == OPEN
        causes = [number for b in buckets if (number := b.first_cause if is_open else b.last_cause) is not None]
        row = evidence.row_of((min if is_open else max)(causes, default=None))
        begun = [b.first_at for b in buckets if b.first_at and b.name == NEVER]
        return min([*begun, *([row.at] if row else [])], default=None), row

    def _done(self, leg: Leg, outs: Sequence[int]) -> None:
        leg.arrived_at = evidence.latest(
            *(leg.members.buckets[name].last_at for name in DONE if name in leg.members.buckets)
        )
        causes = [b.last_cause for name, b in leg.members.buckets.items() if name in DONE and b.last_cause]
        if causes and (cause := evidence.row_of(max(causes))) and cause.record_id:
            leg.evidence = evidence.arrival(cause.record_id, outs, cause.pk)
        elif leg.record:
            leg.evidence = evidence.arrival(leg.record.pk, outs) or evidence.newest(
                leg.record.pk, self._reads(leg.spec)
            )
        if leg.evidence:
            leg.arrived_at = leg.evidence.at

    def _reads(self, spec: LegSpec) -> list[int]:
        return [sync.pk for sync in self.wiring.reads_from(spec.entity, [spec.reaches])]

    def _state(self, leg: Leg) -> LegState:
        members = leg.members
        is_late = leg.sla is not None and leg.sla.verdict == Verdict.BREACHED
        if members.count(FAILED):
            return LegState.FAILED
        if members.count(NEVER):
            return LegState.IN_FLIGHT if leg.sla and not is_late else LegState.MISSING
        if members.count(PENDING, WAITING):
            return LegState.LATE if is_late else LegState.IN_FLIGHT
        return LegState.IN_FLIGHT if members.count(UPDATING) == members.total and members.total else LegState.DONE

    def _why_open(self, leg: Leg, outs: Sequence[int]) -> None:
        """One record of each case tells; the rest is a list away."""
        members = leg.members
        samples = [b.sample for name in (FAILED, WAITING, PENDING) if (b := members.buckets.get(name)) and b.sample]
        deliveries = {found.record_id: found for found in evidence.deliveries_of(samples, outs)}
        leg.problems += [evidence.delivery_problem(deliveries[number]) for number in samples if number in deliveries]
        parts = [
            (members.count(FAILED), "stopped and waits for a person"),
            (members.count(WAITING), "waits for another record"),
            (members.count(PENDING), "on the way"),
            (members.count(NEVER), "never queued"),
            (members.count(UPDATING), "there, with a newer version on the way"),
        ]
        said = [f"{number:,} {words}" for number, words in parts if number]
        leg.why = f"{'; '.join(said)}." if members.total > 1 else self._single(leg, said)
        if members.count(NEVER) and not members.count(FAILED):
            leg.turn = _turn_of_never(self.wiring.outs(leg.spec.entity, leg.spec.reaches), leg)

    def _single(self, leg: Leg, said: Sequence[str]) -> str:
        if leg.members.count(NEVER):
            return f"It was never queued for {leg.system_words}, and {leg.system_words} is not known to hold it."
        return (
            leg.problems[0].detail
            if leg.problems and leg.problems[0].detail
            else f"{said[0][2:].capitalize()}."
            if said
            else ""
        )

    # For every leg -------------------------------------------------------------------------------------------------
    def _add_exceptions(self, leg: Leg) -> None:
        """What is open for a person beside the deliveries: a leg with it is not done."""
        mine = [item for item in self.items if self._is_of(item, leg.spec)]
        known = {problem.url for problem in leg.problems}
        leg.problems += [
            found for item in mine[:SHOWN] if (found := evidence.problem_of(item)).url not in known or not found.url
        ]
        gate = (
            [held for held in self.waiting if held.sync.mapping.entity.slug == leg.spec.entity]
            if not leg.spec.reaches
            else []
        )
        leg.problems += [evidence.held_problem(held) for held in gate[:SHOWN]]
        if (mine or gate) and not leg.is_red:
            leg.state = LegState.FAILED if mine else LegState.IN_FLIGHT
            leg.why = leg.why or _waits(mine, gate)

    def _is_of(self, item: ExceptionItem, spec: LegSpec) -> bool:
        """An exception belongs to the leg of its sync; one without a sync to the first leg of its entity."""
        if item.entity_id != self.wiring.entities[spec.entity].pk:
            return False
        if spec.reaches:
            return item.sync_id in {sync.pk for sync in self.wiring.outs(spec.entity, spec.reaches)}
        outs = {sync.pk for sync in self.wiring.outs(spec.entity)}
        return item.sync_id not in outs and self._first_of(spec)

    def _first_of(self, spec: LegSpec) -> bool:
        return next(leg for leg in self.thread.legs if leg.entity == spec.entity and not leg.reaches).slug == spec.slug

    def _notes(self, leg: Leg) -> list[str]:
        found = []
        if leg.members.removed:
            found.append(f"{_number(leg.members.removed, 'record')} removed at the source, not counted.")
        if leg.members.others and leg.total:
            found.append(f"{leg.members.others:,} more, {_not_yet(leg)}.")
        if record := leg.record:
            empty = [name.replace("_", " ") for name in leg.spec.filled if record.body.get(name) in (None, "")]
            found += [f"No {' and no '.join(empty)} yet."] if empty else []
        return found


def _end(leg: Leg) -> datetime | None:
    """When a leg was done; the end of its day where only a date is known."""
    day = as_date(leg.left_day) if leg.left_day else None
    return leg.arrived_at or (datetime.combine(day, time.max, UTC) if day else None)


def _not_yet(leg: Leg) -> str:
    condition = " and ".join(
        f"{name.replace('_', ' ')} {' or '.join(value.replace('_', ' ') for value in values)}"
        for name, values in leg.spec.condition.items()
    )
    return f"not {condition}" if condition else "not of the kind that goes there"


def _number(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _article(category: str) -> str:
    return f"{'an' if category[:1] in 'aeio' else 'a'} {category.upper()}"


def _turn_of_never(outs: Sequence[Sync], leg: Leg) -> str:
    paused = next((sync for sync in outs if sync.is_paused), None)
    if paused:
        return f"{paused.paused_by or 'Whoever paused it'}: {paused.name} is paused"
    return f"An integration admin: {outs[0].name} has not queued it" if outs else f"Whoever keeps {leg.system_words}"


def _waits(items: Sequence[ExceptionItem], gate: Sequence[HeldRecord]) -> str:
    if items:
        return f"{_number(len(items), 'exception')} open."
    return f"{_number(len(gate), 'record')} waiting for this project."
