"""A rule made ready to run, step by step. This is the definition of what a rule means; `codegen` is its fast twin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, tzinfo
from typing import Any, Literal

from hub.common.errors import ConfigError, RecordError
from hub.common.records import Record
from hub.common.times import parse_date
from mappings.convert import Cast, is_blank, to_date, to_json, to_text
from mappings.expressions import ExpressionEngine, exact_result
from mappings.functions import FUNCTIONS, Bound, FieldRef, bind
from mappings.paths import MISSING, Path, parse_path, read_path
from mappings.rules import FieldRule
from mappings.templates import Template, parse_template
from mappings.value_maps import Lookup, ValueMapData, find_value_map

Direction = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the value, by `call(value, *values of the fields)`; without fields, by the value alone."""

    name: str
    call: Callable[..., Any]
    fields: tuple[FieldRef, ...] = ()
    bound: Bound | None = None
    is_pure: bool = True

    def run(self, value: Any, record: Record) -> Any:
        return self.call(value, *(field.read(record) for field in self.fields)) if self.fields else self.call(value)


@dataclass(frozen=True, slots=True)
class Plan:
    """A rule with everything looked up: how to read, the steps, and what stands in for a missing field."""

    rule: FieldRule
    target: Path
    label: str
    read: Callable[[Record], Any]
    steps: tuple[Step, ...]
    default: Any
    direction: Direction
    source: Path = ()
    template: Template | None = None

    @property
    def fills_missing(self) -> bool:
        first = self.steps[0].bound if self.steps else None
        return first is not None and first.function.fills_missing

    @property
    def is_pure(self) -> bool:
        """Whether the result depends on the value read and on nothing else."""
        return all(step.is_pure and not step.fields for step in self.steps)

    def run(self, record: Record) -> Any:
        """The value for the target, or MISSING when the target is left alone. RecordError when the rule cannot."""
        value = self.read(record)
        if value is not MISSING:
            return self.finish(value, record)
        if self.fills_missing and (value := self.finish(None, record)) is not None:
            return value
        return self.missing()

    def finish(self, value: Any, record: Record) -> Any:
        """The steps over a value that was read."""
        for step in self.steps:
            value = step.run(value, record)
        return value

    def missing(self) -> Any:
        """What happens when the source did not send the field."""
        if self.rule.on_missing == "omit":
            return MISSING
        if self.rule.on_missing == "fail":
            whose = "The source did not send" if self.direction == "in" else "The hub's record has no"
            raise RecordError(f"{whose} {self.label}.", code="MISSING", fix="Correct the record where it is kept.")
        return fresh(self.default) if self.rule.on_missing == "default" else None


def fresh(value: Any) -> Any:
    """A constant that nobody shares: lists and objects are copied."""
    return to_json(value) if isinstance(value, dict | list) else value


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What rules are prepared with; nothing in it depends on a record."""

    value_maps: Mapping[str, ValueMapData]
    zone: tzinfo
    direction: Direction
    today: Callable[[], date]
    engine: ExpressionEngine

    def look_up(self, slug: str, value: Any) -> Any:
        """`$lookup_map` of expressions: the map's own policy, today."""
        return Lookup(find_value_map(self.value_maps, slug))(value, self.today)


def prepare(rule: FieldRule, around: Surroundings) -> Plan:
    """Look up everything that a rule names. ConfigError or ExpressionError when something is not there or not valid."""
    cast = Cast(rule.type, rule.digits, rule.rounding, around.zone).function()
    template = parse_template(rule.text) if rule.kind == "template" else None
    source = parse_path(rule.source) if rule.kind in ("direct", "value_map", "reference") else ()
    return Plan(
        rule=rule,
        target=parse_path(rule.target),
        label=rule.source or {"constant": "the constant", "expression": "the expression"}.get(rule.kind, rule.text),
        read=_reader(rule, source, template, around),
        steps=_steps(rule, cast, around),
        default=_constant(cast, rule.default, "default"),
        direction=around.direction,
        source=source,
        template=template,
    )


def _constant(cast: Callable[[Any], Any], value: Any, what: str) -> Any:
    try:
        return cast(value)
    except RecordError as error:
        raise ConfigError(f"The {what} does not fit: {error.what}", fix=f"Correct the {what} or the type.") from None


def _reader(rule: FieldRule, source: Path, template: Template | None, around: Surroundings) -> Callable[[Record], Any]:
    if rule.kind == "constant":
        return lambda record: fresh(rule.value)
    if template is not None:
        return lambda record: fill_template(template, record)
    if rule.kind == "expression":
        return around.engine.compile(rule.text, around.look_up).evaluate
    return lambda record: read_path(record, source)


def fill_template(template: Template, record: Record) -> Any:
    """The text, with nothing where a field is null; MISSING as soon as one field is."""
    values = [part if isinstance(part, str) else read_path(record, part) for part in template.parts]
    if any(value is MISSING for value in values):
        return MISSING
    return "".join(to_text(value) or "" for value in values)


def _steps(rule: FieldRule, cast: Callable[[Any], Any], around: Surroundings) -> tuple[Step, ...]:
    steps = []
    if rule.kind == "expression" and rule.type == "decimal":
        steps.append(_exactness(rule))
    for conversion in rule.convert:
        bound = bind(conversion.fn, conversion.args, around.zone)
        steps.append(Step(bound.name, bound.call, bound.fields, bound))
    if rule.kind == "value_map":
        steps.append(_lookup_step(rule, around))
    if rule.kind == "reference":
        steps.append(Step("reference", reference_text))
    elif rule.kind == "constant":
        constant = _constant(cast, rule.value, "constant")
        return (Step(rule.type, lambda value: fresh(constant)),)
    elif not _gives_text(steps) or rule.type != "string":
        steps.append(Step(rule.type, cast))
    return tuple(steps)


def _gives_text(steps: list[Step]) -> bool:
    """Whether what comes out is text or null already."""
    last = steps[-1].bound if steps else None
    return last is not None and last.function.gives == "text"


def _exactness(rule: FieldRule) -> Step:
    names = {arg.name for step in rule.convert for arg in FUNCTIONS[step.fn].args}
    rounds = bool(rule.rounding) or "rounding" in names
    return Step("exact", lambda value: exact_result(value, rounds=rounds))


def reference_text(value: Any) -> str | None:
    """An id or key as text; blanks at the ends go, an empty one is null."""
    text = to_text(value)
    return None if is_blank(text) else text.strip()  # type: ignore[union-attr]


def _lookup_step(rule: FieldRule, around: Surroundings) -> Step:
    data = find_value_map(around.value_maps, rule.value_map)
    lookup = Lookup(data, reverse=rule.reverse, policy=rule.on_unmapped, default=rule.default)
    name = f"value map {data.slug}"
    if not data.is_dated:
        return Step(name, lambda value: lookup(value, around.today))
    if not rule.effective_date:
        return Step(name, lambda value: lookup(value, around.today), is_pure=False)
    return Step(
        name, lambda value, on: lookup(value, lambda: _day(on, rule)), (FieldRef((parse_path(rule.effective_date),)),)
    )


def _day(value: Any, rule: FieldRule) -> date:
    text = to_date(value)
    if text is None:
        raise RecordError(
            f"{rule.effective_date} is empty, so the value map cannot be read as of a date.", code="EFFECTIVE_DATE"
        )
    return parse_date(text)
