"""The compiled function gives what the plans give, and nothing a user writes ever becomes code."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.common.errors import RecordError
from hub.common.times import time_zone
from mappings.codegen import compile_plans
from mappings.compile import MappingFailure, compile_mapping
from mappings.expressions import JLensEngine
from mappings.paths import MISSING, place
from mappings.prepare import Surroundings, prepare
from mappings.rules import FieldRule, RulesError, parse_rules
from tests.mappings import strategies as some

TODAY = date(2026, 3, 31)
AROUND = Surroundings(some.VALUE_MAPS, time_zone("Europe/Berlin"), "in", lambda: TODAY, JLensEngine())
slow_data = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


def by_plans(rules: list[FieldRule], record: Any) -> Any:
    """What the rules mean, with no compiled code involved; None for a record that fails."""
    mapped: dict[str, Any] = {}
    try:
        for plan in (prepare(rule, AROUND) for rule in rules):
            value = plan.run(record)
            if value is not MISSING:
                place(mapped, plan.target, value)
    except RecordError:
        return None
    return mapped


def compiled(rules: list[FieldRule]) -> Any:
    return compile_mapping(rules, value_maps=some.VALUE_MAPS, time_zone="Europe/Berlin", today=TODAY)


def plain(value: Any) -> str:
    """A form in which 1, 1.0 and True differ, and so does the order of keys."""
    return repr(value)


@slow_data
@given(some.rule_sets(), st.lists(some.records, max_size=4))
def test_fast_way_equals_the_definition_for_hostile_names_paths_and_values(
    rules: list[FieldRule], page: list[Any]
) -> None:
    try:
        mapper = compiled(rules)
    except RulesError:
        return
    for record, result in zip(page, mapper.apply_all(page), strict=True):
        expected = by_plans(rules, record)
        if expected is None:
            assert isinstance(result, MappingFailure)
            assert result.errors
        else:
            assert plain(result) == plain(expected)


@slow_data
@given(some.rule_sets(), some.records)
def test_repeated_and_changed_records_do_not_share_results(rules: list[FieldRule], record: Any) -> None:
    try:
        mapper = compiled(rules)
    except RulesError:
        return
    first, second = mapper.apply_all([record, record])
    if isinstance(first, MappingFailure):
        return
    before = plain(second)
    _spoil(first)
    assert plain(second) == before
    assert plain(mapper.apply(record)) == before


def _spoil(value: Any) -> None:
    if isinstance(value, dict):
        for inner in value.values():
            _spoil(inner)
        value["spoiled"] = True
    elif isinstance(value, list):
        value.append("spoiled")


@pytest.mark.parametrize("text", some.HOSTILE)
def test_hostile_text_is_data_in_every_place_of_a_rule(text: str) -> None:
    braces = text.replace("{", "{{").replace("}", "}}")
    from mappings.paths import format_path

    path = format_path((text,))
    data = [
        {"target": format_path(("out", text)), "source": path},
        {"target": "constant", "kind": "constant", "value": text},
        {"target": "template", "kind": "template", "text": braces},
        {"target": "prefixed", "source": path, "convert": [{"fn": "prefix", "args": {"text": text}}]},
        {"target": "filled", "source": "empty", "convert": [{"fn": "default_if_empty", "args": {"value": text}}]},
        {"target": "default", "source": "absent", "on_missing": "default", "default": text},
    ]
    result = compiled(list(parse_rules(data))).apply({text: "v", "empty": ""})
    assert result == {
        "out": {text: "v"},
        "constant": text,
        "template": text,
        "prefixed": f"{text}v",
        "filled": text,
        "default": text,
    }


def test_source_holds_no_text_of_a_rule_but_as_a_literal() -> None:
    seen: list[str] = []

    class Text(str):
        """A text that would write itself into the source as code if its own repr were used."""

        __slots__ = ()

        def __repr__(self) -> str:
            seen.append("repr was used")
            return "__import__('os')._exit(7)"

        __str__ = __repr__

    rule = FieldRule(target=Text("a"), source=Text("b"))
    assert compiled([rule]).apply({"b": "x"}) == {"a": "x"}
    assert not seen


def test_compiled_function_has_no_builtins() -> None:
    plans = [prepare(FieldRule(target="a", source="b"), AROUND)]
    run = compile_plans(plans, None, lambda record, position: None)
    assert set(run.__globals__["__builtins__"]) == {"Exception"}  # type: ignore[attr-defined]


def test_fast_way_refuses_the_hour_24_as_the_definition_does() -> None:
    rule = FieldRule(target="at", source="at", type="datetime")
    for text in ("2026-03-31T24:00:00Z", "2026-W14-2T09:30:00Z", "2026-03-31T09:30:00z"):
        record = {"at": text}
        result = compiled([rule]).apply_all([record])[0]
        expected = by_plans([rule], record)
        assert isinstance(result, MappingFailure) if expected is None else result == expected


def test_mapping_of_a_thousand_fields_compiles() -> None:
    rules = [FieldRule(target=f"t{number}.x", source=f"s{number % 50}.y") for number in range(1000)]
    result = compiled(rules).apply({f"s{number}": {"y": str(number)} for number in range(50)})
    assert len(result) == 1000
    assert result["t999"] == {"x": "49"}


def test_positions_of_failures_count_within_the_page() -> None:
    page = [{"n": "1"}, {"n": "x"}, {}, {"n": "y"}]
    results = compiled([FieldRule(target="n", source="n", type="integer")]).apply_all(page)
    assert results[0] == {"n": 1}
    assert results[2] == {}
    assert [result.position for result in results if isinstance(result, MappingFailure)] == [1, 3]


def test_memory_of_results_is_bounded() -> None:
    from mappings.emit import MEMO_SIZE, Memo

    memo = Memo(str.upper)
    for number in range(3 * MEMO_SIZE):
        assert memo[f"a{number}"] == f"A{number}"
    assert len(memo) <= MEMO_SIZE
    assert memo["x" * 1000] == "X" * 1000
    assert "x" * 1000 not in memo


def test_a_moment_is_kept_as_it_came_when_it_is_in_form() -> None:
    rule = FieldRule(target="at", source="at", type="datetime")
    for value in ("2026-03-31T09:30:00Z", datetime(2026, 3, 31, 9, 30, tzinfo=UTC)):
        assert compiled([rule]).apply({"at": value}) == {"at": "2026-03-31T09:30:00Z"}
