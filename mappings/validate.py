"""What is wrong with a mapping before any record runs through it, and how much of the target it fills."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.common.errors import HubError
from hub.common.money import shown
from hub.common.records import FieldInfo
from mappings.checks import MAX_SAMPLES, Problem, QuickFix, Tried, rule_problems
from mappings.compile import ValueMapData, compile_mapping
from mappings.paths import parse_path
from mappings.prepare import Direction
from mappings.profiles import profile
from mappings.rules import FieldRule
from mappings.suggest import PRESELECT, Source, describe, likeliest
from mappings.target_fields import TargetField, target_fields

__all__ = ["Coverage", "Problem", "QuickFix", "coverage", "problems"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many fields of the target have a rule."""

    required_mapped: int
    required_total: int
    optional_mapped: int
    optional_total: int

    @property
    def is_complete(self) -> bool:
        """Whether every required field is filled."""
        return self.required_mapped == self.required_total


def coverage(rules: Sequence[FieldRule], target_schema: Mapping[str, Any]) -> Coverage:
    """Count the mapped fields; a field inside a mapped object counts as mapped."""
    fields, filled = target_fields(target_schema), _filled(rules)
    required = [_is_filled(field, filled) for field in fields if field.is_required]
    optional = [_is_filled(field, filled) for field in fields if not field.is_required]
    return Coverage(sum(required), len(required), sum(optional), len(optional))


def problems(
    rules: Sequence[FieldRule],
    *,
    source_fields: Sequence[FieldInfo],
    target_schema: Mapping[str, Any],
    sample_records: Sequence[Mapping[str, Any]],
    value_maps: Mapping[str, ValueMapData] | None = None,
    time_zone: str = "UTC",
    direction: Direction = "in",
    locked: Mapping[str, str] | None = None,
    entity: str = "",
) -> list[Problem]:
    """Errors first, each list in the order of the target.

    `locked` names target fields that this source may not write, with the reason. Samples may be empty; then only what
    the rules themselves tell is checked.
    """
    fields = {field.path: field for field in target_fields(target_schema)}
    order = {path: place for place, path in enumerate(fields)}
    infos = {info.path: info for info in source_fields}
    sources = describe(source_fields, sample_records, entity)
    found = list(_unmapped(rules, fields, sources, entity))
    is_open = target_schema.get("additionalProperties", True) is not False
    for rule in rules:
        if rule.target in (locked or {}):
            found.append(_problem(rule, "LOCKED", f"{rule.target} may not be written from here: {locked[rule.target]}"))  # type: ignore[index]
        if rule.target not in fields and not _is_container(rule.target, fields):
            severity = "warning" if is_open else "error"
            found.append(_problem(rule, "UNKNOWN_TARGET", f"The target has no field {rule.target}.", severity))
            continue
        tried = _try(rule, sample_records, value_maps or {}, time_zone, direction)
        found += rule_problems(rule, fields.get(rule.target), infos, tried, value_maps or {})
    found += _rival_sources(rules, fields, sources, sample_records, entity)
    return sorted(found, key=lambda each: (each.severity != "error", order.get(each.target, len(order))))


def _problem(rule: FieldRule, code: str, sentence: str, severity: str = "error") -> Problem:
    return Problem(severity, rule.target, code, sentence)  # type: ignore[arg-type]


def _filled(rules: Sequence[FieldRule]) -> set[tuple[str, ...]]:
    return {parse_path(rule.target) for rule in rules}


def _is_filled(field: TargetField, filled: set[tuple[str, ...]]) -> bool:
    path = parse_path(field.path)
    return any(path[:end] in filled for end in range(1, len(path) + 1))


def _is_container(target: str, fields: Mapping[str, TargetField]) -> bool:
    """Whether a rule fills a whole object whose parts the schema describes."""
    path = parse_path(target)
    return any(parse_path(field)[: len(path)] == path for field in fields)


def _unmapped(
    rules: Sequence[FieldRule],
    fields: Mapping[str, TargetField],
    sources: Sequence[Source],
    entity: str,
) -> Iterator[Problem]:
    filled = _filled(rules)
    for field in fields.values():
        if field.is_required and not field.has_default and not _is_filled(field, filled):
            best = likeliest(field, sources, entity=entity, limit=1)
            fix = (
                QuickFix(f"Map it from {best[0].source}", best[0].rule) if best and best[0].score >= PRESELECT else None
            )
            code, why = ("KEY_UNMAPPED", "is part of the key") if field.is_key else ("REQUIRED_UNMAPPED", "is required")
            yield Problem("error", field.path, code, f"{field.title} {why} and has no rule.", fix)


def _try(
    rule: FieldRule,
    samples: Sequence[Mapping[str, Any]],
    value_maps: Mapping[str, ValueMapData],
    time_zone: str,
    direction: Direction,
) -> Tried:
    """The rule alone, over the samples; what stops it from being compiled is kept as a sentence."""
    found = profile(rule.source, samples) if rule.source else None
    try:
        mapper = compile_mapping([rule], value_maps=value_maps, time_zone=time_zone, direction=direction)
    except HubError as error:
        return Tried(str(getattr(error, "problems", (error,))[0]), (), found)
    return Tried("", tuple(mapper.explain(dict(record))[0] for record in samples[:MAX_SAMPLES]), found)


def _rival_sources(
    rules: Sequence[FieldRule],
    fields: Mapping[str, TargetField],
    sources: Sequence[Source],
    samples: Sequence[Mapping[str, Any]],
    entity: str,
) -> Iterator[Problem]:
    """A second source that bears the target's name as clearly and holds other values."""
    used = {rule.source for rule in rules}
    values = {
        path: set(profile(path, samples).texts) for path in used | {source.info.path for source in sources} - {""}
    }
    rivals = [source for source in sources if source.info.path not in used and values[source.info.path]]
    for rule in rules:
        field = fields.get(rule.target)
        if field is None or rule.kind not in ("direct", "value_map", "reference"):
            continue
        chosen = values.get(rule.source, set())
        for rival in likeliest(field, rivals, entity=entity, limit=3):
            others = values[rival.source]
            if rival.score >= PRESELECT and others != chosen:
                yield Problem(
                    "warning",
                    rule.target,
                    "TWO_SOURCES",
                    f"{rival.source} could fill {rule.target} as well as {rule.source}, and holds other values, such as "
                    f"{shown(sorted(others)[0])}. Make sure which one is meant.",
                    QuickFix(f"Map it from {rival.source}", rival.rule),
                )
