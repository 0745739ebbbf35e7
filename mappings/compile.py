"""Rules compiled to a mapper: the one door through which records are mapped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from hub.common.errors import ConfigError, RecordError
from hub.common.records import Record
from hub.common.times import business_today
from hub.common.times import time_zone as find_time_zone
from mappings.codegen import compile_plans
from mappings.expressions import ExpressionEngine, JLensEngine
from mappings.paths import MISSING, place
from mappings.prepare import Direction, Plan, Surroundings, prepare
from mappings.rules import FieldRule, RulesError, WriteMode
from mappings.value_maps import ValueMapData, ValueMapEntryData

__all__ = [
    "FieldTrace",
    "Mapper",
    "MappingError",
    "MappingFailure",
    "ReferenceRule",
    "TraceStep",
    "ValueMapData",
    "ValueMapEntryData",
    "compile_mapping",
]


@dataclass(frozen=True, slots=True)
class ReferenceRule:
    """A target whose value is still an id of the stream `via`, or a key of `entity` when `via` is empty."""

    target: str
    entity: str
    via: str


@dataclass(frozen=True, slots=True)
class MappingFailure:
    """A record that could not be mapped, with every reason; `position` counts from 0 within the page."""

    position: int
    errors: tuple[RecordError, ...]

    @property
    def error(self) -> MappingError:
        return MappingError(self.errors)


class MappingError(RecordError):
    """A record could not be mapped. `field` is the first target field that is wrong, `errors` has all of them."""

    code = "MAPPING"

    def __init__(self, errors: Sequence[RecordError]) -> None:
        first = errors[0]
        rest = len(errors) - 1
        words = "field of this record is" if rest == 1 else "fields of this record are"
        more = f" {rest} more {words} wrong too." if rest else ""
        super().__init__(first.what + more, field=first.field, where=first.where, fix=first.fix, code=first.code)
        self.errors = tuple(errors)


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One step of a chain: its name, the value before and after."""

    fn: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class FieldTrace:
    """How one target field came about. `raw` and `value` may be MISSING; `error` is a sentence, or empty."""

    target: str
    source: str
    raw: Any = MISSING
    steps: tuple[TraceStep, ...] = ()
    value: Any = MISSING
    error: str = ""


def compile_mapping(
    rules: Sequence[FieldRule],
    *,
    value_maps: Mapping[str, ValueMapData],
    time_zone: str = "UTC",
    direction: Direction = "in",
    today: date | None = None,
    engine: ExpressionEngine | None = None,
) -> Mapper:
    """Compile once, map many; a mapper may be shared between threads.

    `time_zone` is the connection's: times without an offset are meant there. `direction` words the errors. `today` is
    for dated value maps and defaults to the business date in that zone at each look-up.
    Raises RulesError with every rule that cannot be compiled.
    """
    zone = find_time_zone(time_zone)
    day: Callable[[], date] = (lambda: business_today(time_zone)) if today is None else (lambda: today)
    around = Surroundings(value_maps, zone, direction, day, engine or JLensEngine())
    plans, problems = [], []
    for rule in rules:
        try:
            plans.append(prepare(rule, around))
        except ConfigError as error:
            problems.append(f"{rule.target}: {error}")
    if problems:
        raise RulesError(problems)
    return Mapper(plans, around)


class Mapper:
    """Maps records of one stream by one version of the rules.

    Output fields stand in the order of the rules, expressions last, so that equal records are equal byte for byte.
    """

    def __init__(self, plans: Sequence[Plan], around: Surroundings) -> None:
        expressions = [plan for plan in plans if plan.rule.kind == "expression"]
        self._plans = [plan for plan in plans if plan.rule.kind != "expression"] + expressions
        texts = [plan.rule.text for plan in expressions]
        self._run = compile_plans(
            self._plans, around.engine.compile_set(texts, around.look_up) if texts else None, self._carefully
        )
        self.references = tuple(
            ReferenceRule(plan.rule.target, plan.rule.entity, plan.rule.via)
            for plan in plans
            if plan.rule.kind == "reference"
        )
        self.write_modes: Mapping[str, WriteMode] = {
            plan.rule.target: plan.rule.write_mode for plan in plans if plan.rule.write_mode != "overwrite"
        }

    def apply(self, record: Record) -> Record:
        """The mapped record; MappingError naming every field that is wrong."""
        result = self._run((record,))[0]
        if isinstance(result, MappingFailure):
            raise result.error
        mapped: Record = result
        return mapped

    def apply_all(self, records: Sequence[Record]) -> list[Record | MappingFailure]:
        """One result for each record, in order; never raises for what a record holds."""
        return self._run(records)

    def _carefully(self, record: Record, position: int) -> Record | MappingFailure:
        """The definition of mapping a record, field by field, collecting what is wrong."""
        mapped: Record = {}
        errors = []
        for plan in self._plans:
            try:
                value = plan.run(record)
            except RecordError as error:
                errors.append(_located(error, plan))
            else:
                if value is not MISSING:
                    place(mapped, plan.target, value)
        return MappingFailure(position, tuple(errors)) if errors else mapped

    def explain(self, record: Record) -> list[FieldTrace]:
        """Every step of every field, for the preview; errors are told, not raised."""
        return [_trace(plan, record) for plan in self._plans]


def _located(error: RecordError, plan: Plan) -> RecordError:
    return RecordError(
        error.what,
        field=plan.rule.target,
        where=f"{plan.rule.target} from {plan.label}",
        fix=error.fix,
        code=error.code,
    )


def _trace(plan: Plan, record: Record) -> FieldTrace:
    raw: Any = MISSING
    steps: list[TraceStep] = []
    try:
        raw = value = plan.read(record)
        if value is MISSING and not plan.fills_missing:
            value = plan.missing()
        else:
            value = None if value is MISSING else value
            for step in plan.steps:
                after = step.run(value, record)
                steps.append(TraceStep(step.name, value, after))
                value = after
            if raw is MISSING and value is None:
                value = plan.missing()
    except RecordError as error:
        return FieldTrace(plan.rule.target, plan.label, raw, tuple(steps), MISSING, str(_located(error, plan)))
    return FieldTrace(plan.rule.target, plan.label, raw, tuple(steps), value)
