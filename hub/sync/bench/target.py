"""The benchmarks. REST target: `python -m hub.sync.bench.target [--latency-ms 20]` takes rows in batches and keeps them.

`POST /rows` with a list answers with one result for each row; `GET /_control/rows` tells what it holds as
{number: hash of the row}, `GET /_control/times` when it first took each number (seconds of the machine's monotonic clock, which
all processes share). Prints its port, ends with its parent.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import time
from dataclasses import dataclass, field
from typing import Any

import orjson

from hub.cli.process import die_with_parent


@dataclass
class Target:
    latency: float
    rows: dict[str, str] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)

    async def answer(self, method: str, path: str, body: bytes) -> bytes:
        if method == "GET":
            found = {"/_control/rows": self.rows, "/_control/times": self.times}
            return orjson.dumps(found.get(path, {}))
        if self.latency:
            await asyncio.sleep(self.latency)
        return orjson.dumps({"results": [self._take(row) for row in orjson.loads(body)]})

    def _take(self, row: dict[str, Any]) -> dict[str, Any]:
        number = row["number"]
        is_new = number not in self.rows
        self.rows[number] = fingerprint(row)
        self.times.setdefault(number, time.monotonic())
        return {"id": number, "created": is_new}


def fingerprint(row: dict[str, Any]) -> str:
    """The same for the same fields and values, in whatever order."""
    return hashlib.blake2b(orjson.dumps(row, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


async def serve(target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, _ = head.split(" ", 2)
            body = await target.answer(method, path, await reader.readexactly(_length(head)))
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        writer.close()


def _length(head: str) -> int:
    found = head.lower().partition("content-length:")[2]
    return int(found.split("\r\n", 1)[0]) if found else 0


async def run(target: Target) -> None:
    server = await asyncio.start_server(lambda r, w: serve(target, r, w), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency-ms", type=float, default=0.0)
    die_with_parent(os.getppid())
    asyncio.run(run(Target(parser.parse_args().latency_ms / 1000)))
