"""What stands now, in one document: parts of monitoring register what they have to say, `manage.py evaluate` prints it.

    @evaluation.part("alerts")
    def alerts() -> list[dict[str, Any]]: ...

A part gives plain data (texts, numbers, lists); it may do what its beat task does first, so that what it says is of now.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Part = Callable[[], Any]
# In the order of the document. What nobody has registered is an empty list.
NAMES = ("expectations", "service_levels", "freshness", "alerts")
_parts: dict[str, Part] = {}


def part(name: str) -> Callable[[Part], Part]:
    """Register a part of the document; the same name again replaces the earlier one."""

    def register(ask: Part) -> Part:
        _parts[name] = ask
        return ask

    return register


def evaluate() -> dict[str, Any]:
    """Ask every part, in order."""
    return {name: _parts[name]() if name in _parts else [] for name in dict.fromkeys((*NAMES, *_parts))}
