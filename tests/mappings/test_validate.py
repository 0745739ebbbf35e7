"""The editor's findings: what blocks a mapping, what only warns, and what a click puts right."""

from __future__ import annotations

from typing import Any

import pytest

from hub.common.records import FieldInfo
from mappings.compile import ValueMapData, ValueMapEntryData
from mappings.rules import FieldRule, parse_rules
from mappings.validate import Coverage, Problem, coverage, problems

SCHEMA = {
    "type": "object",
    "required": ["hours", "status"],
    "properties": {
        "number": {"type": "string", "x-key": True, "maxLength": 8, "title": "Number"},
        "hours": {"type": "string", "format": "decimal", "title": "Hours"},
        "status": {"enum": ["draft", "approved", None], "title": "Status"},
        "date": {"type": "string", "format": "date"},
        "project": {"type": "string", "x-ref": "project"},
        "owner": {"type": "string", "x-classification": "public"},
        "address": {
            "type": "object",
            "required": ["city"],
            "properties": {"city": {"type": "string"}, "zip": {"type": "string"}},
        },
    },
}
FIELDS = [FieldInfo("id"), FieldInfo("qty", "number"), FieldInfo("state"), FieldInfo("hours", "number")]
GOOD = [
    {"target": "number", "source": "id"},
    {"target": "hours", "source": "qty", "type": "decimal"},
    {"target": "status", "source": "state"},
]
SAMPLES = [{"id": f"T-{n}", "qty": 1.5 + n, "state": ("draft", "approved")[n % 2]} for n in range(6)]


def check(*rules: dict[str, Any], samples: Any = (), **options: Any) -> list[Problem]:
    return problems(
        parse_rules(rules),
        source_fields=FIELDS,
        target_schema=SCHEMA,
        sample_records=samples,
        entity="time_entry",
        **options,
    )


def found(code: str, *rules: dict[str, Any], **options: Any) -> Problem:
    (problem,) = (each for each in check(*rules, **options) if each.code == code)
    assert problem.sentence.endswith((".", "…"))
    return problem


def changed(target: str, **changes: Any) -> list[dict[str, Any]]:
    """The good rules with one of them changed, or with one more."""
    rules = [{**rule, **changes} if rule["target"] == target else rule for rule in GOOD]
    return rules if any(rule["target"] == target for rule in GOOD) else [*rules, {"target": target, **changes}]


def test_good_mapping_has_no_findings() -> None:
    assert check(*GOOD, samples=SAMPLES) == []


def test_unmapped_required_field_and_key_block_and_offer_a_source() -> None:
    problem = found("REQUIRED_UNMAPPED", GOOD[0], GOOD[2])
    assert (problem.severity, problem.target) == ("error", "hours")
    assert problem.quick_fix is not None
    assert problem.quick_fix.rule == FieldRule(target="hours", source="hours", type="decimal")
    assert found("KEY_UNMAPPED", *GOOD[1:]).severity == "error"


def test_required_field_inside_an_optional_object_does_not_block() -> None:
    assert not [each for each in check(*GOOD) if each.target == "address.city"]


def test_incompatible_type_blocks_and_can_be_put_right() -> None:
    problem = found("TYPE", *changed("hours", type="string"))
    assert problem.severity == "error"
    assert problem.quick_fix is not None
    assert problem.quick_fix.rule.type == "decimal"


def test_locked_field_blocks_with_the_reason() -> None:
    assert "the ERP owns it" in found("LOCKED", *GOOD, locked={"hours": "the ERP owns it."}).sentence


def test_unknown_target_warns_in_an_open_schema_and_blocks_in_a_closed_one() -> None:
    extra = {"target": "nonsense", "source": "id"}
    assert found("UNKNOWN_TARGET", *GOOD, extra).severity == "warning"
    closed = {**SCHEMA, "additionalProperties": False}
    result = problems(parse_rules([*GOOD, extra]), source_fields=FIELDS, target_schema=closed, sample_records=[])
    assert [(each.code, each.severity) for each in result] == [("UNKNOWN_TARGET", "error")]


def test_whole_object_may_be_filled_by_one_rule() -> None:
    assert check(*GOOD, {"target": "address", "source": "state", "type": "json"}) == []


def test_lookup_without_a_policy_blocks() -> None:
    maps = {"states": ValueMapData("states", (ValueMapEntryData("A", "approved"),))}
    rule = changed("status", kind="value_map", value_map="states")
    problem = found("LOOKUP_POLICY", *rule, value_maps=maps)
    assert problem.quick_fix is not None
    assert problem.quick_fix.rule.on_unmapped == "fail"
    assert not check(*changed("status", kind="value_map", value_map="states", on_unmapped="null"), value_maps=maps)


def test_missing_value_map_blocks() -> None:
    assert "no value map 'gone'" in found("RULE", *changed("status", kind="value_map", value_map="gone")).sentence


def test_value_the_target_does_not_list_blocks_from_samples_maps_and_defaults() -> None:
    strange = [{**SAMPLES[0], "state": "billed"}]
    assert "'billed'" in found("ENUM", *GOOD, samples=strange).sentence
    maps = {"states": ValueMapData("states", (ValueMapEntryData("A", "appproved"),), "fail")}
    assert (
        "'appproved'"
        in found("ENUM", *changed("status", kind="value_map", value_map="states"), value_maps=maps).sentence
    )
    assert "'new'" in found("ENUM", *changed("status", on_missing="default", default="new")).sentence


def test_map_with_two_answers_warns() -> None:
    entries = (ValueMapEntryData("A", "approved"), ValueMapEntryData("B", "approved"), ValueMapEntryData("D", "draft"))
    maps = {"states": ValueMapData("states", entries, "fail")}
    rule = {"target": "owner", "kind": "value_map", "source": "state", "value_map": "states", "reverse": True}
    assert found("AMBIGUOUS_LOOKUP", *GOOD, rule, value_maps=maps).severity == "warning"


def test_expression_that_does_not_compile_or_fails_on_a_sample_blocks() -> None:
    assert "line 1, column" in found("EXPRESSION", *changed("hours", kind="expression", text="1 +", source="")).sentence
    failing = changed("hours", kind="expression", text="$mul(state, 2)", source="")
    assert "6 of 6 samples fail" in found("SAMPLES_FAIL", *failing, samples=SAMPLES).sentence


def test_expression_on_money_with_operators_warns() -> None:
    rule = changed("hours", kind="expression", text="qty * 2", source="", digits=2, rounding="half_up")
    assert "$mul" in found("EXPRESSION_STYLE", *rule, samples=SAMPLES).sentence


def test_conversion_that_fails_on_samples_warns_with_the_first_reason() -> None:
    problem = found("SAMPLES_FAIL", *changed("date", source="state", type="date"), samples=SAMPLES)
    assert problem.severity == "warning"
    assert "'draft' is not a date" in problem.sentence


def test_text_that_is_too_long_warns_and_can_be_cut() -> None:
    samples = [{**SAMPLES[0], "id": "T-123456789"}]
    problem = found("TOO_LONG", *GOOD, samples=samples)
    assert problem.quick_fix is not None
    fixed = problem.quick_fix.rule
    assert [(step.fn, dict(step.args)) for step in fixed.convert] == [("truncate", {"length": 8})]
    cut = changed("number", convert=[{"fn": "truncate", "args": {"length": 8}}])
    assert "'T-123456789' becomes 'T-123456'" in found("TRUNCATION", *cut, samples=samples).sentence


def test_lost_digits_warn_but_other_writing_does_not() -> None:
    rule = changed("hours", digits=2, rounding="half_up")
    assert "'1.555' becomes '1.56'" in found("PRECISION", *rule, samples=[{**SAMPLES[0], "qty": 1.555}]).sentence
    assert check(*rule, samples=[{**SAMPLES[0], "qty": "1.5"}]) == []


def test_dropping_the_time_of_an_instant_warns() -> None:
    rule = changed("date", source="at", type="date", convert=["date_part"])
    samples = [{**SAMPLES[0], "at": "2026-03-31T23:30:00Z"}]
    problem = found("TIME_ZONE", *rule, samples=samples)
    assert problem.quick_fix is not None
    assert problem.quick_fix.rule.convert[0].fn == "utc_to_local_date"
    midnight = [{**SAMPLES[0], "at": "2026-03-31T00:00:00Z"}]
    assert not [each for each in check(*rule, samples=midnight) if each.code == "TIME_ZONE"]


def test_empty_source_into_a_required_field_warns_above_five_percent() -> None:
    samples = [{**SAMPLES[0], "qty": None if n == 0 else n} for n in range(10)]
    assert "1 of 10 samples" in found("NULL_INTO_REQUIRED", *GOOD, samples=samples).sentence
    many = [{**SAMPLES[0], "qty": None if n == 0 else n} for n in range(30)]
    assert not [each for each in check(*GOOD, samples=many) if each.code == "NULL_INTO_REQUIRED"]


def test_source_that_is_always_the_same_warns() -> None:
    samples = [{**sample, "state": "draft"} for sample in SAMPLES]
    assert "all 6 samples" in found("CONSTANT_SOURCE", *GOOD, samples=samples).sentence


def test_second_source_with_the_same_meaning_and_other_values_warns() -> None:
    samples = [{**sample, "hours": 8} for sample in SAMPLES]
    problem = found("TWO_SOURCES", *GOOD, samples=samples)
    assert problem.quick_fix is not None
    assert problem.quick_fix.rule.source == "hours"
    assert not [each for each in check(*GOOD, samples=SAMPLES) if each.code == "TWO_SOURCES"]


def test_personal_data_into_a_public_field_warns() -> None:
    samples = [{**sample, "mail": f"p{n}@firm.example"} for n, sample in enumerate(SAMPLES)]
    assert found("PERSONAL_DATA", *changed("owner", source="mail"), samples=samples).severity == "warning"


def test_source_that_is_not_offered_and_never_seen_warns() -> None:
    assert "gone.away" in found("UNKNOWN_SOURCE", *changed("owner", source="gone.away"), samples=SAMPLES).sentence


def test_errors_come_before_warnings() -> None:
    samples = [{**sample, "state": "draft"} for sample in SAMPLES]
    severities = [each.severity for each in check(*GOOD[1:], samples=samples)]
    assert severities == sorted(severities)
    assert set(severities) == {"error", "warning"}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], Coverage(0, 3, 0, 5)),
        (GOOD, Coverage(3, 3, 0, 5)),
        ([*GOOD, {"target": "address", "source": "a", "type": "json"}], Coverage(3, 3, 2, 5)),
        ([{"target": "address.zip", "source": "a"}], Coverage(0, 3, 1, 5)),
    ],
)
def test_coverage_counts_required_and_optional_fields(rules: list[dict[str, Any]], expected: Coverage) -> None:
    assert coverage(parse_rules(rules), SCHEMA) == expected
    assert expected.is_complete == (expected.required_mapped == expected.required_total)
