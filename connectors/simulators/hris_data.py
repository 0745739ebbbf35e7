"""The firm as the HRIS knows it: every value is text, employee numbers carry leading zeros."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from connectors.simulators.firm import Firm, quiet_moment
from connectors.simulators.firm.shapes import Absence, CostCentre, LegalEntity, Person
from connectors.simulators.ids import hris_id
from connectors.simulators.planted import Row, Stamped
from connectors.simulators.tables import Field, ObjectType

_LOCATIONS = {"HV-UK": "London", "HV-DE": "Berlin", "HV-US": "Boston"}

EMPLOYEES = ObjectType(
    "employees",
    (
        Field("id", "id", read_only=True),
        Field("employeeNumber", label="Employee #", max_length=20, unique=True),
        Field("firstName", label="First Name", required=True, max_length=100),
        Field("lastName", label="Last Name", required=True, max_length=100),
        Field("workEmail", label="Work Email", max_length=100, unique=True),
        Field("jobTitle", label="Job Title"),
        Field("jobLevel", label="Job Level"),
        Field("workerType", label="Worker Type", options=("Employee", "Contractor")),
        Field("status", label="Status", options=("Active", "On Leave", "Terminated")),
        Field("hireDate", "date", label="Hire Date", required=True),
        Field("terminationDate", label="Termination Date"),
        Field("supervisorEmployeeNumber", label="Supervisor", references="employees.employeeNumber"),
        Field("costCenter", label="Cost Center", references="orgUnits.code"),
        Field("legalEntity", label="Legal Entity", references="orgUnits.code"),
        Field("location", label="Location"),
        Field("weeklyHours", label="Scheduled Weekly Hours"),
        Field("lastChanged", "date-time", label="Last Changed", read_only=True),
    ),
    modified="lastChanged",
)
ORG_UNITS = ObjectType(
    "orgUnits",
    (
        Field("code", "id", label="Code"),
        Field("kind", label="Kind"),
        Field("name", label="Name"),
        Field("parent", label="Parent"),
        Field("country", label="Country"),
        Field("currency", label="Currency"),
        Field("active", label="Active"),
    ),
    key="code",
    writable=False,
)
TIME_OFF = ObjectType(
    "timeOffRequests",
    (
        Field("id", "id", read_only=True),
        Field("employeeNumber", label="Employee #", references="employees.employeeNumber"),
        Field("start", "date", label="Start"),
        Field("end", "date", label="End"),
        Field("type", label="Type"),
        Field("status", label="Status"),
        Field("lastChanged", "date-time", label="Last Changed", read_only=True),
    ),
    modified="lastChanged",
)
KINDS = (EMPLOYEES, ORG_UNITS, TIME_OFF)


def stamp(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}+00:00"


def rows(firm: Firm) -> dict[str, Iterable[Stamped]]:
    units = [_entity(e) for e in firm.legal_entities] + [_cost_centre(c) for c in firm.cost_centres]
    return {
        "employees": [Stamped(hris_id(p.n), _employee(p), quiet_moment(firm, p.n)) for p in firm.people],
        "orgUnits": [Stamped(row["code"], row, quiet_moment(firm, 1)) for row in units],
        "timeOffRequests": [Stamped(str(700 + a.n), _absence(a), quiet_moment(firm, a.n)) for a in firm.absences],
    }


def _employee(person: Person) -> Row:
    return {
        "id": hris_id(person.n),
        "employeeNumber": person.number,
        "firstName": person.given,
        "lastName": person.family,
        "workEmail": person.email,
        "jobTitle": person.role,
        "jobLevel": person.grade,
        "workerType": "Employee",
        "status": "Active",
        "hireDate": person.hire_date.isoformat(),
        "terminationDate": "",
        "supervisorEmployeeNumber": person.manager,
        "costCenter": person.cost_centre,
        "legalEntity": person.legal_entity,
        "location": _LOCATIONS[person.legal_entity],
        "weeklyHours": f"{person.weekly_hours}.0",
    }


def _entity(entity: LegalEntity) -> Row:
    return {
        "code": entity.code,
        "kind": "Company",
        "name": entity.name,
        "parent": "",
        "country": entity.country,
        "currency": entity.currency,
        "active": "Yes",
    }


def _cost_centre(centre: CostCentre) -> Row:
    return {
        "code": centre.code,
        "kind": "Cost Center",
        "name": centre.name,
        "parent": centre.legal_entity,
        "country": "",
        "currency": "",
        "active": "Yes",
    }


def _absence(absence: Absence) -> Row:
    return {
        "id": str(700 + absence.n),
        "employeeNumber": absence.person,
        "start": absence.start.isoformat(),
        "end": absence.end.isoformat(),
        "type": absence.kind,
        "status": "approved",
    }
