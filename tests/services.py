"""Early pytest plugin: real PostgreSQL and Valkey for the whole session, before Django's settings are read.

With DATABASE_URL and REDIS_URL set, the suite runs against those.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from hub.cli.services import Services, claim

_started: list[tuple[Services, Path]] = []


def pytest_load_initial_conftests() -> None:
    folder = Path(tempfile.mkdtemp(prefix="syncline-test-"))
    os.environ["HUB_DATA"] = str(folder)
    os.environ.setdefault("HUB_DB_ROLE", "owner")
    os.environ.setdefault("HUB_STATIC_STORAGE", "django.contrib.staticfiles.storage.StaticFilesStorage")
    os.environ.setdefault("HUB_TLS", "0")
    services = claim(folder)
    assert services, "a fresh folder has no owner"
    services.start()
    _started.append((services, folder))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    while _started:
        services, folder = _started.pop()
        services.stop()
        shutil.rmtree(folder, ignore_errors=True)
