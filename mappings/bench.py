"""How fast the compiled mapping is beside a function written by hand, in one run on one machine."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from hub.common.records import Record
from mappings.compile import ValueMapData, ValueMapEntryData, compile_mapping
from mappings.rules import parse_rules

_STATES = {"open": "O", "submitted": "S", "approved": "A", "returned": "R", "billed": "B"}

# The twenty fields of a time entry: plain, nested, look-up, arithmetic, join, trim, default, condition, case, template.
RULES = parse_rules(
    [
        {"target": "entry_ref", "source": "id"},
        {"target": "project_code", "source": "project.number"},
        {
            "target": "customer",
            "source": "project.customer.id",
            "kind": "reference",
            "entity": "customer",
            "via": "crm",
        },
        {"target": "customer_name", "source": "project.customer.name", "convert": ["upper"]},
        {"target": "worker_email", "source": "worker.mail", "convert": ["lower"]},
        {"target": "worker_level", "source": "worker.level", "convert": ["title"]},
        {"target": "task_code", "source": "task"},
        {"target": "work_date", "source": "worked_on", "type": "date"},
        {"target": "hours", "source": "quantity", "type": "decimal", "digits": 2},
        {"target": "rate", "source": "price", "type": "decimal", "digits": 2},
        {
            "target": "amount",
            "source": "quantity",
            "type": "decimal",
            "digits": 4,
            "convert": [
                {"fn": "multiply", "args": {"field": "price"}},
                {"fn": "only_when", "args": {"field": "billable", "otherwise": "0"}},
            ],
        },
        {"target": "currency", "source": "currency"},
        {"target": "billable", "source": "billable", "convert": [{"fn": "from_boolean", "args": {"style": "Y/N"}}]},
        {"target": "state", "source": "state", "kind": "value_map", "value_map": "states"},
        {
            "target": "approver",
            "source": "approver",
            "convert": [{"fn": "default_if_empty", "args": {"value": "nobody"}}],
        },
        {
            "target": "remark",
            "source": "remark",
            "convert": [{"fn": "default_if_empty", "args": {"value": ""}}, "trim"],
        },
        {"target": "country", "source": "site.country"},
        {"target": "labels", "source": "labels", "convert": [{"fn": "join", "args": {"separator": ","}}]},
        {"target": "changed_at", "source": "changed_at", "type": "datetime"},
        {"target": "title", "kind": "template", "text": "{project.number} / {task} / {worked_on}"},
    ]
)
VALUE_MAPS = {"states": ValueMapData("states", tuple(ValueMapEntryData(*pair) for pair in _STATES.items()))}


def by_hand(record: Record) -> Record:
    """What a programmer would write for the same twenty fields, trusting the record to be complete and well formed."""
    project, worker, hours = record["project"], record["worker"], record["quantity"]
    customer = project["customer"]
    return {
        "entry_ref": record["id"],
        "project_code": project["number"],
        "customer": customer["id"],
        "customer_name": customer["name"].upper(),
        "worker_email": worker["mail"].lower(),
        "worker_level": worker["level"].title(),
        "task_code": record["task"],
        "work_date": record["worked_on"],
        "hours": hours,
        "rate": record["price"],
        "amount": str(Decimal(hours) * Decimal(record["price"])) if record["billable"] else "0.0000",
        "currency": record["currency"],
        "billable": "Y" if record["billable"] else "N",
        "state": _STATES[record["state"]],
        "approver": record["approver"] or "nobody",
        "remark": (record["remark"] or "").strip(),
        "country": record["site"]["country"],
        "labels": ",".join(record["labels"]),
        "changed_at": record["changed_at"],
        "title": f"{project['number']} / {record['task']} / {record['worked_on']}",
    }


def make_record(number: int) -> Record:
    """Time entry number `number`: the same number gives the same record."""
    states = tuple(_STATES)
    return {
        "id": f"TIME-{number:07d}",
        "project": {
            "number": f"P{number % 311:05d}",
            "name": f"Rollout wave {number % 311}",
            "customer": {"id": f"K{number % 87:04d}", "name": f"Customer {number % 87} AG"},
        },
        "worker": {
            "mail": f"Person.{number % 797}@firm.example",
            "level": ("junior", "senior", "lead")[number % 3],
        },
        "task": f"{number % 53:03d}",
        "worked_on": f"2026-{number % 12 + 1:02d}-{number % 28 + 1:02d}",
        "quantity": f"{number % 36 + 1}.{(number % 4) * 25:02d}",
        "price": f"{90 + number % 211}.50",
        "currency": ("EUR", "CHF", "GBP")[number % 3],
        "billable": number % 5 != 0,
        "state": states[number % len(states)],
        "approver": None if number % 3 == 0 else f"lead.{number % 31}@firm.example",
        "remark": f"  Follow-up of ticket {number * 7919 % 100_003} with the client  ",
        "site": {"country": ("DE", "CH", "GB", "SE")[number % 4], "remote": number % 2 == 0},
        "labels": ["delivery", f"wave-{number % 6}"],
        "changed_at": f"2026-{number % 12 + 1:02d}-15T{number % 24:02d}:{number % 60:02d}:{number * 7 % 60:02d}Z",
    }


def measure(n: int = 20_000, rounds: int = 5) -> dict[str, Any]:
    """Records a second, compiled and by hand, medians of interleaved rounds; `differs` names fields with other results."""
    records = [make_record(number) for number in range(n)]
    mapper = compile_mapping(RULES, value_maps=VALUE_MAPS)
    wanted, got = [by_hand(record) for record in records], mapper.apply_all(records)
    times: dict[str, list[float]] = {"mapped": [], "by_hand": []}
    for _ in range(rounds):
        times["mapped"].append(_seconds(mapper.apply_all, records))
        times["by_hand"].append(_seconds(lambda page: [by_hand(record) for record in page], records))
    mapped, hand = (n / statistics.median(times[name]) for name in ("mapped", "by_hand"))
    return {
        "records": n,
        "fields": len(RULES),
        "mapped_per_second": round(mapped),
        "by_hand_per_second": round(hand),
        "ratio": round(mapped / hand, 3),
        "differs": _differences(wanted, got),
    }


def _seconds(run: Callable[[Sequence[Record]], Any], records: Sequence[Record]) -> float:
    gc.collect()
    start = time.perf_counter()
    for at in range(0, len(records), 500):
        run(records[at : at + 500])
    return time.perf_counter() - start


def _differences(wanted: Sequence[Record], got: Sequence[Any]) -> list[str]:
    """Fields whose results differ; amounts are compared by value, since one side prints more zeros."""
    return sorted({key for one, other in zip(wanted, got, strict=True) for key in one if not _same(one, other, key)})


def _same(one: Record, other: Any, key: str) -> bool:
    if not isinstance(other, dict):
        return False
    return bool(
        Decimal(one[key]) == Decimal(other[key]) if key in ("amount", "hours", "rate") else one[key] == other[key]
    )
