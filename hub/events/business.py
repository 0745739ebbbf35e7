"""Which transitions of a record are events of the firm. Pure, but for the rules, which are read every few seconds.

A fact is a transition: a record meets a condition that it did not meet before, or the other way round, or a watched field
changes while it does. What a page merely repeats is no transition, so no page tells a fact twice.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.common.records import Record
from hub.events.models import EventType
from hub.sync.plan import meets, passing

# A new event type counts this much later in other processes.
READ_EVERY_SECONDS = 5.0
Moment = EventType.Moment


@dataclass(frozen=True, slots=True)
class Rule:
    """An event type as far as recognising it needs it."""

    name: str
    version: int
    moment: str
    condition: Mapping[str, frozenset[str]]
    watched: tuple[str, ...] = ()
    carries: frozenset[str] = frozenset()

    def happened(self, before: Record | None, after: Record | None) -> bool:
        """Whether the transition is one; None is a record that is not there."""
        held = before is not None and meets(before, self.condition)
        holds = after is not None and meets(after, self.condition)
        if self.moment == Moment.BEGINS:
            return holds and not held
        if self.moment == Moment.ENDS:
            return held and not holds
        return (
            holds
            and before is not None
            and after is not None
            and any(before.get(name) != after.get(name) for name in self.watched)
        )

    def told_of(self, shown: Record) -> Record:
        """What is told of a record, `shown` being what may be told at all."""
        return {name: value for name, value in shown.items() if not self.carries or name in self.carries}


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of the firm, as parts of the hub hear it in the transaction in which it happens."""

    uid: uuid.UUID
    name: str
    entity_id: int
    record_id: int
    key: str
    version: int
    body: Record  # as it is then; what was there last where it is gone


def rule_of(found: EventType) -> Rule:
    return Rule(
        found.name,
        found.version,
        found.moment,
        passing(found.condition),
        tuple(found.watched),
        frozenset(found.carries),
    )


_rules: dict[int, tuple[Rule, ...]] = {}
_read_at = float("-inf")


def rules_of(entity_id: int) -> Sequence[Rule]:
    """The rules of an entity; of most there are none."""
    return _known().get(entity_id, ())


def any_rules() -> bool:
    return bool(_known())


def _known() -> dict[int, tuple[Rule, ...]]:
    global _read_at
    if time.monotonic() - _read_at > READ_EVERY_SECONDS:
        found: dict[int, tuple[Rule, ...]] = {}
        for each in EventType.objects.filter(is_active=True).order_by("pk"):
            found[each.entity_id] = (*found.get(each.entity_id, ()), rule_of(each))
        _rules.clear()
        _rules.update(found)
        _read_at = time.monotonic()
    return _rules


def forget() -> None:
    """Read anew: an event type was changed in this process, or a test emptied the tables."""
    global _read_at
    _read_at = float("-inf")


def names() -> list[str]:
    """Names of all event types that are in use, in order."""
    return sorted(EventType.objects.filter(is_active=True).values_list("name", flat=True))
