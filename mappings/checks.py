"""The checks of one rule against its target field, the source's description and what it did with the samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from hub.common.money import parse_decimal, shown
from hub.common.records import FieldInfo
from mappings.compile import FieldTrace, TraceStep, ValueMapData
from mappings.convert import is_blank, to_text
from mappings.expressions import lint
from mappings.paths import MISSING
from mappings.profiles import Profile
from mappings.rules import Conversion, FieldRule
from mappings.target_fields import TargetField

MAX_SAMPLES = 200
MAX_NULL_RATE = 0.05
ENOUGH_SAMPLES = 5


@dataclass(frozen=True, slots=True)
class QuickFix:
    """A rule that takes the place of the one at fault, and what the button says."""

    label: str
    rule: FieldRule


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. An error blocks the mapping, a warning wants a look. `code` is stable and searchable."""

    severity: Literal["error", "warning"]
    target: str
    code: str
    sentence: str
    quick_fix: QuickFix | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule over the samples: why it cannot be compiled, or how each sample went; the profile of its source field."""

    refusal: str
    traces: tuple[FieldTrace, ...]
    source: Profile | None

    @property
    def values(self) -> list[Any]:
        """What came out, failures and missing fields left aside."""
        return [trace.value for trace in self.traces if not trace.error and trace.value is not MISSING]


@dataclass(frozen=True, slots=True)
class _Case:
    rule: FieldRule
    field: TargetField | None
    info: FieldInfo | None
    tried: Tried
    value_map: ValueMapData | None

    def error(self, code: str, sentence: str, fix: QuickFix | None = None) -> Problem:
        return Problem("error", self.rule.target, code, sentence, fix)

    def warning(self, code: str, sentence: str, fix: QuickFix | None = None) -> Problem:
        return Problem("warning", self.rule.target, code, sentence, fix)

    def fix(self, label: str, **changes: Any) -> QuickFix:
        return QuickFix(label, replace(self.rule, **changes))


def rule_problems(
    rule: FieldRule,
    field: TargetField | None,
    infos: Mapping[str, FieldInfo],
    tried: Tried,
    value_maps: Mapping[str, ValueMapData],
) -> list[Problem]:
    """Everything that can be said of one rule; `field` is None for a rule that fills a whole object."""
    case = _Case(rule, field, infos.get(rule.source), tried, value_maps.get(rule.value_map))
    if tried.refusal:
        code = "EXPRESSION" if rule.kind == "expression" else "RULE"
        return [case.error(code, tried.refusal)]
    checks = _ALWAYS if field is None else _ALWAYS + _WITH_FIELD
    return [problem for check in checks for problem in check(case)]


# --- of the rule itself ---------------------------------------------------------------------------------------------


def _source_is_known(case: _Case) -> Iterator[Problem]:
    seen = case.tried.source is not None and bool(case.tried.source.texts)
    if case.rule.source and case.info is None and not seen and case.tried.traces:
        yield case.warning("UNKNOWN_SOURCE", f"The source does not offer {case.rule.source}, and no sample holds it.")


def _lookup_has_a_policy(case: _Case) -> Iterator[Problem]:
    if case.value_map is None or case.rule.kind != "value_map":
        return
    if not case.rule.on_unmapped and not case.value_map.on_unmapped:
        yield case.error(
            "LOOKUP_POLICY",
            f"Neither the rule nor the value map {case.rule.value_map} says what happens to a value that is not listed.",
            case.fix("Stop such records", on_unmapped="fail"),
        )
    if twice := case.value_map.ambiguous(case.rule.reverse):
        yield case.warning(
            "AMBIGUOUS_LOOKUP",
            f"The value map {case.rule.value_map} has two answers for {shown(twice[0])}; the one listed first is taken.",
        )


def _share(found: Sequence[object], case: _Case) -> str:
    return f"{len(found)} of {len(case.tried.traces)} samples"


def _samples_pass(case: _Case) -> Iterator[Problem]:
    failed = [trace for trace in case.tried.traces if trace.error]
    if not failed:
        return
    sentence = f"{_share(failed, case)} {'fails' if len(failed) == 1 else 'fail'}: {failed[0].error}"
    if case.rule.kind == "expression":
        yield case.error("SAMPLES_FAIL", sentence)
    else:
        yield case.warning("SAMPLES_FAIL", sentence)


def _expression_is_sound(case: _Case) -> Iterator[Problem]:
    if case.rule.kind == "expression":
        for sentence in lint(case.rule.text, for_decimal=case.rule.type == "decimal"):
            yield case.warning("EXPRESSION_STYLE", sentence)


def _is_not_always_the_same(case: _Case) -> Iterator[Problem]:
    source = case.tried.source
    if source and source.is_constant and len(source.texts) >= ENOUGH_SAMPLES and case.rule.kind != "reference":
        yield case.warning(
            "CONSTANT_SOURCE", f"{case.rule.source} is {shown(source.texts[0])} in all {len(source.texts)} samples."
        )


# --- of the rule and its target -------------------------------------------------------------------------------------


def _types_meet(case: _Case) -> Iterator[Problem]:
    field = _field(case)
    produced = "string" if case.rule.kind == "reference" else case.rule.type
    if produced != field.type:
        fix = case.fix(f"Make it {field.type}", type=field.type, digits=None, rounding="")
        yield case.error(
            "TYPE",
            f"{case.rule.target} takes {field.type}, the rule gives {produced}.",
            None if case.rule.kind == "reference" else fix,
        )


def _enum_is_covered(case: _Case) -> Iterator[Problem]:
    field = _field(case)
    if not field.enum:
        return
    given = _possible_values(case)
    if strange := sorted({text for text in given if text not in field.enum}):
        yield case.error(
            "ENUM", f"{case.rule.target} does not take {shown(strange[0])}; it takes {', '.join(field.enum)}."
        )


def _possible_values(case: _Case) -> set[str]:
    """What the rule may give: what samples gave, what its value map answers, its default."""
    values = [*case.tried.values]
    if case.value_map is not None and case.rule.kind == "value_map":
        values += [answer for _, answer, _ in case.value_map.pairs(case.rule.reverse)]
    if "default" in (case.rule.on_missing, case.rule.on_unmapped):
        values.append(case.rule.default)
    return {text for value in values if isinstance(value, str | int) and (text := to_text(value))}


def _text_fits(case: _Case) -> Iterator[Problem]:
    limit = _field(case).max_length
    if limit is None:
        return
    too_long = [value for value in case.tried.values if isinstance(value, str) and len(value) > limit]
    if too_long:
        cut = (*case.rule.convert, Conversion("truncate", {"length": limit}))
        yield case.warning(
            "TOO_LONG",
            f"{_share(too_long, case)} {'is' if len(too_long) == 1 else 'are'} longer than the {limit} characters of "
            f"{case.rule.target}, such as {shown(too_long[0], 40)}.",
            case.fix(f"Cut after {limit} characters", convert=cut),
        )


def _nothing_is_cut(case: _Case) -> Iterator[Problem]:
    for fn, code, words in (("truncate", "TRUNCATION", "is cut"), ("decimal", "PRECISION", "loses digits")):
        steps = (step for trace in case.tried.traces for step in trace.steps if step.fn == fn)
        cut = next((step for step in steps if _differ(step)), None)
        if cut:
            before, after = shown(to_text_or_empty(cut.before)), shown(cut.after)
            yield case.warning(code, f"{case.rule.target} {words} in a sample: {before} becomes {after}.")


def _differ(step: TraceStep) -> bool:
    """Whether a step changed what the value says, and not only how it is written."""
    if is_blank(step.before):
        return False
    if step.fn != "decimal":
        return to_text_or_empty(step.before) != (step.after or "")
    return parse_decimal(step.before) != parse_decimal(step.after)


def _time_is_kept(case: _Case) -> Iterator[Problem]:
    drops_time = any(step.fn == "date_part" for step in case.rule.convert)
    with_time = [value for trace in case.tried.traces if (value := to_text_or_empty(trace.raw)) and _has_time(value)]
    if drops_time and with_time:
        convert = tuple(
            Conversion("utc_to_local_date") if step.fn == "date_part" else step for step in case.rule.convert
        )
        yield case.warning(
            "TIME_ZONE",
            f"{case.rule.target} takes the date of {shown(with_time[0])} as it is written. If it is an instant, the date "
            "depends on the time zone.",
            case.fix("Take the date in the connection's time zone", convert=convert),
        )


def to_text_or_empty(value: Any) -> str:
    """A single value as text; nothing for lists, objects and missing values."""
    return "" if value is MISSING or isinstance(value, dict | list) else to_text(value) or ""


def _has_time(text: str) -> bool:
    return len(text) > 10 and text[10] in "T " and text[11:19] not in ("", "00:00:00")


def _required_is_filled(case: _Case) -> Iterator[Problem]:
    field, traces = _field(case), case.tried.traces
    if not field.is_required or not traces or case.rule.on_missing == "default":
        return
    empty = sum(trace.value is None or (trace.value is MISSING and not trace.error) for trace in traces)
    if empty / len(traces) > MAX_NULL_RATE:
        yield case.warning(
            "NULL_INTO_REQUIRED",
            f"{case.rule.target} is required, and {empty} of {len(traces)} samples have nothing for it.",
        )


def _personal_data_is_classified(case: _Case) -> Iterator[Problem]:
    source = case.tried.source
    looks_personal = source is not None and source.share(lambda text: "@" in text and " " not in text) >= 0.8
    if looks_personal and _field(case).classification == "public":
        yield case.warning(
            "PERSONAL_DATA",
            f"{case.rule.source} holds e-mail addresses, and {case.rule.target} is classified as public.",
        )


def _field(case: _Case) -> TargetField:
    assert case.field is not None
    return case.field


_Check = Callable[[_Case], Iterator[Problem]]
_ALWAYS: tuple[_Check, ...] = (
    _source_is_known,
    _lookup_has_a_policy,
    _samples_pass,
    _expression_is_sound,
    _is_not_always_the_same,
)
_WITH_FIELD: tuple[_Check, ...] = (
    _types_meet,
    _enum_is_covered,
    _text_fits,
    _nothing_is_cut,
    _time_is_kept,
    _required_is_filled,
    _personal_data_is_classified,
)
