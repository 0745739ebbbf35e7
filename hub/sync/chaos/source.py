"""The fault source: a small HTTP system whose rows change while they are read, and whose answers lie in the ways sources do.

    python -m hub.sync.chaos.source --seed 7

prints its port and ends with its parent. What it holds is one half of every comparison: `GET /_control/rows`. Rows come from
outside (`POST /_control/put`, `remove`), with whatever time of change is given: a late commit is a row that is put in later
under an earlier time. `POST /_control/shift` makes a row move, come or go after each page that is read; `POST
/_control/answer` lets the next answers lie. `GET /_control/fired` counts what really happened.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hub.cli.process import die_with_parent

Row = dict[str, Any]

# What an answer may lie about; `gone` leaves a column out, `shuffle` repeats rows and mixes their order.
LIES = ("empty", "truncated", "gone", "shuffle")


@dataclass
class Store:
    """Rows by id. Time is a counter of changes, which `stamp` writes as the source would."""

    rows: dict[str, Row] = field(default_factory=dict)
    clock: int = 0

    def stamp(self) -> str:
        self.clock += 1
        return f"2026-11-01T{self.clock // 3600 % 24:02d}:{self.clock // 60 % 60:02d}:{self.clock % 60:02d}Z"

    def put(self, row: Row) -> None:
        self.rows[row["id"]] = row if "changed" in row else {**row, "changed": self.stamp()}

    def by_id(self) -> list[Row]:
        return [self.rows[key] for key in sorted(self.rows)]

    def since(self, cursor: str) -> list[Row]:
        """Rows that were changed at this time or later, oldest first: the order of (changed, id)."""
        found = [row for row in self.rows.values() if row["changed"] >= cursor]
        return sorted(found, key=lambda row: (row["changed"], row["id"]))


@dataclass
class Shift:
    """What happens to the rows after each page: one is changed, made or deleted, until `left` is used up."""

    pick: random.Random
    left: int = 0
    kinds: tuple[str, ...] = ("change", "make", "delete")

    def act(self, store: Store, fired: Counter[str]) -> None:
        if not self.left or not store.rows:
            return
        self.left -= 1
        kind = self.pick.choice(self.kinds)
        key = self.pick.choice(sorted(store.rows))
        if kind == "delete":
            del store.rows[key]
        elif kind == "make":
            # ids of new rows lie between the old ones, so that they push others to a later page
            new = f"{key}-{self.pick.randrange(10**6):06d}"
            store.put({**_untimed(store.rows[key]), "id": new, "number": new})
        else:
            store.put({**_untimed(store.rows[key]), "amount": f"{self.pick.randrange(1, 10**6)}.00"})
        fired[f"shift_{kind}"] += 1


def _untimed(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "changed"}


@dataclass
class Reply:
    body: Any
    status: int = 200
    is_truncated: bool = False


class Source:
    """The rows, and what is wrong with reading them. One request at a time."""

    def __init__(self, seed: int) -> None:
        self.store, self.pick = Store(), random.Random(seed)
        self.shift = Shift(self.pick)
        self.lies: list[str] = []
        self.column = ""
        self.fired: Counter[str] = Counter()
        self.lock = threading.Lock()

    def answer(self, method: str, path: str, body: Any) -> Reply:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with self.lock:
            if parts.path.startswith("/_control/"):
                return self._control(parts.path.removeprefix("/_control/"), body)
            return self._page(parts.path, query)

    def _page(self, path: str, query: dict[str, str]) -> Reply:
        """`/pages` counts pages over the order of the ids; `/changes` goes on behind the (time, id) of a token."""
        size = int(query.get("size", "100"))
        ways: dict[str, Callable[[dict[str, str], int], tuple[list[Row], Any]]] = {
            "/pages": self._by_number,
            "/changes": self._by_token,
        }
        rows, following = ways[path](query, size)
        reply = self._lie({"data": rows, "next": following})
        self.shift.act(self.store, self.fired)
        return reply

    def _by_number(self, query: dict[str, str], size: int) -> tuple[list[Row], Any]:
        rows, page = self.store.by_id(), int(query.get("page", "1"))
        following = page + 1 if page * size < len(rows) else None
        return rows[(page - 1) * size : page * size], following

    def _by_token(self, query: dict[str, str], size: int) -> tuple[list[Row], Any]:
        rows = self.store.since(query.get("since", ""))
        if after := query.get("token"):
            changed, _, key = after.rpartition("|")
            rows = [row for row in rows if (row["changed"], row["id"]) > (changed, key)]
        last = rows[size - 1] if len(rows) > size else None
        return rows[:size], f"{last['changed']}|{last['id']}" if last else None

    def _lie(self, body: dict[str, Any]) -> Reply:
        lie = self.lies.pop(0) if self.lies else ""
        if not lie:
            return Reply(body)
        self.fired[lie] += 1
        rows: list[Row] = body["data"]
        if lie == "empty":
            return Reply({"data": [], "next": None})
        if lie == "gone":
            return Reply({**body, "data": [{k: v for k, v in row.items() if k != self.column} for row in rows]})
        if lie == "shuffle":
            return Reply({**body, "data": self.pick.sample(rows, len(rows)) + rows[: len(rows) // 2]})
        return Reply(body, is_truncated=True)

    def _control(self, what: str, body: Any) -> Reply:
        if what == "put":
            for row in body:
                self.store.put(row)
        elif what == "remove":
            for key in body:
                self.store.rows.pop(key, None)
        elif what == "shift":
            self.shift = Shift(self.pick, body["left"], tuple(body.get("kinds", Shift.kinds)))
        elif what == "answer":
            self.lies, self.column = list(body["lies"]), body.get("column", "")
        return Reply({"rows": self.store.by_id()} if what == "rows" else {"fired": dict(self.fired)})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    source: Source

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body: Any) -> None:
        reply = self.source.answer(self.command, self.path, body)
        data = json.dumps(reply.body).encode()
        if reply.is_truncated:
            data = data[: len(data) // 2]
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        """Silent: `fired` says what happened."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Readers are killed on purpose; only what is our own fault is told."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def make_server(seed: int) -> Server:
    """A server on a free port of the loopback; `serve_forever` is the caller's."""
    return Server(("127.0.0.1", 0), type("Bound", (Handler,), {"source": Source(seed)}))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    die_with_parent(os.getppid())
    server = make_server(options.seed)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
