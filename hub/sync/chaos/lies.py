"""Answers that no program should believe: errors dressed as success, pages, halves, endless and folded ones."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Awaitable, Callable
from functools import cache

Sender = Callable[[asyncio.StreamWriter], Awaitable[None]]

JSON = "application/json"
# (content type, body) of a 200; none of these rows was written.
LIES: dict[str, tuple[str, bytes]] = {
    "error": (JSON, b'{"error": {"code": "LOCKED", "message": "The period is closed."}}'),
    "errors": (JSON, b'{"data": null, "errors": [{"message": "upstream failed"}]}'),
    "no_id": (JSON, b'{"status": "accepted"}'),
    "nothing": (JSON, b""),
    "null": (JSON, b"null"),
    "empty_object": (JSON, b"{}"),
    "empty_list": (JSON, b"[]"),
    "null_id": (JSON, b'{"id": null}'),
    "cut_json": (JSON, b'{"id": "T'),
    "two_documents": (JSON, b'{"id": "T1"}{"id": "T2"}'),
    "words": ("text/plain", b"OK"),
    "bytes": ("application/octet-stream", b"\x00\xff\xfe\x80"),
}
PAGE = b"<!doctype html><html><head><title>Maintenance</title></head><body>Back soon.</body></html>"

ENDLESS_CHUNK = b"x" * 65_536
BOMB_BYTES = 256 * 1024 * 1024
DRIP_SECONDS = 0.2


def lie(name: str) -> Sender:
    content_type, body = LIES[name]
    return lambda writer: _send(writer, head(content_type, len(body)) + body)


def page(writer: asyncio.StreamWriter) -> Awaitable[None]:
    return _send(writer, head("text/html", len(PAGE)) + PAGE)


def head(content_type: str, length: int, *more: str) -> bytes:
    lines = ("HTTP/1.1 200 X", f"Content-Type: {content_type}", f"Content-Length: {length}", *more, "", "")
    return "\r\n".join(lines).encode()


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def drip(writer: asyncio.StreamWriter) -> None:
    """A few bytes a second, for as long as somebody listens; so many that it is noticed soon when nobody does."""
    await _send(writer, head(JSON, 10_000))
    while not writer.is_closing():
        await _send(writer, b" ")
        await asyncio.sleep(DRIP_SECONDS)


async def endless(writer: asyncio.StreamWriter) -> None:
    """A body without an end, as fast as it is taken."""
    await _send(writer, b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"%x\r\n%b\r\n" % (len(ENDLESS_CHUNK), ENDLESS_CHUNK)
    while not writer.is_closing():
        await _send(writer, chunk)


async def bomb(writer: asyncio.StreamWriter) -> None:
    """A few hundred kilobytes that unfold a thousandfold."""
    folded = folded_bomb()
    await _send(writer, head(JSON, len(folded), "Content-Encoding: gzip") + folded)


@cache
def folded_bomb() -> bytes:
    """Folding takes seconds: to be asked for before anything is measured."""
    return gzip.compress(b" " * BOMB_BYTES, compresslevel=1)


async def garbled(writer: asyncio.StreamWriter) -> None:
    """Says that it is compressed, and is not."""
    await _send(writer, head(JSON, 12, "Content-Encoding: gzip") + b'{"id": "T1"}')


async def listened(writer: asyncio.StreamWriter, sender: Sender) -> float:
    """Seconds until everything was sent or the other side had enough of it."""
    started = time.monotonic()
    try:
        await sender(writer)
    except (ConnectionError, OSError):
        pass
    return time.monotonic() - started


ENDLESS_ANSWERS: dict[str, Sender] = {"drip": drip, "endless": endless, "bomb": bomb, "garbled": garbled}
