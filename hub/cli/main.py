"""Runs a management command with the services it needs around it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.cli.paths import data_dir
from hub.cli.services import running_services
from hub.common.errors import HubError

# These read files only.
WITHOUT_SERVICES = {"help", "check", "makemigrations", "collectstatic", "connector", "version", "compilemessages"}
AS_OWNER = {"migrate", "prepare", "flush", "dbshell"}
# In the data folder: what the embedded database was last prepared from. Owners' commands may undo that.
PREPARED_MARK = "prepared.mark"
# These must never touch the user's data: they get a hub of their own that is thrown away.
SCRATCH = {("bench",), ("chaos",), ("security",), ("demo", "check"), ("demo", "scenario")}


def run(argv: list[str]) -> None:
    """Entry point of manage.py. Expected failures end with one sentence on stderr and exit code 1."""
    try:
        _dispatch(argv)
    except HubError as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _dispatch(argv: list[str]) -> None:
    words = tuple(word for word in argv[1:] if not word.startswith("-"))
    if not words or words[0] in WITHOUT_SERVICES or {"-h", "--help"} & set(argv):
        _execute(argv)
    elif words[0] == "up":
        from hub.cli.supervisor import up

        up(argv[2:])
    elif words[:1] in SCRATCH or words[:2] in SCRATCH:
        with scratch_hub():
            _with_services(argv)
    else:
        _with_services(argv)


def _with_services(argv: list[str]) -> None:
    with running_services() as started:
        os.environ.setdefault("HUB_DB_ROLE", "owner" if argv[1] in AS_OWNER else "engine")
        if argv[1] in AS_OWNER:
            (data_dir() / PREPARED_MARK).unlink(missing_ok=True)
        if started and argv[1] not in {"migrate", "prepare"}:
            migrate()
        _execute(argv)


def migrate() -> None:
    """Bring schema and shipped model up to date as the owner, in a process of its own: settings are read once."""
    import subprocess

    command = [sys.executable, str(Path(sys.argv[0]).resolve()), "prepare", "--verbosity", "0"]
    done = subprocess.run(command, env={**os.environ, "HUB_DB_ROLE": "owner"}, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"The database could not be prepared: {done.stderr.strip()}")


def _execute(argv: list[str]) -> None:
    from django.core.management import execute_from_command_line

    execute_from_command_line(argv)


@contextmanager
def scratch_hub() -> Iterator[None]:
    """A throw-away data folder (or, with DATABASE_URL, a throw-away database) instead of the user's."""
    kept = {name: os.environ.get(name) for name in ("HUB_DATA", "DATABASE_URL")}
    folder = tempfile.mkdtemp(prefix="syncline-scratch-")
    os.environ["HUB_DATA"] = folder
    drop = _scratch_database() if kept["DATABASE_URL"] else None
    try:
        yield
    finally:
        if drop:
            drop()
        shutil.rmtree(folder, ignore_errors=True)
        for name, value in kept.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _scratch_database():  # type: ignore[no-untyped-def]
    import psycopg

    url = os.environ["DATABASE_URL"]
    base, _, query = url.partition("?")
    name = f"syncline_scratch_{os.getpid()}"
    template = os.environ.get("HUB_DATABASE_TEMPLATE", "template1")
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(f'create database "{name}" template "{template}"')
    os.environ["DATABASE_URL"] = base.rpartition("/")[0] + "/" + name + (f"?{query}" if query else "")
    migrate()

    def drop() -> None:
        with psycopg.connect(url, autocommit=True) as db:
            db.execute(f'drop database if exists "{name}" with (force)')

    return drop
