"""What rules would do, as plain data: problems, coverage, mapped records with their traces. Nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hub.common.errors import HubError
from hub.common.money import shown
from hub.common.records import Record
from mappings.checks import Problem
from mappings.compile import FieldTrace, Mapper, MappingFailure, compile_mapping
from mappings.convert import to_json
from mappings.editor import Editor
from mappings.models import Mapping
from mappings.paths import MISSING
from mappings.queries import known_value_maps
from mappings.rules import FieldRule, dump_rules
from mappings.sides import sides_of
from mappings.suggest import PRESELECT, Suggestion
from mappings.validate import Coverage, coverage, problems

Plain = dict[str, Any]


def check_stored(editor: Editor) -> Plain:
    """The draft, or the live version, as its editor sees it."""
    return _findings(editor.problems, editor.coverage)


def check_given(mapping: Mapping, rules: Sequence[FieldRule], records: Sequence[Record]) -> Plain:
    """Rules that were sent, with records that were sent."""
    sides = sides_of(mapping, samples=records)
    found = problems(
        rules,
        source_fields=sides.sources,
        target_schema=sides.schema,
        sample_records=records,
        value_maps=known_value_maps(rules),
        time_zone=mapping.stream.time_zone,
        direction="in" if mapping.direction == Mapping.Direction.IN else "out",
        entity=mapping.entity.slug,
    )
    return _findings(found, coverage(rules, sides.schema))


def _findings(found: Sequence[Problem], filled: Coverage) -> Plain:
    return {"problems": [_problem(each) for each in found], "coverage": asdict(filled)}


def _problem(found: Problem) -> Plain:
    fix = found.quick_fix
    return {
        "severity": found.severity,
        "target": found.target,
        "code": found.code,
        "sentence": found.sentence,
        "quick_fix": {"label": fix.label, "rule": dump_rules([fix.rule])[0]} if fix else None,
    }


def suggestion(found: Suggestion) -> Plain:
    """A suggestion with its rule as it is saved."""
    rule = dump_rules([found.rule])[0]
    return {
        "target": found.target,
        "source": found.source,
        "score": found.score,
        "is_sure": found.score >= PRESELECT,
        "reasons": list(found.reasons),
        "rule": rule,
    }


def try_records(mapping: Mapping, rules: Sequence[FieldRule], records: Sequence[Record]) -> list[Plain]:
    """One result for each record. RulesError when the rules cannot be compiled."""
    mapper = compile_mapping(
        rules,
        value_maps=known_value_maps(rules),
        time_zone=mapping.stream.time_zone,
        direction="in" if mapping.direction == Mapping.Direction.IN else "out",
    )
    results = mapper.apply_all(records)
    return [_result(mapper, record, result) for record, result in zip(records, results, strict=True)]


def _result(mapper: Mapper, record: Record, result: Record | MappingFailure) -> Plain:
    failed = isinstance(result, MappingFailure)
    return {
        "mapped": None if failed else result,
        "reasons": [str(error) for error in result.errors] if isinstance(result, MappingFailure) else [],
        "trace": [_trace(each) for each in mapper.explain(record)],
    }


def _trace(found: FieldTrace) -> Plain:
    values = {name: value for name in ("raw", "value") if (value := getattr(found, name)) is not MISSING}
    steps = [{"fn": step.fn, "before": _plain(step.before), "after": _plain(step.after)} for step in found.steps]
    plain = {name: _plain(value) for name, value in values.items()}
    return {"target": found.target, "source": found.source, "steps": steps, "error": found.error, **plain}


def _plain(value: Any) -> Any:
    """A value on its way through a chain as JSON; what has no form in JSON as words about it."""
    try:
        return None if value is MISSING else to_json(value)
    except HubError:
        return shown(value)
