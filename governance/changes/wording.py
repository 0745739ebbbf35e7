"""Differences in words."""

from __future__ import annotations

import json
from typing import Any

from governance.changes.documents import WHOLE, Difference

SHOWN = 120


def in_words(found: Difference) -> str:
    """ "rate.type: text → decimal", "buyer added"; a whole object "is removed"."""
    if found.path == WHOLE:
        return "is removed"
    if found.before is None or found.after is None:
        return f"{found.path} {found.word}"
    if isinstance(found.before, list) and isinstance(found.after, list) and (said := _lists(found.before, found.after)):
        return f"{found.path}: {said}"
    return f"{found.path}: {text(found.before)} → {text(found.after)}"


def _lists(before: list[Any], after: list[Any]) -> str:
    """ "− internal, + non_billable"."""
    gone = [f"− {text(item)}" for item in before if item not in after]
    come = [f"+ {text(item)}" for item in after if item not in before]
    return ", ".join([*gone, *come])


def text(value: Any, limit: int = SHOWN) -> str:
    """A value on one line, cut after so many characters."""
    words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return words if len(words) <= limit else f"{words[: limit - 1]}…"
