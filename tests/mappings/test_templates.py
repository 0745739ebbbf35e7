"""Templates put fields into a text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.compile import compile_mapping
from mappings.rules import FieldRule
from mappings.templates import parse_template


def fill(text: str, record: Any, **options: Any) -> Any:
    rule = FieldRule(target="out", kind="template", text=text, **options)
    return compile_mapping([rule], value_maps={}).apply(record)


@pytest.mark.parametrize(
    ("text", "record", "out"),
    [
        ("{project.code} / {task}", {"project": {"code": "P"}, "task": 7}, "P / 7"),
        ("{a}-{b}", {"a": None, "b": "x"}, "-x"),
        ("{a}", {"a": True}, "true"),
        ("{a}", {"a": 1.50}, "1.5"),
        ("{ a }{{b}}", {"a": "x"}, "x{b}"),
        ("{lines.0.n}", {"lines": [{"n": "x"}]}, "x"),
        ("{a\\.b}", {"a.b": "x"}, "x"),
        ("plain", {}, "plain"),
    ],
)
def test_fields_are_put_into_the_text(text: str, record: Any, out: str) -> None:
    assert fill(text, record) == {"out": out}


def test_one_missing_field_makes_the_whole_text_missing() -> None:
    assert fill("{a}-{b}", {"a": "x"}) == {}
    assert fill("{a}-{b}", {"a": "x"}, on_missing="null") == {"out": None}
    assert fill("{a}-{b}", {"a": []}) == {}


@given(st.text())
def test_any_text_can_be_written_literally(text: str) -> None:
    assert "".join(map(str, parse_template(text.replace("{", "{{").replace("}", "}}")).parts)) == text
