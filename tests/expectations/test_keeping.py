"""Figures by day, what does not count, and what is forgotten by age."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import call_command

from hub.sync.states import DeliveryState
from monitoring.evaluation import evaluate, part
from monitoring.expectations import keeping
from monitoring.models import Exclusion, Expectation
from monitoring.service_levels import rollups
from monitoring.service_levels.standing import burns, months_of, standing
from tests.expectations.builders import DAY, HOUR, NOW, State, Watched, states, sweep

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(domains):
    return Watched()


def figures(level):
    (found,) = standing([level])
    tally = found.tally
    return tally.met, tally.warned, tally.breached, tally.running


def test_the_figures_are_those_of_a_measurement(world):
    level = world.keep()
    for hours in (1, 2, 3.5, 5):
        world.arrived(NOW - 2 * DAY, hours * HOUR)
    world.stuck(NOW - HOUR)
    sweep()
    assert figures(level) == (2, 1, 1, 1)
    sweep()
    assert figures(level) == (2, 1, 1, 1)


def test_what_ran_in_an_agreed_time_does_not_count(world, ada, grace):
    level = world.keep()
    world.arrived(NOW - 2 * DAY, 9 * HOUR)
    world.arrived(NOW - DAY, HOUR)
    sweep()
    asked = Exclusion.objects.create(
        service_level=level, starts_at=NOW - 2 * DAY + HOUR, ends_at=NOW - 2 * DAY + 2 * HOUR, reason="Upgrade of the ERP",
        requested_by=ada, requested_at=NOW,
    )  # fmt: skip
    mark_all(level)
    assert figures(level) == (1, 0, 1, 0), "nobody has agreed yet"
    asked.state, asked.decided_by, asked.decided_at = "approved", grace, NOW
    asked.save()
    mark_all(level)
    assert figures(level) == (1, 0, 0, 0)
    assert standing([level])[0].excluded == 1


def mark_all(level):
    level.days.update(is_dirty=True)
    rollups.count(level)


def test_months_have_their_own_figures(world):
    level = world.keep(since=NOW - 40 * DAY)
    world.arrived(NOW - 35 * DAY, 5 * HOUR)
    world.arrived(NOW - DAY, HOUR)
    sweep()
    assert [(month.period.label, str(month.attained)) for month in months_of(level)] == [
        ("2026-10", "0.00"),
        ("2026-11", "100.00"),
    ]


def test_the_budget_burns_by_when_it_was_decided(world):
    level = world.keep()
    world.arrived(NOW - 2 * DAY, HOUR)
    world.stuck(NOW - 4 * HOUR - timedelta(minutes=3))
    sweep()
    assert [(each.label, each.decided, each.breached) for each in burns(level)] == [
        ("5 m", 1, 1), ("1 h", 1, 1), ("6 h", 1, 1), ("3 d", 2, 1),
    ]  # fmt: skip
    assert [str(each.rate) for each in burns(level)] == ["100.0", "100.0", "100.0", "50.0"]
    assert burns(level)[0].state == "breached"


def test_what_is_old_is_forgotten_and_its_figures_stay(world, settings):
    level = world.keep()
    world.arrived(NOW - 18 * DAY, HOUR)
    world.arrived(NOW - 18 * DAY, 5 * HOUR)
    world.stuck(NOW - 18 * DAY, DeliveryState.DEAD)
    sweep()
    settings.HUB_EXPECTATION_DAYS, settings.HUB_BREACH_DAYS = 10, 15
    assert keeping.forget() == 2
    assert states() == [State.BREACHED], "what has not arrived is never forgotten"
    mark_all(level)
    assert figures(level) == (1, 0, 2, 0)
    settings.HUB_EXPECTATION_DAYS = 30
    assert keeping.forget() == 0


def test_breaches_are_kept_longer_than_what_was_met(world, settings):
    world.keep()
    world.arrived(NOW - 18 * DAY, HOUR)
    world.arrived(NOW - 18 * DAY, 5 * HOUR)
    sweep()
    settings.HUB_EXPECTATION_DAYS, settings.HUB_BREACH_DAYS = 10, 100
    keeping.forget()
    assert states() == [State.MET_LATE]


def test_the_command_prints_one_document(world, capsys):
    world.keep(since=NOW - 30 * DAY)
    world.read(NOW - 5 * HOUR)
    world.arrived(NOW - 2 * HOUR, HOUR)
    call_command("evaluate", "--json")
    found = json.loads(capsys.readouterr().out)
    assert list(found)[:4] == ["expectations", "service_levels", "freshness", "alerts"]
    counts = found["expectations"]
    assert (counts["opened"], counts["met"], counts["breached"], counts["late"], counts["open"]) == (2, 1, 1, 1, 0)
    assert (found["service_levels"][0]["breached"], found["service_levels"][0]["is_few"]) == (1, True)
    call_command("evaluate")
    assert "1 late" in capsys.readouterr().out


def test_other_parts_of_the_hub_add_what_they_have_to_say(monkeypatch, db):
    from monitoring import evaluation

    monkeypatch.setattr(evaluation, "_parts", {})
    part("alerts")(lambda: ["one"])
    assert evaluate() == {"expectations": [], "service_levels": [], "freshness": [], "alerts": ["one"]}
    assert Expectation.objects.count() == 0
