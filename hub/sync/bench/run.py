"""`manage.py bench sync`: source → canonical → PostgreSQL target through Celery, beside the hand-written path."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from hub.sync import harness, services
from hub.sync.bench import baseline, data, world
from hub.sync.models import Delivery, Run, Sync
from hub.sync.states import ACTIVE, DeliveryState, RunStatus

PAGE_SIZE = 1000
TIMEOUT_SECONDS = 1800


def bench_sync(records: int, *, workers: int = 2) -> dict[str, Any]:
    """One measurement; `passed` only when the target holds exactly what the hand-written path wrote."""
    dsn = os.environ["DATABASE_URL"]
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder) / "pages"
        pages.mkdir()
        data.write_pages(pages, records, PAGE_SIZE)
        with harness.server("hub.sync.bench.source", str(pages)) as port:
            bare = baseline.bare(dsn, port)
            by_hand = baseline.by_hand(dsn, port)
            with psycopg.connect(dsn, autocommit=True) as db:
                baseline.create_target(db, "target_hub")
                db.execute("grant all on target_hub to syncline_engine, syncline_web")
            documents = world.documents(port, world.sql_target(dsn))
            found = through_hub(documents, workers, Path(folder) / "worker.log")
    seconds = found.pop("seconds")
    same = _same_content(dsn, records)
    return {
        "records": records,
        "workers": workers,
        "seconds": round(seconds, 3),
        "records_per_s": round(records / seconds),
        "handwritten_per_s": round(records / by_hand),
        "bare_per_s": round(records / bare),
        "ratio": round(by_hand / seconds, 3),
        **found,
        "target_equals_handwritten": same,
        "passed": same and found["status"] == RunStatus.SUCCEEDED,
    }


def through_hub(documents: Sequence[dict[str, Any]], workers: int, log: Path) -> dict[str, Any]:
    """Both legs by Celery workers, twice: a first load, and a pull in which nothing has changed."""
    harness.apply(documents)
    inbound, outbound = Sync.objects.get(slug="bench-in"), Sync.objects.get(slug="bench-out")
    with world.workers(workers, log) as pid, world.PeakMemory(pid) as memory:
        first, seconds = _timed(inbound, outbound)
        again, unchanged_seconds = _timed(inbound, outbound)
    return {
        "seconds": seconds,
        "status": first.status,
        "counts": first.counts,
        "peak_mib": round(memory.peak_mib),
        "stages": {"in": first.timings, "out": _out_timings(outbound)},
        "unchanged": {
            "records_per_s": round(again.read / unchanged_seconds),
            "ratio_to_first_load": round(seconds / unchanged_seconds, 2),
            "target_writes": again.created + again.updated,
        },
    }


def _timed(inbound: Sync, outbound: Sync) -> tuple[Run, float]:
    """Start the inbound sync and wait until nothing is left to deliver."""
    started = time.perf_counter()
    run, _ = services.start_run(sync=inbound)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        time.sleep(0.02)
        run.refresh_from_db()
        if not run.is_active and _is_drained(outbound):
            return run, time.perf_counter() - started
    raise TimeoutError("The benchmark did not end.")


def _is_drained(outbound: Sync) -> bool:
    busy = Run.objects.filter(sync=outbound, status__in=ACTIVE).exists()
    return not busy and not Delivery.objects.filter(sync=outbound, state=DeliveryState.PENDING).exists()


def _out_timings(outbound: Sync) -> dict[str, float]:
    total: dict[str, float] = {}
    for timings in Run.objects.filter(sync=outbound).values_list("timings", flat=True):
        for name, seconds in timings.items():
            total[name] = round(total.get(name, 0.0) + seconds, 4)
    return total


def _same_content(dsn: str, records: int) -> bool:
    """The target is the oracle: every row equal to the hand-written path's, none missing, none more."""
    names = ", ".join(data.FIELDS)
    with psycopg.connect(dsn) as db:
        difference = db.execute(
            f"select count(*) from ((select {names} from target_hub except select {names} from target_by_hand)"
            f" union all (select {names} from target_by_hand except select {names} from target_hub)) d"
        ).fetchone()
        rows = db.execute("select count(*) from target_hub").fetchone()
    return bool(difference and rows and difference[0] == 0 and rows[0] == records)
