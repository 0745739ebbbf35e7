"""Reading in the presence of records over which workers fall."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from django.db import transaction

from hub.common.db import plain_cursor
from hub.common.errors import RecordError
from hub.common.records import BadRecord, Page, Record
from hub.records.copying import without_nul
from hub.sync import poison, runs
from hub.sync.models import Run
from hub.sync.plan import SyncPlan
from hub.sync.poison import Count
from hub.sync.prepare import external_id


class Named(NamedTuple):
    """A record of a page with its id and the hash of what it says to this version of the mapping."""

    key: str
    hash: bytes
    record: Record


class Part(NamedTuple):
    """A part of a page; the one at the end moves the run on."""

    page: Page
    is_end: bool


@dataclass
class Isolation:
    """Cuts the page over which a worker fell into its records, and keeps those that were set aside from being touched."""

    run: Run
    plan: SyncPlan
    is_wary: bool
    counts: dict[str, Count] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run, plan: SyncPlan) -> Isolation:
        poison.who_fell_over(run)
        return cls(run, plan, run.claims > 1, poison.counts(run.sync_id))

    def parts(self, page: Page, *, is_again: bool = False) -> Iterator[Part]:
        """The page in parts, each of which is stored before the next one is asked for.

        `is_again`: a person, or a parent that has arrived, lets these records be tried again.
        """
        if self.is_wary:
            yield from self._one_by_one(page)
        elif self.counts and not is_again:
            yield Part(self._without_poison(page), is_end=True)
        else:
            yield Part(page, is_end=True)
            self._forget([one.key for one in self._named(page.records)] if self.counts else [])

    def _one_by_one(self, page: Page) -> Iterator[Part]:
        named = self._named(page.records)
        with transaction.atomic(), plain_cursor() as cursor:
            runs.fence(cursor, self.run, counts={}, stage=poison.STAGE)
            poison.suspect(cursor, self.run.sync_id, {one.key: one.hash for one in named})
        self.counts = poison.counts(self.run.sync_id)
        for one in named:
            if self.counts[one.key].passed_run_id == self.run.pk:
                continue
            if self._is_poison(one):
                yield self._here(bad=[_bad(one)])
                poison.note_passed(self.run, one.key)
                continue
            poison.take_in_hand(self.run, one.key)
            yield self._here(records=[one.record])
        yield Part(replace(page, records=[]), is_end=True)
        self.is_wary = False
        self._forget([one.key for one in named if not self._is_poison(one)])

    def _here(self, *, records: Sequence[Record] = (), bad: Sequence[BadRecord] = ()) -> Part:
        """A part that leaves the run where it stands."""
        return Part(Page(records, resume=self.run.resume, cursor=self.run.cursor_to, bad=bad), is_end=False)

    def _without_poison(self, page: Page) -> Page:
        if not any(self._key(record, position) in self.counts for position, record in enumerate(page.records)):
            return page
        named = self._named(page.records)
        bad = [_bad(one) for one in named if self._is_poison(one)]
        records = [one.record for one in named if not self._is_poison(one)]
        return replace(page, records=records, bad=[*page.bad, *bad])

    def _is_poison(self, one: Named) -> bool:
        found = self.counts.get(one.key)
        return found is not None and found.crashes >= poison.MAX_CRASHES and found.hash == one.hash

    def _named(self, records: Sequence[Record]) -> list[Named]:
        salt = self.plan.salt
        hashes = (hashlib.blake2b(_in_order(r), digest_size=16, salt=salt).digest() for r in records)
        return [Named(self._key(r, n), h, r) for n, (r, h) in enumerate(zip(records, hashes, strict=True))]

    def _key(self, record: Record, position: int) -> str:
        try:
            return str(without_nul(external_id(record, self.plan.stream.key)))
        except RecordError:
            return f"#{position}"

    def _forget(self, keys: Sequence[str]) -> None:
        if keys:
            with plain_cursor() as cursor:
                poison.clear(cursor, self.run.sync_id, keys)
            self.counts = poison.counts(self.run.sync_id)


def _in_order(record: Record) -> bytes:
    """JSON that does not depend on the order of its keys: a record that was held comes back with them in another one."""
    return json.dumps(record, sort_keys=True, default=str).encode()


def _bad(one: Named) -> BadRecord:
    return BadRecord(0, poison.set_aside_in(), external_id=one.key, record=one.record)
