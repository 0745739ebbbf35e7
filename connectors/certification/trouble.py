"""Proofs about trouble on the way: too many requests, and a token that ends while workers read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from connectors.base import Connector
from connectors.certification.proofs import Broken, NotRun, Proof, expect, prove
from connectors.certification.rehearsal import Rehearsal
from connectors.template import Scope, compile_template, render
from hub.common.errors import TransientError
from hub.common.records import StreamSpec

WORKERS = 8
RETRY_AFTER_SECONDS = 5
_TOKENS = ("oauth2", "session")


def trouble(rehearsal: Rehearsal) -> Iterator[Proof]:
    """What a connector owes when the system refuses for a while."""
    stream = _stream(rehearsal)
    yield from prove("obeys too many requests", stream, lambda: _throttled(rehearsal, stream))
    if _auth(rehearsal).get("type") in _TOKENS:
        yield from prove("renews an ended token once", stream, lambda: _token_ends(rehearsal, stream))


def _stream(rehearsal: Rehearsal) -> str:
    with rehearsal.connect() as connector:
        return next((info.name for info in connector.discover() if info.readable), "")


def _throttled(rehearsal: Rehearsal, stream: str) -> str:
    rehearsal.reset()
    with rehearsal.connect() as connector:
        _read(connector, stream)
        rehearsal.control.add_fault("throttle", retry_after=RETRY_AFTER_SECONDS, times=None)
        rehearsal.control.clear_journal()
        try:
            _read(connector, stream)
        except TransientError as error:
            told, asked = error.retry_after, len(rehearsal.control.journal())
        else:
            raise Broken("It read on although every request was refused.")
    expect(told is not None and told > 0, "The error does not say when to come back.")
    expect(asked == 1, f"It asked {asked} times although it was told to wait.")
    return f"It stopped after one request and comes back after {told:g} s."


def _token_ends(rehearsal: Rehearsal, stream: str) -> str:
    """Eight workers share a connection whose token ends: each reads everything, and one of them signs in again."""
    rehearsal.reset()
    pattern = _sign_in_pattern(rehearsal)
    with rehearsal.connect() as connector, ThreadPoolExecutor(WORKERS) as pool:
        whole = _read(connector, stream)
        rehearsal.control.clear_journal()
        rehearsal.control.add_fault("expire_token", path=stream)
        counts = list(pool.map(lambda _: _read(connector, stream), range(WORKERS)))
    sign_ins = [entry for entry in rehearsal.control.journal(path=pattern) if entry["method"] == "POST"]
    if not rehearsal.control.fired(rehearsal.control.faults()[0]["id"]):
        raise NotRun("no request met the end of the token.")
    expect(counts == [whole] * WORKERS, f"The workers read {counts} records, not {whole} each.")
    expect(len(sign_ins) == 1, f"It signed in {len(sign_ins)} times.")
    return f"{WORKERS} workers read {whole} records each, with one new sign-in."


def _auth(rehearsal: Rehearsal) -> Mapping[str, Any]:
    """How the connection signs in: where there is a choice, what is chosen."""
    auth: Mapping[str, Any] = rehearsal.declaration.body.get("auth", {})
    if auth.get("type") != "choice":
        return auth
    chosen = render(auth.get("by", ""), Scope({"config": rehearsal.config, "secret": {}}))
    way: Mapping[str, Any] = auth.get("ways", {}).get(chosen, {})
    return way


def _sign_in_pattern(rehearsal: Rehearsal) -> str:
    auth = _auth(rehearsal)
    place = auth.get("token_url") or auth.get("login", {}).get("path") or ""
    parts = [part for part in compile_template(place).parts if isinstance(part, str)]
    return max(parts, key=len, default="")


def _read(connector: Connector, stream: str) -> int:
    return sum(len(page.records) for page in connector.read(StreamSpec(stream), cursor=None))
