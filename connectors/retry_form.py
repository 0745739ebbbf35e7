"""The part of a connection's form that says when failed deliveries are tried again. What is left empty is the usual."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from connectors.retry_policy import BOUNDS, KINDS, policy_of, short, usual_numbers
from connectors.retry_preview import Preview, preview

HOUR = 3600
PREFIX = "retry_"
_PLAIN = ("base_seconds", "factor", "cap_seconds", "attempts")
_OF_A_KIND = ("base_seconds", "cap_seconds")


def _number(label: str, name: str, help_text: str = "", *, unit: float = 1, usual: str = "") -> forms.Field:
    least, most = BOUNDS[name]
    kind: Any = forms.IntegerField if name == "attempts" else forms.FloatField
    widget = forms.NumberInput({"placeholder": usual or f"{usual_numbers()[name] / unit:g}", "step": "any"})
    bounds = (
        {"min_value": least / unit, "max_value": most / unit} if unit != 1 else {"min_value": least, "max_value": most}
    )
    field: forms.Field = kind(label=label, required=False, help_text=help_text, widget=widget, **bounds)
    return field


class RetryForm(forms.Form):
    """Numbers of the ladder, and the first and longest wait for single kinds of failure."""

    retry_base_seconds = _number(
        "First wait, seconds", "base_seconds", "At most; the wait is drawn between nothing and this."
    )
    retry_factor = _number("Times longer each time", "factor")
    retry_cap_seconds = _number("Longest wait, seconds", "cap_seconds", "Also when the system asks for a longer one.")
    retry_attempts = _number("Attempts", "attempts", "Then it is a dead letter. A sync may say another number.")
    retry_max_age_hours = _number(
        "Longest time, hours",
        "max_age_seconds",
        "After so long it is a dead letter, whatever the system asks for.",
        unit=HOUR,
    )
    retry_busy_base_seconds = _number("First wait", "base_seconds", usual="as above")
    retry_busy_cap_seconds = _number("Longest wait", "cap_seconds", usual="as above")
    retry_conflict_base_seconds = _number("First wait", "base_seconds", usual="as above")
    retry_conflict_cap_seconds = _number("Longest wait", "cap_seconds", usual="as above")
    retry_down_base_seconds = _number("First wait", "base_seconds", usual="as above")
    retry_down_cap_seconds = _number("Longest wait", "cap_seconds", usual="as above")

    def retry_numbers(self) -> list[BoundField]:
        return [self[PREFIX + name] for name in (*_PLAIN, "max_age_hours")]

    def retry_kinds(self) -> Iterator[tuple[str, str, list[BoundField]]]:
        """(what a kind of failure is called, what it covers, its fields)."""
        for kind, (label, covers) in KINDS.items():
            yield label, covers, [self[f"{PREFIX}{kind}_{name}"] for name in _OF_A_KIND]

    @property
    def has_retry(self) -> bool:
        """Whether anything differs from the usual."""
        names = [name for name in self.fields if name.startswith(PREFIX)]
        return any(self[name].errors or self[name].value() not in (None, "") for name in names)

    def retry(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """The policy as it would be stored; what the form does not show is kept from `stored`."""
        return _policy(self.cleaned_data, stored)

    def retry_problems(self) -> list[tuple[str, str]]:
        """(label, sentence) of what was typed and cannot be."""
        wrong = [name for name in self.errors if name.startswith(PREFIX)] if self.is_bound else []
        return [(str(self[name].label), str(self.errors[name][0])) for name in wrong]

    def retry_preview(self) -> Preview:
        """What the typed numbers, or those that the form begins with, would do."""
        return preview(policy_of(_policy(self.cleaned_data if self.is_bound else self.initial, {})))


def _policy(values: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {name: values.get(PREFIX + name) for name in _PLAIN}
    hours = values.get(f"{PREFIX}max_age_hours")
    found["max_age_seconds"] = None if hours is None else hours * HOUR
    for kind in KINDS:
        given = {name: values.get(f"{PREFIX}{kind}_{name}") for name in _OF_A_KIND}
        found[kind] = _given({**stored.get(kind, {}), **given})
    return short(_given(found))


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def stored_values(stored: Mapping[str, Any]) -> dict[str, Any]:
    """First values of the form's fields."""
    found = {PREFIX + name: stored.get(name) for name in _PLAIN}
    age = stored.get("max_age_seconds")
    # 12 rather than 12.0
    found[f"{PREFIX}max_age_hours"] = None if age is None else age // HOUR if age % HOUR == 0 else age / HOUR
    for kind in KINDS:
        part = stored.get(kind) or {}
        found |= {f"{PREFIX}{kind}_{name}": part.get(name) for name in _OF_A_KIND}
    return found
