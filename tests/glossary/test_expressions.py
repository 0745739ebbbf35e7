"""A term's expression: read with its place, said in words, and refused where it does not fit the contracts."""

from __future__ import annotations

import pytest

from governance.schemas import Field
from governance.terms.checking import check
from governance.terms.parsing import MAX_LENGTH, parse
from governance.terms.syntax import TermError, aggregates_of, uses_period
from governance.terms.words import in_words

FIELDS = {
    "time_entry": {
        "hours": Field("hours", "decimal", "Hours", True),
        "status": Field("status", "string", "Status", True, enum=("approved", "draft")),
        "is_billable": Field("is_billable", "boolean", "Billable", False),
        "date": Field("date", "date", "Date", True),
    }
}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            'sum(hours) of time_entry where status = "approved" and date in period',
            "the sum of hours over time entry where status is “approved” and date is in the period",
        ),
        ("count() of project", "the number of records over project"),
        ("count(invoice) of time_entry", "the number of records that have invoice over time entry"),
        ("distinct(resource) of time_entry", "the number of different resource over time entry"),
        (
            "sum(hours * rate) of t where not (a is blank or b is not blank)",
            "the sum of hours times rate over t where not (a is blank or b is not blank)",
        ),
        ("avg(x) of a / 2", "the average of x over a divided by 2"),
        ("sum(x) of a where s in ('p', 'q') - count() of b",
         "the sum of x over a where s is “p” or “q” minus the number of records over b"),
        ("sum(x) of a where n >= -3 and ok = true", "the sum of x over a where n is at least -3 and ok is yes"),
    ],
)  # fmt: skip
def test_an_expression_is_said_in_words(text: str, words: str) -> None:
    assert in_words(parse(text)) == words


def test_a_stream_is_read_as_it_is() -> None:
    assert in_words(parse("sum(`Billed hours`) where Status.Code = 4", of_stream=True)) == (
        "the sum of Billed hours where Status.Code is 4"
    )


def test_times_binds_more_than_plus() -> None:
    assert in_words(parse("count() of a + count() of b * 2")) == (
        "the number of records over a plus (the number of records over b times 2)"
    )


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("", "line 1, column 1", "sum, avg, count or distinct is expected, not the end"),
        ("3 + 4", "line 1, column 1", "only numbers"),
        ("sum(hours) of time_entry\nwhere status = approved", "line 2, column 16", "A value is expected"),
        ("sum(hours) of time_entry where status", "line 1, column 38", "A comparison is expected after status"),
        ("sum() of time_entry", "line 1, column 1", "sum needs a field"),
        ("sum(hours)", "line 1, column 11", "It is not said of what sum is taken"),
        ("count(a * 2) of b", "line 1, column 1", "count takes one field"),
        ("sum(hours) of time_entry; drop table x", "line 1, column 25", "“;” cannot stand here"),
        ("sum(hours) of time_entry count() of x", "line 1, column 26", "“count” cannot follow here"),
        ("(" * 60 + "count() of a", "line 1, column 42", "nested more than 40 deep"),
        ("sum(a) of b where c < true", "line 1, column 23", "“<” does not fit"),
        ("sum(a) of b where c in 3", "line 1, column 24", "“(” is missing"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, where: str, said: str) -> None:
    with pytest.raises(TermError) as refused:
        parse(text)
    assert said in refused.value.sentence
    assert refused.value.where == where


def test_an_endless_expression_is_refused() -> None:
    with pytest.raises(TermError, match="more than"):
        parse("1 + " * MAX_LENGTH + "count() of a")


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("sum(hours) of time_entri", 1, "There is no entity “time_entri”"),
        ("sum(houres) of time_entry", 5, "Did you mean hours?"),
        ("sum(status) of time_entry", 5, "cannot be added up"),
        ("count() of time_entry where hours = 'many'", 29, "compare it with a number"),
        ("count() of time_entry where is_billable = 1", 29, "compare it with true or false"),
        ("count() of time_entry where status = 'aproved'", 29, "never “aproved”"),
        ("count() of time_entry where hours in period", 29, "not a date"),
    ],
)
def test_what_does_not_fit_the_contract_is_refused_with_its_place(text: str, column: int, said: str) -> None:
    with pytest.raises(TermError) as refused:
        check(parse(text), FIELDS.get)
    assert said in str(refused.value)
    assert refused.value.column == column


def test_every_field_that_is_read_is_told() -> None:
    used = check(parse("sum(hours) of time_entry where date in period and (status = 'draft')"), FIELDS.get)
    assert [str(each) for each in used] == ["time_entry.hours", "time_entry.date", "time_entry.status"]


def test_the_aggregates_and_the_period_are_found() -> None:
    node = parse("sum(hours) of a / count() of b where date in period")
    assert [each.entity for each in aggregates_of(node)] == ["a", "b"]
    assert uses_period(node)
