"""A session that locks what workers need, in the wrong order or for too long."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import psycopg

from hub.cli import services
from hub.cli.postgres import DATABASE, OWNER
from hub.sync.chaos.crew import Crew
from hub.sync.chaos.fault import Stage
from hub.sync.chaos.interrupter import Interrupter

DEADLOCK_SECONDS, LOCK_SECONDS = 0.3, 1.5
PATIENCE_SECONDS = 5.0


@dataclass
class Locker(Interrupter):
    """Workers notice a deadlock soon and do not wait for locks for long; our own sessions never give way."""

    def enter(self, stage: Stage) -> None:
        super().enter(stage)
        with _session() as db:
            db.execute(f"alter role {OWNER} set deadlock_timeout = '{DEADLOCK_SECONDS}s'")
            db.execute(f"alter role {OWNER} set lock_timeout = '{LOCK_SECONDS}s'")

    def figures(self) -> dict[str, object]:
        with _session() as db:
            row = db.execute("select deadlocks from pg_stat_database where datname = %s", [DATABASE]).fetchone()
        return {**super().figures(), "deadlocks": row[0] if row else 0}


def lock_in_reverse_or_long(stage: Stage, crew: Crew, pick: random.Random) -> bool:
    return _hold(stage, in_reverse=pick.random() < 0.7)


def _hold(stage: Stage, *, in_reverse: bool) -> bool:
    """Lock the outbox until a worker waits for it; then want the worker's run, which its transaction locked first."""
    with _session() as db, db.transaction():
        db.execute("set local deadlock_timeout = '60s'")
        db.execute("select 1 from sync_delivery where sync_id = %s for update", [stage.outbound.pk])
        if not _somebody_waits(db):
            return False
        if in_reverse:
            db.execute(
                "select 1 from sync_run where sync_id = any(%s) for update", [[stage.inbound.pk, stage.outbound.pk]]
            )
        else:
            time.sleep(LOCK_SECONDS * 1.2)
        return True


def _somebody_waits(db: psycopg.Connection) -> bool:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        row = db.execute(
            "select 1 from pg_stat_activity where wait_event_type = 'Lock' and pg_backend_pid() = any(pg_blocking_pids(pid))"
        ).fetchone()
        if row:
            return True
        time.sleep(0.01)
    return False


def _session() -> psycopg.Connection:
    own = services.own()
    assert own
    assert own.postgres
    return own.postgres.connect(DATABASE)
