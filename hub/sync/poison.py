"""Records over which workers fall (SIGSEGV, out of memory, an endless computation): counted, taken alone, set aside.

A worker that fell has said nothing. Whoever takes its run over suspects every record that it may have had in hand, and takes
each of them alone. What is about to be touched alone is committed with its count first, so that the next crash has a name;
at the third, the record is set aside. A record that gets through is innocent. While no worker falls, nothing of this is
written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from django.db import transaction

from hub.common.db import plain_cursor
from hub.common.errors import PermanentError, RecordError
from hub.records.copying import texts
from hub.sync import runs
from hub.sync.models import Delivery, Run, Suspect

MAX_CRASHES = 3
CODE = "POISON"
STAGE = "one by one"
WHAT = (
    f"Each of the {MAX_CRASHES} times that a worker had this record in hand, the worker fell: it was killed, it crashed,"
    " it ran out of memory, or it took longer than a task may."
)
FIX = "Look for what is unusual in the record and for what the mapping computes from it, then let it be tried again."


class Count(NamedTuple):
    crashes: int
    hash: bytes | None
    passed_run_id: int | None


def set_aside_out() -> PermanentError:
    return PermanentError(WHAT, fix=FIX, code=CODE)


def set_aside_in() -> RecordError:
    return RecordError(WHAT, fix=FIX, code=CODE)


def who_fell_over(run: Run) -> bool:
    """Whether the last worker fell over a record that it had taken alone, whose count says so; nothing is in hand after it.

    Where the last worker did not fall, what it had in hand when it stopped does not count.
    """
    has_fallen = run.claims > 1
    with plain_cursor() as cursor:
        cursor.execute(
            "update sync_suspect set is_in_hand = false, crashes = crashes - %s where sync_id = %s and is_in_hand",
            [int(not has_fallen), run.sync_id],
        )
        return has_fallen and cursor.rowcount > 0


def suspect(cursor: Any, sync_id: int, records: Mapping[str, bytes | None]) -> None:
    """A worker fell while it had these in hand: key → hash of its content. Another content than before begins anew."""
    cursor.execute(
        "insert into sync_suspect as s (sync_id, key, crashes, hash) select %s, u.key, 1, u.hash"
        " from unnest(%s::text[], %s::bytea[]) u(key, hash) order by u.key"
        " on conflict (sync_id, key) do update set crashes = 1, hash = excluded.hash, passed_run_id = null"
        " where s.hash is distinct from excluded.hash",
        [sync_id, texts(records), list(records.values())],
    )


def counts(sync_id: int) -> dict[str, Count]:
    with plain_cursor() as cursor:
        rows = cursor.execute(
            "select key, crashes, hash, passed_run_id from sync_suspect where sync_id = %s", [sync_id]
        ).fetchall()
    return {row[0]: Count(*row[1:]) for row in rows}


def crashes_of(delivery: Delivery) -> int:
    """How often a worker fell over a delivery that is still taken alone."""
    row = Suspect.objects.filter(sync_id=delivery.sync_id, key=str(delivery.record_id)).first()
    return row.crashes if row else 0


def take_in_hand(run: Run, key: str) -> None:
    """Commit that this record is about to be touched alone; whichever was in hand before has got through."""
    with transaction.atomic(), plain_cursor() as cursor:
        runs.fence(cursor, run, counts={}, stage=STAGE)
        put_down(cursor, run)
        cursor.execute(
            "update sync_suspect set crashes = crashes + 1, is_in_hand = true where sync_id = %s and key = %s",
            [run.sync_id, key],
        )


def note_passed(run: Run, key: str) -> None:
    """This record has been dealt with in this run, without being touched."""
    with plain_cursor() as cursor:
        cursor.execute(
            "update sync_suspect set passed_run_id = %s where sync_id = %s and key = %s", [run.pk, run.sync_id, key]
        )


def put_down(cursor: Any, run: Run) -> None:
    cursor.execute(
        "update sync_suspect set is_in_hand = false, passed_run_id = %s where sync_id = %s and is_in_hand",
        [run.pk, run.sync_id],
    )


def clear(cursor: Any, sync_id: int, keys: Collection[str]) -> None:
    """These are innocent."""
    cursor.execute("delete from sync_suspect where sync_id = %s and key = any(%s)", [sync_id, texts(keys)])
