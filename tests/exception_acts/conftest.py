"""Addresses of exceptions are mounted here where the hub does not mount them yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.exception_acts import builders as build


@pytest.fixture(autouse=True)
def mounted(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.exception_acts.mount"


@pytest.fixture(autouse=True)
def no_profile_outlives_its_database() -> Iterator[None]:
    yield
    from hub.records.store import forget_profiles

    forget_profiles()


@pytest.fixture
def firm(domains: Any) -> Any:
    return build.world()
