"""One change between two schemas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from governance.compatibility.kinds import KINDS, Kind


@dataclass(frozen=True, slots=True)
class Change:
    """`path` is dotted, with `[]` for the items of a list; empty for the record as a whole."""

    path: str
    kind: Kind
    before: Any = None
    after: Any = None


def change(path: str, kind: str, before: Any = None, after: Any = None) -> Change:
    return Change(path, KINDS[kind], before, after)
