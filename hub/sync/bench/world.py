"""The hub's side of the benchmark, set up as a user would: configuration documents and real Celery workers."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from hub.cli.paths import ROOT
from hub.cli.process import kill_group, spawn
from hub.sync import harness
from hub.sync.bench import data

READY = b"ready."


def documents(source_port: int, target: dict[str, Any]) -> list[dict[str, Any]]:
    """Systems, connections, streams, entity, contract, value map, mappings and syncs; `target` is the target's connection."""
    declaration = {
        "name": "bench_source",
        "label": "Benchmark source",
        "category": "psa",
        "protocol": "rest",
        "time_zone": "UTC",
        "config": {},
        "base_url": f"http://127.0.0.1:{source_port}",
        "streams": {
            "entries": {
                "label": "Time entries",
                "key": "id",
                "path": "/entries",
                "records": "data",
                "paging": {"type": "page", "next_page_path": "next_page"},
            }
        },
    }
    return [
        {"kind": "System", "slug": "bench-psa", "name": "PSA"},
        {"kind": "System", "slug": "bench-dwh", "name": "Warehouse"},
        {
            "kind": "Connection",
            "slug": "bench-source",
            "name": "Source",
            "system": "bench-psa",
            "config": {"declaration": declaration},
            "allowed_networks": ["127.0.0.0/8"],
        },
        target,
        {
            "kind": "Stream",
            "slug": "bench-entries",
            "name": "entries",
            "connection": "bench-source",
            "key": ["id"],
            "source_schema": data.source_schema(),
        },
        {
            "kind": "Stream",
            "slug": "bench-rows",
            "name": "target_hub",
            "connection": "bench-target",
            "key": ["number"],
            "page_size": 1000,
        },
        {"kind": "Entity", "slug": "bench-entry", "name": "Bench entry", "domain": "time-expense"},
        {
            "kind": "Contract",
            "slug": "bench-entry",
            "name": "Bench entry",
            "entity": "bench-entry",
            "schema": data.schema(),
        },
        {
            "kind": "ValueMap",
            "slug": "bench-states",
            "name": "States",
            "entries": [{"source": word, "target": code} for word, code in data.CODES.items()],
        },
        harness.mapping("bench-in", "in", "bench-entries", "bench-entry", data.rules_in()),
        harness.mapping("bench-out", "out", "bench-rows", "bench-entry", data.rules_out()),
        {"kind": "Sync", "slug": "bench-in", "name": "In", "mapping": "bench-in"},
        {"kind": "Sync", "slug": "bench-out", "name": "Out", "mapping": "bench-out"},
    ]


def sql_target(dsn: str) -> dict[str, Any]:
    """The SQL connection to the scratch database itself, over its unix socket or its address."""
    parts = urlsplit(dsn)
    host = parse_qs(parts.query).get("host", [parts.hostname or ""])[0]
    settings = {
        "dialect": "postgresql",
        "host": host,
        "database": parts.path.lstrip("/"),
        "user": unquote(parts.username or ""),
    }
    return {
        "kind": "Connection",
        "slug": "bench-target",
        "name": "Target",
        "system": "bench-dwh",
        "protocol": "sql",
        "config": settings,
        "secrets": {"password": unquote(parts.password or "-")},
        "allowed_networks": ["127.0.0.0/8"],
    }


@contextmanager
def workers(count: int, log: Path) -> Iterator[int]:
    """A Celery worker with `count` pool processes, ready to work; yields its pid."""
    command = [sys.executable, "-m", "celery", "-A", "hub", "worker", "-c", str(count), "--loglevel", "INFO"]
    command += ["-Q", "read,deliver,process", "--without-gossip", "--without-mingle", "-n", "bench@%h"]
    with open(log, "wb") as output:
        process = spawn(command, env={**os.environ, "HUB_DB_ROLE": "engine"}, log=output.fileno(), cwd=ROOT)
    try:
        deadline = time.monotonic() + 60
        while READY not in log.read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The worker did not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield process.pid
    finally:
        kill_group(process)


class PeakMemory:
    """The largest resident memory of a process and its children, in MiB, sampled while a block runs (Linux)."""

    def __init__(self, pid: int) -> None:
        self.pid, self.peak_mib = pid, 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(0.1):
            self.peak_mib = max(self.peak_mib, sum(_resident_mib(pid) for pid in _tree(self.pid)))


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(below for child in children for below in _tree(int(child)))]


def _resident_mib(pid: int) -> float:
    """Proportional memory: what forked processes share counts once."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0
