"""What the history of a configuration row tells, for components/timeline.html."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

SHORT = 80


def events_of(row: Any, word: str, *, limit: int = 50) -> list[dict[str, Any]]:
    """Newest first: {state, title, detail, at}; states that differ in nothing are left out."""
    states = list(row.history.select_related("history_user").order_by("-history_date", "-history_id")[: limit + 1])
    events = [_event(after, _difference(before, after)) for after, before in pairwise(states)]
    if states and len(states) <= limit:
        events.append(_event(states[-1], f"{word} made"))
    return [event for event in events if event["title"]]


def _event(state: Any, title: str) -> dict[str, Any]:
    by = f"by {state.history_user}" if state.history_user else "by a program or a document"
    return {"state": "ok", "title": title, "detail": by, "at": state.history_date}


def _difference(before: Any, after: Any) -> str:
    changes = after.diff_against(before, foreign_keys_are_objs=True).changes
    return "; ".join(
        f"{change.field.replace('_', ' ')} {_text(change.old)} → {_text(change.new)}" for change in changes
    )


def _text(value: Any) -> str:
    text = "nothing" if value in (None, "", {}, []) else str(value)
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"
