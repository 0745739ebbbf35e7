"""The verdict on a change of a contract: the table that it promises, and a proof against what validators really accept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.compatibility.kinds import KINDS
from governance.compatibility.verdict import Mode, judge, judge_history
from governance.compatibility.walk import compare
from hub.common.json_schemas import validator

KEY = {"type": "string", "x-key": True}


def schema(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": ["id", *required], "properties": {"id": KEY, **properties}}


def text(**more: Any) -> dict[str, Any]:
    """`x_key` stands for `x-key`."""
    return {"type": "string", **{name.replace("_", "-"): value for name, value in more.items()}}


def number(**more: Any) -> dict[str, Any]:
    return {"type": "number", **more}


def level(value: int, unit: str, property_: str = "latency") -> dict[str, Any]:
    return {**schema(), "x-sla": [{"property": property_, "value": value, "unit": unit}]}


BOTH = "backward forward"
# (kind, path, severity, what breaks, before, after)
TABLE: list[tuple[str, str, str, str, dict[str, Any], dict[str, Any]]] = [
    ("field_added", "a", "info", "", schema(), schema(a=text())),
    ("required_field_added", "a", "err", "backward", schema(), schema(("a",), a=text())),
    ("required_field_with_default_added", "a", "warn", "", schema(), schema(("a",), a=text(default="x"))),
    ("field_removed", "a", "warn", "", schema(a=text()), schema()),
    ("required_field_removed", "a", "err", "forward", schema(("a",), a=text()), schema()),
    ("field_renamed", "b", "err", BOTH, schema(a=text()), schema(b=text(x_renamed_from="a"))),
    ("field_renamed_with_alias", "b", "warn", "", schema(a=text()), schema(b=text(x_aliases=["a"]))),
    ("made_optional", "a", "err", "forward", schema(("a",), a=text()), schema(a=text())),
    ("made_required", "a", "warn", "backward", schema(a=text()), schema(("a",), a=text())),
    ("made_nullable", "a", "err", "forward", schema(a=text()), schema(a={"type": ["string", "null"]})),
    ("made_not_nullable", "a", "warn", "backward", schema(a={"type": ["string", "null"]}), schema(a=text())),
    ("type_changed", "a", "err", BOTH, schema(a=text()), schema(a={"type": "integer"})),
    ("type_changed", "a", "err", BOTH, schema(a=text()), schema(a=text(format="date"))),
    ("type_changed", "a", "err", BOTH, schema(a=text(format="date")), schema(a=text(format="date-time"))),
    ("type_widened", "a", "warn", "forward", schema(a={"type": "integer"}), schema(a={"type": "number"})),
    ("type_narrowed", "a", "warn", "backward", schema(a={"type": "number"}), schema(a={"type": "integer"})),
    ("limit_widened", "a", "warn", "forward", schema(a=text(maxLength=5)), schema(a=text(maxLength=9))),
    ("limit_narrowed", "a", "warn", "backward", schema(a=text(maxLength=9)), schema(a=text(maxLength=5))),
    ("limit_narrowed", "a", "warn", "backward", schema(a=text()), schema(a=text(minLength=1))),
    ("limit_narrowed", "a", "warn", "backward", schema(a=number(minimum=0)), schema(a=number(exclusiveMinimum=0))),
    ("limit_widened", "a", "warn", "forward", schema(a=number(multipleOf=10)), schema(a=number(multipleOf=5))),
    ("constraint_added", "a", "warn", "backward", schema(a=text()), schema(a=text(pattern="^A"))),
    ("constraint_removed", "a", "warn", "forward", schema(a=text(pattern="^A")), schema(a=text())),
    ("constraint_changed", "a", "err", BOTH, schema(a=text(pattern="^A")), schema(a=text(pattern="^B"))),
    ("value_added", "a", "warn", "forward", schema(a={"enum": ["x"]}), schema(a={"enum": ["x", "y"]})),
    ("value_removed", "a", "err", "backward", schema(a={"enum": ["x", "y"]}), schema(a={"enum": ["x"]})),
    ("values_introduced", "a", "warn", "backward", schema(a=text()), schema(a=text(enum=["x"]))),
    ("values_lifted", "a", "warn", "forward", schema(a=text(enum=["x"])), schema(a=text())),
    ("key_changed", "", "err", BOTH, schema(a=text()), schema(a=text(x_key=True))),
    ("reference_changed", "a", "err", BOTH, schema(a=text(x_ref="project")), schema(a=text(x_ref="person"))),
    ("unit_changed", "a", "err", BOTH, schema(a=text(x_unit="h")), schema(a=text(x_unit="min"))),
    ("currency_changed", "a", "err", BOTH, schema(a=text(x_money="c")), schema(a=text(x_money="d"))),
    ("time_zone_changed", "a", "err", BOTH, schema(a=text()), schema(a=text(x_time_zone="UTC"))),
    ("rounding_changed", "a", "err", BOTH, schema(a=text()), schema(a=text(x_rounding="half-even"))),
    ("meaning_changed", "a", "err", BOTH, schema(a=text(x_meaning="1")), schema(a=text(x_meaning="2"))),
    ("role_changed", "a", "warn", "", schema(a=text()), schema(a=text(x_project=True))),
    ("classification_raised", "a", "warn", "", schema(a=text()), schema(a=text(x_classification="restricted"))),
    ("classification_lowered", "a", "warn", "", schema(a=text()), schema(a=text(x_classification="public"))),
    ("default_changed", "a", "warn", "", schema(a=text(default="x")), schema(a=text(default="y"))),
    ("rule_added", "", "warn", "backward", schema(), {**schema(), "allOf": [{"title": "R", "required": ["id"]}]}),
    ("rule_removed", "", "warn", "forward", {**schema(), "allOf": [{"title": "R", "required": ["id"]}]}, schema()),
    (
        "rule_changed", "", "err", BOTH,
        {**schema(), "allOf": [{"title": "R", "required": ["id"]}]}, {**schema(), "allOf": [{"title": "R", "required": []}]},
    ),
    ("owner_changed", "", "info", "", schema(), {**schema(), "x-owner": "ann"}),
    ("service_level_loosened", "", "warn", "", level(4, "h"), level(1, "d")),
    ("service_level_loosened", "", "warn", "", level(99, "%", "availability"), level(98, "%", "availability")),
    ("service_level_loosened", "", "warn", "", level(4, "h"), schema()),
    ("service_level_tightened", "", "info", "", level(4, "hours"), level(30, "min")),
    ("service_level_tightened", "", "info", "", schema(), level(4, "h")),
    ("service_level_changed", "", "warn", "", level(1, "x", "support"), level(2, "x", "support")),
    ("opened", "", "info", "", {**schema(), "additionalProperties": False}, schema()),
    ("closed", "", "warn", "backward", schema(), {**schema(), "additionalProperties": False}),
    ("text_changed", "a", "info", "", schema(a=text(description="x")), schema(a=text(description="y"))),
    ("order_changed", "", "info", "", schema(a=text(), b=text()), schema(b=text(), a=text())),
    ("annotation_changed", "a", "info", "", schema(a=text()), schema(a=text(x_owner="pmo"))),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "path", "severity", "breaks", "before", "after"), TABLE)
def test_each_kind_of_change_breaks_what_the_table_says_and_is_found_alone(
    kind: str, path: str, severity: str, breaks: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    (found,) = compare(before, after)
    assert (found.kind.name, found.path, found.kind.severity) == (kind, path, severity)
    assert sorted(found.kind.breaks) == breaks.split()


def test_the_table_of_this_test_knows_every_kind() -> None:
    assert {row[0] for row in TABLE} == set(KINDS)


@pytest.mark.parametrize(
    ("mode", "change", "is_breaking"),
    [
        ("BACKWARD", "required_field_added", True),
        ("BACKWARD", "required_field_removed", False),
        ("FORWARD", "required_field_added", False),
        ("FORWARD", "required_field_removed", True),
        ("FULL", "required_field_added", True),
        ("FULL", "required_field_removed", True),
        ("FULL", "field_added", False),
        ("NONE", "type_changed", False),
    ],
)
def test_a_mode_stops_exactly_what_breaks_its_direction(mode: str, change: str, is_breaking: bool) -> None:
    before, after = next((row[4], row[5]) for row in TABLE if row[0] == change)
    assert judge(before, after, mode=Mode(mode)).is_breaking is is_breaking


@pytest.mark.parametrize(
    ("after", "version"),
    [
        (schema(a=text()), "1.4.2"),
        (schema(a=text(description="x")), "1.4.3"),
        (schema(a=text(), b=text()), "1.5.0"),
        (schema(a={"type": "integer"}), "2.0.0"),
    ],
)
def test_the_version_follows_from_the_change(after: dict[str, Any], version: str) -> None:
    assert judge(schema(a=text()), after, version="1.4.2").suggested_version == version


def test_a_transitive_mode_looks_behind_the_newest_version() -> None:
    history = [("1.0.0", schema(("a",), a=text())), ("2.0.0", schema(a=text()))]
    after = schema()
    assert not judge_history(history, after, mode=Mode.FORWARD).is_breaking
    (stopping,) = judge_history(history, after, mode=Mode.FORWARD_TRANSITIVE).stopping
    assert (stopping.change.kind.name, stopping.since) == ("required_field_removed", "1.0.0")


def test_a_contract_may_judge_a_kind_of_change_differently() -> None:
    verdict = judge(schema(a=text()), schema(), severities={"field_removed": "err"})
    assert verdict.severity == "err"


def test_nested_objects_and_the_items_of_lists_are_compared_by_their_path() -> None:
    before = schema(a={"type": "object", "properties": {"b": text()}}, c={"type": "array", "items": text(maxLength=9)})
    after = schema(
        a={"type": "object", "properties": {"b": {"type": "integer"}}}, c={"type": "array", "items": text(maxLength=3)}
    )
    assert [(c.path, c.kind.name) for c in compare(before, after)] == [
        ("a.b", "type_changed"),
        ("c[]", "limit_narrowed"),
    ]


def test_shared_parts_are_followed_and_a_schema_that_contains_itself_ends() -> None:
    def tree(leaf: dict[str, Any]) -> dict[str, Any]:
        node = {
            "type": "object",
            "properties": {"value": leaf, "below": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
        }
        return {**schema(root={"$ref": "#/$defs/node"}), "$defs": {"node": node}}

    assert [c.path for c in compare(tree(text()), tree({"type": "integer"}))] == ["root.value"]


def test_a_schema_that_is_nested_without_end_is_compared_as_a_whole_below_a_depth() -> None:
    def nested(leaf: dict[str, Any]) -> dict[str, Any]:
        found = leaf
        for _ in range(400):
            found = {"type": "object", "properties": {"a": found}}
        return schema(a=found)

    (found,) = compare(nested(text()), nested({"type": "integer"}))
    assert found.kind.name == "constraint_changed"


def test_five_thousand_fields_are_compared() -> None:
    fields = {f"f{n}": text(maxLength=10) for n in range(5000)}
    changed = {**fields, "f17": text(maxLength=9)}
    assert [c.path for c in compare(schema(**fields), schema(**changed))] == ["f17"]


# Against validators ----------------------------------------------------------------------------------------
SMALL = st.integers(-3, 3)
WORDS = st.text("ab", max_size=3)


@st.composite
def specs(draw: st.DrawFn, depth: int = 1) -> dict[str, Any]:
    kind = draw(
        st.sampled_from(["text", "choice", "integer", "number", "boolean", "list", *(["object"] if depth else [])])
    )
    spec: dict[str, Any] = {"type": {"text": "string", "choice": "string", "list": "array"}.get(kind, kind)}
    if kind == "text":
        spec |= draw(
            st.fixed_dictionaries({}, optional={"minLength": st.integers(0, 2), "maxLength": st.integers(2, 3)})
        )
    elif kind == "choice":
        spec["enum"] = draw(st.lists(WORDS, min_size=1, max_size=3, unique=True))
    elif kind in ("integer", "number"):
        low = {"minimum": st.integers(-3, 0), "exclusiveMinimum": st.integers(-3, -1)}
        spec |= draw(st.fixed_dictionaries({}, optional={**low, "maximum": st.integers(1, 3)}))
    elif kind == "list":
        spec |= {"items": draw(specs(depth=0))} | draw(
            st.fixed_dictionaries({}, optional={"maxItems": st.integers(1, 2)})
        )
    elif kind == "object":
        spec |= draw(objects(depth=depth - 1))
    if draw(st.booleans()):
        spec["type"] = [spec["type"], "null"]
        if "enum" in spec:
            spec["enum"].append(None)
    return spec


@st.composite
def objects(draw: st.DrawFn, depth: int = 1) -> dict[str, Any]:
    properties = draw(st.dictionaries(st.sampled_from("pqrs"), specs(depth=depth), min_size=1, max_size=3))
    required = draw(st.lists(st.sampled_from(sorted(properties)), unique=True))
    return {"type": "object", "properties": properties, "required": required}


@st.composite
def edited(draw: st.DrawFn, before: dict[str, Any]) -> dict[str, Any]:
    """The same contract after a few edits."""
    properties, required = dict(before["properties"]), set(before["required"])
    for _ in range(draw(st.integers(1, 2))):
        name = draw(st.sampled_from("pqrs"))
        act = draw(st.sampled_from(["redraw", "drop", "require", "release"]))
        if act == "redraw":
            properties[name] = draw(specs())
        elif act == "drop" and len(properties) > 1:
            properties.pop(name, None)
        elif act == "require" and name in properties:
            required.add(name)
        else:
            required.discard(name)
    return {**before, "properties": properties, "required": sorted(required & set(properties))}


@st.composite
def values(draw: st.DrawFn, spec: dict[str, Any]) -> Any:
    """A value that the part allows."""
    types = [spec["type"]] if isinstance(spec["type"], str) else spec["type"]
    if "null" in types and draw(st.booleans()):
        return None
    if "enum" in spec:
        return draw(st.sampled_from([value for value in spec["enum"] if value is not None]))
    kind = types[0]
    if kind == "string":
        return draw(st.text("ab", min_size=spec.get("minLength", 0), max_size=spec.get("maxLength", 4)))
    if kind == "boolean":
        return draw(st.booleans())
    if kind == "array":
        return draw(st.lists(values(spec["items"]), max_size=spec.get("maxItems", 3)))
    if kind == "object":
        return {
            n: draw(values(s)) for n, s in spec["properties"].items() if n in spec["required"] or draw(st.booleans())
        }
    low = max(spec.get("minimum", -4), spec.get("exclusiveMinimum", -5) + 1)
    number = draw(st.integers(low, spec.get("maximum", 4)))
    return (
        number
        if kind == "integer"
        else draw(st.sampled_from([number, float(number), min(number + 0.5, spec.get("maximum", 5))]))
    )


def known(value: Any, spec: dict[str, Any]) -> Any:
    """What a reader of `spec` looks at: fields that it does not know are passed over."""
    if isinstance(value, dict) and "properties" in spec:
        return {n: known(v, spec["properties"][n]) for n, v in value.items() if n in spec["properties"]}
    return [known(item, spec["items"]) for item in value] if isinstance(value, list) and "items" in spec else value


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_what_is_called_compatible_is_accepted_by_a_validator(data: st.DataObject) -> None:
    before = data.draw(objects())
    after = data.draw(edited(before))
    kept = judge(before, after).compatibility
    for direction, sender, reader in (("BACKWARD", before, after), ("FORWARD", after, before)):
        if kept in (direction, "FULL"):
            sent = data.draw(values(sender))
            assert validator(reader).is_valid(known(sent, reader)), (direction, sent)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_turned_around_a_change_breaks_the_other_direction(data: st.DataObject) -> None:
    before = data.draw(objects())
    after = data.draw(edited(before))
    there, back = judge(before, after).compatibility, judge(after, before).compatibility
    assert {there: back} in (
        {"FULL": "FULL"},
        {"BREAKING": "BREAKING"},
        {"FORWARD": "BACKWARD"},
        {"BACKWARD": "FORWARD"},
    )


@given(objects())
def test_a_contract_does_not_differ_from_itself(one: dict[str, Any]) -> None:
    assert compare(one, one) == []
