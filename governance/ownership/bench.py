"""How many field decisions a second: records of twenty fields against rules of every sort, as the engine asks for them."""

from __future__ import annotations

import gc
import time
from datetime import date
from typing import Any

from governance.arbitration import Body, decide
from governance.ownership.compiled import compile_rules
from governance.ownership.rules import LATEST, RANKING, REVERT, Rule

SYSTEMS = {"crm": 1, "psa": 2, "erp": 3}
FIELDS = (*(f"field_{number:02d}" for number in range(18)), "status", "legal_entity")
# Most fields have one owner, as in a real matrix; every way of deciding is among the rest.
RULES = (
    Rule("rest", systems=("crm",)),
    Rule("erp", FIELDS[:6], systems=("erp",), policy=REVERT),
    Rule("ranked", FIELDS[6:8], decide=RANKING, systems=("crm", "psa", "erp")),
    Rule("latest", FIELDS[8:10], decide=LATEST, systems=("crm", "psa")),
    Rule("won", FIELDS[10:12], systems=("erp",), conditions=(("status", frozenset({"won", "closed"})),)),
    Rule("uk", FIELDS[12:14], systems=("erp",), conditions=(("legal_entity", frozenset({"UK"})),)),
)


def bench_arbitrate(records: int) -> dict[str, Any]:
    """Every record is offered once by each system; a third of its values differ from what the hub holds."""
    held = [_record(number) for number in range(records)]
    provenance = {name: number % 3 + 1 for number, name in enumerate(FIELDS)}
    offered = [_offer(number) for number in range(records)]
    gc.collect()
    started = time.perf_counter()
    changed = blocked = 0
    for system in SYSTEMS:
        lens = compile_rules(RULES, system=system, system_ids=SYSTEMS, fields=FIELDS, today=date(2026, 6, 1))
        for incoming, current in zip(offered, held, strict=True):
            decision = decide(incoming, current, {}, lens, provenance)
            changed += len(decision.changed)
            blocked += len(decision.blocked)
    seconds = time.perf_counter() - started
    decisions = records * len(FIELDS) * len(SYSTEMS)
    return {
        "records": records,
        "decisions": decisions,
        "seconds": round(seconds, 4),
        "decisions_per_s": round(decisions / seconds),
        "accepted": changed,
        "blocked": blocked,
        "unchanged": decisions - changed - blocked,
        "passed": changed > 0 and blocked > 0,
    }


def _record(number: int) -> Body:
    body: Body = {name: f"value {number} {name}" for name in FIELDS}
    body["status"] = ("draft", "won", "closed")[number % 3]
    body["legal_entity"] = ("UK", "US")[number % 2]
    return body


def _offer(number: int) -> Body:
    body = _record(number)
    return {name: f"{value} new" if place % 3 == 0 else value for place, (name, value) in enumerate(body.items())}
