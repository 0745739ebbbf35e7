"""What happened to one expectation, as components/timeline.html shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from monitoring.models import Expectation

STAMP = "%Y-%m-%d %H:%M:%S UTC"


def events_of(row: Expectation) -> list[dict[str, Any]]:
    """Newest first: {state, title, detail, at}."""
    found = [_event("due", "Began, says the ledger", row.opened_at, f"Due {row.due_at:{STAMP}}")]
    if row.state != Expectation.State.OPEN and row.warn_at < (row.arrived_at or row.due_at):
        found.append(_event("warned", "Not there at the warning", row.warn_at))
    if row.breached_at:
        found.append(
            _event(
                "breached",
                "Late: not there at the deadline",
                row.due_at,
                f"Found {row.breached_at:{STAMP}} by the clock",
            )
        )
    if row.arrived_at:
        state = "met" if row.state == Expectation.State.MET else "partial"
        found.append(_event(state, row.get_state_display(), row.arrived_at))
    if row.note:
        found.append(_event("cancelled", row.get_note_display(), None, "It is expected no more"))
    return found[::-1]


def _event(state: str, title: str, at: datetime | None, detail: str = "") -> dict[str, Any]:
    return {"state": state, "title": title, "detail": detail, "at": at}
