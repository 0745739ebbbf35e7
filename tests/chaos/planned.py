"""A fault source and a fault target in this process, whose next fault is chosen and not drawn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hub.sync.chaos.source import Server, Source, make_server
from hub.sync.chaos.target import Reply, Store, Target, serve

# What can become of a write: refused, carried out without the answer getting through, or carried out later (`late`).
FAULTS = ("refused", "busy", "answer lost", "error after the commit", "answer cut")


@dataclass
class PlannedTarget:
    """The fault target; the next writes meet the faults of `plan`, one each. `late` writes are done by `settle`."""

    inner: Target
    plan: list[str] = field(default_factory=list)
    late: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    async def answer(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> Reply:
        fault = self.plan.pop(0) if self.plan and method != "GET" else ""
        if fault == "refused":
            return Reply(503, {"error": fault})
        if fault == "busy":
            return Reply(429, {"error": fault}, {"Retry-After": "30"})
        if fault == "late" and method == "POST":
            self.late.append((method, path, headers, raw))
            return Reply(is_dropped=True)
        reply = await self.inner.answer(method, path, headers, raw)
        if fault == "error after the commit":
            return Reply(503, {"error": fault})
        reply.is_dropped, reply.is_truncated = fault == "answer lost", fault == "answer cut"
        return reply

    async def settle(self) -> None:
        while self.late:
            await self.inner.answer(*self.late.pop(0))

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.inner.store.rows


@dataclass
class Pair:
    """Both systems, their ports, and the loop that the target lives in."""

    source: Source
    source_port: int
    target: PlannedTarget
    target_port: int
    loop: asyncio.AbstractEventLoop

    def settle(self) -> None:
        asyncio.run_coroutine_threadsafe(self.target.settle(), self.loop).result(10)

    def forget(self) -> None:
        """Both systems are empty again."""
        self.source.store.rows.clear()
        self.target.plan.clear()
        self.target.late.clear()
        self.target.inner.store = Store(self.target.inner.store.safety)


@contextmanager
def pair(safety: str) -> Iterator[Pair]:
    server, target, loop = make_server(seed=1), PlannedTarget(Target(Store(safety), 1, {})), asyncio.new_event_loop()
    threads = [threading.Thread(target=server.serve_forever), threading.Thread(target=loop.run_forever)]
    [thread.start() for thread in threads]
    try:
        listening = asyncio.start_server(lambda r, w: serve(target, r, w), "127.0.0.1", 0)  # type: ignore[arg-type]
        listener = asyncio.run_coroutine_threadsafe(listening, loop).result(10)
        target_port = listener.sockets[0].getsockname()[1]
        yield Pair(_source_of(server), server.server_address[1], target, target_port, loop)
        loop.call_soon_threadsafe(listener.close)
    finally:
        server.shutdown()
        server.server_close()
        loop.call_soon_threadsafe(loop.stop)
        [thread.join() for thread in threads]


def _source_of(server: Server) -> Source:
    return server.RequestHandlerClass.source  # type: ignore[attr-defined,no-any-return]
