"""The benchmark's records: time entries of 20 fields, some nested, deterministic by number."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from hub.sync import harness

STATES = ("draft", "submitted", "approved", "rejected", "invoiced")
CODES = {"draft": "D", "submitted": "S", "approved": "A", "rejected": "R", "invoiced": "I"}
CURRENCIES = ("EUR", "USD", "GBP", "CHF", "SEK")
FIRST_DAY = date(2026, 1, 1)

# The 20 fields of the canonical entity and of the target table, in order.
FIELDS = (
    "number", "project", "client", "client_name", "consultant", "grade", "task", "work_date", "hours", "rate",
    "amount", "currency", "billable", "state", "approver", "notes", "place", "tags", "title", "changed_at",
)  # fmt: skip
DECIMALS = {"hours": 2, "rate": 2, "amount": 4}
TABLE = ", ".join(
    f"{name} {'numeric(14, ' + str(DECIMALS[name]) + ')' if name in DECIMALS else 'text'}" for name in FIELDS
)


def record(number: int) -> dict[str, Any]:
    """Record `number` as the source would send it."""
    pick = random.Random(number).randrange
    project, person, state = pick(400), pick(900), STATES[pick(5)]
    return {
        "id": f"TE-{number:08d}",
        "project": {
            "code": f"PRJ-{project:04d}",
            "client": {"id": f"C{project % 90:03d}", "name": f"Client {project % 90} Ltd"},
        },
        "person": {"email": f"Person.{person}@Firm.example", "grade": ("analyst", "senior", "partner")[person % 3]},
        "task": f"T{pick(60):02d}",
        "date": (FIRST_DAY + timedelta(days=number % 300)).isoformat(),
        "hours": f"{pick(39) * 0.25 + 0.25:.2f}",
        "rate": f"{80 + pick(240)}.00",
        "currency": CURRENCIES[project % 5],
        "billable": pick(5) > 0,
        "state": state,
        "approver": None if state in ("draft", "submitted") else f"lead.{project % 40}@firm.example",
        "notes": f"  Workshop and follow-up, ticket {pick(99999)}  ",
        "place": {"country": ("DE", "US", "GB", "CH", "SE")[project % 5], "remote": pick(2) == 1},
        "tags": ["delivery", f"phase-{project % 4}"],
        "updated_at": f"2026-03-01T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z",
    }


def write_pages(folder: Path, records: int, page_size: int) -> list[Path]:
    """One file for each page, as the source serves them; written before anything is timed."""
    paths = []
    total = (records + page_size - 1) // page_size
    for page in range(total):
        numbers = range(page * page_size, min((page + 1) * page_size, records))
        paths.append(harness.write_page(folder, [record(n) for n in numbers], number=page + 1, total=total))
    return paths


def schema() -> dict[str, Any]:
    """The contract of the canonical entity."""
    properties: dict[str, Any] = {name: {"type": "string"} for name in FIELDS}
    properties["number"] |= {"x-key": True, "pattern": "^TE-[0-9]{8}$"}
    properties["state"] = {"enum": list(CODES.values())}
    properties["billable"] = {"enum": ["Y", "N"]}
    properties["amount"] |= {"format": "decimal", "x-money": "currency"}
    for name in ("hours", "rate"):
        properties[name]["format"] = "decimal"
    properties["work_date"]["format"] = "date"
    return {"type": "object", "required": ["number", "project", "hours", "state"], "properties": properties}


def source_schema() -> dict[str, Any]:
    """The contract of the source, checked before mapping (by the hub and by the hand-written path alike)."""
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["id", "project", "person", "date", "hours", "rate", "currency", "state", "updated_at"],
        "properties": {
            "id": {"type": "string", "pattern": "^TE-[0-9]{8}$"},
            "project": {"type": "object", "required": ["code", "client"], "properties": {"code": text}},
            "person": {"type": "object", "required": ["email"], "properties": {"email": text, "grade": text}},
            "date": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
            "hours": {"type": "string", "pattern": "^[0-9]+[.][0-9]{2}$"},
            "rate": {"type": "string", "pattern": "^[0-9]+[.][0-9]{2}$"},
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "billable": {"type": "boolean"},
            "state": {"enum": list(STATES)},
            "approver": {"type": ["string", "null"]},
            "notes": {"type": ["string", "null"], "maxLength": 2000},
            "tags": {"type": "array", "items": text},
        },
    }


def rules_in() -> list[dict[str, Any]]:
    """The 20-field mapping from the source to the entity."""
    direct = {
        "number": "id", "project": "project.code", "client": "project.client.id", "task": "task", "work_date": "date",
        "currency": "currency", "changed_at": "updated_at", "grade": "person.grade",
    }  # fmt: skip
    rules: list[dict[str, Any]] = [{"target": target, "source": source} for target, source in direct.items()]
    rules += [{"target": name, "source": name, "type": "decimal", "digits": 2} for name in ("hours", "rate")]
    return [
        *rules,
        {"target": "client_name", "source": "project.client.name", "convert": [{"fn": "upper"}]},
        {"target": "consultant", "source": "person.email", "convert": [{"fn": "lower"}]},
        {
            "target": "amount",
            "source": "hours",
            "type": "decimal",
            "digits": 4,
            "convert": [
                {"fn": "multiply", "args": {"field": "rate"}},
                {"fn": "only_when", "args": {"field": "billable", "otherwise": "0"}},
            ],
        },
        {"target": "billable", "source": "billable", "convert": [{"fn": "from_boolean", "args": {"style": "Y/N"}}]},
        {"target": "state", "kind": "value_map", "source": "state", "value_map": "bench-states"},
        {
            "target": "approver",
            "source": "approver",
            "convert": [{"fn": "default_if_empty", "args": {"value": "none"}}],
        },
        {"target": "notes", "source": "notes", "convert": [{"fn": "trim"}]},
        {"target": "place", "kind": "template", "text": "{place.country}"},
        {"target": "tags", "source": "tags", "convert": [{"fn": "join", "args": {"separator": ","}}]},
        {"target": "title", "kind": "template", "text": "{project.code} / {task} / {date}"},
    ]


def rules_out() -> list[dict[str, Any]]:
    return [{"target": name, "source": name} for name in FIELDS]
