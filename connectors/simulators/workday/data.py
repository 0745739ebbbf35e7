"""The firm as the tenant knows it. Workers are what their events make of them: entered at one time, effective at another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from connectors.simulators.firm import Firm, quiet_moment
from connectors.simulators.firm.shapes import Absence, Person, Project
from connectors.simulators.messages import parse_instant
from connectors.simulators.planted import Stamped
from connectors.simulators.tables import Field, ObjectType, Row

LOCATIONS = {"HV-UK": "London", "HV-DE": "Berlin", "HV-US": "Boston"}
# The tenant shows its times in the zone of its data centre, with their offset.
_ZONE = timezone(timedelta(hours=-8))

EVENTS = ObjectType(
    "events",
    (
        *(Field(name) for name in ("id", "worker", "kind", "entered_at", "effective", "rescinded_at")),
        Field("changes", "object"),
    ),
)
ORGANIZATIONS = ObjectType(
    "organizations",
    (
        Field("wid", "id"),
        Field("type"),
        Field("reference_id"),
        Field("name", required=True),
        Field("code"),
        Field("company"),
        Field("currency"),
        Field("country"),
        Field("active", "boolean"),
        Field("effective", "date"),
    ),
    key="wid",
)
PROJECTS = ObjectType(
    "projects", (Field("wid", "id"), Field("project_id", unique=True), Field("data", "object")), key="wid"
)
TIME_BLOCKS = ObjectType("time_blocks", (Field("wid", "id"), Field("batch"), Field("data", "object")), key="wid")
TIME_OFF = ObjectType("time_off", tuple(Field(name) for name in ("id", "worker", "date", "units", "type")))
KINDS = (EVENTS, ORGANIZATIONS, PROJECTS, TIME_BLOCKS, TIME_OFF)


def wid(kind: str, key: str) -> str:
    """The 32 hexadecimal digits of an object."""
    return hashlib.md5(f"{kind}:{key}".encode(), usedforsecurity=False).hexdigest()


def stamp(instant: datetime) -> str:
    return instant.astimezone(_ZONE).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class AsOf:
    """A moment in both times of the tenant: what had been entered, and what has taken effect."""

    entry: datetime
    effective: date


def state_of(events: Iterable[Row], at: AsOf) -> dict[str, dict[str, Any]]:
    """Worker number -> fields as of a moment; a worker without a hire that counts is not there."""
    known = [event for event in events if _counts(event, at)]
    workers: dict[str, dict[str, Any]] = {}
    for event in sorted(known, key=lambda event: (event["effective"], event["entered_at"])):
        workers.setdefault(event["worker"], {}).update(event["changes"])
    return {number: fields for number, fields in workers.items() if "hire_date" in fields}


def _counts(event: Row, at: AsOf) -> bool:
    entered = parse_instant(event["entered_at"]) <= at.entry
    rescinded = bool(event["rescinded_at"]) and parse_instant(event["rescinded_at"]) <= at.entry
    return entered and not rescinded and date.fromisoformat(event["effective"]) <= at.effective


def touched_at(event: Row) -> Iterator[datetime]:
    """When something about an event was entered: the event itself, and that it was rescinded."""
    yield parse_instant(event["entered_at"])
    if event["rescinded_at"]:
        yield parse_instant(event["rescinded_at"])


def last_touched(events: Iterable[Row], number: str) -> datetime:
    moments = [at for event in events if event["worker"] == number for at in touched_at(event)]
    return max(moments, default=datetime.min.replace(tzinfo=UTC))


# --- seed ----------------------------------------------------------------------------------------------------------


def rows(firm: Firm) -> dict[str, Iterable[Stamped]]:
    return {
        "events": [_hire(firm, person) for person in firm.people],
        "organizations": list(_organizations(firm)),
        "projects": [_project(firm, project) for project in firm.projects],
        "time_blocks": [],
        "time_off": [stamped for absence in firm.absences for stamped in _time_off(firm, absence)],
    }


def _hire(firm: Firm, person: Person) -> Stamped:
    at = quiet_moment(firm, person.n)
    row = event_row(f"E{person.n:05d}", person.number, "Hire Employee", at, person.hire_date, _fields(person))
    return Stamped(row["id"], row, at)


def event_row(
    key: str, worker: str, kind: str, at: datetime, effective: date, changes: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "id": key, "worker": worker, "kind": kind, "entered_at": at.isoformat(), "effective": effective.isoformat(),
        "rescinded_at": "", "changes": dict(changes),
    }  # fmt: skip


def _fields(person: Person) -> dict[str, Any]:
    return {
        "given": person.given,
        "family": person.family,
        "email": person.email,
        "title": person.role,
        "grade": person.grade,
        "company": person.legal_entity,
        "cost_center": person.cost_centre,
        "manager": person.manager,
        "location": LOCATIONS[person.legal_entity],
        "weekly_hours": str(person.weekly_hours),
        "hire_date": person.hire_date.isoformat(),
        "termination_date": "",
    }


def _organizations(firm: Firm) -> Iterator[Stamped]:
    day = firm.today - timedelta(days=900)
    for entity in firm.legal_entities:
        more = {"currency": entity.currency, "country": entity.country}
        yield _organization(firm, "COMPANY", entity.code, entity.name, day, **more)
    for centre in firm.cost_centres:
        more = {"company": centre.legal_entity, "code": centre.code}
        yield _organization(firm, "COST_CENTER", centre.code, centre.name, day, **more)
    leaders = {person.manager for person in firm.people if person.manager}
    for person in (person for person in firm.people if person.number in leaders):
        yield _organization(firm, "SUPERVISORY", f"SUP-{person.number}", f"Team {person.name}", day)


def _organization(firm: Firm, kind: str, key: str, name: str, day: date, **more: str) -> Stamped:
    own = wid(kind, key)
    empty = {"code": "", "company": "", "currency": "", "country": ""}
    row = {"wid": own, "type": kind, "reference_id": key, "name": name, "active": True, "effective": day.isoformat()}
    return Stamped(own, {**row, **empty, **more}, quiet_moment(firm, 1))


def _project(firm: Firm, project: Project) -> Stamped:
    key = wid("project", project.code)
    data = {
        "Project_Name": project.name,
        "Inactive": project.status == "closed",
        "Project_Status_Reference": {"Project_Status_ID": project.status.upper()},
        "Project_Owner_Reference": {"Employee_ID": project.manager},
        "Start_Date": project.start.isoformat(),
        "End_Date": project.end.isoformat(),
        "Currency_Reference": {"Currency_ID": project.currency},
        "Company_Reference": {"Company_Reference_ID": project.legal_entity},
        "Customer_Reference": {"Customer_ID": project.client},
        "Estimated_Revenue": project.budget_revenue,
    }
    return Stamped(key, {"wid": key, "project_id": project.code, "data": data}, quiet_moment(firm, project.n))


def _time_off(firm: Firm, absence: Absence) -> Iterator[Stamped]:
    for offset in range((absence.end - absence.start).days + 1):
        day = absence.start + timedelta(days=offset)
        key = wid("time_off", f"{absence.n}:{day}")
        row = {"id": key, "worker": absence.person, "date": day.isoformat(), "units": "8", "type": absence.kind}
        yield Stamped(key, row, quiet_moment(firm, absence.n))
