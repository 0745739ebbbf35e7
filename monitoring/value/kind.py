"""Measure as a configuration document."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.common import registry
from hub.common.errors import HubError
from hub.common.kinds import Attr, ModelKind
from hub.common.money import parse_decimal
from hub.common.registry import Document, Problem
from hub.common.times import period_bounds
from monitoring.models import Measure
from monitoring.value import flow_formulas, money_formulas  # noqa: F401  (they register themselves)
from monitoring.value.formulas import find, formulas

KIND = "Measure"
RESERVED = frozenset({"new", "baselines", "hours", "shipped"})
EXCLUSIONS = ("project", "cause")


class MeasureKind(ModelKind):
    def extra_validate(self, document: Document) -> list[Problem]:
        found = [*_formula(document), *_target(document), *_baseline(document), *_exclusions(document)]
        if document["slug"] in RESERVED:
            found.append(Problem("slug", f"{document['slug']!r} is the address of another page."))
        return found


def _formula(document: Document) -> list[Problem]:
    formula = find(str(document["formula"]))
    if formula is None:
        return [
            Problem("formula", f"There is no formula {document['formula']!r}. Known: {', '.join(sorted(formulas()))}.")
        ]
    given = document.get("parameters") or {}
    if not isinstance(given, dict):
        return [Problem("parameters", "Parameters are given by name: {target: erp}.")]
    problems = []
    for name, value in given.items():
        if name not in formula.parameters:
            known = ", ".join(formula.parameters) or "none"
            problems.append(Problem(f"parameters.{name}", f"The formula has no parameter {name!r}. It has: {known}."))
        elif sentence := _wrong(value, formula.parameters[name][0]):
            problems.append(Problem(f"parameters.{name}", sentence))
    return problems


def _wrong(value: Any, default: Any) -> str:
    """Why a value does not fit the kind of the default."""
    if isinstance(default, list):
        fits = isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)
        return "" if fits else "Give a list of words, such as [psa, erp]."
    if not isinstance(value, str) or not value:
        return "Give a text."
    return "" if number_of(default) is None or number_of(value) is not None else f"{value!r} is not a number."


def number_of(text: Any) -> Decimal | None:
    try:
        return parse_decimal(str(text))
    except HubError:
        return None


def _target(document: Document) -> list[Problem]:
    target = document.get("target") or ""
    return [Problem("target", f"{target!r} is not a number.")] if target and number_of(target) is None else []


def _baseline(document: Document) -> list[Problem]:
    given = document.get("baseline") or {}
    if not given:
        return []
    if not isinstance(given, dict) or set(given) - {"value", "period", "source"}:
        return [Problem("baseline", "A baseline is {value: '9.5', period: 2026-03, source: who counted it}.")]
    problems = []
    if number_of(given.get("value", "")) is None:
        problems.append(Problem("baseline.value", f"{given.get('value')!r} is not a number."))
    try:
        period_bounds(str(given.get("period", "")))
    except HubError as error:
        problems.append(Problem("baseline.period", str(error)))
    if not str(given.get("source") or "").strip():
        problems.append(
            Problem("baseline.source", "Say who counted it, and how: a baseline without a source proves nothing.")
        )
    return problems


def _exclusions(document: Document) -> list[Problem]:
    given = document.get("exclusions") or {}
    if not isinstance(given, dict):
        return [Problem("exclusions", "Exclusions are given by name: {project: ['INT-*']}.")]
    by = " or ".join(EXCLUSIONS)
    problems = [Problem(f"exclusions.{n}", f"Rows are left out by {by}.") for n in given if n not in EXCLUSIONS]
    for name, globs in given.items():
        if not isinstance(globs, list) or not all(isinstance(one, str) and one for one in globs):
            problems.append(Problem(f"exclusions.{name}", "Give a list of patterns such as ['INT-*']."))
    return problems


def register() -> None:
    registry.register(
        MeasureKind(
            name=KIND,
            model=Measure,
            fields=[
                *(Attr(name, required=True) for name in ("name", "definition", "formula")),
                *(
                    Attr(name)
                    for name in ("parameters", "owner", "direction", "target", "baseline", "exclusions", "position")
                ),
            ],
        )
    )
