"""Any story of a source, told in any order and worked on at any time, ends in the source's state."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.records.models import CanonicalRecord
from hub.sync.models import Transaction
from hub.webhooks.models import Message
from tests.webhooks.conftest import World

pytestmark = pytest.mark.django_db(transaction=True)

KINDS = ("project.updated", "project.deleted")
# What happens to one record at its source, in order; then what the network makes of it.
stories = st.lists(st.sampled_from(KINDS), min_size=1, max_size=6)


@st.composite
def deliveries(draw: Any) -> tuple[list[str], list[tuple[int, bool, bool]]]:
    """(story, [(index of the event, whether a worker comes after it, whether the hub also reads the source)])"""
    story = draw(stories)
    order = draw(st.permutations(range(len(story))))
    again = draw(st.lists(st.sampled_from(range(len(story))), max_size=3))
    return story, [(index, draw(st.booleans()), draw(st.integers(0, 5)) == 0) for index in [*order, *again]]


number = iter(range(1, 10_000))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(deliveries())
def test_the_end_is_the_state_of_the_source(world: World, told: Any) -> None:
    story, events = told
    n = next(number)
    final = world.row(n, len(story))
    for index, is_worked_on, is_read in events:
        world.send(world.row(n, index + 1), message_id=f"{n}-{index}", kind=story[index])
        if is_worked_on:
            world.work()
        if is_read and story[-1] != "project.deleted":
            world.firm.read(final)
    world.work()
    record = CanonicalRecord.objects.filter(key=f"P-{n:04d}").first()
    if story[-1] == "project.deleted":
        assert record is None or record.deleted_at is not None
    else:
        assert record is not None
        assert (record.deleted_at, record.body["name"]) == (None, f"Version {len(story)}")
    assert not Message.objects.filter(state="new").exists()


def test_a_thousand_shuffled_messages_end_in_the_source(world: World) -> None:
    """200 records in five versions each, every message once to three times, a worker now and then."""
    dice = random.Random(20261124)
    told = [(n, version) for n in range(1, 201) for version in range(1, 6) for _ in range(dice.choice((1, 1, 1, 2, 3)))]
    dice.shuffle(told)
    for place, (n, version) in enumerate(told):
        assert world.send(world.row(n, version), message_id=f"{n}-{version}") == 202
        if place % 211 == 0:
            world.work()
    world.work()
    assert CanonicalRecord.objects.count() == 200
    assert {record.body["name"] for record in CanonicalRecord.objects.all()} == {"Version 5"}
    assert Message.objects.count() == 1000
    assert Transaction.objects.count() <= 1000
