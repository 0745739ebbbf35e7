"""A TCP proxy that breaks things: it resets connections, cuts them at a word or after some bytes, swallows, dawdles, drips.

It runs in a thread of its own and is told what to do by plain attributes; connections that are open obey at their next bytes.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

CHUNK = 64 * 1024
# Zero seconds to linger: closing sends RST, and whatever was under way is gone.
RESET = struct.pack("ii", 1, 0)


@dataclass
class Proxy:
    """In front of `upstream`: a unix socket's path, or (host, port).

    `cut_at`: a connection whose client sends these bytes is cut when they have been passed on, before the answer.
    `cut_after`: answers are cut after that many bytes. `latency_seconds` and `bytes_per_second` slow answers down,
    `is_black_hole` swallows them. `fired` counts what happened.
    """

    upstream: str | tuple[str, int]
    cut_at: bytes = b""
    cuts_left: int = 0
    cut_after: int = 0
    latency_seconds: float = 0.0
    bytes_per_second: int = 0
    is_black_hole: bool = False
    fired: Counter[str] = field(default_factory=Counter)
    port: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _silent: set[asyncio.StreamWriter] = field(default_factory=set)  # about to be cut: no answer may pass
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def reset_all(self) -> int:
        """RST to every client; returns how many there were."""
        return asyncio.run_coroutine_threadsafe(self._reset_all(), self._loop).result(10)

    async def _reset_all(self) -> int:
        victims = list(self._open)
        for writer in victims:
            self._reset(writer)
        return len(victims)

    def _reset(self, writer: asyncio.StreamWriter) -> None:
        self._open.discard(writer)
        if writer.is_closing():
            return
        self.fired["reset"] += 1
        found = writer.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()

    # One connection --------------------------------------------------------------------------------------------
    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind_reader, behind = await self._connect()
        except OSError:
            self._reset(writer)
            return
        self._open.add(writer)
        both = (self._forth(reader, behind, writer), self._back(behind_reader, writer))
        pumps = [asyncio.ensure_future(pump) for pump in both]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        self._open.discard(writer)
        self._silent.discard(writer)
        behind.close()
        writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.upstream, str):
            return await asyncio.open_unix_connection(self.upstream)
        return await asyncio.open_connection(*self.upstream)

    async def _forth(
        self, reader: asyncio.StreamReader, behind: asyncio.StreamWriter, client: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(CHUNK):
            is_cut = bool(self.cuts_left and self.cut_at and self.cut_at in data)
            if is_cut:
                self.cuts_left -= 1
                self._silent.add(client)
            behind.write(data)
            await behind.drain()
            if is_cut:
                self.fired["cut_at"] += 1
                # what stands behind may finish what it was told
                await asyncio.sleep(0.05)
                self._reset(client)
                return

    async def _back(self, behind: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passed = 0
        while data := await behind.read(self.bytes_per_second or CHUNK):
            if self.is_black_hole or writer in self._silent:
                self.fired["swallowed"] += 1
                continue
            await asyncio.sleep(self.latency_seconds or (1.0 if self.bytes_per_second else 0.0))
            passed += len(data)
            if self.cut_after and passed > self.cut_after:
                self.fired["cut_after"] += 1
                self._reset(writer)
                return
            writer.write(data)
            await writer.drain()

    # The thread ------------------------------------------------------------------------------------------------
    async def _listen(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        ready.set()
        self._loop.run_forever()


@contextmanager
def proxy(upstream: str | tuple[str, int]) -> Iterator[Proxy]:
    made, ready = Proxy(upstream), threading.Event()
    thread = threading.Thread(target=made._run, args=(ready,), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield made
    finally:
        made._loop.call_soon_threadsafe(made._loop.stop)
        thread.join(5)
