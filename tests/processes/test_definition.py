"""What a process cannot be is said in a sentence, and any graph of steps is walked in an order that holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.common import registry
from hub.common.errors import ConfigError
from hub.processes import dependencies
from hub.processes.definition import circle, order, problems, steps_of
from hub.processes.models import Process
from tests.processes.conftest import ACTION, ASK, CHECK, ENSURE, World
from tests.sync import builders as build


def wrong(*steps: Any, **more: Any) -> list[str]:
    return [sentence for _, sentence in problems({"steps": list(steps), **more})]


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ({**CHECK, "that": "record.("}, "before end of expression"),
        ({**CHECK, "kind": "guess"}, "'guess' is no kind of step"),
        ({**CHECK, "name": "Bad Name"}, "is no name of a step"),
        ({"name": "a", "kind": "check", "that": "x"}, "needs 'message'"),
        ({**CHECK, "colour": "red"}, "has no field 'colour'"),
        ({**CHECK, "sla": {"days": 1}}, "Write the business hours"),
        ({"name": "w", "kind": "wait"}, "A wait is for one thing"),
        ({"name": "w", "kind": "wait", "seconds": 0}, "Write whole seconds"),
        ({"name": "w", "kind": "wait", "seconds": 9, "on_timeout": "panic"}, "it may fail or continue"),
        ({**ACTION, "operation": "merge"}, "'merge' is no operation"),
        ({**ACTION, "undo": {"body": {}}}, "What undoes it"),
        ({**ASK, "fields": [{"name": "x", "type": "choice"}]}, "A choice needs its options"),
        ({"name": "b", "kind": "branch", "choose": [{"then": []}, {"then": []}]}, "has to be the last one"),
        ({"name": "b", "kind": "branch", "choose": [{"then": ["gone"]}]}, "There is no step 'gone'"),
        ({**CHECK, "after": ["gone"]}, "There is no step 'gone'"),
    ],
)
def test_a_step_that_cannot_be_is_refused_in_a_sentence(step: dict[str, Any], sentence: str) -> None:
    assert any(sentence in each for each in wrong(step)), wrong(step)


def test_two_steps_of_one_name_and_circles_are_refused_with_the_way_round() -> None:
    assert "There are two steps 'budget'." in wrong(CHECK, CHECK)
    steps = [{**CHECK, "name": n, "after": [a]} for n, a in (("a", "c"), ("b", "a"), ("c", "b"))]
    (sentence,) = wrong(*steps)
    assert sentence == "The steps wait for each other in a circle: a → b → c → a."


@pytest.mark.parametrize(
    ("trigger", "sentence"),
    [
        ({}, "A trigger is"),
        ({"cron": "every day"}, "not a cron expression"),
        ({"cron": "0 6 * * *", "time_zone": "Mars/Base"}, "not a time zone"),
        ({"event": "x.y", "if": 1}, "has no field 'if'"),
    ],
)
def test_a_trigger_that_cannot_be_is_refused(trigger: dict[str, Any], sentence: str) -> None:
    assert any(sentence in each for each in wrong(CHECK, triggers=[trigger]))


@st.composite
def graphs(draw: Any) -> list[dict[str, Any]]:
    """Steps that come after any of those above them, in any order of writing."""
    number = draw(st.integers(1, 8))
    steps = []
    for n in range(number):
        after = draw(st.lists(st.sampled_from([f"s{m}" for m in range(n)]), unique=True)) if n else []
        steps.append({**CHECK, "name": f"s{n}", "after": after})
    return draw(st.permutations(steps))


@given(graphs())
def test_any_graph_without_a_circle_is_walked_once_each_behind_its_predecessors(steps: list[dict[str, Any]]) -> None:
    found = steps_of({"steps": steps})
    assert wrong(*steps) == []
    walked = order(found)
    assert sorted(walked) == sorted(found)
    for name, step in found.items():
        assert all(walked.index(before) < walked.index(name) for before in step.after)
    assert circle(found) == []


@pytest.mark.django_db
class TestConfiguration:
    def test_exported_and_applied_again_nothing_changes(self, world: World) -> None:
        process = world.define(CHECK, ENSURE, ASK, ACTION, triggers=[{"event": "project.active"}], purpose="Why")
        kind = registry.kind("Process")
        document = kind.dump("set-up")
        assert document is not None
        assert kind.diff(document) == []
        kind.apply(document, by=None)
        assert process.versions.count() == 1

    def test_another_definition_is_another_version(self, world: World) -> None:
        process = world.define(CHECK)
        world.define(CHECK, ASK)
        assert [version.number for version in process.versions.all()] == [2, 1]

    @pytest.mark.parametrize(
        ("steps", "more", "sentence"),
        [
            ([{**ENSURE, "sync": "psa-projects"}], {}, "There is no outbound sync 'psa-projects'"),
            ([{**ACTION, "stream": "gone"}], {}, "There is no stream 'gone'"),
            ([CHECK], {"triggers": [{"event": "no.such"}]}, "There is no event type 'no.such'"),
            ([{**CHECK, "role": "chief"}], {}, "There is no role 'chief'"),
        ],
    )
    def test_what_it_refers_to_has_to_be_there(
        self, world: World, steps: list[dict[str, Any]], more: dict[str, Any], sentence: str
    ) -> None:
        with pytest.raises(ConfigError, match=sentence):
            world.define(*steps, **more)
        assert not Process.objects.exists()

    def test_an_event_that_starts_a_process_stays(self, world: World) -> None:
        from hub.events.event_types.services import delete_event_type
        from hub.events.models import EventType

        world.define(CHECK, triggers=[{"event": "project.active"}])
        with pytest.raises(ConfigError, match="Process set-up"):
            delete_event_type(EventType.objects.get(), by=None)


@pytest.mark.django_db(transaction=True)
def test_it_says_who_reads_what_it_changes_and_stands_among_the_readers_itself(world: World) -> None:
    build.sync(
        "erp-jobs-back", "in", world.firm.outbound.stream, world.firm.inbound.entity, build.PROJECT_RULES,
    )  # fmt: skip
    found = world.define(ENSURE, ACTION)
    job, note = dependencies.changed_by(found.newest.definition)
    assert (job.system, job.what, note.what) == ("erp", "jobs", "notes")
    named = [(each.kind, each.name) for each in job.readers]
    assert named[0] == ("Sync", "erp-jobs-back")
    assert {("Sync", "erp-jobs"), ("Process", "set-up")} <= set(named)
    assert note.readers == ()
