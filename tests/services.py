"""Early pytest plugin: real PostgreSQL and Valkey for the whole session, before Django's settings are read.

With DATABASE_URL and REDIS_URL set, the suite runs against those. Each worker of pytest-xdist has services of its own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from hub.cli.postgres import DATABASE
from hub.cli.services import Services, claim
from tests.cluster import TEST_DATABASE, template
from tests.emptying import empty, truncate_all

# Addresses that the run's first process set for itself; its workers inherit them and must not share them.
OWN_ADDRESSES = "HUB_TEST_OWN_ADDRESSES"

_started: list[tuple[Services, Path]] = []


def _start() -> None:
    """On import: pytest-django reads the settings in its first hook, which must find the addresses."""
    for name in os.environ.pop(OWN_ADDRESSES, "").split():
        os.environ.pop(name, None)
    folder = Path(tempfile.mkdtemp(prefix="syncline-test-"))
    os.environ["HUB_DATA"] = str(folder)
    os.environ.setdefault("HUB_DB_ROLE", "owner")
    os.environ.setdefault("HUB_STATIC_STORAGE", "django.contrib.staticfiles.storage.StaticFilesStorage")
    os.environ.setdefault("HUB_TLS", "0")
    services = claim(folder)
    assert services, "a fresh folder has no owner"
    own = [name for name in ("DATABASE_URL", "REDIS_URL") if name not in os.environ]
    if services.postgres:
        os.environ.setdefault("HUB_CLUSTER_TEMPLATE", str(template()))
        os.environ.setdefault("HUB_DATABASE_TEMPLATE", DATABASE)
    services.start()
    os.environ[OWN_ADDRESSES] = " ".join(own)
    _started.append((services, folder))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """The database of the tests came migrated with the cluster, which is gone afterwards: nothing to make or to drop."""
    if _started and _started[-1][0].postgres:
        config.option.reuse_db = True


def pytest_sessionstart() -> None:
    """Tests that commit are followed by a flush; ours also empties the ledger and knox's own unused table."""
    from django.db.backends.postgresql.operations import DatabaseOperations

    DatabaseOperations.sql_flush = _flush_everything


def _forget_everything() -> None:
    """What the program keeps by id: ids begin anew in emptied tables."""
    from hub.events import business, interests
    from hub.gateway import known, traffic
    from hub.processes import starting
    from hub.records import store
    from monitoring.close import awaiting

    for forget in (
        store.forget_profiles, business.forget, interests.forget, starting.forget, awaiting.forget_syncs,
        known.forget, traffic.forget,
    ):  # fmt: skip
        forget()


def _flush_everything(self: Any, style: Any, tables: Any, **options: Any) -> list[str]:
    _forget_everything()
    if postgres := _started[-1][0].postgres:
        empty(postgres.connect(TEST_DATABASE))
        return []
    with self.connection.cursor() as cursor:
        return [truncate_all(cursor)]


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    while _started:
        services, folder = _started.pop()
        services.stop()
        shutil.rmtree(folder, ignore_errors=True)


_start()
