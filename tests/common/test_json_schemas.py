"""A schema never makes the hub fetch an address, and what is wrong with it is a sentence with its place."""

from __future__ import annotations

import pytest

from hub.common.json_schemas import schema_error, validator


@pytest.mark.parametrize(
    ("schema", "place", "words"),
    [
        ([], "", "JSON object"),
        ({"type": "strin"}, "type", "not JSON Schema"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "$schema", "2020-12"),
        ({"properties": {"a": {"$ref": "http://127.0.0.1:9/x.json"}}}, "properties.a.$ref", "not fetched"),
        ({"$ref": "#/$defs/none"}, "$ref", "leads to nothing"),
    ],
)
def test_what_is_wrong_is_said(schema, place, words):
    found = schema_error(schema)
    assert found is not None
    assert found[0] == place
    assert words in found[1]


def test_a_sound_schema_compiles_and_judges():
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"type": "string"}}}
    assert schema_error(schema) is None
    assert validator(schema).is_valid({"a": "x"})
    assert not validator(schema).is_valid({"a": 1})
