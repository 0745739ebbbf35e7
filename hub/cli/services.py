"""PostgreSQL and Valkey for one data folder: attach to the ones that run, or start them and stop them at the end.

Exactly one process owns a data folder: it holds an exclusive lock on `hub.lock`. Whoever merely uses the services holds a
shared lock on `users.lock`, for which the owner waits before it stops them.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from hub.cli.paths import data_dir, socket_dir
from hub.cli.postgres import EmbeddedPostgres
from hub.cli.valkey import EmbeddedValkey
from hub.common.errors import ConfigError

ATTACH_TIMEOUT_SECONDS = 60
ADDRESSES = "services.json"


@dataclass
class Services:
    """The services that this process started; an external URL means there is nothing to start for that one."""

    data: Path
    postgres: EmbeddedPostgres | None = None
    valkey: EmbeddedValkey | None = None
    _lock: IO[str] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start what no URL is given for, and publish the addresses in the environment and the folder.

        Called from the main thread: the kernel ends a child when the *thread* that made it ends.
        """
        for service in (self.valkey, self.postgres):
            if service:
                service.start()
        if self.postgres:
            os.environ["DATABASE_URL"] = self.postgres.url
        if self.valkey:
            os.environ["REDIS_URL"] = self.valkey.url
        addresses = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")}
        partial = self.data / f"{ADDRESSES}.part"
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(addresses))
        partial.rename(self.data / ADDRESSES)

    def stop(self, grace_seconds: float = 2.0) -> None:
        (self.data / ADDRESSES).unlink(missing_ok=True)
        with ThreadPoolExecutor(2) as pool:
            for service in (self.valkey, self.postgres):
                if service:
                    pool.submit(service.stop, grace_seconds)
        for name, service in (("DATABASE_URL", self.postgres), ("REDIS_URL", self.valkey)):
            if service:
                os.environ.pop(name, None)
        if self._lock:
            self._lock.close()

    def revive(self) -> None:
        """Start again what has ended by itself."""
        for service in (self.valkey, self.postgres):
            if service and service.child and service.child.poll() is not None:
                service.start()

    def wait_for_users(self) -> None:
        """Block until no attached command uses the services any more."""
        with open(self.data / "users.lock", "w") as users:
            fcntl.flock(users, fcntl.LOCK_EX)


_own: Services | None = None


def own() -> Services | None:
    """The services that this process has started for its command."""
    return _own


def needs_embedded() -> bool:
    return not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"))


def claim(data: Path) -> Services | None:
    """Become the owner of the data folder, or None when another process is."""
    lock = open(data / "hub.lock", "a+")  # noqa: SIM115 - stays open as long as we run
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    (data / ADDRESSES).unlink(missing_ok=True)
    sockets = socket_dir(data)
    postgres = None if os.environ.get("DATABASE_URL") else EmbeddedPostgres(data, sockets)
    valkey = None if os.environ.get("REDIS_URL") else EmbeddedValkey(data, sockets)
    return Services(data, postgres, valkey, lock)


@contextmanager
def running_services() -> Iterator[bool]:
    """Services for the duration of a command. Yields True when they were started for it, False when it attached."""
    if not needs_embedded():
        yield False
        return
    data = data_dir()
    with open(data / "users.lock", "a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        owned = _claim_or_attach(data)
        if not owned:
            yield False
            return
    global _own
    _own = owned
    try:
        owned.start()
        yield True
    finally:
        owned.wait_for_users()
        owned.stop()
        _own = None


def _claim_or_attach(data: Path) -> Services | None:
    deadline = time.monotonic() + ATTACH_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if owned := claim(data):
            return owned
        try:
            os.environ.update(json.loads((data / ADDRESSES).read_text()))
            return None
        except (OSError, ValueError):
            time.sleep(0.05)
    raise ConfigError(
        "Another process holds the data folder but its services do not answer.",
        where=str(data / "hub.lock"),
        fix="Stop the process whose id stands in that file and try again.",
    )
