from __future__ import annotations

from collections.abc import Iterator

import pytest

from hub.sync.models import Sync
from tests.sync import builders as build
from tests.sync import worlds


@pytest.fixture(autouse=True)
def no_profile_outlives_its_database() -> Iterator[None]:
    yield
    from hub.records.store import forget_profiles

    forget_profiles()


@pytest.fixture
def firm(domains: object) -> worlds.Firm:
    """The PSA is read whole each time and what it does not show any more is gone; the ERP deactivates it."""
    made = worlds.make()
    Sync.objects.filter(pk=made.inbound.pk).update(mode="full", removals="detect")
    made.inbound.refresh_from_db()
    made.erp.removals = frozenset({"deactivate", "delete"})
    return made


def rows(*numbers: int) -> list[dict[str, object]]:
    return [build.project_row(number) for number in numbers]
