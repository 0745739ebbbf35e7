"""Expressions: bounded, deterministic, exact where money is concerned, and errors point at their place."""

from __future__ import annotations

import threading
import time
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from hub.common.errors import RecordError
from mappings.compile import MappingError, ValueMapData, ValueMapEntryData, compile_mapping
from mappings.expressions import REFUSED, ExpressionError, JLensEngine, compile_expression, lint
from mappings.paths import MISSING
from mappings.rules import FieldRule, RulesError


def evaluate(text: str, record: Any = None) -> Any:
    return compile_expression(text).evaluate(record if record is not None else {})


def field(text: str, **options: Any) -> FieldRule:
    return FieldRule(target="out", kind="expression", text=text, **options)


def mapped(rule: FieldRule, record: Any) -> Any:
    return compile_mapping([rule], value_maps={}).apply(record)


# --- values ---------------------------------------------------------------------------------------------------------


def test_no_result_is_missing_and_null_is_null() -> None:
    assert evaluate("a.b", {}) is MISSING
    assert evaluate("a.b", {"a": {"b": None}}) is None
    assert mapped(field("a.b"), {}) == {}
    assert mapped(field("a.b"), {"a": {"b": None}}) == {"out": None}


def test_no_result_follows_the_rule_for_missing_fields() -> None:
    assert mapped(field("a", on_missing="null"), {}) == {"out": None}
    assert mapped(field("a", on_missing="default", default="d"), {}) == {"out": "d"}
    with pytest.raises(MappingError, match="did not send the expression"):
        mapped(field("a", on_missing="fail"), {})


@pytest.mark.parametrize(
    ("text", "record", "result"),
    [
        ("$money(a, cur)", {"a": "1.005", "cur": "EUR"}, "1.01"),
        ("$money(a, cur)", {"a": "1.5", "cur": "JPY"}, "2"),
        ("$money(a, 'KWD')", {"a": 1.0005}, "1.001"),
        ("$money(a, 'EUR')", {"a": None}, None),
        ("$round_half_up(a, 2)", {"a": 2.675}, "2.68"),
        ("$round_half_up(a)", {"a": "-0.5"}, "-1"),
        ("$mul(hours, rate)", {"hours": "7.25", "rate": "133.35"}, "966.7875"),
        ("$add(a, b)", {"a": 0.1, "b": 0.2}, "0.3"),
        ("$sub(a, b)", {"a": "1000000000000000.01", "b": "0.01"}, "1000000000000000.00"),
        ("$div(a, b)", {"a": "100", "b": "3"}, "33.33"),
        ("$div(a, b, 4)", {"a": "-1", "b": "8"}, "-0.1250"),
        ("$mul(a, b)", {"a": None, "b": "2"}, None),
        ("$mul(a, b)", {"b": "2"}, MISSING),
        ("$div(a, b)", {"a": "2", "b": ""}, None),
        ("$money(a, 'EUR')", {}, MISSING),
        ('$coalesce(a, b, "z")', {"a": None, "b": ""}, "z"),
        ('$coalesce(a, "") & "x"', {"a": None}, "x"),
    ],
)
def test_host_functions_compute_in_decimals(text: str, record: Any, result: Any) -> None:
    assert evaluate(text, record) == result


def test_decimals_dates_and_large_integers_arrive_whole() -> None:
    record = {"d": Decimal("12.340"), "day": date(2026, 3, 31), "id": 2**53 + 1, "deep": [{"id": 2**70}]}
    assert evaluate("[d, day, id, deep.id]", record) == ["12.340", "2026-03-31", str(2**53 + 1), str(2**70)]
    assert evaluate("$", record)["deep"] == [{"id": str(2**70)}]


def test_only_the_fields_it_reads_must_be_readable() -> None:
    assert evaluate("a", {"a": 1, "b": float("nan")}) == 1
    with pytest.raises(RecordError, match="finite"):
        evaluate("b", {"b": Decimal("NaN")})


# --- floats into decimals -------------------------------------------------------------------------------------------


def test_float_result_is_refused_for_a_decimal_unless_the_rule_rounds() -> None:
    record = {"hours": 7.1, "rate": 33.3}
    with pytest.raises(MappingError, match="binary arithmetic"):
        mapped(field("hours * rate", type="decimal"), record)
    with pytest.raises(MappingError, match="binary arithmetic"):
        mapped(field("hours * rate", type="decimal", digits=2), record)
    assert mapped(field("hours * rate", type="decimal", digits=2, rounding="half_up"), record) == {"out": "236.43"}
    assert mapped(field("$mul(hours, rate)", type="decimal"), record) == {"out": "236.43"}


def test_integer_beyond_the_exact_range_is_refused_for_a_decimal() -> None:
    with pytest.raises(MappingError, match="too large"):
        mapped(field("a * 1", type="decimal", digits=0, rounding="half_up"), {"a": 2**52 * 2.0 * 4})


# --- saving ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_names_that_run_text_or_change_between_runs_are_refused(name: str) -> None:
    for text in (f'${name}("1")', f"($e := ${name}; $e('1'))", f'"1" ~> ${name}', f"a.\n  ${name}()"):
        with pytest.raises(ExpressionError, match=f"\\${name} is not allowed") as caught:
            compile_expression(text)
        assert caught.value.line == text.count("\n") + 1


@pytest.mark.parametrize("text", ['"$eval"', "`$eval`", "/* $eval */ 1", "'$now()'"])
def test_a_refused_name_inside_a_text_is_only_text(text: str) -> None:
    evaluate(text)


def test_refused_names_stay_dead_even_if_the_check_is_passed_by() -> None:
    from mappings import expressions

    for name in REFUSED:
        with pytest.raises(RecordError, match="not allowed"):
            expressions._One(f'${name}("1")', None).evaluate({})


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("1 +", 1, 4), ("a &\n  foo(bar", 2, 10), ("a\n.b)", 2, 3), ("1 + foo bar", 1, 9), ("1 /* x", 1, 3)],
)
def test_syntax_error_has_line_and_column(text: str, line: int, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert caught.value.sentence.endswith(".")


def test_expression_cannot_reach_out_of_its_brackets() -> None:
    for text in ('1), "x": (2', "1)} /* ", "1 /*"):
        with pytest.raises(RulesError):
            compile_mapping([field(text)], value_maps={})


def test_evaluation_error_points_into_the_text() -> None:
    with pytest.raises(RecordError, match="line 2, column 4"):
        evaluate('a &\n  ("x" + 1)', {"a": "b"})


def test_lint_warns_of_null_in_texts_and_of_floats_in_amounts() -> None:
    assert "the word null" in lint('null & "x"')[0]
    assert not lint('"null & x"')
    assert "$mul" in lint("hours * rate", for_decimal=True)[0]
    assert not lint("$mul(hours, rate)", for_decimal=True)
    assert not lint("hours * rate")


# --- limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "($f := function($x) { $f($x) }; $f(1))",
        "($f := function($x) { 1 + $f($x) }; $f(1))",
        '$pad("", 2000000000)',
        '($d := function($s, $n) { $n = 0 ? $s : $d($s & $s, $n - 1) }; $length($d("xxxxxxxxxx", 40)))',
        "$count([1..9999999])",
    ],
)
def test_runaway_expression_is_stopped(text: str) -> None:
    expression = compile_expression(text)
    started = time.monotonic()
    with pytest.raises(RecordError):
        expression.evaluate({})
    assert time.monotonic() - started < 30


def test_deeply_nested_text_is_refused_not_a_crash() -> None:
    with pytest.raises(ExpressionError):
        compile_expression("(" * 20_000 + "1" + ")" * 20_000)


def test_host_function_failure_is_a_sentence_about_the_record() -> None:
    with pytest.raises(RecordError, match="'x' is not a number"):
        evaluate("$mul(a, 2)", {"a": "x"})
    with pytest.raises(RecordError, match="not a currency code"):
        evaluate("$money(1, 'XX')")


def test_one_expression_serves_many_threads() -> None:
    expression, wrong = compile_expression('$mul(a, 2) & "-" & b.c'), []

    def work(start: int) -> None:
        wrong.extend(
            n for n in range(start, start + 300) if expression.evaluate({"a": n, "b": {"c": n}}) != f"{n * 2}-{n}"
        )

    threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 1200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# --- in a mapping ---------------------------------------------------------------------------------------------------


def test_expressions_of_a_mapping_are_one_pass_and_errors_name_the_field() -> None:
    rules = [
        FieldRule(target="a", kind="expression", text="x & y"),
        FieldRule(target="b.c", kind="expression", text="$mul(x, 2)", type="decimal"),
        FieldRule(target="plain", source="y"),
    ]
    mapper = compile_mapping(rules, value_maps={})
    assert mapper.apply({"x": "1", "y": "z"}) == {"plain": "z", "a": "1z", "b": {"c": "2"}}
    with pytest.raises(MappingError, match="'q' is not a number") as caught:
        mapper.apply({"x": "q", "y": "z"})
    assert caught.value.field == "b.c"
    assert len(caught.value.errors) == 1


def test_lookup_map_reads_a_value_map_by_its_own_policy() -> None:
    maps = {"m": ValueMapData("m", (ValueMapEntryData("A", "approved"),))}
    mapper = compile_mapping([field("$lookup_map('m', s)")], value_maps=maps)
    assert mapper.apply({"s": "A"}) == {"out": "approved"}
    with pytest.raises(MappingError, match="not in the value map m"):
        mapper.apply({"s": "B"})
    with pytest.raises(MappingError, match="no value map 'other'"):
        compile_mapping([field("$lookup_map('other', s)")], value_maps=maps).apply({"s": "A"})


def test_engine_compiles_a_set() -> None:
    assert JLensEngine().compile_set(["a", "b"]).evaluate({"a": 1}) == {"0": 1}
