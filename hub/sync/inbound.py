"""The inbound leg: read a page, prepare it, store it in one transaction; from the last stored page on after a crash."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from django.db import transaction
from psycopg import errors as pg

from connectors.base import Connector
from connectors.services import open_connection
from governance.models import Entity
from hub.common.db import plain_cursor
from hub.common.errors import HubError
from hub.common.records import Page
from hub.records.queries import is_blank
from hub.sync import breaches, drifting, feeds, gate, held
from hub.sync.duplicates import blocks
from hub.sync.feeds import Fed
from hub.sync.fetch import ahead
from hub.sync.models import HeldRecord, Run, SyncState
from hub.sync.page import PageTransaction, Stored
from hub.sync.plan import SyncPlan
from hub.sync.poison_in import Isolation
from hub.sync.prepare import Prepared, prepare
from hub.sync.removals import aliases, removal
from hub.sync.removals.crawls import Notes
from hub.sync.replays.pins import Plans

# A page that loses a race for a new key, or a deadlock, is prepared again; more often than this is no race.
STORE_ATTEMPTS = 5
RELEASED_PAGE = 500
# How often outbound syncs are told of new work while pages are stored; they look for more by themselves before they end.
RING_SECONDS = 0.5
RACES = (pg.UniqueViolation, pg.DeadlockDetected, pg.SerializationFailure, pg.LockNotAvailable)


@dataclass
class InboundRun:
    """Works through one run. `after_page` is called as pages are stored, to ring for the work that they made."""

    run: Run
    plan: SyncPlan
    after_page: Callable[[InboundRun], None]
    timings: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    entity_ids: dict[str, int] = field(default_factory=dict)
    delivering: set[int] = field(default_factory=set)
    releasing: set[int] = field(default_factory=set)
    doubt: HubError | None = None
    notes: Notes | None = None  # of the pages that are read, not of what came by itself

    @cached_property
    def isolation(self) -> Isolation:
        return Isolation.of(self.run, self.plan)

    def work(self, *, deadline: float) -> bool:
        """Store pages until the source is read or `deadline` (monotonic seconds) has passed; True when complete."""
        self.entity_ids = dict(Entity.objects.values_list("slug", "pk"))
        self.plan.is_first_load = self.run.page_no == 0 and is_blank(self.plan.stream_id, self.plan.entity.pk)
        self.plan.may_hold = HeldRecord.objects.filter(sync=self.plan.sync).exists()
        blocks.ensure(self.run, self.plan)
        self._retry_released()
        if not self._take_fed(deadline):
            return False
        if not removal.carry_out_confirmed(self, deadline):
            return False
        if self.run.trigger in Run.NARROW:
            return True
        if not self.run.is_complete:  # else a worker stored the last page and fell before it could say so
            self.notes = Notes.of(self.run, self.plan)
            with open_connection(self.plan.connection) as connector:
                if not self._read(connector, deadline):
                    return False
        self._keep_cursor()
        return removal.conclude(self, deadline)

    def _read(self, connector: Connector, deadline: float) -> bool:
        ring_at = 0.0
        try:
            for page in self._pages(connector):
                if self.run.page_no == 0:
                    drifting.look(self.run, page.records)
                self._page(page, is_last=page.resume is None)
                if page.resume is not None:
                    gate.check(self.run)
                if time.monotonic() >= ring_at:
                    self.after_page(self)
                    ring_at = time.monotonic() + RING_SECONDS
                if page.resume is not None and time.monotonic() > deadline:
                    return False
            return True
        finally:
            self.after_page(self)

    @property
    def is_full(self) -> bool:
        return self.plan.sync.mode == "full"

    def _pages(self, connector: Connector) -> Iterator[Page]:
        """Pages from where the run stands, the next one being fetched while this one is stored."""
        cursor = None if self.is_full else self.run.cursor_from
        pages = connector.read(self.plan.stream, cursor=cursor, resume=self.run.resume)
        # a worker that falls while it fetches must not be blamed on the record in hand
        return pages if self.isolation.is_wary else ahead(pages, timings=self.timings)

    def _retry_released(self) -> None:
        """Records whose parent has arrived go through the whole path again, before anything new is read."""
        plans = Plans(self.plan)
        while True:
            with plain_cursor() as cursor:
                tried = held.released(cursor, self.plan.sync.pk, RELEASED_PAGE)
            if not tried:
                if self.delivering:
                    self.after_page(self)
                return
            for self.plan, group in plans.by_pin(tried):
                records = [body for _, body in group]
                page = Page(records, resume=self.run.resume, cursor=self.run.cursor_to)
                self._page(page, is_last=False, is_again=True)
            self.plan = plans.own
            with plain_cursor() as cursor:
                held.settle_released(cursor, self.plan.sync.pk, [external_id for external_id, _ in tried])

    def _take_fed(self, deadline: float) -> bool:
        """Records that came by themselves take the same path; False when the time was up before all were taken."""
        while (fed := feeds.take(self.plan)) is not None:
            self._page(Page(fed.records, resume=self.run.resume, cursor=self.run.cursor_to), is_last=False, fed=fed)
            self.plan.is_first_load = False
            self.after_page(self)
            if time.monotonic() > deadline:
                return False
        return True

    def _page(self, page: Page, *, is_last: bool, fed: Fed | None = None, is_again: bool = False) -> None:
        """Take one page in, in parts where a worker fell over it; the last part moves the run on."""
        for part in self.isolation.parts(page, is_again=is_again):
            self._part(part.page, is_last=is_last and part.is_end, fed=fed if part.is_end else None)

    def _part(self, page: Page, *, is_last: bool, fed: Fed | None) -> None:
        """Prepare and store one page; a page that lost a race is prepared again from what the winner left."""
        for attempt in range(1, STORE_ATTEMPTS + 1):
            started = time.perf_counter()
            prepared = prepare(self.plan, page.records, page.bad, fed.gone if fed else ())
            prepared.is_decided = fed is not None and fed.is_decided
            self.timings["prepare"] += time.perf_counter() - started
            if prepared.blocked:
                breaches.block(self.plan, self.run.pk, prepared)
            try:
                self._store(prepared, page, is_last, fed)
                return
            except RACES:
                self.plan.is_first_load = False
                if attempt == STORE_ATTEMPTS:
                    raise

    def _store(self, prepared: Prepared, page: Page, is_last: bool, fed: Fed | None) -> None:
        started = time.perf_counter()
        cursor_to = page.cursor if page.cursor is not None else self.run.cursor_to
        position = {"resume": json.dumps(page.resume), "cursor_to": cursor_to, "is_complete": is_last}
        noted = self.notes.with_page(page, prepared) if self.notes else None
        with transaction.atomic(), plain_cursor() as cursor:
            stored = PageTransaction(self.run, self.plan, prepared, cursor, self.entity_ids).store(position)
            if page.ordered and not self.is_full:
                _save_cursor(self.plan.sync.pk, self.run.pk, cursor_to)
            if fed is not None:
                fed.settle(cursor, self.run.pk)
            if noted is not None:
                noted.keep()
        self.run.page_no, self.run.resume, self.run.cursor_to = self.run.page_no + 1, page.resume, cursor_to
        self.notes = noted
        self._learn(stored)
        self.delivering |= stored.delivering
        self.releasing |= stored.releasing
        self.timings["store"] += time.perf_counter() - started

    def _learn(self, stored: Stored) -> None:
        """What later pages of the run have to know of this one."""
        if stored.has_linked_keys:
            self.plan.linked_entities.add(self.plan.entity.pk)
        if stored.merged:
            self.plan.merged_ids |= stored.merged
            self.plan.aliases = {**self.plan.aliases, **aliases.of({self.plan.entity.pk})}

    def _keep_cursor(self) -> None:
        """The crawl is complete: the next one begins where this one ended."""
        if self.run.cursor_to is not None:
            _save_cursor(self.plan.sync.pk, self.run.pk, self.run.cursor_to)


def _save_cursor(sync_id: int, run_id: int, cursor: str | None) -> None:
    SyncState.objects.update_or_create(sync_id=sync_id, defaults={"cursor": cursor, "run_id": run_id})
