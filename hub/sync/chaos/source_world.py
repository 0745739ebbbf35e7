"""The hub's side of a run at the fault source: the same syncs and target as `world`, fed by rows that somebody puts in."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hub.sync import harness, sweeper
from hub.sync.chaos import world
from hub.sync.chaos.checker import Verdict, judge
from hub.sync.models import Run, Sync
from hub.sync.services import run_here

Row = dict[str, Any]

PAGING = {
    "changes": {"type": "cursor", "cursor_param": "token", "next_path": "next", "size_param": "size"},
    "pages": {"type": "page", "next_page_path": "next", "size_param": "size"},
}


def entries(way: str, *, page_size: int, incremental: dict[str, Any] | None = None) -> dict[str, Any]:
    """The stream of the fault source that is read by `way`, `changes` or `pages`."""
    head = {"label": "Entries", "key": "id", "path": f"/{way}", "records": "data"}
    cursor = {"cursor": "changed", "query": {"since": "${cursor}"}, **(incremental or {})}
    return {
        **head,
        "paging": {**PAGING[way], "size": page_size},
        **({"incremental": cursor} if way == "changes" else {}),
    }


def documents(
    source: int, target: int, safety: str, stream: dict[str, Any], *, mode: str, settle_seconds: float | None = None
) -> list[Row]:
    """Everything that `config apply` needs: `world`'s documents, with the fault source in place of the paged one."""
    found = {(one["kind"], one["slug"]): one for one in world.documents(source, target, safety, records=0)}
    found["Connection", "chaos-source"]["config"]["declaration"]["streams"] = {"entries": stream}
    # the share of a killed worker in the connection's limit comes back by time alone, too late for many short lives
    declared = found["Connection", "chaos-target"]["config"]["declaration"]
    declared["limits"].pop("concurrency", None)
    if settle_seconds is not None:
        write = declared["streams"]["rows"]["write"]
        declared["streams"]["rows"]["write"] = {
            name: {**operation, "settle_seconds": settle_seconds} for name, operation in write.items()
        }
    found["Stream", "chaos-entries"] |= {"key": ["id"], "cursor": "changed"}
    found["Sync", "chaos-in"]["mode"] = mode
    return list(found.values())


@dataclass
class SourceWorld:
    """A hub between the fault source and the fault target, which is quiet unless `mix` says otherwise."""

    source: int
    target: int

    @property
    def inbound(self) -> Sync:
        return Sync.objects.get(slug="chaos-in")

    @property
    def outbound(self) -> Sync:
        return Sync.objects.get(slug="chaos-out")

    def tell(self, what: str, body: Any) -> Any:
        """Give the fault source an order: put, remove, shift, answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.source}/_control/{what}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def rows(self) -> list[Row]:
        found: list[Row] = world.control(self.source, "rows")["rows"]
        return found

    def fired(self) -> dict[str, int]:
        found: dict[str, int] = world.control(self.source, "fired")["fired"]
        return found

    def target_rows(self) -> list[Row]:
        found: list[Row] = world.control(self.target, "rows")
        return found

    def read(self) -> Run:
        """Read the source in this process, and deliver all that came of it."""
        run = run_here(sync=self.inbound)
        self.deliver()
        return run

    def deliver(self) -> None:
        run_here(sync=self.outbound)

    def judge(self, expected: Sequence[Row] | None = None) -> Verdict:
        """What the target lacks of the source's rows (or of those `expected`), doubles and differences."""
        rows = self.rows() if expected is None else expected
        return judge([business(row) for row in rows], self.target_rows(), sync_id=self.outbound.pk)

    def missing(self, rows: Sequence[Row] | None = None) -> set[str]:
        """Numbers whose row at the source the target does not hold as it is."""
        there = {row["number"]: business(row) for row in self.target_rows()}
        return {
            row["number"]
            for row in (self.rows() if rows is None else rows)
            if there.get(row["number"]) != business(row)
        }


def business(row: Row) -> Row:
    return {name: row.get(name) for name in ("number", "amount", "currency")}


def row(number: int, seed: int, **more: Any) -> Row:
    return {"id": f"{number:07d}", **world.record(number, seed), **more}


@contextmanager
def opened(
    seed: int,
    *,
    way: str = "changes",
    mode: str = "incremental",
    safety: str = "B",
    page_size: int = 100,
    incremental: dict[str, Any] | None = None,
    mix: dict[str, float] | None = None,
    settle_seconds: float | None = None,
) -> Iterator[SourceWorld]:
    """A world of its own servers; `incremental` is added to the stream's declaration, `mix` to the target's faults."""
    arguments = ["--class", safety, "--seed", str(seed), "--mix", json.dumps(mix or {})]
    with (
        harness.server("hub.sync.chaos.source", "--seed", str(seed)) as source,
        harness.server("hub.sync.chaos.target", *arguments) as target,
    ):
        stream = entries(way, page_size=page_size, incremental=incremental)
        harness.apply(documents(source, target, safety, stream, mode=mode, settle_seconds=settle_seconds))
        sweeper.ensure_partitions()
        yield SourceWorld(source, target)
