"""A real Celery worker on the test database, and waiting for what it does."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from hub.cli.paths import ROOT
from hub.cli.process import kill_group, spawn

PATIENCE_SECONDS = 60
QUEUES = "read,deliver,process,monitor,tell,backfill,adopt,look"


@contextmanager
def running_worker(log: Path, *, concurrency: int = 2, program: Sequence[str] = ()) -> Iterator[int]:
    """Yields the worker's pid once it takes work; `program` are Python's arguments for a worker of another kind."""
    database = settings.DATABASES["default"]
    url = f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}"
    env = {**os.environ, "DATABASE_URL": os.environ["DATABASE_URL"] if not database["HOST"].startswith("/") else url}
    command = [sys.executable, "-m", "celery", "-A", "hub", "worker", "-c", str(concurrency), "-Q", QUEUES]
    command += ["--loglevel", "INFO", "--without-gossip", "--without-mingle", "-n", f"test{os.getpid()}@%h"]
    command = [sys.executable, *program] if program else command
    with open(log, "wb") as output:
        process = spawn(command, env={**env, "HUB_DB_ROLE": "engine"}, log=output.fileno(), cwd=ROOT)
    try:
        eventually(lambda: process.poll() is not None or b"ready." in log.read_bytes(), lambda: log.read_text())
        assert process.poll() is None, log.read_text()
        yield process.pid
    finally:
        kill_group(process)


def eventually(
    check: Callable[[], object], explain: Callable[[], str] = lambda: "", *, patience: float = PATIENCE_SECONDS
) -> None:
    deadline = time.monotonic() + patience
    while not check():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.05)
