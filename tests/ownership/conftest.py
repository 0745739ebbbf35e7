from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_profile_outlives_its_database() -> Iterator[None]:
    """Tests empty the tables; ids that the process remembers would then point nowhere."""
    yield
    from hub.records.store import forget_profiles

    forget_profiles()
