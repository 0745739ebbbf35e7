"""The pure parts behind the editor: chains as form fields, which samples are picked, what a rule reads, rules in words."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict

from connectors.models import Stream
from mappings.chains import changed_steps, format_any, parse_any, posted_steps, step_fields
from mappings.compile import compile_mapping
from mappings.functions import FUNCTIONS
from mappings.functions.registry import REQUIRED
from mappings.models import Mapping
from mappings.phrasing import describe, differences, summary
from mappings.preview import Refusal, Setting, try_rule
from mappings.reading import maps_named, reads, touches, unused
from mappings.rules import Conversion, FieldRule, parse_rules
from mappings.samples import pick
from mappings.sides import stream_fields, stream_schema
from mappings.target_fields import target_fields
from mappings.views.state import State
from tests.mappings_web import world

VALUES: dict[str, Any] = {
    "text": " x,y ", "texts": ["a", "b"], "whole": 7, "number": "1.5", "any": "5", "table": {"A": "active", "B": True},
    "path": "a.b", "paths": ["a", "b.c"], "item_path": "a", "currency": "EUR", "time_zone": "Europe/Berlin",
    "picture": "DD.MM.YYYY",
}  # fmt: skip


def posted(steps: list[Conversion]) -> QueryDict:
    """The chain as a browser would send it: every input that the form shows."""
    data = QueryDict(mutable=True)
    for fields in step_fields(steps):
        data.appendlist("step", fields.fn)
        for field in fields.fields:
            data[field.name] = field.text
    return data


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_conversion_comes_out_of_its_form_as_it_went_in(name: str) -> None:
    args = {
        arg.name: arg.choices[-1] if arg.kind == "choice" else VALUES[arg.kind]
        for arg in FUNCTIONS[name].args
        if not FUNCTIONS[name].one_of or arg.default is REQUIRED or arg.name == FUNCTIONS[name].one_of[0]
    }
    args = {
        key: value for key, value in args.items() if value != {a.name: a for a in FUNCTIONS[name].args}[key].default
    }
    steps = [Conversion("trim"), Conversion(name, args)]
    assert posted_steps(posted(steps)) == steps


@pytest.mark.parametrize("value", ["text", "5", "true", "", 5, True, None, '"', ["a"], "1.50", {"a": 1}])
def test_a_value_of_any_kind_is_read_back(value: Any) -> None:
    assert parse_any(format_any(value)) == value
    assert type(parse_any(format_any(value))) is type(value)


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("up-1", "upper trim lower"), ("down-1", "trim lower upper"), ("remove-0", "upper lower"), ("up-0", ""),
        ("down-2", ""), ("remove-9", ""), ("add-title", "trim upper lower title"), ("add-nothing", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_chain_is_reordered_by_one_step(op: str, expected: str) -> None:
    steps = [Conversion("trim"), Conversion("upper"), Conversion("lower")]
    assert " ".join(step.fn for step in changed_steps(steps, op)) == (expected or "trim upper lower")


def test_samples_are_the_first_and_those_at_the_edges() -> None:
    picked = pick(world.RECORDS, ["number"])
    assert [(sample.label, sample.why) for sample in picked] == [
        ("TE-90112", "first"),
        ("TE-90113", "most empty"),
        ("TE-90115", "not ASCII"),
        ("TE-90114", "negative"),
        ("TE-90116", "longest"),
    ]


def test_few_records_are_all_shown_once() -> None:
    assert [sample.label for sample in pick([{"a": 1}, {"a": 2}])] == ["record 1", "record 2"]
    assert pick([]) == []


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"source": "a.b"}, {"a.b"}),
        ({"kind": "template", "text": "{a} {b.c}"}, {"a", "b.c"}),
        ({"kind": "expression", "text": "a.b & c"}, {"a.b", "c"}),
        ({"kind": "expression", "text": "$coalesce(a, pay)"}, {"a", "pay"}),
        ({"source": "a", "convert": [{"fn": "coalesce", "args": {"fields": ["b", "c"]}}]}, {"a", "b", "c"}),
        ({"kind": "value_map", "source": "a", "value_map": "m", "effective_date": "on"}, {"a", "on"}),
        ({"kind": "constant", "value": "x"}, set()),
    ],
)
def test_what_a_rule_reads_is_known(rule: dict[str, Any], expected: set[str]) -> None:
    found = parse_rules([{"target": "t", **rule}])[0]
    assert reads(found, ["a", "pay", "other"]) == expected


def test_a_rule_touches_a_field_by_its_whole_or_by_a_part() -> None:
    assert touches(FieldRule("t", source="pay"), ["pay.rate"])
    assert touches(FieldRule("t", source="pay.rate.amount"), ["pay.rate"])
    assert not touches(FieldRule("t", source="payment"), ["pay"])
    assert touches(FieldRule("t", kind="expression", text="$string($)&pay"), ["pay"])
    assert unused([FieldRule("t", source="a.b")], ["a.b", "a.c", "d"]) == ["a.c", "d"]


def test_value_maps_of_an_expression_are_found() -> None:
    rule = FieldRule("t", kind="expression", text="""$lookup_map("one", a) & $lookup_map('two', b)""")
    assert maps_named(rule) == {"one", "two"}


def test_differences_are_told_field_by_field() -> None:
    before = [FieldRule("a", source="x"), FieldRule("b", source="y"), FieldRule("c", source="z")]
    after = [FieldRule("a", source="x"), FieldRule("b", source="q", on_missing="fail"), FieldRule("d", source="z")]
    found = differences(before, after)
    assert [(each.field, each.verb) for each in found] == [("b", "changed"), ("d", "added"), ("c", "removed")]
    assert found[0].after == "from q; if missing: hold the record"
    assert summary(found) == "1 added, 1 changed, 1 removed."
    assert summary([]) == "Nothing changed."


def test_a_rule_is_described_with_what_is_not_as_usual() -> None:
    rule = FieldRule(
        "rate", source="rate", convert=(Conversion("round", {"digits": 2}),), type="decimal", digits=2,
        rounding="half_up", on_missing="default", default="0", write_mode="if_empty",
    )  # fmt: skip
    assert describe(rule) == (
        "from rate, round 2, as decimal with 2 digits, half up; if missing: use “0”; "
        "written only when the field is empty"
    )


def test_a_required_field_that_gets_nothing_fails_the_sample() -> None:
    field = next(each for each in target_fields(world.SCHEMA) if each.path == "person")
    found = try_rule(FieldRule("person", source="nobody"), world.RECORDS[:1], Setting({}), field=field)
    assert not isinstance(found, Refusal)
    assert (found[0].state, found[0].note) == ("fail", "Nothing to write, and the field is required.")


def test_a_masked_outcome_holds_no_value_and_no_error_that_quotes_one() -> None:
    rule = FieldRule("hours", source="notes", type="decimal")
    found = try_rule(rule, [{"notes": "secret"}], Setting({}), masked=True)
    assert not isinstance(found, Refusal)
    assert found[0].state == "fail"
    assert "secret" not in repr(found)


def test_a_stream_described_by_paths_is_a_nested_schema() -> None:
    fields = target_fields(stream_schema(world.FIELDS))
    assert [each.path for each in fields] == [each.path for each in world.FIELDS]
    assert next(each for each in fields if each.path == "user.email").is_required is False


def test_the_state_of_the_editor_is_only_what_is_not_as_usual() -> None:
    assert State().query == ""
    assert State(show="problems", sample=2, field="a b").query == "show=problems&sample=2&field=a+b"


def test_field_with_a_dot_in_its_name_is_offered_under_the_path_that_a_rule_reads() -> None:
    record = {"@odata.etag": "W/1", "client": {"code": "C-1"}}
    mapping = Mapping(direction="in", stream=Stream(fields=[]))
    paths = [info.path for info in stream_fields(mapping, [record])]
    rules = parse_rules([{"target": f"t{at}", "source": path} for at, path in enumerate(paths)])
    mapped = compile_mapping(rules, value_maps={}, time_zone="UTC", direction="in").apply(record)
    assert list(mapped.values()) == ["W/1", "C-1"]
