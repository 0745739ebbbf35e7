"""The run of a backfill: the path of every inbound run, at its own pace, beside the runs that follow the source.

It moves no cursor, and it never puts an older version over a newer one: a record that another run has stored since the
backfill asked for it is left as it is.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import connection as database
from django.db import transaction

from connectors.base import Connector
from connectors.limiter import Limiter, LocalLimiter
from connectors.services import open_connection
from governance.models import Entity
from hub.common.records import Page, Record
from hub.records.copying import ids, texts
from hub.sync.duplicates import blocks
from hub.sync.feeds import Fed
from hub.sync.inbound import InboundRun
from hub.sync.models import Backfill, HeldRecord
from hub.sync.prepare import Prepared
from hub.sync.windows import Window, having, id_of

KEYS_A_PAGE = 100

NEWER = """
  select x.external_id from records_crosswalk x join records_canonicalrecord c on c.id = x.record_id
  left join sync_batch b on b.id = x.batch_id
  where x.stream_id = %s and x.external_id = any(%s::text[])
  and ((b.at >= %s and b.run_id <> %s) or (c.deleted_at is not null and c.updated_at >= %s))
"""


class Overtaken(Exception):
    """Other runs have stored these records since they were asked for."""

    def __init__(self, external_ids: Collection[str]) -> None:
        self.external_ids = frozenset(external_ids)
        super().__init__(f"{len(external_ids)} records")


class Capped:
    """A limiter within a limiter: requests keep the backfill's own rate, then take their turn at the connection."""

    def __init__(self, cap: LocalLimiter, inner: Limiter) -> None:
        self.cap, self.inner = cap, inner

    def begin(self) -> None:
        self.cap.begin()
        self.inner.begin()

    def end(self, *, failed: str = "", busy_seconds: float | None = None) -> None:
        self.inner.end(failed=failed, busy_seconds=busy_seconds)

    def refuse(self, words: str) -> None:
        self.inner.refuse(words)

    def close(self) -> None:
        self.inner.close()


@dataclass
class BackfillRun(InboundRun):
    """Works through the run of one backfill. `asked_at` is when the page in hand was asked for, by the database's clock."""

    asked_at: datetime | None = None
    found_keys: list[str] = field(default_factory=list)

    def work(self, *, deadline: float) -> bool:
        """Store pages until the backfill is read or `deadline` (monotonic seconds) has passed; True when complete."""
        self.backfill = Backfill.objects.get(run=self.run)
        self.entity_ids = dict(Entity.objects.values_list("slug", "pk"))
        self.plan.is_first_load = False
        self.plan.may_hold = HeldRecord.objects.filter(sync=self.plan.sync).exists()
        blocks.ensure(self.run, self.plan)
        if self.run.is_complete:
            return True
        with open_connection(self.plan.connection) as connector:
            return self._read(connector, deadline)

    # Reading -----------------------------------------------------------------------------------------------
    def _pages(self, connector: Connector) -> Iterator[Page]:
        """Pages from where the run stands. None is read ahead: a page is as old as its request."""
        cap = LocalLimiter(1 / self.backfill.per_second)
        if connector.limiter and connector.reports_requests:
            connector.limiter, cap = Capped(cap, connector.limiter), LocalLimiter()
        pages = self._of_keys(connector) if self.backfill.keys else self._of_window(connector)
        while True:
            cap.begin()
            started, self.asked_at = time.perf_counter(), _clock()
            page = next(pages, None)
            self.timings["waiting for source"] += time.perf_counter() - started
            if page is None:
                return
            yield replace(page, ordered=False)
            if page.resume is None:
                return

    def _of_window(self, connector: Connector) -> Iterator[Page]:
        spec, backfill = self.plan.stream, self.backfill
        window = Window.of(spec.cursor, backfill.from_value, backfill.to_value)
        for page in connector.read(spec, cursor=backfill.from_value or None, resume=self.run.resume):
            is_past = page.ordered and window.is_past(page.cursor)
            yield replace(page, records=window.select(page.records), resume=None if is_past else page.resume)

    def _of_keys(self, connector: Connector) -> Iterator[Page]:
        """Asked for by key; where the source cannot be asked, everything is read and only these are taken."""
        start = self.run.resume if isinstance(self.run.resume, int) else 0
        if self.run.resume is not None and not isinstance(self.run.resume, int):
            yield from self._of_all(connector)
            return
        keys = self.backfill.keys
        for at in range(start, len(keys), KEYS_A_PAGE):
            try:
                found = connector.find(self.plan.stream, keys[at : at + KEYS_A_PAGE])
            except NotImplementedError:
                yield from self._of_all(connector)
                return
            self.found_keys = list(found)
            end = at + KEYS_A_PAGE
            yield Page(list(found.values()), resume=end if end < len(keys) else None)

    def _of_all(self, connector: Connector) -> Iterator[Page]:
        wanted, key = frozenset(self.backfill.keys), self.plan.stream.key
        resume = self.run.resume["all"] if isinstance(self.run.resume, dict) else None
        for page in connector.read(self.plan.stream, cursor=None, resume=resume):
            following = None if page.resume is None else {"all": page.resume}
            bad = [broken for broken in page.bad if broken.external_id in wanted]
            yield replace(page, records=having(page.records, key, wanted), resume=following, bad=bad)

    # Storing -----------------------------------------------------------------------------------------------
    def _part(self, page: Page, *, is_last: bool, fed: Fed | None) -> None:
        while True:
            try:
                super()._part(page, is_last=is_last, fed=fed)
                return
            except Overtaken as found:
                page = replace(page, records=_without(page.records, self.plan.stream.key, found.external_ids))

    def _store(self, prepared: Prepared, page: Page, is_last: bool, fed: Fed | None) -> None:
        with transaction.atomic():
            self._leave_newer(prepared)
            self._mark_found(prepared)
            super()._store(prepared, page, is_last, fed)

    def _leave_newer(self, prepared: Prepared) -> None:
        """Lock what the page would change, as its own transaction does, and see whether somebody was faster."""
        known = {item.external_id: item.record_id for item in prepared.known if item.record_id}
        with database.cursor() as cursor:
            cursor.execute(
                "select id from records_canonicalrecord where id = any(%s::bigint[]) order by id for update",
                [ids(sorted(known.values()))],
            )
            judged = [*known, *(problem.external_id for problem in prepared.problems)]
            cursor.execute(NEWER, [self.plan.stream_id, texts(judged), self.asked_at, self.run.pk, self.asked_at])
            if newer := [row[0] for row in cursor.fetchall()]:
                raise Overtaken(newer)

    def _mark_found(self, prepared: Prepared) -> None:
        if not self.backfill.keys:
            return
        seen = [*self.found_keys, *(item.external_id for item in (*prepared.new, *prepared.known))]
        seen += [*prepared.unchanged, *(problem.external_id for problem in prepared.problems)]
        with database.cursor() as cursor:
            cursor.execute(
                "update sync_backfill set not_found = array(select k from unnest(not_found) with ordinality u(k, n)"
                " where k <> all(%s::text[]) order by n) where id = %s",
                [texts(seen), self.backfill.pk],
            )


def _clock() -> datetime:
    with database.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found


def _without(records: Sequence[Record], key: Sequence[str], external_ids: Collection[str]) -> list[Record]:
    return [record for record in records if id_of(record, key) not in external_ids]
