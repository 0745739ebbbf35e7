"""Deciding what a source's record changes in the canonical one. Pure: tables of input and output.

Absent fields never blank a value. The write mode of a field says when a mapping offers a value: `overwrite` always, `if_new`
only for a new record, `if_empty` only where the hub holds nothing, `append` adds to a list. The ownership rules, where an
entity has some, say whether the system may set it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from governance.ownership.compiled import EMPTY, Lens
from governance.ownership.rules import IGNORE, LATEST

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Blocked:
    """A value that its system may not set. `policy` says what becomes of it; `kept` is what the hub holds instead."""

    field: str
    offered: Any
    kept: Any
    policy: str
    rule: str


@dataclass(frozen=True, slots=True)
class Decision:
    """`body` is the merged record; `changed` and `refused` name fields, in the order of the incoming record.

    Every field of the incoming record is in one of `changed` (accepted), `refused` (by its write mode) and `blocked` (by
    an ownership rule), or it is unchanged.
    """

    body: Body
    changed: tuple[str, ...]
    refused: tuple[str, ...] = ()
    blocked: tuple[Blocked, ...] = ()


def decide(
    incoming: Body,
    current: Body,
    modes: Mapping[str, str],
    lens: Lens | None = None,
    provenance: Mapping[str, int] | None = None,
) -> Decision:
    """Merge `incoming` into `current`; `modes` holds the write mode of fields that are not plain overwrites.

    `lens` is what the ownership rules say to the system of `incoming`, `provenance` which system supplied each field.
    """
    changed = []
    refused = []
    blocked: list[Blocked] = []
    merged = current
    for name, value in incoming.items():
        held = current.get(name)
        if held == value:  # null empties a field; where nothing is held there is nothing to empty
            continue
        mode = modes.get(name)
        if mode == "append":
            value = append(held, value)
            if value == held:
                continue
        elif (mode == "if_new") or (mode == "if_empty" and held not in EMPTY):
            refused.append(name)
            continue
        if lens is not None and (found := _stopped(name, value, incoming, current, lens, provenance or {})):
            blocked.append(found)
            continue
        if merged is current:
            merged = dict(current)
        merged[name] = value
        changed.append(name)
    return Decision(merged, tuple(changed), tuple(refused), tuple(blocked))


def admit(incoming: Body, lens: Lens) -> Decision:
    """What a system may make a new record of: its values without those that only others may set."""
    blocked = [
        found
        for name, value in incoming.items()
        if value is not None and (found := _stopped(name, value, incoming, {}, lens, {}))
    ]
    names = {one.field for one in blocked}
    body = {name: value for name, value in incoming.items() if name not in names}
    return Decision(body, tuple(body), blocked=tuple(blocked))


def _stopped(
    name: str, value: Any, incoming: Body, current: Body, lens: Lens, provenance: Mapping[str, int]
) -> Blocked | None:
    verdict = lens.plain.get(name) or lens.verdict(name, current, incoming)
    if verdict is None or verdict.ways == "free":
        return None
    held, clock = current.get(name), lens.updated_at_field
    told_at, held_at = (incoming.get(clock) or "", current.get(clock) or "") if clock else ("", "")
    if verdict.lets_in(held, provenance.get(name), told_at, held_at):
        return None
    # A system that may set the field and comes late has broken no rule: there is nobody to ask and nothing to correct.
    return Blocked(name, value, held, IGNORE if verdict.ways == LATEST else verdict.policy, verdict.rule)


def append(held: Any, value: Any) -> list[Any]:
    """The held list with the new values that it lacks, in order."""
    present = list(held) if isinstance(held, list) else [] if held in EMPTY else [held]
    added = value if isinstance(value, list) else [value]
    return present + [item for item in added if item not in present]
