"""Reading the ledger by index at any size: filters, keyset pages by number, and counts that stop at a limit.

The ledger has no index by sync, which every record would have to pay for. Runs lead there instead: those of one sync follow
each other, so its rows are those of its runs, newest run first, and several syncs are merged. What stands in the partial
index of troubled rows is read from that. Numbers rise with time, so a time becomes a bound on the number by bisection. Keys
and ids become record ids first. What no index answers is given up after a few seconds.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from connectors.models import Stream
from governance.models import Entity
from hub.common.errors import ConfigError
from hub.common.lists import PAGE_SIZES, KeysetPage
from hub.records.models import CanonicalRecord, Crosswalk
from hub.sync.models import Transaction
from hub.sync.states import Outcome

COUNT_LIMIT = 10_000
TIMEOUT_SECONDS = 4
# A row is numbered up to this long before or after its time: the length of the longest page or delivery batch.
SKEW = timedelta(minutes=15)
STREAMED = 2_000
# How many of the newest rows are looked at for an amount where nothing else narrows the search: amounts have no index.
LOOKED_AT = 300_000
# Whoever sees more syncs than this sees so much of the ledger that it is read in one go.
MERGED_SYNCS = 60

GROUPS: dict[str, tuple[Outcome, ...]] = {
    "passed": (Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED, Outcome.ECHO, Outcome.REFUSED),
    "trouble": (
        Outcome.QUARANTINED,
        Outcome.WAITING,
        Outcome.HELD,
        Outcome.RETRYING,
        Outcome.UNSURE,
        Outcome.DEAD,
    ),
    "rejected": (Outcome.QUARANTINED, Outcome.HELD, Outcome.DISCARDED),
    "failed": (Outcome.RETRYING, Outcome.UNSURE, Outcome.DEAD),
    **{outcome.name.lower(): (outcome,) for outcome in Outcome},
    "unchanged": (Outcome.UNCHANGED, Outcome.ECHO, Outcome.REFUSED),
}
GROUP_CHOICES = [
    ("trouble", "All in trouble"),
    ("passed", "All that passed"),
    *((outcome.name.lower(), outcome.label) for outcome in Outcome),
]


@dataclass(frozen=True, slots=True)
class Amounts:
    """Amounts from `low` to `high`, both included; None leaves that side open."""

    low: Decimal | None = None
    high: Decimal | None = None


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """What is asked for. `sync_ids` None means all syncs; `text` is an id, a key, or words of an error; `error_code` is one."""

    sync_ids: Sequence[int] | None = None
    run_id: int | None = None
    outcomes: Sequence[Outcome] = ()
    entity_id: int | None = None
    key: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    number: int | None = None
    error_code: str = ""
    amounts: Amounts | None = None

    def rows(self) -> QuerySet[Transaction]:
        rows = self.narrowed()
        if self.sync_ids is not None:
            rows = rows.filter(sync_id__in=list(self.sync_ids))
        return rows

    def narrowed(self) -> QuerySet[Transaction]:
        """Everything that is asked for but the syncs."""
        rows = Transaction.objects.all()
        if self.number is not None:
            rows = rows.filter(pk=self.number)
        if self.run_id is not None:
            rows = rows.filter(run_id=self.run_id)
        if self.outcomes:
            rows = rows.filter(outcome__in=list(self.outcomes))
        if self.error_code:
            rows = rows.filter(error_code=self.error_code)
        if self.amounts:
            rows = rows.filter(amount__isnull=False)
            rows = rows if self.amounts.low is None else rows.filter(amount__gte=self.amounts.low)
            rows = rows if self.amounts.high is None else rows.filter(amount__lte=self.amounts.high)
            rows = rows.filter(pk__gt=_newest_number() - LOOKED_AT) if self.looks_at_newest else rows
        if self.since:
            rows = rows.filter(at__gte=self.since, pk__gte=_number_at(self.since - SKEW))
        if self.until:
            rows = rows.filter(at__lt=self.until, pk__lt=_number_at(self.until + SKEW))
        if self.key:
            rows = rows.filter(_named(self.key, self.entity_id))
        if self.text:
            rows = rows.filter(_matching(self.text, self.entity_id))
        return rows

    @property
    def looks_at_newest(self) -> bool:
        """Whether an amount is searched among the newest rows alone, because nothing that has an index narrows it down."""
        narrow = (
            self.number or self.run_id or self.key or self.text or self.error_code or self.since or self._is_troubled
        )
        return self.amounts is not None and not narrow

    @property
    def goes_by_runs(self) -> bool:
        """Whether only the syncs narrow it down: what has another index is read from that."""
        has_index = self.number or self.run_id or self.key or self.text or self.error_code or self._is_troubled
        return self.sync_ids is not None and len(self.sync_ids) <= MERGED_SYNCS and not has_index

    @property
    def _is_troubled(self) -> bool:
        return bool(self.outcomes) and all(outcome >= Outcome.QUARANTINED for outcome in self.outcomes)


_AMOUNT = re.compile(
    r"(?P<sign>>=|<=)?(?P<one>-?[0-9]{1,15}(?:[.][0-9]{1,4})?)|(?P<low>-?[0-9.]{1,20})[.]{2}(?P<high>-?[0-9.]{1,20})"
)


def amounts_of(text: str) -> Amounts | None:
    """`900`, `>=1000`, `<=5`, `100..200`; None for anything else, which filters nothing."""
    match = _AMOUNT.fullmatch(text.replace(",", "").replace(" ", ""))
    if match is None:
        return None
    try:
        if match["one"] is None:
            return Amounts(Decimal(match["low"]), Decimal(match["high"]))
        one = Decimal(match["one"])
    except InvalidOperation:
        return None
    return Amounts(None if match["sign"] == "<=" else one, None if match["sign"] == ">=" else one)


def outcomes_of(word: str) -> tuple[Outcome, ...]:
    """The outcomes behind a word of the filter; none for a word that is not known, which filters nothing."""
    return GROUPS.get(word, ())


# Pages and counts ------------------------------------------------------------------------------------------
def page(asked: LedgerFilter, request: HttpRequest) -> KeysetPage[Transaction]:
    """The page that `?after=` or `?before=` names (numbers of rows), newest first."""
    size = int(request.GET["size"]) if request.GET.get("size") in {str(n) for n in PAGE_SIZES} else PAGE_SIZES[0]
    after, before = _number(request.GET.get("after")), _number(request.GET.get("before"))
    with bounded():
        if before is not None:
            found = _first(asked, Q(pk__gt=before), size + 1, newest_first=False)
            return _page(found[:size][::-1], size, has_newer=len(found) > size, has_older=True)
        found = _first(asked, Q() if after is None else Q(pk__lt=after), size + 1, newest_first=True)
        return _page(found[:size], size, has_newer=after is not None, has_older=len(found) > size)


def stream(asked: LedgerFilter) -> Iterator[Transaction]:
    """All rows, newest first, a page at a time: no cursor stays open while somebody downloads."""
    bound = Q()
    while found := _first(asked, bound, STREAMED, newest_first=True):
        yield from found
        bound = Q(pk__lt=found[-1].pk)


def _first(asked: LedgerFilter, bound: Q, limit: int, *, newest_first: bool) -> list[Transaction]:
    """The first `limit` rows beyond a bound on the number."""
    order = "-pk" if newest_first else "pk"
    if not asked.goes_by_runs:
        return list(asked.rows().filter(bound).order_by(order)[:limit])
    ids = _first_ids(asked, bound, limit, newest_first=newest_first)
    return list(Transaction.objects.filter(pk__in=ids).order_by(order))


def _first_ids(asked: LedgerFilter, bound: Q, limit: int, *, newest_first: bool) -> list[int]:
    """Numbers of the first rows of several syncs, each by way of its runs, merged; decisions of people have no run."""
    rows = asked.narrowed().filter(bound)
    found = _ids_by_runs(list(asked.sync_ids or ()), rows, limit, newest_first=newest_first)
    decided = rows.filter(run_id=0, sync_id__in=list(asked.sync_ids or ())).order_by("-pk" if newest_first else "pk")
    found += decided.values_list("pk", flat=True)[:limit]
    return sorted(found, reverse=newest_first)[:limit]


@contextmanager
def _in_order() -> Iterator[None]:
    """Rows of a run are read in order and no further than needed; a bitmap would first collect all of a run's millions."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select set_config('enable_bitmapscan', 'off', true)")
        yield
        cursor.execute("select set_config('enable_bitmapscan', 'on', true)")


def _ids_by_runs(sync_ids: Sequence[int], rows: QuerySet[Transaction], limit: int, *, newest_first: bool) -> list[int]:
    """One statement for all syncs: of each the first rows of its runs, no more than needed."""
    way = "desc" if newest_first else "asc"
    inner = rows.extra(where=["run_id = r.id"]).order_by("-pk" if newest_first else "pk")[:limit]
    sql, params = inner.values("pk").query.sql_with_params()
    with _in_order(), connection.cursor() as cursor:
        cursor.execute(
            "select f.id from unnest(%s::bigint[]) s(id) cross join lateral (select t.id from (select id from sync_run"
            f" where sync_id = s.id and read > 0) r cross join lateral ({sql}) t(id) order by r.id {way}, t.id {way}"
            f" limit %s) f order by f.id {way} limit %s",
            [list(sync_ids), *params, limit, limit],
        )
        return [row[0] for row in cursor.fetchall()]


def _count_by_runs(asked: LedgerFilter, limit: int) -> int:
    """How many rows the syncs have, up to a limit: in no order, so that it ends with the row that reaches the limit."""
    rows, sync_ids = asked.narrowed(), list(asked.sync_ids or ())
    sql, params = rows.extra(where=["run_id = r.id"]).order_by().values("pk")[:limit].query.sql_with_params()
    with _in_order(), connection.cursor() as cursor:
        cursor.execute(
            f"select count(*) from (select 1 from sync_run r cross join lateral ({sql}) t where r.sync_id = any(%s::bigint[])"
            " and r.read > 0 limit %s) counted",
            [*params, sync_ids, limit],
        )
        number = int(cursor.fetchone()[0])
    decided = (
        rows.filter(run_id=0, sync_id__in=sync_ids).order_by().values("pk")[:limit].count() if number < limit else 0
    )
    return min(number + decided, limit)


def _page(rows: list[Transaction], size: int, *, has_newer: bool, has_older: bool) -> KeysetPage[Transaction]:
    newer = str(rows[0].pk) if rows and has_newer else ""
    older = str(rows[-1].pk) if rows and has_older else ""
    return KeysetPage(rows, newer, older, size)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 18 else None


def count(asked: LedgerFilter, shown: KeysetPage[Transaction] | None = None) -> int | None:
    """How many rows there are, up to COUNT_LIMIT + 1; None when even that takes too long.

    A page that is the only one is counted already.
    """
    if shown is not None and not shown.newer and not shown.older:
        return len(shown.rows)
    try:
        with bounded(seconds=1):
            if asked.goes_by_runs:
                return _count_by_runs(asked, COUNT_LIMIT + 1)
            return asked.rows().order_by().values("pk")[: COUNT_LIMIT + 1].count()
    except ConfigError:
        return None


def count_words(number: int | None) -> str:
    """`12`, `10,000+`, or nothing when it was not counted."""
    if number is None:
        return ""
    return f"{COUNT_LIMIT:,}+" if number > COUNT_LIMIT else f"{number:,}"


@contextmanager
def bounded(seconds: float = TIMEOUT_SECONDS) -> Iterator[None]:
    """Give up on a search that no index answers; raises ConfigError with what would make it fast."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("select current_setting('statement_timeout')")
            (usual,) = cursor.fetchone()
            cursor.execute("select set_config('statement_timeout', %s, true)", [f"{int(seconds * 1000)}ms"])
            yield
            cursor.execute("select set_config('statement_timeout', %s, true)", [usual])
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") != "57014":
            raise
        raise ConfigError(
            "The ledger is too large to answer this.",
            fix="Name a sync, a run, a key or a time as well.",
            code="TOO_WIDE",
        ) from None


# What a word means -----------------------------------------------------------------------------------------
def _named(text: str, entity_id: int | None) -> Q:
    """Rows of the records that go by this key or id anywhere, and of rejected ones that the source calls so."""
    records = record_ids(text, entity_id)
    return Q(record_id__in=records) | Q(record_id__isnull=True, external_id=text)


def _matching(text: str, entity_id: int | None) -> Q:
    """An id or key that is known; else words in the sentence of a row that did not pass."""
    if records := record_ids(text, entity_id):
        return Q(record_id__in=records) | Q(record_id__isnull=True, external_id=text)
    if Transaction.objects.filter(record_id__isnull=True, external_id=text).exists():
        return Q(record_id__isnull=True, external_id=text)
    return Q(outcome__gte=Outcome.QUARANTINED, error_detail__icontains=text)


def record_ids(text: str, entity_id: int | None = None) -> list[int]:
    """Canonical ids of the records that are called so: their key, or an id at any stream."""
    keys = CanonicalRecord.objects.filter(entity_id__in=_entity_ids(entity_id), key=text)
    links = Crosswalk.objects.filter(stream_id__in=_stream_ids(), external_id=text)
    if entity_id is not None:
        links = links.filter(record__entity_id=entity_id)
    return sorted({*keys.values_list("pk", flat=True), *links.values_list("record_id", flat=True)})


def _entity_ids(entity_id: int | None) -> Collection[int]:
    return [entity_id] if entity_id is not None else list(Entity.objects.values_list("pk", flat=True))


def _stream_ids() -> list[int]:
    return list(Stream.objects.values_list("pk", flat=True))


# Time to number --------------------------------------------------------------------------------------------
def _newest_number() -> int:
    return int(Transaction.objects.order_by("-pk").values_list("pk", flat=True).first() or 0)


def _number_at(moment: datetime) -> int:
    """A number such that rows below it are older than `moment`: bisection over the primary key, in one round trip."""
    with connection.cursor() as cursor:
        cursor.execute(
            "with recursive bounds(low, high) as ("
            " select 0::bigint, coalesce((select id from sync_transaction order by id desc limit 1), 0) + 1"
            " union all select case when is_after then low else middle + 1 end, case when is_after then middle else high end"
            " from (select low, high, middle, coalesce((select t.at from sync_transaction t where t.id >= middle"
            " order by t.id limit 1) >= %s, true) as is_after"
            " from (select low, high, (low + high) / 2 as middle from bounds where low < high) b) s"
            ") select max(low) from bounds",
            [moment],
        )
        return int(cursor.fetchone()[0])
