"""What is too large, too deep, circular or unreadable is refused with a sentence before anything is built from it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from governance.compatibility.verdict import judge
from governance.exchange import reading
from hub.common.errors import ConfigError
from hub.common.schema_bounds import MAX_CHOICES, MAX_DEPTH, bound_error


def nested(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        found = {"properties": {"a": found}}
    return found


def doubling(levels: int, keyword: str) -> dict[str, Any]:
    """Each part stands twice in the one above it: 2^levels parts in as many lines."""
    parts: dict[str, Any] = {"p0": {"type": "string"}}
    for n in range(1, levels):
        below = {"$ref": f"#/$defs/p{n - 1}"}
        parts[f"p{n}"] = (
            {"allOf": [below, below]} if keyword == "allOf" else {"properties": {"a": below, "b": dict(below)}}
        )
    return {"type": "object", "properties": {"x": {"$ref": f"#/$defs/p{levels - 1}"}}, "$defs": parts}


CIRCLE = {"properties": {"a": {"$ref": "#/properties/b"}, "b": {"allOf": [{"$ref": "#/properties/a"}]}}}
TREE = {"properties": {"node": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"properties": {"below": {"$ref": "#/$defs/n"}}}}}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (nested(MAX_DEPTH), "levels deep"),
        (nested(200_000), "levels deep"),
        ({"enum": list(range(MAX_CHOICES + 1))}, "10,001 entries"),
        (doubling(40, "allOf"), "unfolds to more than"),
        (doubling(40, "properties"), "unfolds to more than"),
        (CIRCLE, "leads back to itself"),
        ({"$ref": "#"}, "leads back to itself"),
        ({"properties": {"a": {"$ref": "https://evil.example/x.json"}}}, "not fetched"),
        ({"properties": {"a": {"$ref": "other.json#/a"}}}, "not fetched"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "leads to nothing"),
        ({"properties": {"a": {"$ref": 3}}}, "is a text"),
        ({"properties": {"a": {"$dynamicRef": "#x"}}}, "not understood"),
        ({"properties": {"a": {"$id": "x", "$ref": "#/$defs/y"}}}, "not understood"),
    ],
    ids=lambda value: value if isinstance(value, str) else "schema",
)
def test_a_schema_out_of_bounds_is_refused_with_a_sentence(schema: dict[str, Any], words: str) -> None:
    found = bound_error(schema)
    assert found is not None
    assert words in found[1]


def test_a_part_that_contains_itself_may_be_compared_but_is_no_record() -> None:
    assert bound_error(TREE) is None
    found = bound_error(TREE, may_contain_itself=False)
    assert found is not None
    assert found == ("properties.node.$ref.properties.below.$ref", found[1])
    assert "contains itself" in found[1]


def test_words_of_a_schema_are_no_keywords_where_they_name_fields_or_are_data() -> None:
    schema = {
        "properties": {"$ref": {"type": "string"}, "$id": {"examples": [{"$ref": "x"}]}, "not": {"const": {"$id": 1}}}
    }
    assert bound_error(schema) is None


def test_parts_that_are_shared_a_few_times_are_within_bounds() -> None:
    fields = {f"f{n}": {"$ref": "#/$defs/money"} for n in range(5000)}
    assert bound_error({"properties": fields, "$defs": {"money": {"properties": {"a": {}, "b": {}}}}}) is None


# Files -------------------------------------------------------------------------------------------------------
LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(12)
)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "holds no contract"),
        (b"- 1\n", "not a mapping"),
        (b"{", "neither JSON nor YAML"),
        (b"a: b: c", "neither JSON nor YAML"),
        (b"a: 1\na: 2", "stands twice"),
        (b"a: !!python/object/apply:os.system ['true']", "neither JSON nor YAML"),
        (LAUGHS.encode(), "unfolds to more than"),
        (b"a: &a [*a]", "back into its own anchor"),
        (b"a: &a\n  <<: *a", "back into its own anchor"),
        (b"a: " + b"[" * 100_000, "levels deep"),
        (b'{"a":' * 100_000, "levels deep"),
        (b'{"a":' + b"[" * 500 + b"]" * 500 + b"}", "levels deep"),
        (b"a: " + b"9" * 10_000, "neither JSON nor YAML"),
        ("name: Prüfung".encode("latin-1"), "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "zero bytes"),
        (b"a: " + b"x" * reading.MAX_BYTES, "larger than 8 MB"),
        (b"a: [" + b"1," * 600_000 + b"]", "values"),
        (b"a: &a [" + b"1," * 60_000 + b"]\nb: [" + b"*a," * 60_000 + b"]", "unfolds to more than"),
        (b"a: \x00", "zero bytes"),
        (b"a: \x07", "neither JSON nor YAML"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",
)  # fmt: skip
def test_a_file_that_cannot_be_a_contract_is_refused_with_a_sentence(data: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        reading.read(data, where="given.yaml")
    assert "given.yaml" in refused.value.where


def test_json_and_yaml_are_read_alike_and_dates_stay_text() -> None:
    wanted = {"a": "2026-11-30", "b": [1, True, None]}
    assert reading.read(b"\xef\xbb\xbf" + json.dumps(wanted).encode(), where="x") == wanted
    assert reading.read(b"a: 2026-11-30\nb: [1, true, null]", where="x") == wanted
    assert reading.read(b"{a: 2026-11-30, b: [1, true, ~]}", where="x") == wanted


def test_an_alias_that_is_used_sensibly_is_followed() -> None:
    assert reading.read(b"a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}", where="x")["c"] == {"x": 1, "y": 2}


# The comparison ----------------------------------------------------------------------------------------------
ODD: list[dict[str, Any]] = [
    {"properties": {"a": {"x-classification": "pii"}}},
    {"properties": {"a": {"x-classification": ["list"]}}},
    {"properties": {"a": True, "b": False}},
    {"properties": {"a": {"x-aliases": 3, "x-renamed-from": ["b"]}}},
    {"allOf": [True, {"title": 3}, {"title": ["x"]}]},
    {"x-sla": "soon", "x-owner": 4},
    {"x-sla": [1, {"property": "latency", "value": "soon"}, {"property": "latency", "value": float("inf")}]},
    {"required": ["a"]},
    TREE,
]


@pytest.mark.parametrize("old", ODD)
@pytest.mark.parametrize("new", [*ODD, {}])
def test_no_schema_is_so_odd_that_it_cannot_be_compared(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert isinstance(judge(old, new).as_data()["changes"], list)
    assert isinstance(judge(new, old).as_data()["changes"], list)
