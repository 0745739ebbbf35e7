"""The one query of a page that finds who may be meant answers as the plain words of the rule do, whatever stands there."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.common.db import plain_cursor
from hub.records.models import CanonicalRecord, Crosswalk, ProvenanceProfile
from hub.sync.duplicates import comparing
from hub.sync.models import MatchBlock
from tests.sync import builders as build
from tests.sync.test_duplicates import CUSTOMER

pytestmark = pytest.mark.django_db
RECORDS, BLOCKS = 8, 5
NOW = datetime(2026, 11, 30, tzinfo=UTC)
# Of each record: whether it lives, which streams show it (True: no longer), and the blocks in which it stands.
SHOWN = st.dictionaries(st.integers(0, 2), st.booleans(), max_size=3)
WORLD = st.lists(st.tuples(st.booleans(), SHOWN, st.sets(st.integers(1, BLOCKS))), max_size=RECORDS)
WANTED = st.lists(st.tuples(st.integers(0, 3), st.integers(1, BLOCKS)), max_size=12)


@pytest.fixture
def streams(domains: Any) -> list[Any]:
    """Two objects of the system that is read, and one of another system."""
    own, other = build.connection("erp"), build.connection("crm")
    return [build.stream(own, "debtors"), build.stream(own, "suppliers"), build.stream(other, "accounts")]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(world=WORLD, wanted=WANTED)
def test_candidates_are_the_living_records_of_other_systems_that_share_a_block(
    streams: list[Any], world: list[Any], wanted: list[tuple[int, int]]
) -> None:
    with transaction.atomic():
        entity = build.entity("customer", CUSTOMER)
        ids = [_record(entity, number, *each, streams) for number, each in enumerate(world)]
        plan: Any = SimpleNamespace(entity=entity, connection=streams[0].connection)
        with plain_cursor() as cursor:
            found = comparing._met(cursor, plan, wanted)
        for number in {number for number, _ in wanted}:
            blocks = {block for which, block in wanted if which == number}
            assert found.get(number, set()) == {
                id_ for id_, each in zip(ids, world, strict=True) if _may_be_meant(*each, blocks)
            }
        transaction.set_rollback(True)


def _may_be_meant(is_alive: bool, shown: dict[int, bool], stands_in: set[int], blocks: set[int]) -> bool:
    """In words: it lives, shares a block, and no object of the system that is read shows it still."""
    return is_alive and bool(stands_in & blocks) and not any(shown.get(own) is False for own in (0, 1))


def _record(entity: Any, number: int, is_alive: bool, shown: dict[int, bool], blocks: set[int], streams: Any) -> int:
    profile, _ = ProvenanceProfile.objects.get_or_create(digest=b"0" * 16, defaults={"fields": {}})
    made = CanonicalRecord.objects.create(
        id=number + 1,
        entity=entity,
        key=f"K-{number}",
        version=1,
        body={},
        provenance=profile,
        hash=b"0" * 16,
        updated_at=NOW,
        deleted_at=None if is_alive else NOW,
    )
    for which, is_gone in shown.items():
        Crosswalk.objects.create(
            stream=streams[which],
            external_id=f"X-{number}",
            record=made,
            batch_id=0,
            hash=b"0" * 16,
            gone_at=NOW if is_gone else None,
        )
    MatchBlock.objects.bulk_create(
        MatchBlock(entity_id=entity.pk, block=block, record_id=made.pk) for block in sorted(blocks)
    )
    return made.pk
