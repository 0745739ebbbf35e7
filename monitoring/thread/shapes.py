"""What a thread is made of once it is put together: legs with their state, promise and evidence."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from connectors.models import System
from governance.models import ServiceLevel
from governance.service_levels.promise import Verdict
from hub.common.display import as_date, as_instant, duration
from hub.records.models import CanonicalRecord
from hub.sync.models import Transaction
from monitoring.thread.declaration import LegSpec, ThreadSpec
from monitoring.thread.gathering import DONE, Members


class LegState(StrEnum):
    DONE = "done"
    IN_FLIGHT = "in_flight"
    LATE = "late"
    FAILED = "failed"
    MISSING = "missing"
    NOT_EXPECTED = "not_expected"
    NOT_CONNECTED = "not_connected"


# Something is wrong, and it is somebody's turn.
RED = (LegState.LATE, LegState.FAILED, LegState.MISSING)
# A leg that is drawn: the others stand in the list alone.
DRAWN = (LegState.DONE, LegState.IN_FLIGHT, *RED)
WORDS = {
    LegState.DONE: "Done",
    LegState.IN_FLIGHT: "In flight",
    LegState.LATE: "Late",
    LegState.FAILED: "Failed",
    LegState.MISSING: "Missing",
    LegState.NOT_EXPECTED: "Not expected",
    LegState.NOT_CONNECTED: "Not connected",
}
# Their look: names of hub.common.states.
LOOKS = {
    LegState.LATE: "overdue",
    LegState.MISSING: "failed",
    LegState.NOT_EXPECTED: "muted",
    LegState.NOT_CONNECTED: "muted",
}


@dataclass(frozen=True, slots=True)
class IdAt:
    """How a system calls the record of a leg, and where it is looked at there ("" where that is not declared)."""

    system: str
    external_id: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something of a leg that waits for a person: in words, where it is settled, and whose turn it is."""

    title: str
    url: str = ""
    turn: str = ""
    detail: str = ""


@dataclass(slots=True)
class Sla:
    """The promise that applies to a leg, and how it stands: business time taken so far, and until when there is time."""

    level: ServiceLevel
    verdict: Verdict
    taken: timedelta
    due_at: datetime

    def words(self, now: datetime) -> str:
        if self.verdict != Verdict.RUNNING:
            return f"{duration(self.taken)} of {duration(self.level.breach_seconds)}"
        return f"{duration(self.due_at - now)} left" if self.due_at > now else f"late by {duration(now - self.due_at)}"


@dataclass(slots=True)
class Leg:
    """One leg of one engagement. `left_at` is when it began (at its source, or in the hub), `arrived_at` when it was done."""

    spec: LegSpec
    state: LegState = LegState.NOT_CONNECTED
    systems: list[System] = dataclasses.field(default_factory=list)
    members: Members = dataclasses.field(default_factory=Members)
    ids: list[IdAt] = dataclasses.field(default_factory=list)
    left_at: datetime | None = None
    left_day: str = ""
    arrived_at: datetime | None = None
    expected_at: datetime | None = None
    sla: Sla | None = None
    evidence: Transaction | None = None
    versions: list[str] = dataclasses.field(default_factory=list)
    why: str = ""
    turn: str = ""
    problems: list[Problem] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    @property
    def record(self) -> CanonicalRecord | None:
        return self.members.records[0] if len(self.members.records) == 1 else None

    @property
    def word(self) -> str:
        return WORDS[self.state]

    @property
    def look(self) -> str:
        return LOOKS.get(self.state, self.state.value)

    @property
    def is_red(self) -> bool:
        return self.state in RED

    @property
    def system_words(self) -> str:
        return ", ".join(system.name for system in self.systems)

    @property
    def total(self) -> int:
        return self.members.total

    @property
    def done(self) -> int:
        return self.members.count(*DONE)

    @property
    def missing(self) -> int:
        """Records that should be there and are not: on their way, waiting, refused, or never queued."""
        return self.total - self.done - self.members.count("discarded")

    @property
    def amounts(self) -> dict[str, Decimal]:
        return self.members.amounts()

    @property
    def missing_amounts(self) -> dict[str, Decimal]:
        return self.members.amounts("pending", "waiting", "failed", "never")

    @property
    def sort_at(self) -> datetime | None:
        """Where the leg stands on the time axis."""
        return self.arrived_at or self.left_at or self.expected_at

    @property
    def counts(self) -> str:
        """`412 entries, 398 there, 14 missing`; empty for a single record."""
        if self.total <= 1:
            return ""
        parts = [f"{self.total:,} records"]
        if self.spec.reaches:
            parts.append(f"{self.done:,} there")
            parts += [f"{self.missing:,} missing"] if self.missing else []
        if self.spec.quantity and (total := self.members.quantity()):
            parts.append(f"{total.normalize():,f} {self.spec.unit}")
        return ", ".join(parts)


@dataclass(slots=True)
class Thread:
    """One engagement as one person may see it; `hidden` legs are in domains that they may not see."""

    spec: ThreadSpec
    key: str
    title: str
    now: datetime
    legs: list[Leg]
    hidden: int = 0
    # None where the anchor's own domain is hidden from the person.
    anchor: CanonicalRecord | None = None
    customer: str = ""

    @property
    def red(self) -> list[Leg]:
        return [leg for leg in self.legs if leg.is_red]

    @property
    def drawn(self) -> list[Leg]:
        return [leg for leg in self.legs if leg.state in DRAWN]

    @property
    def listed(self) -> list[Leg]:
        return [leg for leg in self.legs if leg.state != LegState.NOT_CONNECTED]

    @property
    def unconnected(self) -> list[Leg]:
        return [leg for leg in self.legs if leg.state == LegState.NOT_CONNECTED]

    @property
    def state_words(self) -> str:
        if red := self.red:
            word = "missing" if all(leg.state == LegState.MISSING for leg in red) else "missing or stuck"
            return f"{len(red)} {'leg' if len(red) == 1 else 'legs'} {word if len(red) > 1 else red[0].word.lower()}"
        return "In flight" if any(leg.state == LegState.IN_FLIGHT for leg in self.legs) else "Complete so far"

    @property
    def look(self) -> str:
        return "failed" if self.red else "in_flight" if self.state_words == "In flight" else "ok"

    def leg(self, slug: str) -> Leg | None:
        return next((leg for leg in self.legs if leg.spec.slug == slug), None)


def moment_of(text: str) -> tuple[datetime | None, str]:
    """An instant and "", or None and the business date that the text is: dates are never given a time of day."""
    if instant := as_instant(text) if "T" in text else None:
        return instant, ""
    return None, text[:10] if text and as_date(text) else ""
