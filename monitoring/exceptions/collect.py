"""The projector of the queue: looks at all that is open in the hub, and makes the queue say the same.

    1  what every part of the hub has open now, as (origin, key, digest)
    2  what the queue does not have yet, or in another way: read in full, valued, classified, routed
    3  what is open no more: resolved by itself, with the ledger row that shows why
    4  order and figures

A sweep is one transaction and depends on nothing that it did before, so a lost message costs fifteen seconds. Two never run
at once. What a person has set (cause, team, assignee, snooze) stays.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from hub.common.db import plain_cursor
from hub.records.rates import rates_on
from monitoring.exceptions import intake, ranking, resolving, storing
from monitoring.exceptions.intake import Found
from monitoring.exceptions.judging import Judge, Known
from monitoring.exceptions.letters import DELIVERY, HELD, Letters
from monitoring.exceptions.valuing import Cards, complete
from monitoring.models import ExceptionItem, ExceptionSweep

log = logging.getLogger(__name__)
LOCK = 0x45584351
CHUNK = 2_000
LETTERS = (HELD, DELIVERY)

_SEEN = """
create temporary table if not exists exception_seen (origin text not null, key text not null, digest text not null)
  on commit drop
"""
# What the hub goes on with by itself is left to it; what waits, for as long as a parent usually takes; and of possible
# duplicates the held record is not one more thing to settle.
_OF_LETTERS = """
insert into exception_seen
select case l.leg when 'in' then 'held' else 'delivery' end,
  case l.leg when 'in' then 'held:' || l.sync_id || ':' || l.external_id
    else 'delivery:' || l.sync_id || ':' || l.record_id end,
  md5(concat_ws('|', l.state, l.error_code, l.field, l.error_detail, l.version, l.failed_at))
from sync_dead_letter l
where (l.state in ('dead', 'held', 'quarantined') or (l.state = 'unsure' and l.acts_at is null)
  or (l.state = 'waiting' and l.leg = 'out' and l.failed_at <= %(waited)s)
  or (l.state = 'waiting' and l.leg = 'in' and exists (select 1 from sync_heldrecord h
    where h.sync_id = l.sync_id and h.external_id = l.external_id and h.first_at <= %(waited)s)))
  and not (l.leg = 'in' and exists (select 1 from sync_duplicate d
    where d.sync_id = l.sync_id and d.external_id = l.external_id and d.status in ('open', 'decided')))
"""
_NEWS = f"""
select s.origin, s.key, s.digest, i.id, i.opened_at, case when i.cause <> i.classified_as then i.cause else '' end
from exception_seen s
left join monitoring_exceptionitem i on i.origin_key = s.key and i.state in {ranking.UNSETTLED}
where i.id is null or i.digest <> s.digest order by s.key
"""


@dataclass(slots=True)
class Sweep:
    """What one sweep did. `problems` name sources that could not be asked: their items stay as they are."""

    opened: int = 0
    updated: int = 0
    resolved: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


def collect() -> Sweep | None:
    """Sweep once; None when another sweep is at work."""
    started = time.monotonic()
    with transaction.atomic(), plain_cursor() as cursor:
        if not _locked(cursor):
            return None
        done = _sweep(cursor)
        done.seconds = round(time.monotonic() - started, 3)
        _remember(done)
    return done


def _locked(cursor: psycopg.Cursor[Any]) -> bool:
    row = cursor.execute("select pg_try_advisory_xact_lock(%s)", [LOCK]).fetchone()
    return bool(row and row[0])


def _sweep(cursor: psycopg.Cursor[Any]) -> Sweep:
    last = ExceptionSweep.objects.filter(pk=1).first()
    judge, done = Judge(rates_on()), Sweep()
    given = _see(cursor, done)
    done.resolved = resolving.resolve(cursor, [*LETTERS, *given])
    ranking.revalue(cursor, judge.rates, last.rates if last else {})
    if last and last.rules_digest != judge.digest:
        done.updated += _judge_again(cursor, judge)
    _take_in(cursor, judge, given, done)
    ranking.rerank(cursor, judge.moments)
    ranking.refresh_groups(cursor)
    storing.remember_rules(judge)
    return done


# 1 What is open ---------------------------------------------------------------------------------------------
def _see(cursor: psycopg.Cursor[Any], done: Sweep) -> dict[str, dict[str, Found]]:
    """Fill `exception_seen`; answers what the sources gave, by origin and key. Sources that fail are left out."""
    cursor.execute(_SEEN)
    cursor.execute("truncate exception_seen")
    waited = timezone.now() - timedelta(seconds=settings.HUB_EXCEPTION_WAIT_SECONDS)
    cursor.execute(_OF_LETTERS, {"waited": waited})
    given: dict[str, dict[str, Found]] = {}
    for name, source in intake.sources().items():
        try:
            with transaction.atomic():
                given[name] = {f"{name}:{found.key.removeprefix(f'{name}:')}": found for found in source()}
        except Exception as error:
            log.exception("A source of exceptions failed.", extra={"origin": name})
            done.problems.append(f"{name}: {error}")
    with cursor.copy("copy exception_seen (origin, key, digest) from stdin") as copy:
        for name, found in given.items():
            for key, one in found.items():
                copy.write_row((name, key, _digest(one)))
    cursor.execute("analyze exception_seen (key)")
    return given


def _digest(found: Found) -> str:
    said = [str(getattr(found, name)) for name in Found.__slots__ if name not in ("body", "since")]
    return hashlib.md5("|".join(said).encode(), usedforsecurity=False).hexdigest()


# 2 What is new ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class News:
    """One thing that the queue lacks or has in another way."""

    origin: str
    key: str
    digest: str
    item_id: int | None
    opened_at: datetime | None
    cause: str | None

    @property
    def known(self) -> Known:
        return Known(self.item_id, self.opened_at, self.cause or "")


def _take_in(cursor: psycopg.Cursor[Any], judge: Judge, given: dict[str, dict[str, Found]], done: Sweep) -> None:
    news = [News(*row) for row in cursor.execute(_NEWS).fetchall()]
    letters, cards = Letters(), Cards()
    for chunk in _chunks(news):
        found = list(_read(chunk, letters, given))
        complete([one for _, one in found], cards)
        by_key = {one.key: one for one in chunk}
        judged = [judge.of(origin, one, by_key[one.key].known) for origin, one in found]
        opened, updated = storing.store(cursor, judged, {one.key: one.digest for one in chunk})
        done.opened += opened
        done.updated += updated


def _read(news: Sequence[News], letters: Letters, given: dict[str, dict[str, Found]]) -> Iterator[tuple[str, Found]]:
    keys = [(one.origin, one.key.split(":", 2)) for one in news if one.origin in LETTERS]
    held = letters.held([(int(sync), ref) for origin, (_, sync, ref) in keys if origin == HELD])
    out = letters.deliveries([(int(sync), int(ref)) for origin, (_, sync, ref) in keys if origin == DELIVERY])
    yield from ((HELD, one) for one in held)
    yield from ((DELIVERY, one) for one in out)
    for one in news:
        if one.origin not in LETTERS:
            found = given[one.origin][one.key]
            found.key = one.key
            yield one.origin, found


def _chunks(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def _judge_again(cursor: psycopg.Cursor[Any], judge: Judge) -> int:
    """Open items by rules that have changed."""
    rows: Iterable[ExceptionItem] = ExceptionItem.objects.filter(state__in=ExceptionItem.UNSETTLED).order_by("id")
    updated = 0
    for chunk in _chunks(list(rows)):
        updated += storing.store(cursor, [judge.again(item) for item in chunk], {})[1]
    return updated


def _remember(done: Sweep) -> None:
    ExceptionSweep.objects.filter(pk=1).update(
        checked_at=timezone.now(),
        seconds=done.seconds,
        opened=done.opened,
        updated=done.updated,
        resolved=done.resolved,
        problems=done.problems,
    )
