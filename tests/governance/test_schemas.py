"""Reading a schema: its fields, its markers, and what makes it unusable as a contract."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.schemas import field_type, fields_of, is_nullable, markers_of, rules_of, schema_problems, type_word

CODE = {"type": "string", "x-key": True}


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"code": CODE, **properties}}


def test_a_field_is_described_by_its_property() -> None:
    spec = {
        "type": ["string", "null"],
        "format": "decimal",
        "title": "Budget",
        "description": "What is planned.",
        "examples": ["12.50", "3"],
        "x-money": "currency",
        "x-classification": "confidential",
    }
    field = fields_of(schema(budget=spec))[1]
    assert (field.name, field.type, field.type_word, field.title) == ("budget", "decimal", "decimal number", "Budget")
    assert (field.example, field.currency, field.required, field.is_masked) == ("12.50", "currency", False, True)


def test_a_field_without_words_is_called_by_its_name() -> None:
    assert fields_of(schema(start_date={"type": "string"}))[1].title == "Start date"


def test_a_key_field_is_always_required() -> None:
    assert fields_of(schema())[0].required


def test_null_is_no_value_to_choose() -> None:
    field = fields_of(schema(status={"enum": ["open", "closed", None]}))[1]
    assert field.enum == ("open", "closed")
    assert field.type_word == "choice of 2"


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({"type": "string"}, "string"),
        ({"type": ["null", "string"], "format": "date"}, "date"),
        ({"type": "integer"}, "integer"),
        ({"type": "array", "format": "date"}, "array"),
        ({"enum": ["a"]}, "string"),
        ({"type": "null"}, "string"),
    ],
)
def test_the_type_is_the_format_where_that_says_more(spec: dict[str, Any], word: str) -> None:
    assert field_type(spec) == word
    assert type_word(word)


@pytest.mark.parametrize(
    ("spec", "nullable"),
    [
        ({"type": "string"}, False),
        ({"type": ["string", "null"]}, True),
        ({"enum": ["a", None]}, True),
        ({"enum": ["a"]}, False),
        ({"description": "anything"}, True),
    ],
)
def test_whether_a_field_may_be_null(spec: dict[str, Any], nullable: bool) -> None:
    assert is_nullable(spec) is nullable


def test_markers_say_what_the_engine_needs() -> None:
    found = markers_of(
        schema(
            line={"x-key": True},
            project={"x-ref": "project", "x-project": True},
            month={"x-period": True},
            changed={"x-updated-at": True},
            net={"x-money": "currency"},
            gross={"x-money": "other"},
        )
    )
    assert found.key == ("code", "line")
    assert found.refs == (("project", "project"),)
    assert dict(found.promoted) == {"project": "project", "period": "month", "source_updated_at": "changed"}
    assert (found.amount, found.currency) == ("net", "currency")


def test_a_masked_amount_is_never_the_amount_of_a_record() -> None:
    """It would stand open in the ledger and in lists."""
    salary = {"x-money": "currency", "x-classification": "restricted"}
    assert markers_of(schema(salary=salary)).amount == ""
    assert markers_of(schema(salary=salary, fee={"x-money": "currency"})).amount == "fee"


def test_rules_across_fields_are_told_by_their_titles() -> None:
    assert rules_of({"allOf": [{"title": "One of them is filled.", "anyOf": []}]}) == ["One of them is filled."]
    assert rules_of({"allOf": [{"required": ["a"]}]}) == ["{'required': ['a']}"]


@pytest.mark.parametrize(
    ("wrong", "path", "words"),
    [
        ([], "", "JSON object"),
        ({}, "properties", "at least one property"),
        ({"properties": {"a": {"type": "strin"}}}, "properties.a.type", "not JSON Schema 2020-12"),
        ({"properties": {"a": True}}, "properties.a", "what the field looks like"),
        ({"properties": {"a": {"type": "string"}}}, "properties", "`x-key: true`"),
        (schema(a={"x-classification": "secret"}), "properties.a.x-classification", "Use one of: public"),
        (schema(a={"x-money": "currency"}), "properties.a.x-money", "no property 'currency'"),
        (schema(a={"x-money": {"in": "EUR"}}), "properties.a.x-money", "could hold the currency"),
        (schema(a={"x-ref": ["project"]}), "properties.a.x-ref", "short name of the entity"),
        (schema(a={"type": "string", "format": "decimel"}), "properties.a.format", "no format 'decimel'"),
        (
            schema(code=CODE | {"x-classification": "restricted"}),
            "properties.code.x-classification",
            "cannot be masked",
        ),
        (schema() | {"required": ["b"]}, "required", "no property 'b'"),
    ],
)
def test_an_unusable_schema_gets_a_sentence_and_a_place(wrong: Any, path: str, words: str) -> None:
    problems = schema_problems(wrong)
    assert [found for found, _ in problems] == [path]
    assert words in problems[0][1]


def test_a_sound_schema_has_no_problems() -> None:
    assert schema_problems(schema(budget={"type": "string", "format": "decimal"})) == []


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["properties", "type", "x-key", "x-money", "x-ref", "format", "required", "enum", "a"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(junk | junk.map(lambda spec: schema(a=spec)))
def test_no_schema_is_so_odd_that_it_cannot_be_judged(wrong: Any) -> None:
    for path, sentence in schema_problems(wrong):
        assert isinstance(path, str)
        assert sentence.endswith(".")
