"""`manage.py bench gateway`: reads of the gateway at a fixed rate, over so many canonical records, through the web processes.

The web server is the command that `manage.py up` starts. Latency counts from the moment at which a request was due, so that a
server which falls behind is seen. The clients share the machine with it.
"""

from __future__ import annotations

import http.client
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from governance.models import Entity
from hub.gateway import services
from hub.gateway.models import Consumer
from hub.sync import demo
from hub.sync.demo import Demo
from hub.webhooks.bench import web_server
from monitoring.bench.firm import PROJECTS, Firm, records

CLIENTS = 16
SECONDS = 10.0
WARM_UP_SECONDS = 2.0
READS: dict[str, Callable[[random.Random, int], str]] = {
    "record": lambda pick, n: f"/gateway/system/projects/v1/records/P-{pick.randrange(PROJECTS):05d}/",
    "lookup": lambda pick, n: f"/gateway/system/projects/v1/lookup/psa-p-{pick.randrange(PROJECTS)}/",
    "project_360": lambda pick, n: f"/gateway/experience/project-360/v1/P-{pick.randrange(PROJECTS):05d}/",
}


@dataclass
class Taken:
    """Seconds from when each request was due to its answer, and what was not answered with 200."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0


def bench_gateway(
    number: int, *, rate: float = 200.0, seconds: float = SECONDS, say: Callable[[str], None] = lambda words: None
) -> dict[str, Any]:
    """{"reads": {what: {p50, p95, p99, requests}}}; `passed` when every request was answered."""
    _fill(number, say)
    token = _token()
    with tempfile.TemporaryDirectory() as folder, web_server(Path(folder)) as port:
        found = {}
        for what, path in READS.items():
            say(what)
            _ask(port, token, path, rate=rate, seconds=WARM_UP_SECONDS)
            found[what] = _ask(port, token, path, rate=rate, seconds=seconds)
    refused = sum(taken.refused for taken in found.values())
    return {
        "records": number,
        "rate_per_s": rate,
        "seconds": seconds,
        "reads": {
            what: {"requests": len(taken.seconds), **percentiles(taken.seconds)} for what, taken in found.items()
        },
        "refused": refused,
        "passed": not refused and all(taken.seconds for taken in found.values()),
    }


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds."""
    if len(seconds) < 2:
        return {}
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {name: round(cuts[at] * 1000, 1) for name, at in (("p50_ms", 49), ("p95_ms", 94), ("p99_ms", 98))}


def _fill(number: int, say: Callable[[str], None]) -> None:
    say("configuration of the demo firm")
    demo.load(Demo(9, "tiny", 1, "2026-01-01"))
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as db:
        firm = Firm(db, max(number * 20 // 8, 100), 0)
        firm.entities = dict(Entity.objects.values_list("slug", "pk"))
        say(f"{firm.entries} time entries")
        records(firm)
        db.execute("vacuum analyze records_canonicalrecord")


def _token() -> str:
    consumer = Consumer.objects.get(slug="client-portal")
    Consumer.objects.filter(pk=consumer.pk).update(per_minute=1_000_000)
    return services.issue_token(consumer, by=None)


def _ask(port: int, token: str, path: Callable[[random.Random, int], str], *, rate: float, seconds: float) -> Taken:
    taken, pick, kept, began = Taken(), random.Random(7), threading.local(), time.monotonic()

    def one(address: str, due: float) -> None:
        if not hasattr(kept, "client"):
            kept.client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        kept.client.request("GET", address, headers={"Authorization": f"Bearer {token}"})
        answer = kept.client.getresponse()
        answer.read()
        if answer.status == 200:
            taken.seconds.append(time.monotonic() - due)
        else:
            taken.refused += 1

    with ThreadPoolExecutor(CLIENTS) as pool:
        for number in range(int(rate * seconds)):
            due = began + number / rate
            time.sleep(max(0.0, due - time.monotonic()))
            pool.submit(one, path(pick, number), due)
    return taken
