"""Rules and their differences in words, for summaries, version pages and the log of a draft."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mappings.functions import FUNCTIONS
from mappings.rules import Conversion, FieldRule

KIND_WORDS = {
    "direct": "Copy a field",
    "constant": "Constant",
    "value_map": "Value map",
    "reference": "Reference to a record",
    "template": "Text with fields",
    "expression": "Expression",
}
MISSING_WORDS = {
    "omit": "leave the field alone",
    "null": "empty the field",
    "default": "use the default",
    "fail": "hold the record",
}
WRITE_WORDS = {
    "overwrite": "Overwrite",
    "if_new": "Only when the record is new",
    "if_empty": "Only when the field is empty",
    "append": "Append",
}
UNMAPPED_WORDS = {
    "": "as the value map says",
    "fail": "hold the record",
    "null": "empty the field",
    "keep": "keep the value",
    "default": "use the default",
}
ROUNDING_WORDS = {
    "": "no digit may be lost",
    "half_up": "half up",
    "half_even": "half even",
    "down": "towards zero",
    "up": "away from zero",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One field whose rule differs; `before` and `after` are words, None where there is no rule."""

    field: str
    before: str | None
    after: str | None

    @property
    def verb(self) -> str:
        return "added" if self.before is None else "removed" if self.after is None else "changed"


def describe(rule: FieldRule) -> str:
    """`from rate_line.amount, round (digits 2), as decimal with 2 digits, half up; if missing: hold the record`."""
    parts = [_origin(rule), *map(step_words, rule.convert), _form(rule)]
    tail = [
        f"if missing: {_missing(rule)}" if rule.on_missing != "omit" else "",
        f"if not in the map: {UNMAPPED_WORDS[rule.on_unmapped]}" if rule.on_unmapped else "",
        f"written {WRITE_WORDS[rule.write_mode].lower()}" if rule.write_mode != "overwrite" else "",
        f"note: {rule.note}" if rule.note else "",
    ]
    return "; ".join(filter(None, [", ".join(filter(None, parts)), *tail]))


def _origin(rule: FieldRule) -> str:
    match rule.kind:
        case "constant":
            return f"always {_quoted(rule.value)}"
        case "value_map":
            day = f" as of {rule.effective_date}" if rule.effective_date else ""
            return f"from {rule.source} through value map {rule.value_map}{' backwards' if rule.reverse else ''}{day}"
        case "reference":
            return f"the {rule.entity} " + (f"with id {rule.source} in {rule.via}" if rule.via else f"{rule.source}")
        case "template":
            return f"text {_quoted(rule.text)}"
        case "expression":
            return f"expression {_quoted(rule.text)}"
    return f"from {rule.source}"


def _quoted(value: Any) -> str:
    return "empty" if value is None else f"“{value}”"


def _form(rule: FieldRule) -> str:
    if rule.type == "string":
        return ""
    digits = f" with {rule.digits} digits, {ROUNDING_WORDS[rule.rounding]}" if rule.digits is not None else ""
    return f"as {rule.type}{digits}"


def _missing(rule: FieldRule) -> str:
    return f"use {_quoted(rule.default)}" if rule.on_missing == "default" else MISSING_WORDS[rule.on_missing]


def step_words(step: Conversion) -> str:
    """`truncate 99`, `round 2, half_up`: the name of a conversion and its arguments, those left at their default omitted."""
    values = ", ".join(_argument(value) for value in step.args.values() if value not in ("", None))
    return f"{step.fn.replace('_', ' ')} {values}".strip()


def _argument(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{len(value)} values"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def conversion_groups() -> list[tuple[str, list[tuple[str, str]]]]:
    """(group, [(name, help)]) of every named conversion, for a drop-down."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for found in FUNCTIONS.values():
        groups.setdefault(found.group, []).append((found.name, found.help))
    return [(group.capitalize(), names) for group, names in groups.items()]


def differences(before: Sequence[FieldRule], after: Sequence[FieldRule]) -> list[Difference]:
    """What changed from one list of rules to another, field by field: changed and added ones first."""
    return list(_differences({rule.target: rule for rule in before}, {rule.target: rule for rule in after}))


def _differences(old: Mapping[str, FieldRule], new: Mapping[str, FieldRule]) -> Iterator[Difference]:
    for target, rule in new.items():
        if old.get(target) != rule:
            yield Difference(target, describe(old[target]) if target in old else None, describe(rule))
    for target, rule in old.items():
        if target not in new:
            yield Difference(target, describe(rule), None)


def summary(changes: Sequence[Difference]) -> str:
    """`2 fields added, 1 changed`."""
    counts = [(verb, sum(change.verb == verb for change in changes)) for verb in ("added", "changed", "removed")]
    words = [f"{number} {verb}" for verb, number in counts if number]
    return f"{', '.join(words)}." if words else "Nothing changed."
