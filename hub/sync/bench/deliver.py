"""`manage.py bench deliver`: source → canonical → REST target in batches of 200, beside the same job written by hand.

By hand: fetch ahead → contract → 20 fields → batches of 200, so many at a time as the hub sends → a ledger row for each record,
one commit a page. `bare` is the same without contract, hash and ledger; `one_by_one` sends one batch after the other.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import psycopg

from hub.sync import harness
from hub.sync.bench import baseline, data, run, world
from hub.sync.states import RunStatus

BATCH = 200
FAN_OUT = 8
Row = tuple[str, ...]
Send = Callable[[list[Row]], None]


def bench_deliver(records: int, *, workers: int = 2, latency_ms: float = 0.0) -> dict[str, Any]:
    """`passed` when the hub's target holds exactly the rows that the hand-written path sent to its own."""
    dsn = os.environ["DATABASE_URL"]
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder) / "pages"
        pages.mkdir()
        data.write_pages(pages, records, run.PAGE_SIZE)
        with harness.server("hub.sync.bench.source", str(pages)) as source:
            bare, _ = _timed(source, latency_ms, partial(_bare, source))
            by_hand, wanted = _timed(source, latency_ms, partial(_by_hand, dsn, source, FAN_OUT))
            alone, _ = _timed(source, latency_ms, partial(_by_hand, dsn, source, 1))
            with _target(latency_ms) as port:
                documents = world.documents(source, rest_target(port))
                found = run.through_hub(documents, workers, Path(folder) / "worker.log")
                same = _rows(port) == wanted
    seconds = found.pop("seconds")
    return {
        "records": records,
        "latency_ms": latency_ms,
        "workers": workers,
        "seconds": round(seconds, 3),
        "records_per_s": round(records / seconds),
        "handwritten_per_s": round(records / by_hand),
        "one_by_one_per_s": round(records / alone),
        "bare_per_s": round(records / bare),
        "ratio": round(by_hand / seconds, 3),
        "ratio_to_one_by_one": round(alone / seconds, 3),
        **found,
        "target_equals_handwritten": same,
        "passed": same and len(wanted) == records and found["status"] == RunStatus.SUCCEEDED,
    }


def rest_target(port: int) -> dict[str, Any]:
    """The connection to the target, declared as a user would declare any API that takes batches."""
    batch = {"max": BATCH, "results": "results", "ref": "id", "created_when": [{"path": "created", "equals": True}]}
    rows = {
        "label": "Rows",
        "key": "number",
        "path": "/rows",
        "records": "data",
        "write": {"upsert": {"method": "POST", "path": "/rows", "safety": "B", "batch": batch}},
    }
    declaration = {
        "name": "bench_target", "label": "Benchmark target", "category": "erp", "protocol": "rest", "time_zone": "UTC",
        "config": {}, "base_url": f"http://127.0.0.1:{port}", "limits": {"concurrency": FAN_OUT},
        "streams": {"target_hub": rows},
    }  # fmt: skip
    return {
        "kind": "Connection",
        "slug": "bench-target",
        "name": "Target",
        "system": "bench-dwh",
        "config": {"declaration": declaration},
        "allowed_networks": ["127.0.0.0/8"],
    }


@contextmanager
def _target(latency_ms: float) -> Iterator[int]:
    with harness.server("hub.sync.bench.target", "--latency-ms", str(latency_ms)) as port:
        yield port


def _rows(port: int) -> dict[str, str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_control/rows", timeout=60) as answer:
        return dict(json.load(answer))


def _timed(source: int, latency_ms: float, job: Callable[[Send], None]) -> tuple[float, dict[str, str]]:
    """Seconds for a job that sends to a target of its own, and what that target then holds."""
    with _target(latency_ms) as port:
        started = time.perf_counter()
        job(partial(_post, threading.local(), port))
        return time.perf_counter() - started, _rows(port)


# By hand ---------------------------------------------------------------------------------------------------
def _post(local: threading.local, port: int, rows: list[Row]) -> None:
    client = getattr(local, "client", None)
    if client is None:
        client = local.client = http.client.HTTPConnection("127.0.0.1", port)
    body = orjson.dumps([dict(zip(data.FIELDS, row, strict=True)) for row in rows])
    client.request("POST", "/rows", body, {"Content-Type": "application/json"})
    answer = orjson.loads(client.getresponse().read())
    if len(answer["results"]) != len(rows):
        raise RuntimeError("The target left rows out.")


def _batches(rows: Sequence[Row]) -> Iterator[list[Row]]:
    return (list(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH))


def _bare(source: int, send: Send) -> None:
    with ThreadPoolExecutor(FAN_OUT) as pool:
        for body in baseline.pages(source):
            rows = [baseline.map_record(r) for r in orjson.loads(body)["data"]]
            list(pool.map(send, _batches(rows)))


def _by_hand(dsn: str, source: int, fan_out: int, send: Send) -> None:
    valid = jsonschema_rs.validator_for(data.source_schema()).is_valid
    with psycopg.connect(dsn) as db, ThreadPoolExecutor(fan_out) as pool:
        baseline.create_ledger(db, "ledger_sent")
        db.commit()
        number = 0
        for body in baseline.pages(source):
            rows = [baseline.map_record(r) for r in orjson.loads(body)["data"] if valid(r)]
            hashes = [hashlib.blake2b(orjson.dumps(row), digest_size=16).digest() for row in rows]
            list(pool.map(send, _batches(rows)))
            baseline.copy_ledger(db.cursor(), "ledger_sent", rows, hashes, number)
            db.commit()
            number += len(rows)
        db.execute("drop table ledger_sent")
