"""What a record that breaks its contract is told, and that fast and explained answers never disagree."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.contracts import ContractCheck, portable_schema, unknown_fields
from hub.common.money import CURRENCY_DIGITS

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["code", "hours"],
    "properties": {
        "code": {"type": "string", "minLength": 1, "maxLength": 5, "x-key": True},
        "hours": {
            "type": "string",
            "format": "decimal",
            "pattern": "^[0-9.]+$",
            "x-expects": "a number of hours, not below 0",
        },
        "amount": {"type": ["string", "null"], "format": "decimal", "x-money": "currency"},
        "currency": {"type": "string", "format": "currency"},
        "period": {"type": "string", "format": "period"},
        "day": {"type": "string", "format": "date"},
        "at": {"type": "string", "format": "date-time"},
        "email": {"type": "string", "format": "email"},
        "status": {"enum": ["open", "closed", None]},
        "size": {"type": "integer", "minimum": 1},
        "is_open": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        "free": {"type": "string", "pattern": "^A"},
    },
    "allOf": [
        {
            "title": "An open one has a size.",
            "if": {"properties": {"status": {"const": "open"}}, "required": ["status"]},
            "then": {"required": ["size"]},
        }
    ],
}
GOOD = {"code": "A1", "hours": "7.50"}
CHECK = ContractCheck(SCHEMA)


def sentences(**changes: Any) -> list[str]:
    return [error.what for error in CHECK.explain(GOOD | changes)]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"code": ""}, "The field code is empty."),
        ({"code": None}, "The field code is empty."),
        ({"code": "TOOLONG"}, "code is 'TOOLONG', which is longer than 5 characters: it has 7."),
        ({"code": 7}, "code is 7, which is not text."),
        ({"hours": "-4"}, "hours is '-4', which is not a number of hours, not below 0."),
        ({"hours": "1.2.3"}, "hours is '1.2.3', which is not a decimal number such as 1250.00."),
        ({"hours": 7.5}, "hours is 7.5, which is not a number of hours, not below 0, as text."),
        ({"amount": "12,50"}, "amount is '12,50', which is not a decimal number such as 1250.00."),
        ({"amount": 12.5}, "amount is 12.5, which is not a decimal number such as 1250.00, as text."),
        ({"currency": "GPB"}, "currency is 'GPB', which is not a currency code of ISO 4217 such as EUR."),
        ({"currency": "eur"}, "currency is 'eur', which is not a currency code of ISO 4217 such as EUR."),
        ({"period": "2026-13"}, "period is '2026-13', which is not a period such as 2026-11."),
        ({"day": "2026-02-31"}, "day is '2026-02-31', which is not a date such as 2026-11-27."),
        ({"at": "yesterday"}, "at is 'yesterday', which is not a date and time such as 2026-11-27T10:15:00Z."),
        ({"email": "nobody"}, "email is 'nobody', which is not an e-mail address."),
        ({"status": "shut"}, "status is 'shut', which is not one of open, closed."),
        ({"size": 0}, "size is 0, which is less than the minimum of 1."),
        ({"size": "3"}, "size is '3', which is not a whole number."),
        ({"is_open": "yes"}, "is_open is 'yes', which is not true or false."),
        ({"tags": "a"}, "tags is 'a', which is not a list."),
        ({"tags": [{}]}, "The field tags.0.name is missing."),
        ({"free": "B"}, "free is 'B', which does not match the pattern ^A."),
        ({"status": "open"}, "The field size is missing. An open one has a size."),
    ],
)
def test_each_breach_is_a_sentence_that_names_field_and_value(changes: dict[str, Any], sentence: str) -> None:
    assert sentences(**changes) == [sentence]


def test_missing_field_is_named() -> None:
    error = CHECK.first_error({"hours": "1"})
    assert str(error) == "The field code is missing. (code) Correct it at its source, or change the mapping."
    assert (error.field, error.code) == ("code", "CONTRACT")


def test_first_error_says_how_many_others_there_are() -> None:
    assert CHECK.first_error(GOOD | {"code": "", "size": 0}).what.endswith("(1 more problem.)")
    assert CHECK.first_error(GOOD | {"code": "", "size": 0, "is_open": 1}).what.endswith("(2 more problems.)")


def test_record_that_is_no_object_is_told_so() -> None:
    assert CHECK.explain([])[0].what == "The record is not a structure."  # type: ignore[arg-type]


def test_frozen_contract_names_the_fields_it_does_not_know() -> None:
    check = ContractCheck(SCHEMA | {"additionalProperties": False})
    assert (
        check.explain(GOOD | {"colour": "red"})[0].what
        == "The record has fields that the contract does not know: colour."
    )


def test_long_values_are_cut_in_sentences() -> None:
    assert len(sentences(free="B" * 500)[0]) < 120


def test_optional_field_may_be_null_only_where_the_contract_says_so() -> None:
    assert sentences(amount=None) == []
    assert sentences(currency=None) == ["The field currency is empty."]


def test_field_called_format_is_no_format() -> None:
    schema = {"type": "object", "properties": {"format": {"type": "string"}, "pattern": {"const": "decimal"}}}
    assert ContractCheck(schema).passes({"format": "decimal", "pattern": "decimal"})


def test_portable_schema_checks_the_same_without_our_formats() -> None:
    foreign = jsonschema_rs.validator_for(portable_schema(SCHEMA), validate_formats=False)
    assert not foreign.is_valid(GOOD | {"currency": "GPB"})
    assert not foreign.is_valid(GOOD | {"hours": "x"})
    assert foreign.is_valid(GOOD)


def test_unknown_fields_are_told_by_their_first_step() -> None:
    assert unknown_fields(SCHEMA, ["code", "address.city", "address.street", "colour"]) == ["address", "colour"]


# Properties -------------------------------------------------------------------------------------------------

values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=80),
    st.lists(st.dictionaries(st.sampled_from(["name", "x"]), st.text(max_size=3)), max_size=2),
    st.sampled_from(["open", "closed", "EUR", "2026-11", "2026-11-27", "7.5"]),
)
bodies = st.dictionaries(st.sampled_from([*SCHEMA["properties"], "other"]), values, max_size=8)


@given(bodies)
def test_a_record_passes_exactly_when_there_is_nothing_to_explain(body: dict[str, Any]) -> None:
    errors = CHECK.explain(body)
    assert CHECK.passes(body) == (not errors)
    for error in errors:
        assert error.what[0].isupper() or error.field
        assert error.what.endswith(".")
        assert str(error)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**15), max_value=10**15))
def test_every_plain_decimal_is_a_decimal(number: Decimal) -> None:
    assert sentences(amount=f"{number:f}") == []


@given(st.sampled_from(sorted(CURRENCY_DIGITS)))
def test_every_currency_in_use_passes(code: str) -> None:
    assert sentences(currency=code) == []


@given(st.dates(min_value=date(1, 1, 1)))
def test_every_date_passes(day: date) -> None:
    assert sentences(day=day.isoformat()) == []


@given(st.text(min_size=1, max_size=12))
def test_no_other_text_passes_for_a_currency(text: str) -> None:
    assert bool(sentences(currency=text)) == (text not in CURRENCY_DIGITS)
