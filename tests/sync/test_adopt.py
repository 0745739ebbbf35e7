"""First loads against real HTTP simulators: nothing before approval, then no doubles and no emptied fields."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from hub.sync import engine
from hub.sync import services as syncs
from hub.sync.adopt import queries
from hub.sync.models import Delivery, Run
from hub.sync.states import DeliveryState
from tests.sync.first_load import World, world

pytestmark = pytest.mark.django_db(transaction=True)
# The full size of the promise is 5,000; the suite keeps to what takes seconds.
CUSTOMERS = int(os.environ.get("FIRST_LOAD_CUSTOMERS", "200"))


@pytest.fixture
def load(domains: Any) -> Iterator[World]:
    with world(CUSTOMERS) as found:
        yield found


def numbers(adoption: Any) -> dict[str, int]:
    return {group.name: group.number for group in queries.summary(adoption)}


def test_a_first_load_makes_no_double_and_empties_nothing(load: World) -> None:
    """5,000 customers a side, 60 % shared, 5 % entered twice."""
    adoption = load.plan()
    found = numbers(adoption)
    assert adoption.status == "review"
    assert load.writes() == 0
    assert found["linked"] + found["conflict"] + found["maybe"] + found["create"] == CUSTOMERS
    load.decide_truly(adoption)
    load.approve(adoption)
    adoption.refresh_from_db()
    assert adoption.status == "done", adoption.error
    assert not Delivery.objects.exclude(state=DeliveryState.DELIVERED).exists()
    assert load.new_duplicates() == 0
    assert load.blanked() == []
    truly_new = CUSTOMERS - CUSTOMERS * 5 // 100 - CUSTOMERS * 60 // 100
    assert len(load.customers()) - len(load.before) == truly_new


def test_the_second_first_load_finds_nothing_to_do(load: World) -> None:
    first = load.plan()
    load.decide_truly(first)
    load.approve(first)
    load.forget_writes()
    second = load.plan()
    assert queries.report(second)["to_do"] == 0
    assert numbers(second)["maybe"] == 0
    load.approve(second)
    syncs.run_here(sync=load.source)
    load.deliver()
    assert load.writes() == 0


def test_what_nobody_has_decided_is_never_created(load: World) -> None:
    adoption = load.plan()
    undecided = numbers(adoption)["maybe"]
    assert undecided
    load.approve(adoption)
    syncs.run_here(sync=load.source)
    load.deliver()
    assert Delivery.objects.filter(state=DeliveryState.HELD).count() == undecided
    assert load.new_duplicates() == 0
    load.decide_truly(adoption)
    load.approve(adoption)
    assert load.new_duplicates() == 0
    held = Delivery.objects.filter(state=DeliveryState.HELD)
    assert set(held.values_list("error_detail", flat=True)) == {
        f"It was left out of the first load. (first load {adoption.pk}) Decide otherwise there."
    }


def test_nothing_is_delivered_while_a_first_load_waits_for_approval(load: World) -> None:
    load.plan()
    syncs.run_here(sync=load.source)
    run, _ = syncs.start_run(sync=load.target)
    assert engine.execute(run.pk) is None
    assert load.writes() == 0
    assert Run.objects.get(pk=run.pk).status == "queued"
