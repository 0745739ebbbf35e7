"""The fault target: a small HTTP system of write-safety class A, B, C or D that loses answers, dawdles and fails on purpose.

    python -m hub.sync.chaos.target --class B --seed 7

prints its port and ends with its parent. What it has committed is the oracle of every test: `GET /_control/rows`. Faults are
drawn from the seed, the record and the number of the request about it, so that a run can be repeated; `GET /_control/fired`
counts those that happened.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from hub.cli.process import die_with_parent
from hub.sync.chaos import lies
from hub.sync.chaos.gates import Bucket, Tokens, busy_headers
from hub.sync.chaos.lies import Sender

# Chance of each fault for one write. `slow` commits at its end, whether or not anybody still listens.
MIX = {"slow": 0.04, "commit_drop": 0.02, "commit_503": 0.01, "refuse_503": 0.02, "busy_429": 0.01, "truncated": 0.005}
# Nothing is written, and the answer looks like success to whoever only reads the status.
LYING = {**{f"lie_{name}": 0.02 for name in lies.LIES}, "lie_page": 0.01}
# The row is written, and the answer never ends, unfolds without measure, or cannot be unfolded.
ENDLESS = dict.fromkeys(lies.ENDLESS_ANSWERS, 0.01)
# Refusals that say in several ways, or not at all, how long to wait.
BUSY = dict.fromkeys(("busy_date", "busy_garbage", "busy_bare", "busy_429"), 0.0025)
# What becomes of a batch: some rows refused, results in another order, some results left out.
BATCHES = {"partial": 0.4, "reordered": 0.2, "short": 0.1}
# The longest that a write is at work here, in seconds. A settling time has to be longer.
LONGEST_SECONDS = 2.0
MAX_BODY = 1_000_000


@dataclass
class Reply:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    is_dropped: bool = False
    is_truncated: bool = False
    sender: Sender | None = None  # sends an answer of its own in place of all this


@dataclass
class Store:
    """What the system holds. Rows of class C and D may come twice: nothing here prevents it."""

    safety: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    by_key: dict[str, dict[str, Any]] = field(default_factory=dict)  # of an idempotency key (A) or of the number (B)

    def commit(self, body: dict[str, Any], key: str) -> tuple[dict[str, Any], bool]:
        """(row, whether it is new)"""
        if self.safety in "AB" and key in self.by_key:
            row = self.by_key[key]
            if self.safety == "B":
                row.update(body)
            return row, False
        row = {**body, "id": f"T{len(self.rows) + 1}"}
        self.rows.append(row)
        self.by_key[key] = row
        return row, True

    def update(self, ref: str, body: dict[str, Any]) -> dict[str, Any] | None:
        row = next((row for row in self.rows if row["id"] == ref), None)
        if row is not None:
            row.update(body)
        return row

    def named(self, numbers: set[str]) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["number"] in numbers]


@dataclass
class Target:
    store: Store
    seed: int
    mix: dict[str, float]
    fired: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    history: list[tuple[str, str]] = field(default_factory=list)  # (number, amount) of each write, in order
    bucket: Bucket | None = None
    tokens: Tokens | None = None
    told: dict[str, str] = field(default_factory=dict)  # number → amount that it was told to be written, in a batch
    repeated: int = 0  # rows of batches that were sent again although they had been reported as written
    listened: list[float] = field(default_factory=list)  # seconds that somebody listened to an endless answer

    async def answer(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> Reply:
        parts = urlsplit(path)
        if parts.path.startswith("/_control/"):
            return self._control(parts.path.removeprefix("/_control/"))
        if self.tokens and (refused := self.tokens.refusal(parts.path, headers)):
            return Reply(*refused)
        if self.bucket and (seconds := self.bucket.refuses()):
            return Reply(429, {"error": "over the limit"}, {"Retry-After": f"{seconds:.0f}"})
        if method == "GET":
            wanted = set(",".join(parse_qs(parts.query).get("number", [""])).split(","))
            return Reply(body={"data": self.store.named(wanted)})
        return await self._write(method, parts.path, headers, raw)

    async def _write(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> Reply:
        body = json.loads(raw)
        if path == "/batch":
            return self._batch(body["rows"])
        number = str(body["number"])
        self.requests[number] += 1
        fault = self._fault(number)
        if fault == "refuse_503" or fault.startswith("busy_"):
            status = 503 if fault == "refuse_503" else 429
            if self.bucket and status == 429:
                self.bucket.pause()
            return Reply(status, {"error": fault}, busy_headers(fault))
        if fault.startswith("lie_"):
            return Reply(sender=lies.page if fault == "lie_page" else lies.lie(fault.removeprefix("lie_")))
        if fault == "slow":
            await asyncio.sleep(random.Random(f"{self.seed}:{number}:slow").uniform(0.2, LONGEST_SECONDS))
        done = self._commit(method, path, headers, body, number)
        if fault == "commit_503" and done.status < 300:
            return Reply(503, {"error": fault})
        done.is_dropped, done.is_truncated = fault == "commit_drop", fault == "truncated"
        done.sender = lies.ENDLESS_ANSWERS.get(fault)
        return done

    def _batch(self, rows: list[dict[str, Any]]) -> Reply:
        """A result for each row, by its number; what becomes of the batch is drawn for its first row."""
        first = str(rows[0]["number"])
        self.requests[first] += 1
        fault, pick = self._fault(first), random.Random(f"{self.seed}:{first}:{self.requests[first]}:rows")
        share = pick.uniform(0.01, 0.99) if fault == "partial" else 0.0
        results = [self._row(body, is_refused=pick.random() < share) for body in rows]
        if fault == "reordered":
            pick.shuffle(results)
        kept = results[: len(results) // 2] if fault == "short" else results
        self.told.update({r["number"]: r["amount"] for r in kept if r["status"] < 300})
        return Reply(body={"results": kept})

    def _row(self, body: dict[str, Any], *, is_refused: bool) -> dict[str, Any]:
        number = str(body["number"])
        self.repeated += self.told.get(number) == body["amount"]
        if is_refused:
            return {"number": number, "status": 503, "error": "busy"}
        row, is_new = self.store.commit(body, number)
        return {"number": number, "status": 201 if is_new else 200, "id": row["id"], "amount": row["amount"]}

    def _fault(self, number: str) -> str:
        drawn = random.Random(f"{self.seed}:{number}:{self.requests[number]}").random()
        for name, chance in self.mix.items():
            if drawn < chance:
                self.fired[name] += 1
                return name
            drawn -= chance
        return ""

    def _commit(self, method: str, path: str, headers: dict[str, str], body: dict[str, Any], number: str) -> Reply:
        ref = unquote(path.rpartition("/")[2])
        if method == "PATCH":
            row = self.store.update(ref, body)
            return Reply(body=row) if row else Reply(404, {"error": f"There is no row {ref}."})
        key = headers.get("idempotency-key", "") if self.store.safety == "A" else number
        if self.store.safety == "A" and not key:
            return Reply(400, {"error": "The Idempotency-Key is missing."})
        row, is_new = self.store.commit(body, key)
        self.history.append((number, str(body.get("amount"))))
        return Reply(201 if is_new else 200, row)

    def _control(self, what: str) -> Reply:
        if self.tokens and what in ("revoke", "restore"):
            self.tokens.is_revoked = what == "revoke"
            return Reply(body={})
        found: dict[str, Any] = {
            "rows": self.store.rows,
            "fired": dict(self.fired),
            "history": self.history,
            "repeated": self.repeated,
            "listened": self.listened,
            "pace": self.bucket and self.bucket.figures(),
            "tokens": self.tokens and self.tokens.figures(),
        }
        return Reply(body=found[what]) if what in found else Reply(404, {"error": f"There is no {what}."})


async def serve(target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Requests of one connection, one after the other. A client that leaves does not stop what it asked for."""
    try:
        while head := await _head(reader):
            method, path, headers = head
            raw = await reader.readexactly(min(int(headers.get("content-length", "0")), MAX_BODY))
            reply = await asyncio.shield(asyncio.create_task(target.answer(method, path, headers, raw)))
            if reply.is_dropped:
                return
            if reply.sender:
                target.listened.append(await lies.listened(writer, reply.sender))
                return
            writer.write(_bytes(reply))
            if reply.is_truncated:
                return
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def _head(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]] | None:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    pairs = (line.partition(":") for line in lines[1:] if line)
    return method, path, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _bytes(reply: Reply) -> bytes:
    body = json.dumps(reply.body).encode()
    head = {"Content-Type": "application/json", "Content-Length": str(len(body)), **reply.headers}
    if reply.is_truncated:
        body = body[: len(body) // 2]
    lines = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    return "\r\n".join(lines).encode() + body


async def run(target: Target) -> None:
    server = await asyncio.start_server(lambda r, w: serve(target, r, w), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--class", dest="safety", choices="ABCD", default="B")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mix", type=json.loads, default=MIX)
    parser.add_argument("--per-second", type=float, help="More requests than this are refused (429).")
    parser.add_argument("--token-seconds", type=float, help="Requests need a token that lives this long.")
    options = parser.parse_args()
    die_with_parent(os.getppid())
    bucket = Bucket(options.per_second) if options.per_second else None
    if "bomb" in options.mix:
        lies.folded_bomb()
    tokens = Tokens(options.token_seconds) if options.token_seconds else None
    asyncio.run(run(Target(Store(options.safety), options.seed, options.mix, bucket=bucket, tokens=tokens)))


if __name__ == "__main__":
    main()
