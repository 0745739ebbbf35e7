"""`manage.py bench reconcile`: two sides of N keys each, one in a hundred of which does not agree.

Records come from memory a page at a time; reading, encoding, copying, comparing, labelling and storing are the product's own.
`peak_mib` is of this process; what PostgreSQL hashes is bounded by work_mem and spills to disk. `cpu_seconds` tell what the
comparison costs on a machine that has other work: `seconds` are wall time.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from governance.models import Entity
from governance.services import activate_schema, create_entity
from hub.accounts.models import Domain
from hub.common.db import plain_cursor
from monitoring.models import Reconciliation, ReconciliationRun
from monitoring.reconciliation import runs, staging
from monitoring.reconciliation.definition import Side, parse
from monitoring.reconciliation.sides import Brought
from monitoring.reconciliation.work import Comparison

PAGE = 1_000
EVERY = 100
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["number"],
    "properties": {
        "number": {"type": "string", "x-key": True},
        "hours": {"type": "string", "format": "decimal"},
        "amount": {"type": "string", "format": "decimal", "x-money": "currency", "x-amount": True},
        "currency": {"type": "string", "x-currency": True},
        "project": {"type": "string", "x-project": True},
        "date": {"type": "string", "format": "date"},
        "period": {"type": "string", "x-period": True},
    },
}
DOCUMENT: dict[str, Any] = {
    "left": {"stream": "left"},
    "right": {"stream": "right"},
    "key": ["number"],
    "compare": [{"field": "hours", "type": "decimal"}, {"field": "amount", "type": "decimal"}, {"field": "project"}],
    "totals": {"date": "date", "sums": ["hours"], "amount": "amount", "currency": "currency", "project": "project"},
}


def bench_reconcile(keys: int) -> dict[str, Any]:
    """One comparison; `passed` only when exactly what was planted is found."""
    run = _run()
    before = _peak_mib()
    comparison = Bench(run, parse(DOCUMENT), lambda side: _pages(side, keys))
    backend = _backend()
    started, cpu, database = time.perf_counter(), time.process_time(), _cpu_seconds(backend)
    try:
        comparison.work()
    finally:
        staging.drop()
    seconds, cpu, database = time.perf_counter() - started, time.process_time() - cpu, _cpu_seconds(backend) - database
    run.refresh_from_db()
    planted = keys // EVERY
    return {
        "keys": keys,
        "seconds": round(seconds, 2),
        "keys_per_s": round(keys / seconds),
        "cpu_seconds": {"hub": round(cpu, 2), "database": round(database, 2)},
        "peak_mib": round(_peak_mib()),
        "peak_mib_before": round(before),
        "stages": run.timings,
        "matched": run.matched,
        "differing": run.differing,
        "only_left": run.only_left,
        "only_right": run.only_right,
        "passed": (run.differing, run.only_left, run.only_right, run.matched)
        == (planted, planted, planted, keys - 2 * planted),
    }


class Bench(Comparison):
    """No stream stands behind the sides, so there is nothing that the hub could know of them."""

    def _label(self, cursor: Any) -> None:
        staging.gather(cursor, self.definition)


def _run() -> ReconciliationRun:
    domain = Domain.objects.get(slug="project-wbs")
    entity = Entity.objects.filter(slug="bench_entry").first()
    if entity is None:
        entity = create_entity(name="Bench entry", slug="bench_entry", domain=domain, by=None)
        activate_schema(contract=entity.contract, schema=SCHEMA, by=None)
    found = Reconciliation.objects.create(
        slug="bench",
        name="Bench",
        domain=domain,
        entity=entity,
        left=DOCUMENT["left"],
        right=DOCUMENT["right"],
        key=["number"],
    )
    made, _ = runs.start(found, trigger="manual")
    run = runs.claim(made.pk)
    assert run is not None
    return run


def _pages(side: Side, keys: int) -> Iterator[list[Brought]]:
    """Keys in another order on the right. Of each hundred one is at the left alone, one at the right alone, one differs."""
    is_left = side.stream == "left"
    for start in range(0, keys, PAGE):
        page = []
        for at in range(start, min(start + PAGE, keys)):
            number = at if is_left else keys - 1 - at
            page.append(Brought(f"{side.stream}-{number}", _record(number, is_left), ""))
        yield page


def _record(number: int, is_left: bool) -> dict[str, Any]:
    place = number % EVERY
    key = f"R-{number:08d}" if place == 1 and not is_left else f"TE-{number:08d}"
    hours = "4.00" if place == 2 and not is_left else "8.00"
    return {
        "number": key,
        "hours": hours,
        "amount": f"{100 + number % 900}.50",
        "currency": "GBP" if number % 2 else "EUR",
        "project": f"P-{number % 500}",
        "date": f"2026-{1 + number % 12:02d}-{1 + number % 28:02d}",
    }


def _backend() -> int:
    with plain_cursor() as cursor:
        row = cursor.execute("select pg_backend_pid()").fetchone()
    return int(row[0]) if row else 0


def _cpu_seconds(pid: int) -> float:
    """Of a process of this machine; 0 where the database runs on another one."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
