"""Missing, null and empty are three things; paths reach into objects and lists, and say so when they cannot."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.common.errors import ConfigError, RecordError
from mappings.paths import MISSING, format_path, parse_path, place, read_path

RECORD = {
    "a": {"b": {"c": 1}, "n": None, "empty": ""},
    "lines": [{"qty": 2}, {"qty": 3, "0": "zero"}],
    "@odata.etag": "W/1",
    "digits": {"0": "by name"},
    "text": "abc",
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b.c", 1),
        ("a.n", None),
        ("a.n.below.null", None),
        ("a.empty", ""),
        ("a.x", MISSING),
        ("x.y.z", MISSING),
        ("lines.1.qty", 3),
        ("lines.1.0", "zero"),
        ("lines.2.qty", MISSING),
        ("lines.0.x", MISSING),
        ("digits.0", "by name"),
        ("@odata\\.etag", "W/1"),
    ],
)
def test_path_tells_missing_null_and_empty_apart(path: str, value: Any) -> None:
    assert read_path(RECORD, parse_path(path)) is value or read_path(RECORD, parse_path(path)) == value


@pytest.mark.parametrize(
    ("path", "sentence"), [("text.0", "single value"), ("lines.qty", "is a list"), ("lines.-1", "is a list")]
)
def test_wrong_shape_is_an_error_not_a_missing_field(path: str, sentence: str) -> None:
    with pytest.raises(RecordError, match=sentence) as caught:
        read_path(RECORD, parse_path(path))
    assert path.split(".")[0] in caught.value.what


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5).map(tuple))
def test_any_name_can_be_written_in_a_path(path: tuple[str, ...]) -> None:
    assert parse_path(format_path(path)) == path


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a\\", "a\\b", "a." * 40 + "a"])
def test_path_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="path"):
        parse_path(text)


def test_place_makes_the_objects_on_the_way() -> None:
    target: dict[str, Any] = {"a": {"x": 1}}
    place(target, ("a", "b", "c"), 2)
    assert target == {"a": {"x": 1, "b": {"c": 2}}}
