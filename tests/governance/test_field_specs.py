"""Between a field in a form and its JSON Schema property: nothing that the form does not show is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical_model import shipped_documents
from governance.contracts import ContractCheck
from governance.field_specs import TYPES, FieldInput, build, parse_example, problem, shown

SHIPPED = [
    (name, spec, name in contract["schema"]["required"])
    for _, contract in shipped_documents()
    for name, spec in contract["schema"]["properties"].items()
]


@given(st.sampled_from(SHIPPED))
def test_a_field_saved_untouched_stays_as_it_is(field: tuple[str, dict[str, Any], bool]) -> None:
    _, spec, required = field
    built = build(shown(spec, required), spec, required)
    assert built == spec
    assert list(built) == list(spec)


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "string"},
        {"type": "string", "enum": ["a", "b"], "title": "T"},
        {"enum": [1, 2, None]},
        {"type": "string", "format": "uri", "maxLength": 9},
        {"type": ["null", "integer"], "minimum": 3, "examples": [4, 5]},
        {"type": "object", "properties": {"a": {"type": "string"}}, "x-own": 1},
        {"type": "string", "x-classification": "restricted", "x-money": "currency", "x-customer": True},
    ],
)
def test_a_foreign_property_saved_untouched_stays_as_it_is(spec: dict[str, Any]) -> None:
    assert build(shown(spec, True), spec, True) == spec


def test_a_new_optional_field_may_be_empty() -> None:
    assert build(FieldInput("Region", example="North")) == {
        "type": ["string", "null"],
        "title": "Region",
        "examples": ["North"],
        "x-classification": "internal",
    }


def test_a_new_required_text_may_not_be_blank() -> None:
    spec = build(FieldInput("Region", required=True, max_length=40))
    assert (spec["type"], spec["minLength"], spec["maxLength"]) == ("string", 1, 40)


def test_a_field_that_becomes_required_may_no_longer_be_empty() -> None:
    before = build(FieldInput("Region"))
    after = build(FieldInput("Region", required=True), before, False)
    assert (after["type"], after["minLength"]) == ("string", 1)
    assert build(FieldInput("Region"), after, True) == before


def test_listed_values_follow_whether_the_field_is_required() -> None:
    given_ = FieldInput("Size", values=("s", "l"))
    assert build(given_)["enum"] == ["s", "l", None]
    assert build(replace(given_, required=True))["enum"] == ["s", "l"]
    assert "type" not in build(given_)


def test_another_type_leaves_behind_what_only_fitted_the_old_one() -> None:
    before = {"type": "string", "pattern": "^A", "x-expects": "an A", "minLength": 1, "maxLength": 9, "x-project": True}
    after = build(FieldInput("Day", type="date", required=True), before, True)
    assert after == {"type": "string", "format": "date", "title": "Day", "x-project": True}


def test_values_that_were_numbers_stay_numbers() -> None:
    assert build(FieldInput("Level", values=("1", "2", "new")), {"enum": [1, 2, None]}, False)["enum"] == [
        1,
        2,
        "new",
        None,
    ]


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("12", "integer", 12),
        ("true", "boolean", True),
        ("x", "integer", "x"),
        ("12", "string", "12"),
        ("[1]", "array", [1]),
        ("12.50", "decimal", "12.50"),
    ],
)
def test_an_example_is_read_as_its_type(text: str, type_: str, value: object) -> None:
    assert parse_example(text, type_) == value


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        (FieldInput("X", type="integer", example="x"), "The example is 'x', which is not a whole number."),
        (FieldInput("X", type="date", example="1/2/26"), "not a date such as 2026-11-27"),
        (FieldInput("X", values=("a", "b"), example="c"), "not one of a, b"),
        (FieldInput("X", max_length=2, example="abc"), "longer than 2 characters"),
        (FieldInput("X", type="currency", example="GPB"), "not a currency code"),
        (FieldInput("X", type="email", example=""), ""),
    ],
)
def test_an_example_that_would_not_pass_gets_a_sentence(given_: FieldInput, sentence: str) -> None:
    found = problem(build(given_))
    assert sentence in found
    assert bool(found) == bool(sentence)


@given(
    st.builds(
        FieldInput,
        title=st.text(min_size=1, max_size=10),
        type=st.sampled_from(sorted(TYPES)),
        required=st.booleans(),
        description=st.text(max_size=10),
        reference=st.sampled_from(["", "project"]),
        classification=st.sampled_from(["internal", "restricted"]),
    )
)
def test_what_a_form_says_is_what_it_shows_again(said: FieldInput) -> None:
    spec = build(said)
    assert shown(spec, said.required) == said
    assert ContractCheck({"type": "object", "properties": {"a": spec}}).passes({"a": None}) != said.required
