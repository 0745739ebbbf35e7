from __future__ import annotations

from typing import Any

import pytest

from tests.exceptions.world import World


@pytest.fixture
def world(domains: Any) -> World:
    return World()
