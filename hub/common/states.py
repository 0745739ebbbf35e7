"""Every state that a page can show: its token (colour and shape), its word and its icon, in one table.

Models keep their own state names; a name that is not listed is shown as its own words in the muted token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Token = Literal["ok", "run", "queued", "warn", "fail", "dead", "stale", "review", "blocked", "muted"]
TOKENS: tuple[Token, ...] = get_args(Token)

ICONS: dict[Token, str] = {
    "ok": "check",
    "run": "refresh",
    "queued": "clock",
    "warn": "alert-triangle",
    "fail": "x",
    "dead": "dead",
    "stale": "alarm",
    "review": "flag",
    "blocked": "ban",
    "muted": "minus",
}


@dataclass(frozen=True, slots=True)
class State:
    """How one state looks."""

    token: Token
    word: str
    icon: str


# token -> {state name: word}; the icon is the token's, unless OTHER_ICONS names another one.
_WORDS: dict[Token, dict[str, str]] = {
    "ok": {
        "ok": "OK",
        "succeeded": "Succeeded",
        "success": "Succeeded",
        "done": "Done",
        "created": "Created",
        "updated": "Updated",
        "delivered": "Delivered",
        "matched": "Matched",
        "released": "Released",
        "resolved": "Resolved",
        "connected": "Connected",
        "healthy": "Healthy",
        "active": "Active",
        "approved": "Approved",
        "published": "Published",
        "compatible": "Compatible",
        "passed": "Passed",
        "on_time": "On time",
        "applied": "Applied",
        "met": "Met",
        "equal": "Equal",
        "migrated": "Migrated",
        "accepted": "Accepted",
        "reviewed": "Reviewed",
        "explained": "Explained",
        "confirmed": "Matched",
        "sent": "Sent",
    },
    "run": {
        "run": "Running",
        "running": "Running",
        "reading": "Reading",
        "delivering": "Delivering",
        "in_flight": "In flight",
        "claimed": "In flight",
        "probing": "Probing",
        "testing": "Testing",
        "changed": "Changed",
        "acknowledged": "Acknowledged",
    },
    "queued": {
        "queued": "Queued",
        "pending": "Pending",
        "due": "Due",
        "scheduled": "Scheduled",
        "retry": "Will retry",
        "retrying": "Will retry",
        "waiting": "Waiting",
        "new": "New",
        "untested": "Not tested",
        "draft": "Draft",
        "invited": "Invited",
        "notified": "Notified",
    },
    "warn": {
        "warn": "Warning",
        "warning": "Warning",
        "partial": "Completed with errors",
        "completed_with_errors": "Completed with errors",
        "limited": "Limited",
        "slow": "Slow",
        "degraded": "Degraded",
        "expiring": "Expires soon",
        "conflict": "Conflict",
        "would_duplicate": "Would duplicate",
        "unsure": "Outcome unknown",
        "suspect": "Suspect",
        "deprecated": "Deprecated",
        "warned": "Warned",
        "kept": "Kept as it is",
        "value_dropped": "Value dropped",
        "row_dropped": "Record dropped",
        "open": "Open",
        "in_use": "In use",
        "prepared": "Prepared",
        "duplicate": "Duplicate",
        "changed_at_target": "Changed at target",
    },
    "fail": {
        "fail": "Failed",
        "failed": "Failed",
        "error": "Error",
        "rejected": "Rejected",
        "refused": "Refused",
        "breaking": "Breaking",
        "needs_sign_in": "Needs sign-in",
        "auth_failed": "Needs sign-in",
        "unreachable": "Unreachable",
        "overdue": "Overdue",
        "breached": "Breached",
        "apart": "Apart",
        "unexplained": "Unexplained",
        "not_comparable": "Not comparable",
        "critical": "Critical",
    },
    "dead": {"dead": "Dead letter", "dead_letter": "Dead letter"},
    "stale": {"stale": "Late", "late": "Late", "expired": "Expired", "at_risk": "At risk"},
    "review": {
        "review": "Needs approval",
        "in_review": "In review",
        "submitted": "Needs approval",
        "needs_approval": "Needs approval",
        "suggested": "Suggested",
        "open": "Waits for reviewers",
        "changes_requested": "Changes asked for",
    },
    "blocked": {
        "blocked": "Blocked",
        "held": "Held",
        "quarantined": "Quarantined",
        "abandoned": "Abandoned",
        "exception": "Exception",
    },
    "muted": {
        "muted": "Not yet",
        "skipped": "Skipped",
        "unchanged": "Unchanged",
        "paused": "Paused",
        "cancelled": "Cancelled",
        "disabled": "Off",
        "inactive": "Inactive",
        "retired": "Retired",
        "superseded": "Superseded",
        "withdrawn": "Withdrawn",
        "rolled_back": "Rolled back",
        "closed": "Closed",
        "removed": "Removed",
        "merged": "Merged",
        "deactivated": "Deactivated",
        "ignored": "Ignored",
        "none": "No run",
        "no_data": "No data yet",
        "unmeasured": "Not measured",
        "dismissed": "Dismissed",
        "suppressed": "Suppressed by rule",
        "mapping": "Mapping",
        "rounding": "Rounding",
        "cut_off": "Time zone or cut-off",
        "deleted": "Deleted",
        "carried": "Carried forward",
        "discarded": "Discarded",
        "undone": "Undone",
    },
}

_OTHER_ICONS = {
    "paused": "player-pause",
    "draft": "pencil",
    "scheduled": "calendar",
    "retry": "rotate-clockwise",
    "retrying": "rotate-clockwise",
    "invited": "send",
    "needs_sign_in": "lock",
    "auth_failed": "lock",
    "published": "shield-check",
    "unchanged": "equal",
}

STATES: dict[str, State] = {
    name: State(token, word, _OTHER_ICONS.get(name, ICONS[token]))
    for token, words in _WORDS.items()
    for name, word in words.items()
}


def state_of(name: object) -> State:
    """The look of a state; an unlisted name is shown in the muted token, as words."""
    text = str(name or "none").strip().lower().replace("-", "_").replace(" ", "_")
    return STATES.get(text) or State("muted", text.replace("_", " ").capitalize(), ICONS["muted"])
