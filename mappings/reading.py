"""Which fields of the source a rule reads: for masking, and to tell which fields nobody uses."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import jlens

from hub.common.errors import HubError
from mappings.functions import FUNCTIONS
from mappings.paths import Path, format_path, parse_path
from mappings.rules import FieldRule
from mappings.templates import parse_template

_LOOKUPS = re.compile(r"""\$lookup_map\(\s*(?:"([^"]*)"|'([^']*)')""")


def reads(rule: FieldRule, fields: Collection[str]) -> set[str]:
    """The source paths that a rule reads. An expression that may read anything counts for the fields that it names."""
    found = {path for path in (rule.source, rule.effective_date) if path}
    found.update(path for step in rule.convert for path in _argument_paths(step.fn, step.args))
    if rule.kind == "template":
        found.update(_template_paths(rule.text))
    if rule.kind == "expression":
        found.update(_expression_paths(rule.text, fields))
    return found


def touches(rule: FieldRule, paths: Collection[str]) -> bool:
    """Whether a rule reads one of these fields, a part of one, or an object that holds one."""
    return any(_overlap(one, other) for one in reads(rule, paths) for other in paths)


def unused(rules: Iterable[FieldRule], fields: Iterable[str]) -> list[str]:
    """The fields that no rule reads, in their own order."""
    known = list(fields)
    used = {path for rule in rules for path in reads(rule, known)}
    return [field for field in known if not any(_overlap(field, path) for path in used)]


def maps_named(rule: FieldRule) -> set[str]:
    """The value maps that a rule looks into, those that its expression names included."""
    named = {rule.value_map} if rule.value_map else set()
    if rule.kind == "expression":
        named.update(double or single for double, single in _LOOKUPS.findall(rule.text))
    return named


def _overlap(one: str, other: str) -> bool:
    first, second = _steps(one), _steps(other)
    shorter = min(len(first), len(second))
    return first[:shorter] == second[:shorter]


def _steps(path: str) -> Path:
    try:
        return parse_path(path)
    except HubError:
        return (path,)


def _argument_paths(fn: str, args: Mapping[str, Any]) -> Iterator[str]:
    for arg in FUNCTIONS[fn].args if fn in FUNCTIONS else ():
        value = args.get(arg.name)
        if arg.kind == "path" and value:
            yield str(value)
        elif arg.kind == "paths" and value:
            yield from map(str, value)


def _template_paths(text: str) -> Iterator[str]:
    try:
        yield from map(format_path, parse_template(text).paths)
    except HubError:
        return


def _expression_paths(text: str, fields: Collection[str]) -> Iterator[str]:
    """The engine tells what it reads; where it can only say "anything", the names in the text have to do."""
    try:
        tree = jlens.Expression(text).reads().get("input")
    except jlens.JlensError:
        return
    if isinstance(tree, Mapping):
        yield from _leaves(tree, ())
    elif tree:
        yield from (field for field in fields if re.search(rf"(?<![\w.]){re.escape(field)}(?!\w)", text))


def _leaves(tree: Mapping[str, Any], above: Path) -> Iterator[str]:
    for name, inner in tree.items():
        if isinstance(inner, Mapping) and inner:
            yield from _leaves(inner, (*above, name))
        else:
            yield format_path((*above, name))
