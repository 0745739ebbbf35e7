"""Faults of what the hub stands on: the broker forgets, dies, is full or cuts connections; so does the database."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings

from hub.cli import services
from hub.cli.process import end, kill_group
from hub.cli.valkey import refuse_evicting_broker
from hub.common.errors import ConfigError
from hub.common.health import check_broker
from hub.sync import runs
from hub.sync.chaos.crew import DRAIN_SECONDS, Crew
from hub.sync.chaos.fault import Fault, Nemesis, Options, Stage
from hub.sync.chaos.interrupter import Interrupter, Strike

DOWN_SECONDS = (0.1, 1.5)
FULL_SECONDS = (1.0, 3.0)
FILLING, FILLINGS = b"x" * 65_536, 128


@contextmanager
def broker() -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(settings.REDIS_URL.replace("redis+socket://", "unix://"))
    try:
        yield client
    finally:
        client.close()


def striking(strike: Strike, **more: object) -> Callable[[Options, random.Random], Nemesis]:
    def made(options: Options, pick: random.Random) -> Nemesis:
        told = {"within_seconds": options.within} if options.within else {}
        return Interrupter(pick, options.kills, strike, **{**more, **told})  # type: ignore[arg-type]

    return made


# The broker ----------------------------------------------------------------------------------------------------
def flush(stage: Stage, crew: Crew, pick: random.Random) -> bool:
    with broker() as client:
        client.flushall()
    return True


def restart_broker(stage: Stage, crew: Crew, pick: random.Random) -> bool:
    """kill -9; what it kept on disk is gone too."""
    own = services.own()
    if own is None or own.valkey is None or own.valkey.child is None:
        return False
    kill_group(own.valkey.child)
    shutil.rmtree(own.data / "valkey", ignore_errors=True)
    time.sleep(pick.uniform(*DOWN_SECONDS))
    own.revive()
    return True


def flush_or_restart_broker(stage: Stage, crew: Crew, pick: random.Random) -> bool:
    return pick.choice((flush, restart_broker))(stage, crew, pick)


def reset_broker(stage: Stage, crew: Crew, pick: random.Random) -> bool:
    return stage.through["broker"].reset_all() > 0


def fill_broker(stage: Stage, crew: Crew, pick: random.Random) -> bool:
    """Its memory is full for a while: it refuses whatever is sent to it, and says so when it is asked for its health."""
    with broker() as client:
        client.rpush("chaos", *[FILLING] * FILLINGS)
        client.config_set("maxmemory", len(FILLING) * FILLINGS)
        time.sleep(pick.uniform(*FULL_SECONDS))
        is_red = not _is_well()
        client.delete("chaos")
        client.config_set("maxmemory", 0)
    return is_red


def _is_well() -> bool:
    try:
        return check_broker() == "ok"
    except redis.exceptions.RedisError:
        return False


# The database --------------------------------------------------------------------------------------------------
def restart_database(stage: Stage, crew: Crew, pick: random.Random) -> bool:
    """An immediate shutdown: no session may end what it does, the next start recovers from the log."""
    own = services.own()
    if own is None or own.postgres is None or own.postgres.child is None:
        return False
    end(own.postgres.child, signal.SIGQUIT, grace_seconds=10)
    time.sleep(pick.uniform(*DOWN_SECONDS))
    own.revive()
    return True


def cut_at_commit(stage: Stage, crew: Crew, pick: random.Random) -> bool:
    """A connection breaks between a COMMIT and its answer: it was carried out, and the worker cannot know."""
    database = stage.through["database"]
    before = database.fired["cut_at"]
    database.cut_at, database.cuts_left = b"COMMIT\x00", 1
    deadline = time.monotonic() + 5
    while database.fired["cut_at"] == before and time.monotonic() < deadline:
        time.sleep(0.01)
    database.cuts_left = 0
    return database.fired["cut_at"] > before


def restart_or_cut_database(stage: Stage, crew: Crew, pick: random.Random) -> bool:
    return pick.choice((restart_database, cut_at_commit))(stage, crew, pick)


@dataclass
class Relief(Interrupter):
    """Workers are replaced; each has to be through with what it does within a minute."""

    crew: Crew | None = None

    def act(self, crew: Crew) -> None:
        self.crew = crew
        super().act(crew)

    def figures(self) -> dict[str, Any]:
        return {**super().figures(), "slowest_drain_seconds": round(self.crew.slowest_drain, 1) if self.crew else 0.0}

    def problem(self) -> str:
        drained = self.crew.slowest_drain if self.crew else 0.0
        return super().problem() or (f"A worker needed {drained:.0f} s to finish." if drained > DRAIN_SECONDS else "")


# Workers -------------------------------------------------------------------------------------------------------
def relieve(stage: Stage, crew: Crew, pick: random.Random) -> bool:
    crew.relieve()
    return True


def missing() -> str:
    own = services.own()
    if own is None or own.valkey is None or own.postgres is None:
        return "broker and database are not the hub's own (DATABASE_URL or REDIS_URL is set), so they are left alone"
    return ""


def missing_or_evicting() -> str:
    return missing() or _takes_an_evicting_broker()


def _takes_an_evicting_broker() -> str:
    with broker() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            refuse_evicting_broker(settings.REDIS_URL)
        except ConfigError:
            return ""
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    return "a broker that evicts was not refused"


FAULTS = (
    Fault(
        "F3",
        "The broker forgets everything, or dies with all it held",
        striking(flush_or_restart_broker),
        missing=missing,
        lease_seconds=runs.LEASE_SECONDS,
    ),
    Fault(
        "F4",
        "Connections to the broker are reset while all is quiet",
        striking(reset_broker, when_idle=True, within_seconds=60.0),
        through=("broker",),
        missing=missing,
    ),
    Fault(
        "F5",
        "The broker's memory is full",
        striking(fill_broker),
        missing=missing_or_evicting,
        lease_seconds=runs.LEASE_SECONDS,
    ),
    Fault(
        "F6",
        "The database dies, or breaks a connection between COMMIT and its answer",
        striking(restart_or_cut_database),
        through=("database",),
        missing=missing,
        lease_seconds=runs.LEASE_SECONDS,
    ),
    Fault(
        "F24",
        "Workers are replaced one after the other (SIGTERM) in the middle of their work",
        lambda options, pick: Relief(pick, options.kills, relieve),
        lease_seconds=runs.LEASE_SECONDS,
    ),
)
