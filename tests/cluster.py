"""One migrated cluster for each state of the migrations: sessions and the hubs of tests start from a copy of it.

A copy takes a second, migrating takes most of a minute, and more than fifty tests need a hub of their own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hub.cli.paths import ROOT
from hub.cli.postgres import DATABASE, OWNER
from hub.cli.services import Services, claim

TEST_DATABASE = f"{DATABASE}_test"
MADE_FROM = ("*/migrations/*.py", "*/*/migrations/*.py", "hub/cli/postgres.py", "requirements.lock", "tests/cluster.py")
KEPT_SECONDS = 2 * 24 * 3600.0


def template() -> Path:
    """The folder of a stopped cluster with the databases `syncline` and `syncline_test`, migrated; made when missing."""
    ready = _home() / _digest()
    if not ready.exists():
        _forget_old(ready.parent)
        made = Path(tempfile.mkdtemp(prefix="making-", dir=ready.parent))
        _make(made)
        try:
            made.rename(ready)
        except OSError:  # somebody else was as quick
            shutil.rmtree(made)
    os.utime(ready)
    return ready / "pg"


def _home() -> Path:
    folder = Path(tempfile.gettempdir()) / f"syncline-clusters-{os.getuid()}"
    folder.mkdir(mode=0o711, exist_ok=True)
    assert folder.stat().st_uid == os.getuid(), f"{folder} belongs to somebody else: remove it."
    return folder


def _digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for pattern in MADE_FROM for path in ROOT.glob(pattern)):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _make(folder: Path) -> None:
    services = claim(folder)
    assert services, "a fresh folder has no owner"
    services.start()
    try:
        _migrate(folder)
        _complete(services)
    finally:
        services.stop(grace_seconds=20)


def _migrate(folder: Path) -> None:
    env = {**os.environ, "HUB_DATA": str(folder), "HUB_DB_ROLE": "owner"}
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _complete(services: Services) -> None:
    assert services.postgres
    with services.postgres.connect() as db:
        # What a killed server has written is still written; only a machine that loses its power would notice.
        db.execute("alter system set fsync = off")
        db.execute("alter system set full_page_writes = off")
        db.execute(f"create database {TEST_DATABASE} template {DATABASE} owner {OWNER}")


def _forget_old(home: Path) -> None:
    for folder in home.iterdir():
        if time.time() - folder.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
