from __future__ import annotations

from typing import Any

import pytest

from tests import memory

from .builders import World


@pytest.fixture(autouse=True)
def memory_systems() -> None:
    memory.SYSTEMS.clear()


@pytest.fixture
def world(domains: Any) -> World:
    return World()
