"""Two versions of a schema compared, in words that people use for fields. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from governance.schemas import Schema, field_type, fields_of, is_nullable, rules_of, type_word

# What a property says, in the order in which people ask; anything else is shown under its own name.
_LABELS = {
    "title": "Name",
    "description": "Meaning",
    "examples": "Example",
    "x-key": "Part of the key",
    "x-ref": "Refers to",
    "x-money": "Currency stands in",
    "x-classification": "Classification",
    "x-expects": "Expects",
    "pattern": "Pattern",
    "minLength": "Fewest characters",
    "maxLength": "Most characters",
    "minimum": "Smallest value",
    "maximum": "Largest value",
    "default": "Default",
}
# Told without their words, which stand beside the sentence.
_LONG = ("Meaning", "Example", "Pattern")
_IN_TYPE = {"type", "format", "enum"}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a field says; `before` and `after` are words, None where it said nothing."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class FieldDiff:
    """What happened to one field between two versions."""

    name: str
    title: str
    state: Literal["added", "removed", "changed"]
    changes: tuple[Change, ...]

    @property
    def sentence(self) -> str:
        """The change in one line: "Type changes from text to date, becomes required."."""
        words = ", ".join(_words(c) for c in self.changes) if self.state == "changed" else _gist(self.changes)
        return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def compare(before: Schema, after: Schema) -> list[FieldDiff]:
    """Fields that differ, in the order of the newer version; removed ones come last, then rules across fields."""
    old, new = _facts_by_field(before), _facts_by_field(after)
    titles = {field.name: field.title for schema in (before, after) for field in fields_of(schema)}
    names = [*new, *(name for name in old if name not in new)]
    fields = [
        _diff(name, titles[name], old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)
    ]
    return [*fields, *_rule_diffs(rules_of(before), rules_of(after))]


def summary(before: Schema, after: Schema, most: int = 6) -> str:
    """The fields that differ, in one line: "region removed, health changed and 3 more"."""
    told = [f"{diff.name} {diff.state}" for diff in compare(before, after)]
    text = ", ".join(told[:most]) + (f" and {len(told) - most} more" if len(told) > most else "")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _facts_by_field(schema: Schema) -> dict[str, dict[str, str]]:
    required = set(schema.get("required") or ())
    return {name: facts(spec, name in required) for name, spec in (schema.get("properties") or {}).items()}


def facts(spec: Mapping[str, Any], required: bool) -> dict[str, str]:
    """Everything a property says, as label → words."""
    said = {"Type": "choice" if spec.get("enum") else type_word(field_type(spec))}
    if spec.get("enum"):
        said["Values"] = ", ".join(str(value) for value in spec["enum"] if value is not None)
    said["Required"] = "yes" if required else "no"
    said["May be empty"] = "yes" if is_nullable(spec) else "no"
    ordered = [*_LABELS, *(name for name in spec if name not in _LABELS and name not in _IN_TYPE)]
    return said | {_LABELS.get(name, name): _text(spec[name]) for name in ordered if name in spec}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(item, str | int) for item in value):
        return ", ".join(str(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _diff(name: str, title: str, before: dict[str, str] | None, after: dict[str, str] | None) -> FieldDiff:
    old, new = before or {}, after or {}
    changes = tuple(
        Change(label, old.get(label), new.get(label))
        for label in dict.fromkeys((*old, *new))
        if old.get(label) != new.get(label)
    )
    state: Literal["added", "removed", "changed"] = (
        "added" if before is None else "removed" if after is None else "changed"
    )
    return FieldDiff(name, title, state, changes)


def _rule_diffs(before: list[str], after: list[str]) -> Iterator[FieldDiff]:
    for rule in after:
        if rule not in before:
            yield FieldDiff("rule", rule, "added", (Change("Rule", None, rule),))
    for rule in before:
        if rule not in after:
            yield FieldDiff("rule", rule, "removed", (Change("Rule", rule, None),))


def _gist(changes: Iterable[Change]) -> str:
    """Of a field that came or went: its type, whether it is required, its meaning."""
    said = {change.field: change.after or change.before or "" for change in changes}
    if "Rule" in said:
        return said["Rule"]
    needed = "required" if said.get("Required") == "yes" else "optional"
    return f"{said.get('Type', '')}, {needed}. {said.get('Meaning', '')}".strip()


def _words(change: Change) -> str:
    label = change.field.lower()
    if change.field == "Values":
        return "; ".join(_value_words(change))
    if change.field == "Required":
        return "becomes required" if change.after == "yes" else "becomes optional"
    if change.field == "May be empty":
        return "may be empty" if change.after == "yes" else "may no longer be empty"
    if change.before is None or change.after is None:
        return f"{label} {'added' if change.before is None else 'removed'}"
    if change.field in _LONG:
        return f"{label} changes"
    return f"{label} changes from {change.before} to {change.after}"


def _value_words(change: Change) -> Iterator[str]:
    before = (change.before or "").split(", ") if change.before else []
    after = (change.after or "").split(", ") if change.after else []
    for word, values in (
        ("added", [v for v in after if v not in before]),
        ("removed", [v for v in before if v not in after]),
    ):
        if values:
            quoted = ", ".join(f"“{value}”" for value in values)
            yield f"{'value' if len(values) == 1 else 'values'} {quoted} {word}"
    if sorted(before) == sorted(after):
        yield "values change places"
