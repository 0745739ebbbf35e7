"""Two versions of a contract, compared in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical_model import shipped_documents
from governance.diff import Change, compare, summary

SCHEMAS = [contract["schema"] for _, contract in shipped_documents()]
BASE = {"type": "string", "title": "Status", "description": "How it stands.", "x-classification": "internal"}


def schema(spec: dict[str, Any] | None = None, *, required: bool = False, **more: Any) -> dict[str, Any]:
    properties = {"code": {"type": "string", "x-key": True}} | ({"status": spec} if spec is not None else {})
    return {"properties": properties, "required": ["code"] + (["status"] if required else []), **more}


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (BASE, BASE | {"type": "integer"}, "Type changes from text to whole number."),
        (BASE, BASE | {"format": "date"}, "Type changes from text to date."),
        (BASE, BASE | {"title": "State"}, "Name changes from Status to State."),
        (BASE, BASE | {"description": "Another."}, "Meaning changes."),
        (BASE, BASE | {"x-classification": "restricted"}, "Classification changes from internal to restricted."),
        (BASE, BASE | {"x-ref": "project"}, "Refers to added."),
        (BASE | {"maxLength": 5}, BASE, "Most characters removed."),
        (BASE, BASE | {"type": ["string", "null"]}, "May be empty."),
        (BASE | {"type": ["string", "null"]}, BASE, "May no longer be empty."),
        (BASE | {"enum": ["a", "b"]}, BASE | {"enum": ["a", "c"]}, "Value “c” added; value “b” removed."),
        (BASE | {"enum": ["a"]}, BASE | {"enum": ["a", "b", "c"]}, "Values “b”, “c” added."),
        (BASE | {"enum": ["a", "b"]}, BASE | {"enum": ["b", "a"]}, "Values change places."),
        (BASE, BASE | {"x-own": {"a": 1}}, "X-own added."),
    ],
)
def test_a_change_is_told_in_words(before: dict[str, Any], after: dict[str, Any], sentence: str) -> None:
    [diff] = compare(schema(before), schema(after))
    assert (diff.name, diff.state, diff.sentence) == ("status", "changed", sentence)


def test_a_field_that_came_is_told_with_its_meaning() -> None:
    [diff] = compare(schema(), schema(BASE, required=True))
    assert (diff.state, diff.sentence) == ("added", "Text, required. How it stands.")


def test_a_field_that_went_is_told() -> None:
    [diff] = compare(schema(BASE), schema())
    assert (diff.state, diff.title, diff.sentence) == ("removed", "Status", "Text, optional. How it stands.")


def test_required_and_optional_are_told() -> None:
    assert compare(schema(BASE), schema(BASE, required=True))[0].sentence == "Becomes required."
    assert compare(schema(BASE, required=True), schema(BASE))[0].sentence == "Becomes optional."


def test_before_and_after_stand_beside_each_other() -> None:
    [diff] = compare(schema(BASE), schema(BASE | {"type": "integer", "x-ref": "project"}))
    assert diff.changes == (Change("Type", "text", "whole number"), Change("Refers to", None, "project"))


def test_rules_across_fields_are_compared_too() -> None:
    rule = {"title": "One of them is filled.", "anyOf": []}
    [added] = compare(schema(BASE), schema(BASE, allOf=[rule]))
    [removed] = compare(schema(BASE, allOf=[rule]), schema(BASE))
    assert (added.state, added.sentence) == ("added", "One of them is filled.")
    assert removed.state == "removed"


def test_the_order_of_fields_is_no_difference() -> None:
    turned = {"properties": dict(reversed(schema(BASE)["properties"].items())), "required": ["code"]}
    assert compare(schema(BASE), turned) == []


def test_a_summary_names_the_fields_and_is_short() -> None:
    before = schema(BASE)
    after = {"properties": {f"f{n}": {"type": "string"} for n in range(9)}}
    assert summary(before, before) == ""
    assert summary(before, after).startswith("F0 added, f1 added")
    assert summary(before, after).endswith("and 5 more.")


@given(st.sampled_from(SCHEMAS), st.sampled_from(SCHEMAS))
def test_no_difference_means_the_same_fields_and_the_other_way_round(a: dict[str, Any], b: dict[str, Any]) -> None:
    there, back = compare(a, b), compare(b, a)
    assert (there == []) == (a == b)
    assert {diff.name for diff in there} == {diff.name for diff in back}
    swap = {"added": "removed", "removed": "added", "changed": "changed"}
    assert {(d.name, d.title, swap[d.state]) for d in there if d.state != "changed"} == {
        (d.name, d.title, d.state) for d in back if d.state != "changed"
    }
    for diff in there:
        assert diff.sentence.endswith(".")
