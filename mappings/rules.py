"""Field rules as data: what the editor saves, versions freeze and the compiler reads."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from hub.common.errors import ConfigError
from hub.common.money import RoundingOrExact
from mappings.convert import FieldType
from mappings.functions import check_conversion
from mappings.paths import parse_path
from mappings.templates import parse_template

RuleKind = Literal["direct", "constant", "value_map", "reference", "template", "expression"]
# The empty policy follows the value map's own.
OnUnmapped = Literal["", "fail", "null", "keep", "default"]
OnMissing = Literal["omit", "null", "default", "fail"]
WriteMode = Literal["overwrite", "if_new", "if_empty", "append"]

MAX_TEXT = 20_000


@dataclass(frozen=True, slots=True)
class Conversion:
    """One named step of a chain; `args` by name, as the function's argument list in `mappings.functions` says."""

    fn: str
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How one target field is filled.

    target          dotted path in the mapped record
    kind            direct, constant, value_map, reference, template or expression
    source          dotted path in the source record (direct, value_map, reference)
    value           the constant
    text            template `{project.code} / {task}` or JSONata expression
    value_map       slug of the value map; `reverse` looks the value up among its targets
    on_unmapped     what to do with a value that the value map does not list; empty = as the value map says
    effective_date  source path of the date at which a dated value map is read; empty = today
    entity, via     reference: the canonical entity, and the slug of the stream whose ids the source value is
                    (empty = the value already is the entity's key)
    convert         conversions in order; they run before a value map or reference is looked up
    type            form of the result; `digits` and `rounding` concern decimals, without rounding no digit may be lost
    on_missing      what to do when the source did not send the field; `omit` leaves the target alone
    default         the value for on_missing or on_unmapped `default`
    write_mode      how the value meets what the target already holds
    """

    target: str
    kind: RuleKind = "direct"
    source: str = ""
    value: Any = None
    text: str = ""
    value_map: str = ""
    reverse: bool = False
    on_unmapped: OnUnmapped = ""
    effective_date: str = ""
    entity: str = ""
    via: str = ""
    convert: tuple[Conversion, ...] = ()
    type: FieldType = "string"
    digits: int | None = None
    rounding: RoundingOrExact = ""
    on_missing: OnMissing = "omit"
    default: Any = None
    write_mode: WriteMode = "overwrite"
    note: str = ""


class RulesError(ConfigError):
    """The rules cannot be read; `problems` lists every reason as a sentence."""

    code = "RULES"

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        super().__init__(f"The mapping has {count}: {' '.join(problems)}", fix="Correct the rules and save again.")


def parse_rules(data: Sequence[Mapping[str, Any]]) -> tuple[FieldRule, ...]:
    """Rules from plain data (JSON or YAML). Raises RulesError with every problem found, not just the first."""
    problems: list[str] = []
    rules = []
    for position, item in enumerate(data, start=1):
        label = f"Rule {position} ({item['target']})" if _has_target(item) else f"Rule {position}"
        found = [f"{label}: {problem}" for problem in _item_problems(item)]
        problems += found
        if not found:
            rules.append(_build(item))
    problems += _clashes(rules)
    if problems:
        raise RulesError(problems)
    return tuple(rules)


def dump_rules(rules: Sequence[FieldRule]) -> list[dict[str, Any]]:
    """Plain data that `parse_rules` reads back to the same rules: keys in the order of the class, defaults left out."""
    return [
        {
            key: [_dump_conversion(step) for step in value] if key == "convert" else value
            for key in FIELD_NAMES
            if (value := getattr(rule, key)) != _DEFAULTS[key] or type(value) is not type(_DEFAULTS[key])
        }
        for rule in rules
    ]


FIELD_NAMES = tuple(each.name for each in fields(FieldRule))
_DEFAULTS = {each.name: None if each.default is NO_DEFAULT else each.default for each in fields(FieldRule)}
_CHOICES: dict[str, tuple[Any, ...]] = {
    "kind": get_args(RuleKind),
    "on_unmapped": get_args(OnUnmapped),
    "type": get_args(FieldType),
    "rounding": get_args(RoundingOrExact),
    "on_missing": get_args(OnMissing),
    "write_mode": get_args(WriteMode),
}
_TEXTS = ("target", "source", "text", "value_map", "effective_date", "entity", "via", "note")
_NEEDS: dict[str, tuple[str, ...]] = {
    "direct": ("source",),
    "constant": (),
    "value_map": ("source", "value_map"),
    "reference": ("source", "entity"),
    "template": ("text",),
    "expression": ("text",),
}


def _has_target(item: Any) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get("target"), str) and bool(item["target"])


def _build(item: Mapping[str, Any]) -> FieldRule:
    values = {key: item[key] for key in FIELD_NAMES if key in item}
    values["convert"] = tuple(_parse_conversion(step) for step in item.get("convert", ()))
    return FieldRule(**values)


def _parse_conversion(step: Any) -> Conversion:
    return Conversion(step) if isinstance(step, str) else Conversion(step["fn"], dict(step.get("args", {})))


def _dump_conversion(step: Conversion) -> str | dict[str, Any]:
    return {"fn": step.fn, "args": dict(step.args)} if step.args else step.fn


def _item_problems(item: Any) -> Iterator[str]:
    """Problems of one rule on its own, each a sentence."""
    if not isinstance(item, Mapping):
        yield f"{item!r} is not a rule; a rule is a set of named values."
        return
    yield from _unknown_keys(item)
    wrong = list(_wrong_values(item))
    yield from wrong
    if not wrong:
        yield from _kind_problems(item)
        yield from _text_problems(item)


def _unknown_keys(item: Mapping[str, Any]) -> Iterator[str]:
    for key in item:
        if key not in FIELD_NAMES:
            near = difflib.get_close_matches(str(key), FIELD_NAMES, 1)
            yield f"{key!r} is not a known setting{f'; did you mean {near[0]}?' if near else '.'}"


def _wrong_values(item: Mapping[str, Any]) -> Iterator[str]:
    for key in _TEXTS:
        if not isinstance(value := item.get(key, ""), str):
            yield f"{key} must be text, not {value!r}."
        elif len(value) > MAX_TEXT:
            yield f"{key} is longer than {MAX_TEXT} characters."
    for key, choices in _CHOICES.items():
        if (value := item.get(key, _DEFAULTS[key])) not in choices:
            yield f"{key} is {value!r}; it must be one of {', '.join(choice or 'empty' for choice in choices)}."
    if not isinstance(reverse := item.get("reverse", False), bool):
        yield f"reverse is {reverse!r}; it must be true or false."
    digits = item.get("digits")
    if digits is not None and (type(digits) is not int or not 0 <= digits <= 18):
        yield f"digits is {digits!r}; it must be a whole number from 0 to 18."
    if not isinstance(convert := item.get("convert", []), list | tuple):
        yield f"convert must be a list, not {convert!r}."
    else:
        yield from (problem for step in convert for problem in _conversion_problems(step))


def _conversion_problems(step: Any) -> Iterator[str]:
    if isinstance(step, str):
        yield from check_conversion(step, {})
    elif (
        not isinstance(step, Mapping)
        or not isinstance(step.get("fn"), str)
        or not isinstance(step.get("args", {}), Mapping)
        or set(step) - {"fn", "args"}
    ):
        yield f"{step!r} is not a conversion; write its name, or fn and args."
    else:
        yield from check_conversion(step["fn"], step.get("args", {}))


def _kind_problems(item: Mapping[str, Any]) -> Iterator[str]:
    kind = item.get("kind", "direct")
    for key in ("target", *_NEEDS[kind]):
        if not item.get(key):
            yield f"{key} is empty; a rule of the kind {kind} needs it."
    if item.get("digits") is not None and item.get("type", "string") != "decimal":
        yield "digits is only for the type decimal."
    if item.get("rounding") and item.get("digits") is None:
        yield "rounding needs digits to round to."


def _text_problems(item: Mapping[str, Any]) -> Iterator[str]:
    checks: list[tuple[str, Callable[[str], Any]]] = [
        (key, parse_path) for key in ("target", "source", "effective_date")
    ]
    if item.get("kind") == "template":
        checks.append(("text", parse_template))
    for key, check in checks:
        if item.get(key):
            try:
                check(item[key])
            except ConfigError as error:
                yield f"{key}: {error}"


def _clashes(rules: Sequence[FieldRule]) -> Iterator[str]:
    """Two rules that fill one field, or a field and a part of it."""
    seen: dict[tuple[str, ...], str] = {}
    for rule in rules:
        path = parse_path(rule.target)
        if path in seen:
            yield f"{rule.target} is filled by two rules."
        seen[path] = rule.target
    for path, target in seen.items():
        for end in range(1, len(path)):
            if path[:end] in seen:
                yield f"{target} is part of {seen[path[:end]]}, which has a rule of its own."
