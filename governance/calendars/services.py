"""Writes of business calendars."""

from __future__ import annotations

from typing import Any

from governance.models import BusinessCalendar
from governance.saving import remove, save
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.registry import Document, kind
from hub.common.usage import listed

KIND = "BusinessCalendar"


def save_calendar(document: Document, *, by: Any, reason: str = "") -> Put:
    """Make or change a calendar. What counts by it counts by the new hours from then on, for the past as well."""
    return save({"kind": KIND, **document}, act="business_calendar.saved", by=by, reason=reason)


def delete_calendar(calendar: BusinessCalendar, *, by: Any) -> None:
    """Only one that nothing counts by: ConfigError names what does. Held where reviewers have to agree."""
    remove(KIND, calendar.slug, act="business_calendar.deleted", by=by)


def refuse_counted_by(calendar: BusinessCalendar) -> None:
    users = [f"{name} {slug}" for name, slug in kind(KIND).impact(calendar.slug)]
    if users:
        raise ConfigError(
            f"{calendar} is used by {listed(users)}.",
            where=calendar.slug,
            fix="Give them another calendar first.",
        )


def check_line(calendar: BusinessCalendar) -> None:
    """Refuse what inherits from itself, and what never opens on any day of the week."""
    line = calendar.line
    if line[-1].parent is not None:
        names = " → ".join([*(each.name for each in line), line[-1].parent.name])
        raise ConfigError(f"The calendars inherit from each other in a circle: {names}.", where=calendar.slug)
    if not any(calendar.week):
        raise ConfigError(
            "The calendar is closed on every day of the week.",
            where=calendar.slug,
            fix="Give it hours, or let it inherit from a calendar that has some.",
        )
