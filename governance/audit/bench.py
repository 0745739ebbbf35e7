"""`manage.py bench audit`: sealing and checking a long chain, beside hashing the same rows, and who touched it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import psycopg

from governance.audit import chain, writing
from governance.audit.verifying import verify

TOUCHED = 1_000


def bench_audit(records: int) -> dict[str, Any]:
    """Figures for a chain of so many entries; `passed` when it is sound, and then every touched row and no other is named."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as db:
        _fill(db, records)
        _, seal_seconds = _timed(writing.seal)
        sound, seconds = _timed(verify)
        _, hash_seconds = _timed(lambda: _hash_alone(db))
        touched = _touch(db, min(TOUCHED, records // 2))
        found = verify()
    named = sorted(row.seq for row in found.tampered)
    return {
        "records": records,
        "seal_per_s": round(records / seal_seconds),
        "verify_seconds": round(seconds, 2),
        "verify_per_s": round(sound.rows / seconds),
        "ratio_to_hashing_alone": round(hash_seconds / seconds, 3),
        "touched": len(touched),
        "named": len(named),
        "passed": sound.ok and sound.rows >= records and named == touched,
    }


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    found = work()
    return found, time.perf_counter() - began


def _fill(db: psycopg.Connection[Any], records: int) -> None:
    db.execute(
        "with made as (insert into governance_auditentry (act, kind, name, domain, actor, on_behalf_of, reason, before_hash,"
        " after_hash, details) select 'sync.saved', 'Sync', 'sync-' || n %% 500, '', 'Ada', '', 'Because of ' || n,"
        " encode(sha256(n::text::bytea), 'hex'), encode(sha256((n + 1)::text::bytea), 'hex'), jsonb_build_object('n', n)"
        " from generate_series(1, %s) n returning id)"
        " insert into governance_auditpending (entry_id) select id from made",
        [records],
    )


def _hash_alone(db: psycopg.Connection[Any]) -> bytes:
    """The bare limit: the same rows out of the same table, and one hash over each."""
    digest = chain.GENESIS
    with db.transaction(), db.cursor("bare") as cursor:
        cursor.itersize = 5_000
        for seq, row in enumerate(
            cursor.execute(f"select {chain.SELECT} from governance_auditentry e order by e.id"), 1
        ):
            digest = chain.link(digest, seq, row)
    return digest


def _touch(db: psycopg.Connection[Any], number: int) -> list[int]:
    """What somebody does who has the database in hand: every so many-th entry gets another actor."""
    total = db.execute("select max(seq) from governance_auditseal").fetchone()
    every = (total[0] if total else 0) // number
    db.execute("alter table governance_auditentry disable trigger user")
    rows = db.execute(
        "update governance_auditentry e set actor = 'Eve' from governance_auditseal s where s.entry_id = e.id"
        " and s.seq %% %s = 0 and s.seq <= %s returning s.seq",
        [every, every * number],
    ).fetchall()
    db.execute("alter table governance_auditentry enable trigger user")
    return sorted(row[0] for row in rows)
