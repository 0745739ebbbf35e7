"""docs/mappings.md tells every kind, setting, type, conversion, expression function and finding."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from mappings import checks, validate
from mappings.convert import FieldType
from mappings.expressions import FUNCTION_HELP, HELPERS, REFUSED
from mappings.functions import FUNCTIONS
from mappings.rules import FIELD_NAMES, RuleKind

DOCS = (Path(__file__).parents[2] / "docs" / "mappings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_conversion_is_documented_with_its_arguments(name: str) -> None:
    found = FUNCTIONS[name]
    (line,) = (line for line in DOCS.splitlines() if line.startswith(f"| `{name}` | {found.takes} → {found.gives} |"))
    assert found.help in line
    assert all(f"`{arg.name}`" in line for arg in found.args)


@pytest.mark.parametrize(
    "name", [*FIELD_NAMES, *get_args(RuleKind), *get_args(FieldType), *(f"${name}" for name in REFUSED)]
)
def test_every_setting_kind_type_and_refused_name_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCS


def test_every_expression_function_is_documented() -> None:
    assert {name.partition("(")[0] for name in FUNCTION_HELP} == {f"${name}" for name in HELPERS} | {"$coalesce"}
    for name, sentence in FUNCTION_HELP.items():
        assert f"| `{name}` | {sentence} |" in DOCS


def test_every_finding_is_documented() -> None:
    sources = "".join(Path(module.__file__ or "").read_text(encoding="utf-8") for module in (checks, validate))
    codes = set(re.findall(r"\"([A-Z]+(?:_[A-Z]+)*)\"", sources)) - {"UTC"}
    assert len(codes) > 15
    assert {code for code in codes if f"`{code}`" not in DOCS} == set()
