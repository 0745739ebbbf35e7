"""`manage.py bench ledger`: what it costs to write to the ledger and to read from it while it grows.

The ledger is filled to a tenth of N and to N rows, over half a year. At both sizes pages are appended by the product's own
writer beside a bare COPY into a table with the same indexes, and the questions that pages ask are put through the
product's own functions. Times are of SQL alone, median of REPEATS; what must not grow is their ratio.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
from django.db import connection, transaction
from django.test import RequestFactory
from django.utils import timezone

from hub.common.db import plain_cursor
from hub.sync import harness, ledger, ledger_search, queries, threads
from hub.sync.bench import world
from hub.sync.ledger import Entry
from hub.sync.ledger_search import LedgerFilter
from hub.sync.models import Run, Sync, Transaction
from hub.sync.states import Outcome, RunStatus

REPEATS = 9
PAGE = 1000
MOST_PAGES = 40
RUN_ROWS = 5000
MONTHS = 6
ROWS_A_RECORD = 20
SYNCS = 12


def bench_ledger(records: int) -> dict[str, Any]:
    """Figures at `records` rows and at a tenth of them; `passed` when every row that was written is counted."""
    dsn = os.environ["DATABASE_URL"]
    harness.apply(_documents(dsn))
    with psycopg.connect(dsn, autocommit=True) as db:
        field = Field(db, records)
        field.prepare()
        small = _measure(field, records // 10)
        large = _measure(field, records)
        written = db.execute("select count(*) from sync_transaction").fetchone()
    slower = {name: round(large.sql_ms[name] / max(ms, 0.1), 2) for name, ms in small.sql_ms.items()}
    return {
        "records": records,
        "insert_per_s": round(large.insert_per_s),
        "copy_per_s": round(large.copy_per_s),
        "ratio": round(large.insert_per_s / large.copy_per_s, 3),
        "ratio_at_a_tenth": round(small.insert_per_s / small.copy_per_s, 3),
        "sql_ms": large.sql_ms,
        "sql_ms_at_a_tenth": small.sql_ms,
        "growth": slower,
        "passed": bool(written and written[0] == field.rows),
    }


def _documents(dsn: str) -> list[dict[str, Any]]:
    """The benchmark's world with some syncs more, so that one sync's rows stand between those of others."""
    documents = world.documents(1, world.sql_target(dsn))
    more = [{"kind": "Sync", "slug": f"bench-{n}", "name": f"In {n}", "mapping": "bench-in"} for n in range(SYNCS)]
    return [*documents, *more]


@dataclass
class Measured:
    insert_per_s: float
    copy_per_s: float
    sql_ms: dict[str, float]


class Field:
    """The ledger of a hub that has worked for half a year. Filled by set-based SQL: how it got there is not measured."""

    def __init__(self, db: psycopg.Connection[Any], total: int) -> None:
        self.db, self.total, self.rows = db, total, 0
        self.start = timezone.now() - timedelta(days=30 * MONTHS)
        self.objects = max(total // ROWS_A_RECORD, 1)
        self.syncs = list(Sync.objects.filter(mapping__slug="bench-in").order_by("pk"))

    def prepare(self) -> None:
        self._make_months()
        mapping = self.syncs[0].mapping
        self.db.execute(
            "insert into records_provenanceprofile (fields, digest) values ('{}', '') on conflict do nothing"
        )
        self.db.execute(
            "insert into records_canonicalrecord (id, entity_id, key, version, body, provenance_id, hash, updated_at)"
            " select n, %s, 'TE-' || lpad(n::text, 8, '0'), 1, '{}', (select min(id) from records_provenanceprofile), '', now()"
            " from generate_series(1, %s) n",
            [mapping.entity_id, self.objects],
        )
        self.db.execute(
            "insert into records_crosswalk (stream_id, external_id, record_id, batch_id, hash)"
            " select %s, 'EX-' || n, n, 0, '' from generate_series(1, %s) n",
            [mapping.stream_id, self.objects],
        )

    def _make_months(self) -> None:
        """Partitions for the past that is invented; the product makes those of the future only."""
        self.db.execute(
            "do $$ declare m date; begin for k in 0 .. 8 loop"
            " m := (date_trunc('month', now()) - make_interval(months => k))::date;"
            " if to_regclass('sync_transaction_' || to_char(m, 'YYYY_MM')) is null then execute format("
            " 'create table %I partition of sync_transaction for values from (%L) to (%L)',"
            " 'sync_transaction_' || to_char(m, 'YYYY_MM'), m::timestamptz, (m + interval '1 month')::timestamptz);"
            " end if; end loop; end $$"
        )

    def fill(self, upto: int) -> None:
        """Rows up to the number `upto`: two in a hundred in trouble, the syncs' runs in turn."""
        first, step = self.rows + 1, timedelta(days=30 * MONTHS - 1) / self.total
        Run.objects.bulk_create(self._run(first + n) for n in range(0, upto - self.rows, RUN_ROWS))
        self.db.execute(
            "insert into sync_transaction (id, at, run_id, sync_id, batch_id, position, correlation_id, record_id,"
            " external_id, key, outcome, version, attempt, error_code, error_detail, amount, currency, duration_us)"
            " select n, %(start)s + n * %(step)s::interval, r.id, r.sync_id, n / 1000, n %% 1000, n,"
            " case when bad then null else o end, case when bad then 'BAD-' || n else 'EX-' || o end,"
            " 'TE-' || lpad(o::text, 8, '0'),"
            " case when bad then %(bad)s else %(good)s end, 1, 1, case when bad then 'CONTRACT' end,"
            " case when bad then 'The field hours is missing.' end, n %% 90000 / 100.0, 'EUR', 40"
            " from generate_series(%(first)s::bigint, %(last)s) n"
            " cross join lateral (select n %% 50 = 7 as bad, 1 + n * 7919 %% %(objects)s as o) x"
            " join sync_run r on r.page_no = (n - %(first)s) / %(each)s and r.stage = %(mark)s",
            {
                "start": self.start, "step": step, "first": first, "last": upto, "objects": self.objects, "each": RUN_ROWS,
                "good": int(Outcome.UPDATED), "bad": int(Outcome.QUARANTINED), "mark": f"fill {first}",
            },
        )  # fmt: skip
        self.db.execute("select setval('sync_transaction_seq', %s)", [upto + 2000])
        self.db.execute("vacuum analyze sync_transaction, sync_run, records_canonicalrecord, records_crosswalk")
        self.rows = upto

    def _run(self, number: int) -> Run:
        place = (number - self.rows - 1) // RUN_ROWS
        return Run(
            sync=self.syncs[place % len(self.syncs)],
            status=RunStatus.SUCCEEDED,
            trigger=Run.Trigger.SCHEDULE,
            read=RUN_ROWS,
            updated=RUN_ROWS,
            page_no=place,
            stage=f"fill {self.rows + 1}",
        )


def _measure(field: Field, upto: int) -> Measured:
    pages = min(MOST_PAGES, max(1, upto // PAGE // 2))
    field.fill(upto - PAGE * pages)
    insert_per_s = _insert(field, pages)
    return Measured(insert_per_s, _copy(field, pages), {name: _sql_ms(ask) for name, ask in _questions(field)})


# Writing ---------------------------------------------------------------------------------------------------
def _entries(field: Field, page: int) -> list[Entry]:
    made = []
    for position in range(PAGE):
        number = 1 + (page * PAGE + position) % field.objects
        key = f"TE-{number:08d}"
        made.append(
            Entry(
                position,
                Outcome.CREATED,
                external_id=f"EX-{number}",
                key=key,
                record_id=number,
                version=1,
                amount="12.50",
                currency="EUR",
            )
        )
    return made


def _insert(field: Field, count: int) -> float:
    """Rows a second through the product's writer, one commit a page."""
    run = Run.objects.order_by("-pk").first()
    assert run is not None
    pages = [_entries(field, page) for page in range(count)]
    started = time.perf_counter()
    for page, entries in enumerate(pages):
        with transaction.atomic(), plain_cursor() as cursor:
            at = str(timezone.now())
            ledger.write(
                cursor, run_id=run.pk, sync_id=run.sync_id, batch_id=page, at=at, entries=entries, micros=40_000
            )
    took = time.perf_counter() - started
    field.rows += PAGE * count
    return PAGE * count / took


def _copy(field: Field, count: int) -> float:
    """Rows a second of ready text into a table with the same columns and indexes, one commit a page."""
    field.db.execute("drop table if exists bare_ledger")
    field.db.execute("create table bare_ledger (like sync_transaction including indexes)")
    latest = f"select {ledger.COLUMNS} from sync_transaction order by id desc limit {PAGE * count}"
    with field.db.cursor().copy(f"copy ({latest}) to stdout") as lines:
        rows = [bytes(line) for line in lines]
    pages = [b"".join(rows[n : n + PAGE]) for n in range(0, len(rows), PAGE)]
    started = time.perf_counter()
    for page in pages:
        with field.db.cursor().copy(f"copy bare_ledger ({ledger.COLUMNS}) from stdin") as copy:
            copy.write(page)
    return len(rows) / (time.perf_counter() - started)


# Reading ---------------------------------------------------------------------------------------------------
def _questions(field: Field) -> Iterator[tuple[str, Callable[[], object]]]:
    middle, one = field.rows // 2, [field.syncs[3].pk]
    row = Transaction.objects.filter(pk__lte=middle, outcome=Outcome.UPDATED).order_by("-pk").first()
    assert row is not None
    troubled = ledger_search.outcomes_of("trouble")
    yield "newest page", _page(LedgerFilter())
    yield "newest 50 in trouble", _page(LedgerFilter(outcomes=troubled))
    yield "newest page of one sync", _page(LedgerFilter(sync_ids=one))
    yield "page in the middle", _page(LedgerFilter(), after=middle)
    yield "page in the middle of one sync", _page(LedgerFilter(sync_ids=one), after=middle)
    yield "page of a day", _page(LedgerFilter(since=row.at, until=row.at + timedelta(days=1)))
    yield "one run", _page(LedgerFilter(run_id=row.run_id))
    yield "by external id", _page(LedgerFilter(text=row.external_id or ""))
    yield "by key", _page(LedgerFilter(key=row.key or ""))
    yield "one transaction and its thread", lambda: threads.thread_of(row, None)
    yield "count of one sync", lambda: ledger_search.count(LedgerFilter(sync_ids=one))
    yield "count of all in trouble", lambda: ledger_search.count(LedgerFilter(outcomes=troubled))
    yield "syncs with their last runs", lambda: queries.sync_rows(Sync.objects.order_by("pk"))


def _page(asked: LedgerFilter, *, after: int | None = None) -> Callable[[], object]:
    request = RequestFactory().get("/", {} if after is None else {"after": str(after)})
    return lambda: ledger_search.page(asked, request)


def _sql_ms(ask: Callable[[], object]) -> float:
    """Milliseconds that the database takes for one question, median; the first time is not counted."""
    ask()
    times: list[float] = []
    for _ in range(REPEATS):
        with _stopwatch() as watch:
            ask()
        times.append(watch.seconds)
    return round(statistics.median(times) * 1000, 2)


@contextmanager
def _stopwatch() -> Iterator[SimpleNamespace]:
    watch = SimpleNamespace(seconds=0.0)

    def timed(execute: Callable[..., Any], sql: str, params: Sequence[Any], many: bool, context: Any) -> Any:
        started = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            watch.seconds += time.perf_counter() - started

    with connection.execute_wrapper(timed):
        yield watch
