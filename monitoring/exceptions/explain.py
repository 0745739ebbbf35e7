"""An exception in one sentence, as somebody in finance would say it."""

from __future__ import annotations

from collections.abc import Mapping

from hub.common.display import as_date, date_text
from monitoring.exceptions.intake import Found


def title(found: Found, entity: str) -> str:
    """What it is about: "38.5 h by J. Ruiz on P-4711, 3 Nov 2026"; the entity and the record's name where that is all."""
    if found.title:
        return found.title
    facts = found.facts
    day = as_date(facts.get("date", ""))
    project = found.project or _missing(facts, "project")
    person = facts.get("person") or _missing(facts, "resource")
    parts = [
        f"{_short(facts['hours'])} h" if facts.get("hours") else f"{entity} {found.name}",
        f"by {person}" if person and facts.get("hours") else "",
        f"on {project}" if project and project not in found.name else "",
    ]
    text = " ".join(part for part in parts if part)
    return f"{text}, {date_text(day)}" if day else text


def _missing(facts: Mapping[str, str], entity: str) -> str:
    """A reference that leads nowhere yet, as far as it is this one."""
    word = {"resource": "person"}.get(entity, entity)
    return f"unknown {word} {facts['missing']}" if facts.get("missing_entity") == entity else ""


def _short(hours: str) -> str:
    """38.50 hours are 38.5."""
    return hours.rstrip("0").rstrip(".") if "." in hours else hours
