"""Who changed a sync or its schedules, field by field, for components/timeline.html."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub.sync.models import Schedule, Sync

MOST = 50
MAX_NOTE = 100
_QUIET = ("updated_at", "created_at", "next_at", "paused_at", "paused_by")
_TONE = {"+": "ok", "~": "run", "-": "muted"}


def note(sync: Sync, words: str, *, by: Any) -> None:
    """A row in the history of a sync about something that changed none of its settings."""
    sync._change_reason = words[:MAX_NOTE]  # type: ignore[attr-defined]
    sync._history_user = by  # type: ignore[attr-defined]
    sync.save(update_fields=["updated_at"])


def events_of(sync: Sync) -> list[dict[str, Any]]:
    """Newest first: {state, title, detail, at}."""
    found = [*_events("The sync", sync.history.all()), *_schedule_events(sync)]
    return sorted(found, key=lambda event: event["at"], reverse=True)[:MOST]


def _schedule_events(sync: Sync) -> Iterator[dict[str, Any]]:
    slugs = Schedule.history.filter(sync_id=sync.pk).order_by().values_list("slug", flat=True).distinct()
    for slug in slugs:
        yield from _events(f"The schedule {slug}", Schedule.history.filter(sync_id=sync.pk, slug=slug))


def _events(subject: str, rows: Any) -> Iterator[dict[str, Any]]:
    """One event for each stored state; a state that differs only in what runs themselves write is left out."""
    states = list(rows.select_related("history_user").order_by("-history_date", "-history_id")[: MOST + 1])
    for number, state in enumerate(states[:MOST]):
        before = states[number + 1] if number + 1 < len(states) else None
        words = _words(subject, state, before)
        if words:
            by = f"by {state.history_user}" if state.history_user else "by a program or a document"
            yield {"state": _TONE[state.history_type], "title": words, "detail": by, "at": state.history_date}


def _words(subject: str, state: Any, before: Any) -> str:
    if state.history_type == "+":
        return f"{subject} was made"
    if state.history_type == "-":
        return f"{subject} was deleted"
    if before is None:
        return f"{subject} was changed"
    if state.history_change_reason:
        return str(state.history_change_reason)
    changes = [change for change in state.diff_against(before).changes if change.field not in _QUIET]
    return (
        f"{subject}: " + "; ".join(f"{c.field.replace('_', ' ')} {_text(c.old)} → {_text(c.new)}" for c in changes)
        if changes
        else ""
    )


def _text(value: Any) -> str:
    return (
        "nothing" if value in (None, "", {}, []) else "yes" if value is True else "no" if value is False else str(value)
    )
