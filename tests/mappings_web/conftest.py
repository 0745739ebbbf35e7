from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hub.records.store import forget_profiles
from mappings.models import Mapping, ValueMap
from tests.mappings_web import world


@pytest.fixture
def draft(domains: dict[str, Any]) -> Mapping:
    """A new mapping with an empty draft."""
    return world.mapping()


@pytest.fixture
def live(domains: dict[str, Any]) -> Mapping:
    """A mapping whose version 1 is live and which has no draft."""
    return world.mapping(rules=world.RULES)


@pytest.fixture
def kinds(domains: dict[str, Any]) -> ValueMap:
    return world.value_map()


@pytest.fixture(autouse=True)
def no_profile_outlives_its_database() -> Iterator[None]:
    """Tests empty the tables; ids that the process remembers would then point nowhere."""
    yield
    forget_profiles()
