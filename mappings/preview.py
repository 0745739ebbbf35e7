"""What a rule makes of sample records, step by step, as words that a page may show. Pure: nothing is read or kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from hub.common.display import MASK
from hub.common.errors import ConfigError
from hub.common.records import Record
from mappings.compile import FieldTrace, Mapper, ValueMapData, compile_mapping
from mappings.expressions import ExpressionError, compile_expression
from mappings.paths import MISSING, parse_path, place
from mappings.prepare import Direction
from mappings.rules import FieldRule
from mappings.target_fields import TargetField

State = Literal["ok", "warn", "fail", "muted"]
SHOWN = 80
HIDDEN = "This value is masked, so neither it nor what is wrong with it is shown."


@dataclass(frozen=True, slots=True)
class Setting:
    """What rules are tried in: the value maps they name, the source's time zone, the direction."""

    value_maps: Mapping[str, ValueMapData]
    time_zone: str = "UTC"
    direction: Direction = "in"


@dataclass(frozen=True, slots=True)
class Shown:
    """A value in words; a blank one (missing, empty, no text) is a word about it, not the value."""

    text: str
    is_blank: bool = False


@dataclass(frozen=True, slots=True)
class ShownStep:
    name: str
    before: Shown
    after: Shown


@dataclass(frozen=True, slots=True)
class Outcome:
    """One rule over one sample. `note` says what is wrong or worth knowing."""

    source: Shown
    out: Shown
    state: State
    note: str = ""
    steps: tuple[ShownStep, ...] = ()

    @property
    def is_same(self) -> bool:
        return self.source == self.out


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a rule cannot be tried at all; for an expression with the line in question and where in it (from 1)."""

    sentence: str
    line: str = ""
    line_number: int = 0
    column: int = 0

    @property
    def caret(self) -> str:
        """A line of blanks that ends in ^ under the column; None of it without a line."""
        return f"{' ' * (self.column - 1)}^" if self.line else ""


def try_rule(
    rule: FieldRule,
    records: Sequence[Record],
    setting: Setting,
    *,
    field: TargetField | None = None,
    masked: bool = False,
) -> tuple[Outcome, ...] | Refusal:
    """What becomes of each record, in order, or why the rule cannot be compiled."""
    mapper = _compiled(rule, setting)
    if isinstance(mapper, Refusal):
        return mapper
    return tuple(outcome(mapper.explain(dict(record))[0], field, masked=masked) for record in records)


def _compiled(rule: FieldRule, setting: Setting) -> Mapper | Refusal:
    try:
        if rule.kind == "expression":
            compile_expression(rule.text)
        return compile_mapping(
            [rule], value_maps=setting.value_maps, time_zone=setting.time_zone, direction=setting.direction
        )
    except ExpressionError as error:
        lines = rule.text.split("\n")
        line = lines[error.line - 1] if error.line <= len(lines) else ""
        return Refusal(error.sentence, line, error.line, error.column)
    except ConfigError as error:
        return Refusal(str(getattr(error, "problems", (error,))[0]))


def outcome(trace: FieldTrace, field: TargetField | None = None, *, masked: bool = False) -> Outcome:
    """A trace in words. `masked` hides every value, and errors, because they quote values."""
    state, note = _verdict(trace, field)
    if masked:
        return Outcome(_hide(trace.raw), _hide(trace.value), state, HIDDEN if state == "fail" else note)
    steps = tuple(ShownStep(step.fn.replace("_", " "), show(step.before), show(step.after)) for step in trace.steps)
    return Outcome(show(trace.raw), show(trace.value), state, note, steps)


def _verdict(trace: FieldTrace, field: TargetField | None) -> tuple[State, str]:
    if trace.error:
        return "fail", trace.error
    is_required = field is not None and field.is_required
    if trace.value is MISSING:
        return ("fail", "Nothing to write, and the field is required.") if is_required else ("muted", "left alone")
    if trace.value is None and is_required:
        return "fail", "Empty, and the field is required."
    if field is not None and isinstance(trace.value, str) and (misfit := _misfit(trace.value, field)):
        return "warn", misfit
    return "ok", ""


def _misfit(value: str, field: TargetField) -> str:
    if field.enum and value not in field.enum:
        return f"Not one of {', '.join(field.enum)}."
    if field.max_length is not None and len(value) > field.max_length:
        return f"{len(value)} characters, {field.max_length} fit."
    return ""


def show(value: Any) -> Shown:
    """A value in words: text as it is, structures as JSON, cut after 80 characters."""
    if value is MISSING:
        return Shown("missing", is_blank=True)
    if value is None:
        return Shown("empty", is_blank=True)
    if value == "":
        return Shown("no text", is_blank=True)
    text = value if isinstance(value, str) else _json(value)
    return Shown(text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…")


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str).decode() if isinstance(value, dict | list | bool) else str(value)


def _hide(value: Any) -> Shown:
    return show(value) if value in (None, "", MISSING) else Shown(MASK)


def output(rules: Sequence[FieldRule], record: Record, setting: Setting) -> tuple[Record, list[str]]:
    """The record that the rules make, without the fields that fail, and a sentence for each of those."""
    mapped: Record = {}
    sentences = []
    for rule in rules:
        mapper = _compiled(rule, setting)
        if isinstance(mapper, Refusal):
            sentences.append(f"{rule.target}: {mapper.sentence}")
            continue
        trace = mapper.explain(dict(record))[0]
        if trace.error:
            sentences.append(trace.error)
        elif trace.value is not MISSING:
            place(mapped, parse_path(rule.target), trace.value)
    return mapped, sentences
