"""Decision tables: what cells mean, what is decided, and what the check for overlaps and gaps finds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.billing.analysis import faults, refuse_faults
from governance.billing.conditions import everything, parse_condition, parse_value
from governance.billing.deciding import decide
from governance.billing.starters import MILESTONE, RATE, STARTERS, THRESHOLD
from governance.billing.table import parse_table, read_table
from hub.common.errors import ConfigError, RecordError


def lets(text: str, type_: str, value: str, **whole: Any) -> bool:
    return parse_value(value, type_) in parse_condition(text, type_, everything(type_, **whole))


@pytest.mark.parametrize(
    ("text", "type_", "inside", "outside"),
    [
        (">= 10", "number", ["10", "10.01"], ["9.99"]),
        ("< 10", "money", ["-5", "9.9999"], ["10"]),
        ("[10..20)", "number", ["10", "19.99"], ["20", "9.99"]),
        ("(10..20]", "number", ["20"], ["10"]),
        ("10..20", "number", ["10", "20"], ["21"]),
        ("1, 3, >= 10", "number", ["1", "3", "11"], ["2"]),
        ("not(5)", "number", ["4.99", "6"], ["5.00"]),
        ("2026-01-01..2026-03-31", "date", ["2026-01-01", "2026-03-31"], ["2026-04-01"]),
        ("> 2026-01-01", "date", ["2026-01-02"], ["2026-01-01"]),
        ("a, b", "text", ["a", "b"], ["c"]),
        ('"a, b"', "text", ["a, b"], ["a"]),
        ("not(a)", "text", ["b"], ["a"]),
        ("yes", "boolean", ["true"], ["no"]),
        ("", "text", ["anything"], []),
        ("-", "number", ["0"], []),
    ],
)
def test_what_a_condition_lets_through(text, type_, inside, outside):
    assert all(lets(text, type_, value) for value in inside)
    assert not any(lets(text, type_, value) for value in outside)


@pytest.mark.parametrize(
    ("text", "type_", "words"),
    [
        ("ten", "number", "is not a number"),
        ("2026-02-30", "date", "is not a date"),
        ("maybe", "boolean", "neither yes nor no"),
    ],
)
def test_a_cell_that_means_nothing_is_a_sentence(text, type_, words):
    with pytest.raises(RecordError, match=words):
        parse_condition(text, type_, everything(type_))


# Deciding ---------------------------------------------------------------------------------------------------
def milestone(**case: Any) -> dict[str, Any]:
    return {"status": "completed", "needs_acceptance": False, "amount": "1250.55", "currency": "EUR", **case}


def test_the_row_that_matches_decides():
    found = decide(parse_table(MILESTONE), milestone())
    assert found.rows == (2,)
    assert found.result == {"action": "bill", "bill": Decimal("1250.55")}


def test_a_share_is_exact_and_rounded_half_up_once():
    found = decide(parse_table(MILESTONE), milestone(needs_acceptance=True, amount="0.07"))
    assert found.result["bill"] == Decimal("0.06")
    assert isinstance(found.result["bill"], Decimal)


def test_an_amount_has_the_decimals_of_its_currency():
    table = {**MILESTONE, "inputs": [*MILESTONE["inputs"][:3], {"name": "currency", "type": "text"}]}
    found = decide(parse_table(table), milestone(currency="JPY", amount="1250.5"))
    assert str(found.result["bill"]) == "1251"


def test_the_first_row_counts_and_nothing_else():
    table = parse_table(THRESHOLD)
    case = {"unbilled": "30000", "days_since_invoice": "45", "billing_type": "capped"}
    assert decide(table, case).rows == (2,)
    assert decide(table, {**case, "unbilled": "10"}).rows == (3,)
    assert decide(table, {**case, "billing_type": "fixed"}).rows == (1,)


def test_otherwise_is_what_no_row_covers():
    found = decide(
        parse_table(RATE), dict.fromkeys(("has_assignment_rate", "has_project_rate", "has_client_rate"), "no")
    )
    assert (found.rows, found.result) == ((), {"rate_from": "standard"})


def test_collect_gives_every_row_that_matches():
    found = decide(parse_table({**simple("collect", ["> 5", "> 10", "> 100"])}), {"n": "50"})
    assert found.rows == (1, 2)
    assert decide(parse_table(simple("collect", ["> 100"])), {"n": "50"}).results == ()


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({"status": None}, "Milestone status is missing"),
        ({"amount": "much"}, "Milestone amount: 'much' is not a number"),
        ({"amount": "-1"}, "is not at least 0"),
        ({"status": "lost"}, "is not one of planned, completed, accepted"),
    ],
)
def test_a_case_that_is_no_case_is_a_sentence(case, words):
    with pytest.raises(RecordError, match=words):
        decide(parse_table(MILESTONE), milestone(**case))


# The check --------------------------------------------------------------------------------------------------
def simple(policy: str, conditions: list[str], **more: Any) -> dict[str, Any]:
    rows = [{"when": {"n": text}, "then": {"a": str(number)}} for number, text in enumerate(conditions)]
    return {
        "hit_policy": policy,
        "inputs": [{"name": "n", "type": "number"}],
        "outputs": [{"name": "a", "type": "text"}],
        "rows": rows,
        **more,
    }


@pytest.mark.parametrize("name", STARTERS)
def test_the_shipped_tables_are_without_fault(name):
    assert faults(parse_table(STARTERS[name])) == []


@pytest.mark.parametrize(
    ("policy", "conditions", "sentences"),
    [
        ("unique", ["< 10", ">= 10"], []),
        ("unique", ["<= 10", ">= 10"], ["Row 1 and row 2 both match, for example n 10."]),
        ("unique", ["< 10", "> 10"], ["No row matches n 10; the nearest is row 1."]),
        ("unique", ["[1..5]"], ["No row matches n less than 1 or more than 5"]),
        ("first", ["< 10", "-"], []),
        ("first", ["-", "< 10"], ["Row 2 is never reached"]),
        ("first", ["< 10", ">= 5", "[3..12]"], ["Row 3 is never reached"]),
        ("first", ["< 10"], ["No row matches n 10"]),
        ("unique", ["[5..1]", "-"], ["Row 1 can never match."]),
        ("collect", ["< 10", "< 5"], []),
    ],
)
def test_overlaps_gaps_and_dead_rows_are_named(policy, conditions, sentences):
    found = faults(parse_table(simple(policy, conditions)))
    assert len(found) == len(sentences)
    assert all(part in whole for part, whole in zip(sentences, found, strict=True))


def test_otherwise_closes_every_gap():
    assert faults(parse_table(simple("unique", ["1"], otherwise={"a": "x"}))) == []


def test_days_have_no_gap_between_them():
    table = simple("unique", ["<= 2025-12-31", ">= 2026-01-01"])
    table["inputs"][0]["type"] = "date"
    assert faults(parse_table(table)) == []


def test_a_table_with_faults_is_refused_with_its_rows():
    with pytest.raises(ConfigError, match="Row 1 and row 2 both match"):
        refuse_faults(parse_table(simple("unique", ["<= 10", ">= 10"])))


WORDS = st.sampled_from(["", "a", "b", "a, b", "not(a)", "not(b, c)", "c"])
NUMBERS = st.sampled_from(["", "< 0", ">= 0", "[0..10)", "(0..10]", "10", "not(5)", "> 10", "5, 7"])
ROWS = st.lists(st.tuples(WORDS, NUMBERS), min_size=1, max_size=5)
CASES = st.tuples(st.sampled_from("abcd"), st.sampled_from(["-1", "0", "0.5", "5", "6", "7", "9.99", "10", "11"]))


def two_columns(policy: str, rows: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "hit_policy": policy,
        "inputs": [{"name": "w", "type": "text"}, {"name": "n", "type": "number"}],
        "outputs": [{"name": "a", "type": "number"}],
        "rows": [{"when": {"w": w, "n": n}, "then": {"a": "1"}} for w, n in rows],
    }


@given(ROWS, st.lists(CASES, min_size=5, max_size=20))
def test_a_table_that_passes_the_check_decides_every_case(rows, cases):
    table = parse_table(two_columns("unique", rows))
    found = faults(table)
    for word, number in cases:
        try:
            decided = decide(table, {"w": word, "n": number})
        except RecordError:
            assert found, "the check found nothing, and yet there is no decision"
        else:
            assert len(decided.rows) == 1


@given(ROWS, CASES)
def test_a_row_that_is_called_unreached_never_counts(rows, case):
    table = parse_table(two_columns("first", [*rows, ("", "")]))
    dead = {row.number for row in table.rows for text in faults(table) if text.startswith(f"Row {row.number} ")}
    assert not dead & set(decide(table, {"w": case[0], "n": case[1]}).rows)


# Reading ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"hit_policy": "any"}, "hit_policy"),
        ({"inputs": []}, "inputs"),
        ({"inputs": [{"name": "N"}]}, "inputs.0"),
        ({"inputs": [{"name": "n", "type": "float"}]}, "inputs.0"),
        ({"inputs": [{"name": "n"}, {"name": "n"}]}, "inputs"),
        ({"outputs": [{"name": "a", "type": "money", "currency": "x"}]}, "outputs"),
        ({"rows": []}, "rows"),
        ({"rows": [{"when": {"m": "1"}}]}, "rows.1"),
        ({"rows": [{"when": {"n": "ten"}}]}, "rows.1.when.n"),
        ({"rows": [{"then": {"a": "30 % of n"}}]}, "rows.1.then.a"),
        ({"otherwise": {"b": "x"}}, "otherwise"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_at_its_place(change, path):
    table, problems = read_table({**simple("unique", [""]), **change})
    assert table is None
    assert path in [where for where, _ in problems]


def test_a_table_has_one_spelling():
    table = parse_table(MILESTONE)
    assert parse_table(table.as_data()).as_data() == table.as_data()
    assert table.as_data() == MILESTONE
