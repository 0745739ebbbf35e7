"""jsoncompat agrees with our verdict on what JSON Schema itself can say, and is asked only where it is there."""

from __future__ import annotations

import io
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from governance.compatibility import second_opinion
from governance.compatibility.verdict import judge
from hub.common.errors import ConfigError
from tests.governance.test_compatibility import TABLE

# What breaks people and no validator, and what jsoncompat does not look at: patterns, formats, rules across fields.
OURS = {
    "required_field_with_default_added", "field_renamed_with_alias", "field_renamed", "key_changed", "reference_changed",
    "unit_changed", "currency_changed", "time_zone_changed", "rounding_changed", "meaning_changed", "opened", "closed",
    "constraint_added", "constraint_removed", "constraint_changed", "rule_added", "rule_removed", "rule_changed",
}  # fmt: skip
ROWS = [row for row in TABLE if row[0] not in OURS and "format" not in json.dumps(row[4:])]


@pytest.mark.skipif(find_spec("jsoncompat") is None, reason="jsoncompat is not installed")
@pytest.mark.parametrize(("kind", "path", "severity", "breaks", "before", "after"), ROWS)
def test_both_say_the_same(kind: str, path: str, severity: str, breaks: str, before: Any, after: Any) -> None:
    opinions = second_opinion.ask(before, after, judge(before, after))
    assert {each.direction: each.theirs for each in opinions} == {each.direction: each.ours for each in opinions}


def test_without_it_the_command_says_how_to_get_it(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setattr(second_opinion, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="not installed"):
        second_opinion.ask({}, {}, judge({}, {}))
    path, out = tmp_path / "a.json", io.StringIO()
    path.write_text("{}")
    with pytest.raises(SystemExit) as end:
        call_command(
            "contract", "diff", str(path), str(path), "--second-opinion", "--json", stdout=out, stderr=io.StringIO()
        )
    assert (end.value.code, json.loads(out.getvalue())["code"]) == (1, "NOT_INSTALLED")
