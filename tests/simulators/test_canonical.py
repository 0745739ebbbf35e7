"""The default mappings of the HR systems: every field of an entity that exists, filled from what the system really sends."""

from __future__ import annotations

from typing import Any

import pytest

from connectors import catalog
from governance.canonical_model import shipped_documents
from mappings.expressions import compile_expression
from tests.simulators.vendors import running

ENTITIES = {entity["slug"]: contract["schema"]["properties"] for entity, contract in shipped_documents()}
NAMES = ("workday", "workday_rest", "workday_raas", "bamboohr")
MAPPED = [
    (name, stream)
    for name in NAMES
    for stream, section in catalog.load_file(catalog.SHIPPED / f"{name}.yaml").streams.items()
    if "canonical" in section
]


@pytest.mark.parametrize(("name", "stream"), MAPPED)
def test_a_default_mapping_names_fields_of_an_entity(name, stream):
    canonical = catalog.load_file(catalog.SHIPPED / f"{name}.yaml").streams[stream]["canonical"]
    assert set(canonical["fields"]) <= set(ENTITIES[canonical["entity"]])


def _mapped(record: dict[str, Any], fields: dict[str, str]) -> dict[str, Any]:
    found = {field: compile_expression(text).evaluate(record) for field, text in fields.items()}
    return {field: value for field, value in found.items() if isinstance(value, str | bool | int)}


@pytest.mark.parametrize(
    ("name", "stream", "needed"),
    [
        (
            "workday",
            "workers",
            {
                *("employee_number", "type", "name", "given_name", "family_name", "work_email", "status", "hire_date"),
                *("role", "legal_entity", "cost_center", "location", "weekly_hours", "login"),
            },
        ),
        ("workday", "companies", {"code", "name", "currency", "country", "is_active"}),
        ("workday", "cost_centers", {"code", "name", "gl_segment", "legal_entity", "is_active", "valid_from"}),
        ("workday", "projects", {"code", "name", "status", "manager", "start_date", "legal_entity"}),
        ("workday_rest", "workers", {"employee_number", "name", "work_email", "role"}),
        ("workday_raas", "workers", {"employee_number", "given_name", "status", "cost_center", "source_updated_at"}),
        ("workday_raas", "absences", {"resource", "date", "absence_hours", "absence_type", "absence_status"}),
        ("bamboohr", "employees", {"employee_number", "type", "given_name", "work_email", "status", "hire_date"}),
        ("bamboohr", "time_off", {"resource", "date", "absence_hours", "absence_type", "absence_status"}),
    ],
)
def test_a_default_mapping_is_filled_from_what_the_system_sends(name, stream, needed):
    with running(name) as vendor, vendor.connect() as connector:
        fields = vendor.declaration.streams[stream]["canonical"]["fields"]
        records = [_mapped(record, fields) for record in vendor.read(connector, stream)]
    assert records
    missing = {field for record in records for field in needed if record.get(field) in (None, "")}
    assert not missing


def test_a_worker_is_mapped_as_the_firm_knows_him():
    with running("workday") as vendor, vendor.connect() as connector:
        person = vendor.simulator.firm.people[-1]
        fields = vendor.declaration.streams["workers"]["canonical"]["fields"]
        records = [_mapped(record, fields) for record in vendor.read(connector, "workers")]
    found = next(record for record in records if record["employee_number"] == person.number)
    assert (found["given_name"], found["family_name"], found["work_email"]) == (
        person.given,
        person.family,
        person.email,
    )
    assert (found["legal_entity"], found["cost_center"]) == (person.legal_entity, person.cost_centre)
    assert (found["manager"], found["role"], found["grade"]) == (person.manager, person.role, person.grade)
    assert (found["status"], found["type"]) == ("active", "employee")
