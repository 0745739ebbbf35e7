"""What a source's record may change: tables of input and output, and the promises for all of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.arbitration import append, decide

HELD = {"code": "P-1", "name": "Alpha", "notes": None, "tags": ["a"]}


@pytest.mark.parametrize(
    ("incoming", "modes", "changed", "refused", "after"),
    [
        ({}, {}, (), (), {}),
        ({"name": "Alpha"}, {}, (), (), {}),
        ({"name": "Beta"}, {}, ("name",), (), {"name": "Beta"}),
        ({"name": None}, {}, ("name",), (), {"name": None}),
        ({"size": 3}, {}, ("size",), (), {"size": 3}),
        ({"size": None}, {}, (), (), {}),
        ({"size": None}, {"size": "append"}, (), (), {}),
        ({"name": "Beta"}, {"name": "if_new"}, (), ("name",), {}),
        ({"name": "Beta"}, {"name": "if_empty"}, (), ("name",), {}),
        ({"notes": "hello"}, {"notes": "if_empty"}, ("notes",), (), {"notes": "hello"}),
        ({"size": 3}, {"size": "if_empty"}, ("size",), (), {"size": 3}),
        ({"size": 3}, {"size": "if_new"}, (), ("size",), {}),
        ({"tags": ["b", "a"]}, {"tags": "append"}, ("tags",), (), {"tags": ["a", "b"]}),
        ({"tags": ["a"]}, {"tags": "append"}, (), (), {}),
        ({"tags": "c"}, {"tags": "append"}, ("tags",), (), {"tags": ["a", "c"]}),
        ({"name": "Beta", "tags": ["b"]}, {"name": "if_new"}, ("tags",), ("name",), {"tags": ["b"]}),
    ],
)
def test_the_write_mode_says_when_a_value_is_taken(
    incoming: dict[str, Any],
    modes: dict[str, str],
    changed: tuple[str, ...],
    refused: tuple[str, ...],
    after: dict[str, Any],
) -> None:
    decision = decide(incoming, HELD, modes)
    assert (decision.changed, decision.refused) == (changed, refused)
    assert decision.body == HELD | after


@pytest.mark.parametrize(
    ("held", "value", "after"),
    [(None, "a", ["a"]), ("", ["a"], ["a"]), ("a", "b", ["a", "b"]), (["a"], ["a", "b"], ["a", "b"]), ([], [], [])],
)
def test_appending_adds_what_the_list_lacks(held: Any, value: Any, after: list[Any]) -> None:
    assert append(held, value) == after


names = st.sampled_from("abcdef")
scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "y", "1.50"])
contents = st.dictionaries(names, scalars | st.lists(st.sampled_from("pqr"), max_size=3))
modes = st.dictionaries(names, st.sampled_from(["if_new", "if_empty", "append", "overwrite"]))


@given(contents, contents, modes)
def test_what_a_source_does_not_send_is_never_touched(
    incoming: dict[str, Any], current: dict[str, Any], rules: dict[str, str]
) -> None:
    decision = decide(incoming, current, rules)
    for name in set(current) - set(incoming):
        assert decision.body[name] == current[name]
    assert set(decision.body) <= set(current) | set(incoming)


@given(contents, contents, modes)
def test_the_same_record_again_changes_nothing_more(
    incoming: dict[str, Any], current: dict[str, Any], rules: dict[str, str]
) -> None:
    once = decide(incoming, current, rules)
    twice = decide(incoming, once.body, rules)
    assert twice.body == once.body
    assert twice.changed == ()


@given(contents, contents, modes)
def test_changed_and_refused_tell_the_whole_story(
    incoming: dict[str, Any], current: dict[str, Any], rules: dict[str, str]
) -> None:
    before = dict(current)
    decision = decide(incoming, current, rules)
    assert current == before, "the held record is not touched in place"
    differing = {n for n in decision.body if n not in current or decision.body[n] != current[n]}
    assert differing == set(decision.changed)
    assert not set(decision.changed) & set(decision.refused)
    for name in decision.refused:
        assert decision.body.get(name) == current.get(name)
    assert [n for n in incoming if n in decision.changed] == list(decision.changed)


def _filled(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


@given(contents, contents)
def test_plain_overwrites_make_the_incoming_record_come_true(incoming: dict[str, Any], current: dict[str, Any]) -> None:
    decision = decide(incoming, current, {})
    assert _filled(decision.body) == _filled(current | incoming)
    assert set(decision.body) - set(current) <= set(_filled(incoming)), "a source that has nothing to say adds nothing"
    assert decision.refused == ()
