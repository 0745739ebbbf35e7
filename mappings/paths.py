"""Dotted paths into a record: `client.address.city`, `lines.0.qty`, `@odata\\.etag`.

Three states are kept apart everywhere: a field that is **missing** (the source did not send it, nothing is known),
**null** (the source says there is no value) and **empty** (a text of no characters).
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, Final

from hub.common.errors import ConfigError, RecordError
from hub.common.money import shown

Path = tuple[str, ...]


class _Missing(Enum):
    MISSING = "missing"

    def __repr__(self) -> str:
        return "<missing>"


MISSING: Final = _Missing.MISSING

MAX_STEPS = 32
_STEP = re.compile(r"(?:[^\\.]|\\[\\.])+")
_INDEX = re.compile(r"\d{1,6}", re.ASCII)


def parse_path(text: str) -> Path:
    """The steps of a path; a dot inside a name is written `\\.`. ConfigError for an empty step, or more than 32 of them."""
    steps: list[str] = []
    at = 0
    while len(steps) < MAX_STEPS and (match := _STEP.match(text, at)):
        steps.append(re.sub(r"\\(.)", r"\1", match[0], flags=re.DOTALL))
        at = match.end() + 1
        if at > len(text):
            return tuple(steps)
        if text[at - 1] != ".":
            break
    raise ConfigError(
        f"The path {shown(text)} has an empty step, a stray backslash or too many steps.",
        fix="Write names with dots between them; a dot inside a name is written \\.",
    )


def format_path(path: Path) -> str:
    """The text that `parse_path` reads back."""
    return ".".join(step.replace("\\", "\\\\").replace(".", "\\.") for step in path)


def is_index(step: str) -> bool:
    """Whether a step may stand for a position in a list."""
    return _INDEX.fullmatch(step) is not None


def read_path(record: Any, path: Path) -> Any:
    """The value at a path, or MISSING.

    Below a null everything is null: a source that says "no client" says "no client name" too. A list is entered by
    position; a position past its end is missing. Stepping into a text or a number raises RecordError.
    """
    value = record
    for depth, step in enumerate(path):
        if isinstance(value, dict):
            value = value.get(step, MISSING)
        elif value is None or value is MISSING:
            return value
        elif isinstance(value, list) and is_index(step):
            at = int(step)
            value = value[at] if at < len(value) else MISSING
        else:
            raise _wrong_shape(value, path[:depth], step)
    return value


def _wrong_shape(value: Any, path: Path, step: str) -> RecordError:
    where = format_path(path)
    if isinstance(value, list):
        return RecordError(
            f"{where} is a list, so {step!r} cannot be read from it.",
            code="SHAPE",
            fix=f"Name a position, such as {where}.0, or read the list and use first, sum, count or join.",
        )
    return RecordError(f"{where} holds a single value, so {step!r} cannot be read from it.", code="SHAPE")


def place(target: dict[str, Any], path: Path, value: Any) -> None:
    """Set a value in a nested record, making the objects on the way."""
    for step in path[:-1]:
        target = target.setdefault(step, {})
    target[path[-1]] = value
