"""What an event type cannot be, and what its receivers would lose by a change of it. Each problem is (path, sentence)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from governance.models import ContractVersion, Entity
from governance.schemas import Field, fields_of
from hub.events.models import EventType
from hub.events.types import TEST, TYPES
from hub.sync import payloads
from hub.sync.configure import condition_problems

Problem = tuple[str, str]
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+", re.ASCII)
# First words that the hub's own events have.
_TAKEN = frozenset({TEST, *(name.partition(".")[0] for name in TYPES)})


def fields(entity: Entity) -> dict[str, Field]:
    """Fields of the entity's contract in force that may be told to others, by name."""
    found = ContractVersion.objects.filter(contract__entity=entity, status=ContractVersion.Status.ACTIVE).first()
    if found is None:
        return {}
    known = {field.name: field for field in fields_of(found.schema)}
    hidden = payloads.masked_names(list(known), found.schema)
    return {name: field for name, field in known.items() if name not in hidden}


def problems(found: EventType) -> Iterator[Problem]:
    """Everything that is wrong with an event type, stored or not."""
    yield from _name_problems(found)
    known = fields(found.entity)
    if not known:
        yield "entity", f"{found.entity} has no contract in force: nothing would ever be told."
        return
    yield from (("condition", sentence) for _, sentence in condition_problems(found.condition, found.entity))
    yield from _moment_problems(found)
    for place, names in (("watched", found.watched), ("carries", found.carries)):
        for name in names:
            if name not in known:
                yield place, f"The contract of {found.entity} has no field {name!r} that may be told to others."


def _name_problems(found: EventType) -> Iterator[Problem]:
    if not _NAME.fullmatch(found.name):
        yield (
            "name",
            f"{found.name!r} is not the name of an event. Write a noun, a dot and what happened: time.approved.",
        )
    elif found.name.partition(".")[0] in _TAKEN:
        word = found.name.partition(".")[0]
        yield "name", f"Events that begin with {word!r} are the hub's own. Use the firm's word for the record."


def _moment_problems(found: EventType) -> Iterator[Problem]:
    if found.moment == EventType.Moment.CHANGES:
        if not found.watched:
            yield "watched", "Name the fields whose change is the event."
        return
    if found.watched:
        yield "watched", "Fields are watched only where the event is that they change."
    if found.moment == EventType.Moment.ENDS and not found.condition:
        yield "condition", "What holds for every record never ends. Name a field and its values: status: approved."


def breaks(before: EventType, after: EventType) -> list[str]:
    """What receivers of the version before would miss, as sentences; empty where they would notice nothing."""
    found = []
    if before.name != after.name:
        found.append(f"it is called {after.name} instead of {before.name}")
    if before.entity_id != after.entity_id:
        found.append(f"it is about {after.entity} instead of {before.entity}")
    if (before.moment, before.condition, set(before.watched)) != (after.moment, after.condition, set(after.watched)):
        found.append("it happens at another moment")
    if lost := sorted(set(before.carries or fields(before.entity)) - set(after.carries or fields(after.entity))):
        found.append(f"it no longer tells {', '.join(lost)}")
    return found


def version_problem(before: EventType | None, after: EventType) -> Problem | None:
    """A break without a new version number."""
    if before is None or after.version > before.version:
        return None
    if after.version < before.version:
        return "version", f"Version {before.version} is in use; numbers only grow."
    if found := breaks(before, after):
        return (
            "version",
            f"Receivers of version {before.version} rely on it: {'; '.join(found)}. Make it {before.version + 1}.",
        )
    return None
