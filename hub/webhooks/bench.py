"""`manage.py bench event`: from the moment a message is sent until the target holds its record, through the whole hub.

Messages first come at a steady rate (latency), then all at once (throughput). Web server and workers are the commands that
`manage.py up` starts; the target notes when it took each record, by the clock that all processes of a machine share.
"""

from __future__ import annotations

import http.client
import json
import socket
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from hub.cli.process import kill_group
from hub.cli.supervisor import children
from hub.sync import harness
from hub.sync.bench import data, world
from hub.sync.bench.deliver import rest_target
from hub.webhooks import schemes
from hub.webhooks.models import Endpoint

CLIENTS = 8
WARM_UP = 20
PATIENCE_SECONDS = 120
READY_SECONDS = 30


@dataclass
class Sent:
    """When each record was sent and when its message was acknowledged (seconds of the monotonic clock)."""

    at: dict[str, float] = field(default_factory=dict)
    acknowledged: dict[str, float] = field(default_factory=dict)
    refused: int = 0


def bench_event(records: int, *, workers: int = 2, rate: float = 50.0) -> dict[str, Any]:
    """Half of the records come at `rate` a second, half at once; `passed` when each of them is at the target."""
    secret = schemes.new_secret(Endpoint.Scheme.STANDARD)
    with (
        tempfile.TemporaryDirectory() as folder,
        harness.server("hub.sync.bench.source", folder) as source,
        harness.server("hub.sync.bench.target") as target,
    ):
        harness.apply([*world.documents(source, rest_target(target)), _webhook(secret)])
        endpoint = Endpoint.objects.get(slug="bench-hook")
        with world.workers(workers, Path(folder) / "worker.log"), web_server(Path(folder)) as web:
            sender = Sender(endpoint, web)
            sender.send(range(WARM_UP), rate=rate)
            _wait(target, WARM_UP)
            half = WARM_UP + records // 2
            steady = sender.send(range(WARM_UP, half), rate=rate)
            _wait(target, half)
            began = time.monotonic()
            burst = sender.send(range(half, WARM_UP + records), rate=0.0)
            arrived = _wait(target, WARM_UP + records)
    return _figures(records, rate, steady, burst, began, arrived)


def _figures(
    records: int, rate: float, steady: Sent, burst: Sent, began: float, arrived: dict[str, float]
) -> dict[str, Any]:
    sent = {**steady.at, **burst.at}
    latency = [arrived[number] - at for number, at in steady.at.items() if number in arrived]
    answers = [steady.acknowledged[number] - at for number, at in steady.at.items() if number in steady.acknowledged]
    last = max((arrived.get(number, 0.0) for number in burst.at), default=began)
    missing = [number for number in sent if number not in arrived]
    return {
        "records": records,
        "rate_per_s": rate,
        "latency_ms": _percentiles(latency),
        "acknowledged_ms": _percentiles(answers),
        "burst_acknowledged_per_s": round(
            len(burst.at) / (max(burst.acknowledged.values(), default=began + 1) - began)
        ),
        "burst_delivered_per_s": round(len(burst.at) / (last - began)) if last > began else 0,
        "refused": steady.refused + burst.refused,
        "missing": len(missing),
        "passed": not missing and not steady.refused + burst.refused,
    }


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return {}
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {name: round(cuts[at] * 1000, 1) for name, at in (("p50", 49), ("p95", 94), ("p99", 98))}


def _webhook(secret: str) -> dict[str, Any]:
    head = {"kind": "Webhook", "slug": "bench-hook", "name": "Entries", "sync": "bench-in"}
    return {**head, "record_path": "data", "secrets": {"current": secret}}


@contextmanager
def web_server(folder: Path) -> Iterator[int]:
    """The web server as `manage.py up` starts it; yields its port."""
    port = _free_port()
    web = next(child for child in children("127.0.0.1", port) if child.name == "web")
    web.start(folder)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(port):
            if web.fell or time.monotonic() > deadline:
                raise RuntimeError(f"The web server did not start: {(folder / 'web.log').read_text()[-2000:]}")
            time.sleep(0.1)
        yield port
    finally:
        if web.process:
            kill_group(web.process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@dataclass
class Sender:
    """A system that signs its messages. Each of its clients keeps one connection open."""

    endpoint: Endpoint
    port: int
    local: threading.local = field(default_factory=threading.local)

    def send(self, numbers: range, *, rate: float) -> Sent:
        """One message for each record: at fixed times where a rate is given, else as fast as the answers come."""
        sent, began = Sent(), time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as pool:
            for place, number in enumerate(numbers):
                if rate:
                    time.sleep(max(0.0, began + place / rate - time.monotonic()))
                pool.submit(self._one, sent, number)
        return sent

    def _one(self, sent: Sent, number: int) -> None:
        row = data.record(number)
        body = orjson.dumps({"data": row})
        headers, _ = schemes.sign(self.endpoint, body, message_id=f"m{number}", now=time.time())
        sent.at[row["id"]] = time.monotonic()
        client = self._client()
        client.request("POST", f"/in/{self.endpoint.path}/", body, {**headers, "Content-Type": "application/json"})
        answer = client.getresponse()
        answer.read()
        if answer.status == 202:
            sent.acknowledged[row["id"]] = time.monotonic()
        else:
            sent.refused += 1

    def _client(self) -> http.client.HTTPConnection:
        if not hasattr(self.local, "client"):
            self.local.client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        found: http.client.HTTPConnection = self.local.client
        return found


def _wait(target: int, wanted: int) -> dict[str, float]:
    """Until the target holds so many records, or nothing comes any more: {number: when it came}."""
    deadline, seen = time.monotonic() + PATIENCE_SECONDS, -1
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{target}/_control/times", timeout=60) as answer:
            times: dict[str, float] = json.load(answer)
        if len(times) != seen:
            seen, deadline = len(times), time.monotonic() + PATIENCE_SECONDS
        if len(times) >= wanted or time.monotonic() > deadline:
            return times
        time.sleep(0.2)
