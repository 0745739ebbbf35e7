"""Rules as data: every problem is told at once, and what is dumped reads back the same."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from mappings.rules import FieldRule, RulesError, dump_rules, parse_rules
from tests.mappings import strategies as some


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(some.rule_sets())
def test_dump_and_parse_undo_each_other(rules: list[FieldRule]) -> None:
    try:
        parsed = parse_rules(dump_rules(rules))
    except RulesError:
        return
    assert parsed == tuple(rules)
    assert dump_rules(parsed) == dump_rules(rules)


def test_dump_leaves_defaults_out_and_keeps_the_order_of_keys() -> None:
    data = [
        {"type": "decimal", "rounding": "half_up", "digits": 2, "source": "a.b", "target": "x", "kind": "direct"},
        {"kind": "constant", "value": False, "target": "flag", "type": "boolean", "note": "always"},
        {"target": "y", "source": "c", "convert": ["trim", {"fn": "truncate", "args": {"length": 9}}, {"fn": "upper"}]},
    ]
    assert [list(item) for item in dump_rules(parse_rules(data))] == [
        ["target", "source", "type", "digits", "rounding"],
        ["target", "kind", "value", "type", "note"],
        ["target", "source", "convert"],
    ]
    assert dump_rules(parse_rules(data))[2]["convert"] == ["trim", {"fn": "truncate", "args": {"length": 9}}, "upper"]


def test_dumped_rules_survive_yaml() -> None:
    data = [
        {"target": "x", "kind": "value_map", "source": "s", "value_map": "m", "reverse": True, "on_unmapped": "keep"},
        {"target": "y.z", "kind": "reference", "source": "p.id", "entity": "project", "via": "psa.projects"},
        {"target": "t", "kind": "template", "text": "{a} {{literally}}", "write_mode": "if_new"},
    ]
    rules = parse_rules(data)
    assert parse_rules(yaml.safe_load(yaml.safe_dump(dump_rules(rules)))) == rules


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ("x", "'x' is not a rule"),
        ({}, "target is empty; a rule of the kind direct needs it"),
        ({"target": "a"}, "source is empty; a rule of the kind direct needs it"),
        ({"target": "a", "source": 7}, "source must be text"),
        ({"target": "a", "sorce": "b"}, "did you mean source?"),
        ({"target": "a", "source": "b..c"}, "empty step"),
        ({"target": "a.", "source": "b"}, "empty step"),
        ({"target": "a", "source": "b", "kind": "magic"}, "kind is 'magic'"),
        ({"target": "a", "source": "b", "kind": []}, "kind is []"),
        ({"target": "a", "kind": "value_map", "source": "b"}, "value_map is empty"),
        ({"target": "a", "kind": "reference", "source": "b"}, "entity is empty"),
        ({"target": "a", "kind": "template"}, "text is empty"),
        ({"target": "a", "kind": "template", "text": "{b"}, "lone {"),
        ({"target": "a", "kind": "template", "text": "b}"}, "lone } at column 2"),
        ({"target": "a", "kind": "template", "text": "{}"}, "empty step"),
        ({"target": "a", "kind": "expression"}, "text is empty"),
        ({"target": "a", "source": "b", "digits": 2}, "only for the type decimal"),
        ({"target": "a", "source": "b", "type": "decimal", "digits": True}, "digits is True"),
        ({"target": "a", "source": "b", "type": "decimal", "rounding": "half_up"}, "rounding needs digits"),
        ({"target": "a", "source": "b", "convert": "trim"}, "convert must be a list"),
        ({"target": "a", "source": "b", "convert": [{"name": "trim"}]}, "is not a conversion"),
        ({"target": "a", "source": "b", "convert": ["trimm"]}, "did you mean trim?"),
        ({"target": "a", "source": "b", "on_missing": "ignore"}, "on_missing is 'ignore'"),
        ({"target": "a", "source": "b", "reverse": "yes"}, "reverse is 'yes'"),
        ({"target": "a", "source": "x" * 30_000}, "longer than"),
    ],
)
def test_each_problem_is_a_sentence_with_position_and_target(item: Any, sentence: str) -> None:
    with pytest.raises(RulesError) as caught:
        parse_rules([item])
    (problem,) = (problem for problem in caught.value.problems if sentence in problem)
    assert problem.startswith("Rule 1 (a" if isinstance(item, dict) and item.get("target") else "Rule 1")


def test_all_problems_of_all_rules_are_listed() -> None:
    with pytest.raises(RulesError) as caught:
        parse_rules([{"target": "a"}, {"target": "b", "source": "s", "type": "money", "write_mode": "never"}])
    assert len(caught.value.problems) == 3
    assert "3 problems" in str(caught.value)


def test_two_rules_cannot_fill_one_field_or_a_part_of_it() -> None:
    twice = [{"target": "a.b", "source": "x"}, {"target": "a.b", "source": "y"}]
    with pytest.raises(RulesError, match="filled by two rules"):
        parse_rules(twice)
    with pytest.raises(RulesError, match=r"a\.b is part of a"):
        parse_rules([{"target": "a", "source": "x"}, {"target": "a.b", "source": "y"}])
    assert parse_rules([{"target": "a\\.b", "source": "x"}, {"target": "a.b", "source": "y"}])
