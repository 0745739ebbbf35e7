"""What a mapping means: missing fields, defaults, nested targets, references, value maps, errors and the preview."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from hub.common import times
from hub.common.errors import ConfigError, RecordError
from mappings.compile import (
    FieldTrace,
    Mapper,
    MappingError,
    MappingFailure,
    ReferenceRule,
    TraceStep,
    ValueMapData,
    ValueMapEntryData,
    compile_mapping,
)
from mappings.paths import MISSING
from mappings.rules import Conversion, FieldRule, RulesError, parse_rules

STATES = ValueMapData(
    "states", (ValueMapEntryData("A", "approved"), ValueMapEntryData("1", "open"), ValueMapEntryData("X", "open"))
)
GRADES = ValueMapData(
    "grades",
    (
        ValueMapEntryData("L3", "senior", None, date(2026, 3, 31)),
        ValueMapEntryData("L3", "principal", date(2026, 4, 1), None),
    ),
)
MAPS = {"states": STATES, "grades": GRADES}


def mapper(*rules: dict[str, Any], **options: Any) -> Mapper:
    return compile_mapping(parse_rules(rules), value_maps=MAPS, **options)


def test_absent_fields_never_blank_a_value() -> None:
    rules = [
        {"target": "a.b", "source": "x"},
        {"target": "a.c", "source": "y.z"},
        {"target": "d", "source": "x", "type": "date"},
    ]
    assert mapper(*rules).apply({}) == {}
    assert mapper(*rules).apply({"y": {}}) == {}
    assert mapper(*rules).apply({"x": None, "y": None}) == {"a": {"b": None, "c": None}, "d": None}


@pytest.mark.parametrize(("policy", "result"), [("omit", {}), ("null", {"t": None}), ("default", {"t": "1.00"})])
def test_missing_field_follows_its_policy(policy: str, result: Any) -> None:
    rule = {"target": "t", "source": "x", "type": "decimal", "digits": 2, "on_missing": policy, "default": 1}
    assert mapper(rule).apply({}) == result
    assert mapper(rule).apply({"x": None}) == {"t": None}
    assert mapper(rule).apply_all([{}, {"x": "2"}]) == [result, {"t": "2.00"}]


def test_missing_field_may_fail_the_record_in_the_words_of_its_direction() -> None:
    rule = {"target": "t", "source": "x.y", "on_missing": "fail"}
    with pytest.raises(MappingError, match=r"The source did not send x\.y\."):
        mapper(rule).apply({})
    with pytest.raises(MappingError, match=r"The hub's record has no x\.y\."):
        mapper(rule, direction="out").apply({})


def test_default_and_constant_are_checked_when_compiling() -> None:
    with pytest.raises(RulesError, match="constant does not fit"):
        mapper({"target": "t", "kind": "constant", "value": "x", "type": "integer"})
    with pytest.raises(RulesError, match="default does not fit"):
        mapper({"target": "t", "source": "x", "on_missing": "default", "default": "x", "type": "date"})
    assert mapper({"target": "t", "kind": "constant", "value": 5, "type": "decimal", "digits": 2}).apply({}) == {
        "t": "5.00"
    }


def test_constant_objects_are_not_shared_between_records() -> None:
    rule = {"target": "t", "kind": "constant", "value": {"a": []}, "type": "json"}
    one, two = mapper(rule).apply_all([{}, {}])
    one["t"]["a"].append(1)
    assert two == {"t": {"a": []}}


def test_every_reason_of_a_record_is_collected_with_target_source_and_value() -> None:
    rules = [
        {"target": "hours", "source": "line.qty", "type": "decimal"},
        {"target": "day", "source": "date", "type": "date"},
        {"target": "ok", "source": "ok"},
    ]
    with pytest.raises(MappingError) as caught:
        mapper(*rules).apply({"line": {"qty": "eight"}, "date": "31.3.2026", "ok": "x"})
    error = caught.value
    assert isinstance(error, RecordError)
    assert [each.field for each in error.errors] == ["hours", "day"]
    assert error.errors[0].where == "hours from line.qty"
    assert "'eight'" in error.errors[0].what
    assert error.field == "hours"
    assert "1 more field" in error.what


def test_apply_all_returns_failures_in_their_place() -> None:
    results = mapper({"target": "n", "source": "n", "type": "integer"}).apply_all([{"n": 1}, {"n": "x"}, "nonsense"])  # type: ignore[list-item]
    assert results[0] == {"n": 1}
    assert isinstance(results[1], MappingFailure)
    assert results[1].error.code == "NUMBER"
    assert isinstance(results[2], MappingFailure)


def test_fields_come_out_in_the_order_of_the_rules_whatever_way_they_took() -> None:
    rules = [
        {"target": "z", "source": "z"},
        {"target": "e", "kind": "expression", "text": "a"},
        {"target": "n.b", "source": "b"},
        {"target": "a", "source": "a"},
        {"target": "n.a", "source": "a"},
    ]
    full = mapper(*rules).apply({"z": "1", "a": "2", "b": "3"})
    assert list(full) == ["z", "n", "a", "e"]
    assert list(full["n"]) == ["b", "a"]
    assert list(mapper(*rules).apply({"z": 1, "a": 2.0, "b": "3", "more": 1})) == list(full)
    assert list(mapper(*rules).apply({"b": "3", "a": "2"})) == ["n", "a", "e"]


def test_references_come_out_as_the_raw_value_and_are_listed() -> None:
    rules = [
        {"target": "project", "kind": "reference", "source": "project.id", "entity": "project", "via": "psa.projects"},
        {"target": "task", "kind": "reference", "source": "task", "entity": "task", "convert": ["upper"]},
    ]
    found = mapper(*rules)
    assert found.references == (ReferenceRule("project", "project", "psa.projects"), ReferenceRule("task", "task", ""))
    assert found.apply({"project": {"id": 4711}, "task": " a-1 "}) == {"project": "4711", "task": "A-1"}
    assert found.apply({"project": {"id": " "}, "task": None}) == {"project": None, "task": None}


def test_write_modes_other_than_overwrite_are_listed() -> None:
    assert mapper(
        {"target": "a", "source": "x", "write_mode": "if_empty"}, {"target": "b", "source": "x"}
    ).write_modes == {"a": "if_empty"}


# --- value maps -----------------------------------------------------------------------------------------------------


def look_up(value: Any, record: Any = None, **options: Any) -> Any:
    rule = {"target": "t", "kind": "value_map", "source": "v", "value_map": "states", **options}
    return mapper(rule, today=date(2026, 3, 31)).apply({"v": value, **(record or {})})["t"]


def test_value_is_looked_up_as_text_after_the_conversions() -> None:
    assert look_up("A") == "approved"
    assert look_up(1) == "open"
    assert look_up(" a ", convert=["trim", "upper"]) == "approved"
    assert look_up(None) is None


def test_unmapped_value_follows_the_rule_then_the_map_then_fails() -> None:
    assert look_up("Q", on_unmapped="keep") == "Q"
    assert look_up("Q", on_unmapped="null") is None
    assert look_up("Q", on_unmapped="default", default="other") == "other"
    with pytest.raises(MappingError, match="'Q' is not in the value map states"):
        look_up("Q")
    lenient = {"m": ValueMapData("m", (), "default", "unknown")}
    rules = parse_rules([{"target": "t", "kind": "value_map", "source": "v", "value_map": "m"}])
    assert compile_mapping(rules, value_maps=lenient).apply({"v": "Q"}) == {"t": "unknown"}


def test_reversed_map_answers_the_other_way_and_the_first_entry_wins() -> None:
    assert look_up("approved", reverse=True) == "A"
    assert look_up("open", reverse=True) == "1"
    assert STATES.ambiguous(reverse=True) == ["open"]
    assert STATES.ambiguous(reverse=False) == []
    assert GRADES.ambiguous(reverse=False) == []


def test_dated_map_is_read_as_of_the_effective_date_else_today() -> None:
    def grade(on: Any, today: date | None = None) -> Any:
        rule = {"target": "t", "kind": "value_map", "source": "v", "value_map": "grades", "effective_date": "on"}
        return mapper(rule, today=today).apply({"v": "L3", "on": on})["t"]

    assert [grade(day) for day in ("2026-03-31", "2026-04-01", date(2025, 1, 1))] == ["senior", "principal", "senior"]
    with pytest.raises(MappingError, match="on is empty"):
        grade(None)
    without = {"value_map": "grades"}
    assert look_up("L3", **without) == "senior"
    rule = {"target": "t", "kind": "value_map", "source": "v", "value_map": "grades"}
    always = mapper(rule, time_zone="Europe/Berlin")
    try:
        for hour, expected in ((21, "senior"), (23, "principal")):
            times.set_business_clock(datetime(2026, 3, 31, hour, tzinfo=UTC))
            assert always.apply({"v": "L3"}) == {"t": expected}
    finally:
        times.set_business_clock(None)


def test_unknown_value_map_zone_or_expression_stops_the_compilation_with_every_reason() -> None:
    with pytest.raises(RulesError) as caught:
        mapper(
            {"target": "a", "kind": "value_map", "source": "v", "value_map": "nope"},
            {"target": "b", "kind": "expression", "text": "1 +"},
        )
    assert len(caught.value.problems) == 2
    with pytest.raises(ConfigError, match="no time zone"):
        mapper({"target": "a", "source": "v"}, time_zone="Nowhere")


# --- preview --------------------------------------------------------------------------------------------------------


def test_explain_shows_every_step_of_every_field() -> None:
    rules = [
        {
            "target": "amount",
            "source": "cents",
            "type": "decimal",
            "convert": [{"fn": "cents_to_money", "args": {"currency": "EUR"}}],
        },
        {"target": "bad", "source": "x", "type": "integer", "convert": ["trim"]},
        {"target": "gone", "source": "y"},
    ]
    amount, bad, gone = mapper(*rules).explain({"cents": 1234, "x": " q "})
    assert amount == FieldTrace(
        "amount",
        "cents",
        1234,
        (TraceStep("cents_to_money", 1234, Decimal("12.34")), TraceStep("decimal", Decimal("12.34"), "12.34")),
        "12.34",
    )
    assert bad.steps == (TraceStep("trim", " q ", "q"),)
    assert "'q' is not a number" in bad.error
    assert bad.value is MISSING
    assert (gone.raw, gone.value, gone.error) == (MISSING, MISSING, "")


def test_explain_never_raises_and_agrees_with_apply() -> None:
    rule = FieldRule(target="t", source="x", convert=(Conversion("coalesce", {"fields": ["y"]}),), on_missing="fail")
    found = compile_mapping([rule], value_maps={})
    for record in ({}, {"y": "1"}, {"x": ""}, {"x": [], "y": 1}, {"y": ""}):
        trace, (result,) = found.explain(record)[0], found.apply_all([record])
        if isinstance(result, MappingFailure):
            assert result.error.what in trace.error
        else:
            assert result.get("t", MISSING) == trace.value


# --- values a database sends ----------------------------------------------------------------------------------------


def test_database_values_become_the_texts_that_travel() -> None:
    record = {
        "n": Decimal("12.5000"),
        "d": date(2026, 3, 31),
        "t": datetime(2026, 3, 31, 9),
        "z": datetime(2026, 3, 31, tzinfo=UTC),
    }
    rules = [
        {"target": "n", "source": "n", "type": "decimal", "digits": 2},
        {"target": "d", "source": "d", "type": "date"},
        {"target": "t", "source": "t", "type": "datetime"},
        {"target": "z", "source": "z", "type": "datetime"},
        {"target": "text", "source": "n"},
    ]
    assert mapper(*rules, time_zone="Europe/Berlin").apply(record) == {
        "n": "12.50",
        "d": "2026-03-31",
        "t": "2026-03-31T07:00:00Z",
        "z": "2026-03-31T00:00:00Z",
        "text": "12.5000",
    }
