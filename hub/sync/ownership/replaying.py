"""Inbound payloads of the past against ownership rules: nothing is written, each record's state is kept in memory.

What the hub held before the first payload is the record of today without the fields that have changed since; those are
unknown until a payload shows them. A field of which the ledger says that it did not change held what was offered.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from governance.arbitration import Blocked, decide
from governance.ownership.compiled import Lens
from hub.common.errors import HubError, RecordError
from hub.common.records import Record
from hub.records.copying import json_bytes
from hub.records.models import CanonicalRecord
from hub.sync import ledger
from hub.sync.models import Batch, Sync, Transaction
from hub.sync.plan import SyncPlan, load_plan
from hub.sync.prepare import Item, external_id, prepare
from hub.sync.states import Outcome

CHUNK = 20
# Pages of runs at the same time stand one after the other.
RUNS_KEPT = 8


class _Unknown:
    """A value that nobody can tell any more: it equals no other."""

    def __repr__(self) -> str:
        return "not known"


UNKNOWN = _Unknown()


@dataclass(slots=True)
class State:
    """A record as it would stand under the rules."""

    body: Record
    sources: dict[str, int]


@dataclass(frozen=True, slots=True)
class Stop:
    """One value that would have been stopped; `body` is the record that would have stood."""

    key: str
    system: str
    at: datetime
    blocked: Blocked
    body: Record
    incoming: Record


@dataclass
class Replay:
    """All inbound payloads of an entity since an instant. `on_stop` is told of every value that would be stopped."""

    entity_id: int
    lens_of: Callable[[SyncPlan], Lens | None]
    since: datetime
    on_stop: Callable[[Stop], None]
    on_page: Callable[[int, int], None] = lambda done, total: None
    pages: int = 0
    records: int = 0
    accepted: int = 0
    unreadable: int = 0
    through: datetime | None = None
    is_complete: bool = True
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._plans: dict[int, SyncPlan] = {}
        self._lenses: dict[int, Lens | None] = {}
        self._states: dict[str, State] = {}
        self._seen: dict[tuple[int, str], bytes] = {}
        self._offered: dict[tuple[str, str, int], Any] = {}
        self._runs: dict[int, dict[int, dict[int, frozenset[str]]]] = {}

    def run(self, *, seconds: float | None = None) -> None:
        """Go through the pages in their order, at most for so long."""
        until = time.monotonic() + seconds if seconds else None
        self._load_plans()
        batches = Batch.objects.filter(sync_id__in=self._plans, at__gte=self.since, payload__isnull=False)
        total = batches.count()
        for batch in batches.order_by("at", "pk").iterator(chunk_size=CHUNK):
            if until and time.monotonic() > until:
                self.is_complete = False
                return
            self._page(batch, self._plans[batch.sync_id])
            self.pages += 1
            self.through = batch.at
            self.on_page(self.pages, total)

    def _load_plans(self) -> None:
        syncs = Sync.objects.filter(mapping__entity=self.entity_id, mapping__direction="in").select_related("mapping")
        for sync in syncs.order_by("pk"):
            try:
                plan = load_plan(sync)
            except HubError as error:
                self.notes.append(f"{sync.name} was left out: {error}")
                continue
            self._lenses[sync.pk] = self.lens_of(plan)
            plan.is_first_load, plan.lens = True, None  # nothing is looked up: the past decides what was known
            self._plans[sync.pk] = plan

    def _page(self, batch: Batch, plan: SyncPlan) -> None:
        fresh = list(self._fresh(plan, ledger.unpack(bytes(batch.payload or b""))))
        page = prepare(plan, [record for _, record in fresh])
        self.unreadable += len(page.problems)
        self._recall(batch, [item.key for item in page.new])
        happened = self._happened(batch)
        for item in page.new:
            self._offer(plan, item, batch.at, happened.get(fresh[item.position][0], frozenset()))

    def _fresh(self, plan: SyncPlan, records: Sequence[Record]) -> Iterator[tuple[int, Record]]:
        """Records that differ from what the stream showed last, with their positions in the page."""
        for position, record in enumerate(records):
            self.records += 1
            try:
                name = external_id(record, plan.stream.key)
            except RecordError:
                continue
            digest = hashlib.blake2b(json_bytes(record), digest_size=16).digest()
            if self._seen.get((plan.stream_id, name)) != digest:
                self._seen[plan.stream_id, name] = digest
                yield position, record

    # What was there ----------------------------------------------------------------------------------------
    def _recall(self, batch: Batch, keys: Sequence[str]) -> None:
        """States of records that come up for the first time."""
        new = [key for key in dict.fromkeys(keys) if key not in self._states]
        rows = CanonicalRecord.objects.filter(entity=self.entity_id, key__in=new).select_related("provenance")
        found = {row.key: row for row in rows}
        changed, made = self._since({row.pk for row in found.values()})
        for key in new:
            row = found.get(key)
            if row is None or row.pk in made:
                self._states[key] = State({}, {})
                continue
            lost = changed.get(row.pk, frozenset())
            body = {name: UNKNOWN if name in lost else value for name, value in row.body.items()}
            self._states[key] = State(body, dict(row.provenance.fields))

    def _since(self, record_ids: set[int]) -> tuple[dict[int, frozenset[str]], set[int]]:
        """(record id → fields that changed in the time that is gone through, ids of records that were made in it)"""
        rows = Transaction.objects.filter(record_id__in=record_ids, sync_id__in=self._plans, at__gte=self.since)
        changed: dict[int, set[str]] = {}
        made: set[int] = set()
        for record_id, outcome, names in rows.values_list("record_id", "outcome", "changed"):
            if record_id is None:
                continue
            if outcome == Outcome.CREATED:
                made.add(record_id)
            changed.setdefault(record_id, set()).update(names or ())
        return {record_id: frozenset(names) for record_id, names in changed.items()}, made

    def _happened(self, batch: Batch) -> Mapping[int, frozenset[str]]:
        """Position in the page → fields whose held value was another one than the offered.

        The ledger is read by run, which has an index, and once for each.
        """
        if batch.run_id not in self._runs:
            while len(self._runs) >= RUNS_KEPT:
                self._runs.pop(next(iter(self._runs)))
            self._runs[batch.run_id] = self._ledger_of(batch.run_id)
        return self._runs[batch.run_id].get(batch.pk, {})

    def _ledger_of(self, run_id: int) -> dict[int, dict[int, frozenset[str]]]:
        rows = Transaction.objects.filter(run_id=run_id, at__gte=self.since)
        rows = rows.exclude(changed__isnull=True, refused__isnull=True)
        found: dict[int, dict[int, frozenset[str]]] = {}
        for batch_id, position, changed, refused in rows.values_list("batch_id", "position", "changed", "refused"):
            found.setdefault(batch_id, {})[position] = frozenset((*(changed or ()), *(refused or ())))
        return found

    # What would have become of it --------------------------------------------------------------------------
    def _offer(self, plan: SyncPlan, item: Item, at: datetime, differed: frozenset[str]) -> None:
        state, lens = self._states[item.key], self._lenses[plan.sync.pk]
        for name, value in item.body.items():
            if state.body.get(name) is UNKNOWN and name not in differed:
                state.body[name] = value
        decision = decide(item.body, state.body, plan.modes, lens, state.sources)
        system = plan.connection.system
        for blocked in decision.blocked:
            cell = (item.key, blocked.field, system.pk)
            if cell not in self._offered or self._offered[cell] != blocked.offered:
                self._offered[cell] = blocked.offered
                self.on_stop(Stop(item.key, system.slug, at, blocked, state.body, item.body))
        self.accepted += len(decision.changed) if state.body else 0
        state.body = decision.body
        state.sources.update(dict.fromkeys(decision.changed, system.pk))
