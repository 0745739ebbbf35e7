"""One prepared page in one transaction: canonical rows, crosswalk, outbox, ledger, held records and cursor together.

Lock order: run → new keys → known rows by id → outbox by (sync, id). See docs/architecture.md.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from governance.arbitration import Blocked, admit, decide
from hub.common.db import join_by_key
from hub.common.errors import Discarded
from hub.common.records import Record
from hub.records.copying import ids
from hub.records.store import Current, RecordStore, Write, intern_profile, profile_fields, profile_of_one
from hub.sync import breaches, held, ledger, outbox, runs, twins
from hub.sync.duplicates import blocks, comparing, keeping
from hub.sync.duplicates import keys as linked_keys
from hub.sync.duplicates.comparing import Sorted
from hub.sync.ledger import Entry
from hub.sync.models import Batch, Run
from hub.sync.ownership import blocking
from hub.sync.ownership.blocking import Offer
from hub.sync.plan import SyncPlan
from hub.sync.prepare import Item, Prepared
from hub.sync.removals import joining, taking
from hub.sync.states import COUNTER, Outcome


@dataclass(slots=True)
class Stored:
    """What a stored page set in motion."""

    delivering: set[int] = field(default_factory=set)  # outbound syncs with new work
    releasing: set[int] = field(default_factory=set)  # inbound syncs whose waiting records were released
    has_linked_keys: bool = False  # records of the entity have keys beside their own from now on
    merged: set[str] = field(default_factory=set)  # external ids that lead to another record than their own from now on


class PageTransaction:
    def __init__(self, run: Run, plan: SyncPlan, page: Prepared, cursor: Any, entity_ids: Mapping[str, int]) -> None:
        self.plan, self.run, self.page, self.cursor = plan, run, page, cursor
        self.entity_ids = entity_ids
        self.system_id = self.plan.connection.system_id
        self.entries: list[Entry] = []
        self.unchanged: list[int] = list(page.unchanged_ids)
        self.made: dict[str, int] = {}
        self.offers: list[Offer] = []  # by a system that ownership rules speak to
        self.beside: list[Entry] = []  # rows of records that were not read, but changed for those that were
        self.sorted = Sorted()
        self.idle = 0  # told as gone, which changed nothing
        self.result = Stored()
        self.started = time.perf_counter()

    def store(self, position: dict[str, Any]) -> Stored:
        runs.fence(self.cursor, self.run, counts={}, stage="storing", page_no=self.run.page_no + 1, **position)
        join_by_key(self.cursor)
        self.batch_id, self.now = ledger.open_batch(
            self.cursor,
            run_id=self.run.pk,
            sync_id=self.plan.sync.pk,
            page_no=self.run.page_no,
            read=self.page.read,
            mapping_version_id=self.plan.mapping_version.pk,
            contract_version_id=self.plan.contract_version.pk,
            payload=ledger.pack(self.page.raws),
            status=Batch.Status.DONE,
        )
        self.records = RecordStore(self.plan.entity.pk, self.plan.contract.markers, self.cursor, self.now)
        self._compare()
        stopped = self._admit() if self.plan.lens else {}
        first, later = _waves(self.page)
        self._create(first, stopped)
        for wave in later:
            self._change(wave)
        self._settle_offers()
        self._problems()
        self._carry_out()
        breaches.keep(self.plan, self.run.pk, self.page.breaches)
        self._remove()
        self._merge()
        self._passed()
        self._account()
        return self.result

    # Possible duplicates ----------------------------------------------------------------------------------
    def _compare(self) -> None:
        """New records that another system has shown are linked or held; a first load that people approved is decided."""
        if self.plan.matching and (self.page.new or self.page.known):
            blocks.open_page(self.cursor, self.plan)
            if not self.page.is_decided:
                self.sorted = comparing.sort(self.cursor, self.plan, self.page)

    def _carry_out(self) -> None:
        """Records that people said are merged have been made by now, so that it can be undone."""
        if self.sorted.items:
            keeping.keep(self.cursor, self.plan, self.run, self.sorted)
        for item in (*self.page.new, *self.page.known):
            said = self.sorted.decided.get(item.external_id)
            if said is None or said.decision != "merge":
                continue
            merge = said.merge(self.plan.entity, item.record_id or self.made[item.key])
            entries, delivering = joining.carry_out(self.cursor, item, merge)
            self.beside += entries
            self.result.delivering |= delivering
            self.result.merged.add(item.external_id)

    def _note_blocks(self, writes: list[Write], *, are_new: bool) -> None:
        if self.plan.matching and writes:
            records = [(write.id, write.key, write.body) for write in writes]
            blocks.note(self.cursor, self.plan.entity.pk, self.plan.matching, records, are_new=are_new)

    # New records -------------------------------------------------------------------------------------------
    def _admit(self) -> dict[int, tuple[Blocked, ...]]:
        """New records lose what their system may not set, or wait for its owner; by position what was stopped."""
        assert self.plan.lens is not None
        stopped: dict[int, tuple[Blocked, ...]] = {}
        staying: list[Item] = []
        waiting: set[str] = set()
        for item in self.page.new:
            decision = admit(item.body, self.plan.lens)
            if decision.blocked and (problem := blocking.why_waiting(self.plan, item, decision)):
                self.page.problems.append(problem)
                waiting.add(item.key)
                continue
            if decision.blocked:
                stopped[item.position] = decision.blocked
                item.body, item.json = decision.body, b""
            staying.append(item)
        self.page.new = staying
        if gone := waiting - {item.key for item in staying}:
            orphans = blocking.orphans(self.plan, [*self.page.new, *self.page.known], gone)
            self.page.problems += orphans.values()
            self.page.new = [item for item in self.page.new if item.position not in orphans]
            self.page.known = [item for item in self.page.known if item.position not in orphans]
        return stopped

    def _create(self, items: list[Item], stopped: Mapping[int, tuple[Blocked, ...]]) -> None:
        if not items:
            return
        record_ids = self.records.allocate(len(items))
        numbers = ledger.allocate_ids(self.cursor, len(items))
        writes = []
        for item, record_id, number in zip(items, record_ids, numbers, strict=True):
            item.record_id = self.made[item.key] = record_id
            profile = profile_of_one(tuple(item.body), self.system_id)
            writes.append(Write(record_id, item.key, 1, item.body, profile, item.json))
            entry = self._entry(item, Outcome.CREATED, number, version=1, body=item.body)
            self.entries.append(entry)
            if blocked := stopped.get(item.position):
                entry.refused = tuple(one.field for one in blocked)
                self.offers.append(Offer(item, record_id, 1, item.body, number, blocked))
        self.records.insert(writes)
        self._note_blocks(writes, are_new=True)
        self.records.link(
            self.plan.stream_id, self.batch_id, [(i.external_id, i.record_id or 0, i.hash) for i in items]
        )
        rows = [(i.record_id or 0, i.body, number) for i, number in zip(items, numbers, strict=True)]
        self.result.delivering |= outbox.enqueue_new(self.cursor, self.plan.subscribers, rows, self.now)
        self._release(items)

    def _release(self, items: list[Item]) -> None:
        keys, externals = [i.key for i in items], [i.external_id for i in items]
        self.result.releasing |= set(
            held.release(self.cursor, self.plan.entity.pk, keys, self.plan.stream_id, externals)
        )

    # Known records -----------------------------------------------------------------------------------------
    def _change(self, items: list[Item]) -> None:
        if not items:
            return
        for item in items:
            item.record_id = item.record_id or self.made[item.key]
        lens = self.plan.lens
        locked = self.records.lock([item.record_id for item in items if item.record_id is not None])
        numbers = iter(ledger.allocate_ids(self.cursor, len(items)))
        writes: list[Write] = []
        rows: list[tuple[int, int, Record, int]] = []
        for item in items:
            current = locked[item.record_id or 0]
            provenance = profile_fields(current.provenance_id) if lens else None
            decision = decide(self._as_kept(item, current), current.body, self.plan.modes, lens, provenance)
            refused = (*decision.refused, *(one.field for one in decision.blocked))
            is_written = bool(decision.changed) or current.is_deleted  # what comes back lives again
            if not is_written and not item.is_linked and not refused:
                self.unchanged.append(current.id)
                if lens:
                    self.offers.append(Offer(item, current.id, current.version, current.body, 0))
                continue
            number, version = next(numbers), current.version + is_written
            if is_written:
                profile = self._merged_provenance(current, decision.changed)
                writes.append(Write(current.id, current.key, version, decision.body, profile))
                rows.append((current.id, version, decision.body, number))
            outcome = Outcome.UPDATED if is_written else Outcome.REFUSED if refused else Outcome.UNCHANGED
            entry = self._entry(item, outcome, number, version=version, body=decision.body)
            entry.changed, entry.refused = decision.changed or None, refused or None
            entry.key = current.key
            entry.before = None if current.is_deleted else current.body
            self._say_why(entry, item)
            self.entries.append(entry)
            if lens:
                offer = Offer(item, current.id, version, decision.body, number, decision.blocked, decision.changed)
                self.offers.append(offer)
        self.records.update(writes)
        self._note_blocks(writes, are_new=False)
        self._link_known(items)
        self.result.delivering |= outbox.enqueue_changed(self.cursor, self.plan.subscribers, rows)

    def _as_kept(self, item: Item, current: Current) -> Record:
        """What the record says; where its system has a key of its own for it, the hub's key stays."""
        if item.key == current.key or not self._means(item, current):
            return item.body
        return item.body | {name: current.body.get(name) for name in self.plan.contract.markers.key}

    def _means(self, item: Item, current: Current) -> bool:
        if item.is_linked:
            return True
        if self.plan.entity.pk not in self.plan.linked_entities:
            return False
        return linked_keys.find(self.cursor, self.plan.entity.pk, [item.key]).get(item.key, (0, ""))[0] == current.id

    def _say_why(self, entry: Entry, item: Item) -> None:
        """A link that a rule or a person made stands in the ledger with its reason."""
        if item.external_id in self.sorted.names:
            entry.error_code, entry.error_detail = "MATCHED", self.sorted.why(item.external_id)

    def _merged_provenance(self, current: Current, changed: tuple[str, ...]) -> int:
        return intern_profile({**profile_fields(current.provenance_id), **dict.fromkeys(changed, self.system_id)})

    def _link_known(self, items: list[Item]) -> None:
        linked = [item for item in items if item.is_linked]
        self._note_twins(linked)
        self.records.link(
            self.plan.stream_id, self.batch_id, [(i.external_id, i.record_id or 0, i.hash) for i in linked]
        )
        named = [item for item in linked if item.external_id in self.sorted.names]
        if named:
            rows = [(i.key, i.record_id or 0, i.external_id, self.sorted.why(i.external_id)) for i in named]
            linked_keys.link(self.cursor, self.plan.entity.pk, self.plan.stream_id, rows)
            self.result.has_linked_keys = True
        if linked:
            taking.note_ours(self.cursor, self.plan, self.batch_id)
        self._release(linked)
        known = [(i.external_id, i.hash) for i in items if not i.is_linked]
        self.records.touch_links(self.plan.stream_id, self.batch_id, known)

    def _note_twins(self, linked: list[Item]) -> None:
        """What the stream has under another id already is said in the ledger, and to people."""
        pairs = [(item.external_id, item.record_id or 0) for item in linked]
        found = twins.note(self.cursor, sync_id=self.plan.sync.pk, stream_id=self.plan.stream_id, linked=pairs)
        for entry in self.entries if found else ():
            if (other := found.get(entry.external_id or "")) and entry.error_code is None:
                entry.error_code = "ENTERED_TWICE"
                entry.error_detail = f"The source has this record under {other} as well."

    def _settle_offers(self) -> None:
        if self.offers:
            self.result.delivering |= blocking.settle(self.cursor, self.plan, self.run.pk, self.offers)

    # Gone records -----------------------------------------------------------------------------------------
    def _remove(self) -> None:
        if not self.page.gone:
            return
        taken = taking.take_away(self.cursor, self.plan, {item.external_id: item.position for item in self.page.gone})
        self.entries += taken.entries
        self.result.delivering |= taken.delivering
        self.idle += len(self.page.gone) - len(taken.entries)

    def _merge(self) -> None:
        for item, winner in self.page.merging:
            entries, delivering = joining.join(self.cursor, self.plan, self.run.pk, item, winner)
            self.entries += entries[:1]
            self.beside += entries[1:]
            self.result.delivering |= delivering
            self.idle += not entries

    # The rest ----------------------------------------------------------------------------------------------
    def _problems(self) -> None:
        if not self.page.problems:
            return
        self.plan.may_hold = True
        numbers = ledger.allocate_ids(self.cursor, len(self.page.problems))
        for problem, number in zip(self.page.problems, numbers, strict=True):
            error = problem.error
            self.entries.append(
                Entry(
                    problem.position,
                    held.outcome_of(error),
                    external_id=problem.external_id,
                    key=problem.key or None,
                    error_code=error.code,
                    error_detail=str(error),
                    id=number,
                )
            )
        markers = self.plan.contract.markers
        held.hold(
            self.cursor,
            self.plan.sync.pk,
            [
                pair
                for pair in zip(self.page.problems, numbers, strict=True)
                if not isinstance(pair[0].error, Discarded)
            ],
            entity_ids=self.entity_ids,
            money=(markers.amount, markers.currency),
        )

    def _passed(self) -> None:
        if not self.plan.may_hold:
            return
        items = (*self.page.new, *self.page.known, *(item for item, _ in self.page.merging))
        dropped = [problem.external_id for problem in self.page.problems if isinstance(problem.error, Discarded)]
        passed = [*(item.external_id for item in items), *self.page.unchanged, *dropped]
        if passed:
            held.clear(self.cursor, self.plan.sync.pk, held.held_ids(self.cursor, self.plan.sync.pk, passed))

    def _account(self) -> None:
        micros = int((time.perf_counter() - self.started) * 1_000_000)
        ledger.write(
            self.cursor,
            run_id=self.run.pk,
            sync_id=self.plan.sync.pk,
            batch_id=self.batch_id,
            at=self.now,
            entries=[*self.entries, *self.beside],
            micros=micros,
        )
        if self.unchanged:
            self.cursor.execute(
                "update sync_batch set unchanged_ids = %s::bigint[] where id = %s",
                [ids(self.unchanged), self.batch_id],
            )
        counts: dict[str, int] = defaultdict(int)
        for outcome, count in ledger.count_outcomes(self.entries).items():
            counts[COUNTER[outcome]] += count
        counts["unchanged"] += len(self.unchanged) + self.page.repeated + self.page.merged + self.idle
        counts["read"] = self.page.read
        runs.fence(self.cursor, self.run, counts=counts, stage="reading")

    def _entry(self, item: Item, outcome: Outcome, number: int, *, version: int, body: Record) -> Entry:
        markers = self.plan.contract.markers
        amount = item.body.get(markers.amount) if markers.amount else None
        return Entry(
            item.position,
            outcome,
            external_id=item.external_id,
            key=item.key,
            record_id=item.record_id,
            version=version,
            amount=None if amount in (None, "") else str(amount),
            currency=item.body.get(markers.currency) if markers.currency else None,
            id=number,
            body=body,
        )


def _waves(page: Prepared) -> tuple[list[Item], list[list[Item]]]:
    """(records to make, waves of records to change): one business object meets its several records one after the other."""
    first: list[Item] = []
    later: list[list[Item]] = []
    seen: dict[str | int, int] = {}
    for item in (*page.new, *page.known):
        name = item.key if item.record_id is None else item.record_id
        level = seen.get(name, 0)
        if level == 0 and item.record_id is None:
            first.append(item)
            seen[name] = 1
            continue
        item.is_linked = item.is_linked or item.record_id is None
        level = max(level, 1)
        seen[name] = level + 1
        if level > len(later):
            later.append([])
        later[level - 1].append(item)
    return first, later
