"""Checking the chain from its first link to its head, and naming every row that somebody has touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from django.db import connection, transaction

from governance.audit import chain, writing
from hub.common.db import plain_cursor

READ_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Tampered:
    """One row: its place in the chain (0 = it has none), its entry where there is one, and what is wrong with it."""

    seq: int
    entry_id: int | None
    what: str


@dataclass(slots=True)
class Report:
    """What was found; `rows` is the number of links that were read."""

    rows: int = 0
    tampered: list[Tampered] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.tampered

    def as_data(self) -> dict[str, Any]:
        named = [{"seq": t.seq, "entry": t.entry_id, "what": t.what} for t in self.tampered]
        return {"rows": self.rows, "tampered": named, "ok": self.ok}


def verify() -> Report:
    """Read the whole chain. Entries that wait for their seal are sealed first."""
    writing.seal()
    with transaction.atomic(), plain_cursor() as cursor:
        cursor.execute("set transaction isolation level repeatable read, read only")
        walk = _Walk(chain.keys())
        for row in _links():
            walk.step(row)
        walk.end(cursor)
    return walk.report


def _links() -> Iterator[Sequence[Any]]:
    with psycopg.ServerCursor(connection.connection, "audit_chain") as cursor:
        cursor.itersize = READ_AT_ONCE
        yield from cursor.execute(
            f"select s.seq, s.entry_id, s.previous, s.hash, s.mac, {chain.SELECT} from governance_auditseal s"
            " left join governance_auditentry e on e.id = s.entry_id order by s.seq"
        )


class _Walk:
    """Goes along the stored hashes, so that a row that was changed accuses itself alone and not all behind it."""

    def __init__(self, ring: Sequence[bytes]) -> None:
        self.ring = ring
        self.report = Report()
        self.seq = 0
        self.digest = chain.GENESIS

    def step(self, row: Sequence[Any]) -> None:
        seq, entry_id, previous, digest, code, *entry = row
        is_gap = seq != self.seq + 1
        self._missing(seq)
        if what := self._fault(seq, bytes(previous), bytes(digest), bytes(code), entry, is_gap=is_gap):
            self._name(seq, entry_id, what)
        self.report.rows += 1
        self.seq, self.digest = seq, bytes(digest)

    def _fault(
        self, seq: int, previous: bytes, digest: bytes, code: bytes, entry: Sequence[Any], *, is_gap: bool
    ) -> str:
        if entry[0] is None:
            return "The entry was removed."
        if chain.link(previous, seq, entry) != digest:
            return "The entry or its seal was changed."
        if not chain.is_ours(digest, code, self.ring):
            return "The seal was not made by this hub."
        if previous != self.digest and not is_gap:
            return "The link does not follow the one before it."
        return ""

    def _missing(self, seq: int) -> None:
        for lost in range(self.seq + 1, seq):
            self._name(lost, None, "The link was removed.")

    def end(self, cursor: Any) -> None:
        head = cursor.execute("select seq, hash, mac from governance_audithead").fetchone()
        if head is None:
            if self.seq:
                self._name(0, None, "The head of the chain was removed.")
        elif not chain.is_ours(chain.head_digest(head[0], bytes(head[1])), bytes(head[2]), self.ring):
            self._name(0, None, "The head of the chain was changed.")
        else:
            self._missing(head[0] + 1)
            if head[0] < self.seq or (head[0] == self.seq and bytes(head[1]) != self.digest):
                self._name(0, None, "The head does not lead to the last link.")
        self._strangers(cursor)

    def _strangers(self, cursor: Any) -> None:
        for (entry_id,) in cursor.execute(
            "select e.id from governance_auditentry e left join governance_auditseal s on s.entry_id = e.id"
            " left join governance_auditpending p on p.entry_id = e.id"
            " where s.seq is null and p.entry_id is null order by e.id"
        ):
            self._name(0, entry_id, "The entry has no seal.")

    def _name(self, seq: int, entry_id: int | None, what: str) -> None:
        self.report.tampered.append(Tampered(seq, entry_id, what))
