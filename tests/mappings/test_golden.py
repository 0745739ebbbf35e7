"""Every case of golden.yaml is exact, by the fast way and by the plans that define it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mappings.compile import MappingError, compile_mapping
from mappings.functions import FUNCTIONS
from mappings.rules import parse_rules

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "golden.yaml").read_text(encoding="utf-8"))
RULE_KEYS = ("convert", "type", "digits", "rounding")


def _name(case: dict[str, Any]) -> str:
    chain = "+".join(step if isinstance(step, str) else step["fn"] for step in case.get("convert", ()))
    return f"{chain or case.get('type', 'string')}-{case.get('in')}"


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_golden_case_is_exact(case: dict[str, Any]) -> None:
    rule = {"target": "out", "source": "in", **{key: case[key] for key in RULE_KEYS if key in case}}
    mapper = compile_mapping(parse_rules([rule]), value_maps={}, time_zone=case.get("zone", "UTC"))
    record = {**({"in": case["in"]} if "in" in case else {}), **case.get("also", {})}
    trace = mapper.explain(record)[0]
    if "error" in case:
        with pytest.raises(MappingError, match=case["error"]) as caught:
            mapper.apply(record)
        assert caught.value.field == "out"
        assert case["error"] in trace.error
        return
    expected = {} if case.get("missing") else {"out": case["out"]}
    result = mapper.apply(record)
    assert result == expected
    assert not trace.error
    if expected:
        assert type(result["out"]) is type(expected["out"])
        assert trace.value == expected["out"]


def test_golden_set_has_a_case_for_every_conversion() -> None:
    used = {step if isinstance(step, str) else step["fn"] for case in CASES for step in case.get("convert", ())}
    assert set(FUNCTIONS) == used
    assert len(CASES) >= 80
