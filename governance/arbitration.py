"""Deciding what a source's record changes in the canonical one. Pure: tables of input and output.

Absent fields never blank a value. The write mode of a field says when a value is taken: `overwrite` always, `if_new` only
for a new record, `if_empty` only where the hub holds nothing, `append` adds to a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]
EMPTY: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True)
class Decision:
    """`body` is the merged record; `changed` and `refused` name fields, in the order of the incoming record."""

    body: Body
    changed: tuple[str, ...]
    refused: tuple[str, ...] = ()


def decide(incoming: Body, current: Body, modes: Mapping[str, str]) -> Decision:
    """Merge `incoming` into `current`; `modes` holds the write mode of fields that are not plain overwrites."""
    changed = []
    refused = []
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
        if merged is current:
            merged = dict(current)
        merged[name] = value
        changed.append(name)
    return Decision(merged, tuple(changed), tuple(refused))


def append(held: Any, value: Any) -> list[Any]:
    """The held list with the new values that it lacks, in order."""
    present = list(held) if isinstance(held, list) else [] if held in EMPTY else [held]
    added = value if isinstance(value, list) else [value]
    return present + [item for item in added if item not in present]
