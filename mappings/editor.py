"""The mapping editor's state: rows, counts, problems and suggestions, put together once for each request."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from django.db.models import QuerySet

from governance.schemas import Schema
from hub.common.errors import HubError
from hub.common.records import FieldInfo
from mappings.drafts import row_mark, rules_mark
from mappings.models import DraftEdit, Mapping, MappingVersion
from mappings.paths import MISSING, parse_path, read_path
from mappings.phrasing import Difference, differences, step_words
from mappings.preview import Outcome, Refusal, Setting, Shown, show, try_rule
from mappings.queries import history_of, known_value_maps
from mappings.reading import touches, unused
from mappings.rules import FieldRule, parse_rules
from mappings.samples import Samples, kept_samples
from mappings.sides import Sides, Target, sides_of, source_badge
from mappings.suggest import PRESELECT, Suggestion, candidates, suggest
from mappings.validate import Coverage, Problem, coverage, problems

Filter = Literal["all", "required", "suggested", "changed", "problems"]
FILTERS: tuple[Filter, ...] = ("all", "required", "suggested", "changed", "problems")
# Sentences of these findings quote sample values; a masked field gets the same finding without one.
_WITHOUT_VALUES = {
    "TOO_LONG": "A sample is longer than the field takes.",
    "TRUNCATION": "A sample is cut.",
    "PRECISION": "A sample loses digits.",
    "TIME_ZONE": "If the source holds instants, the date depends on the time zone.",
    "SAMPLES_FAIL": "A sample fails. Its value is masked, so what is wrong with it is not shown.",
    "CONSTANT_SOURCE": "The source holds the same value in all samples.",
    "ENUM": "The field does not take a value that the rule may give.",
    "TWO_SOURCES": "Another source fits as well and holds other values. Make sure which one is meant.",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One target field as the table shows it; `mark` is sent back with a change."""

    target: Target
    rule: FieldRule | None
    outcome: Outcome | None
    refusal: Refusal | None
    problems: tuple[Problem, ...]
    suggestion: Suggestion | None
    source: FieldInfo | None
    is_changed: bool

    @property
    def id(self) -> str:
        return row_id(self.target.path)

    @property
    def mark(self) -> str:
        return row_mark(self.rule)

    @property
    def is_blocked(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)

    @property
    def has_source(self) -> bool:
        """Whether the row's own input can change what it reads."""
        return self.rule is None or self.rule.kind in ("direct", "value_map", "reference")

    @property
    def source_badge(self) -> str:
        return source_badge(self.source) if self.source else ""

    @property
    def steps(self) -> list[str]:
        """The chain as chips: conversions, then the look-up."""
        if self.rule is None:
            return []
        chips = [step_words(step) for step in self.rule.convert]
        if self.rule.kind == "value_map":
            chips.append(f"value map {self.rule.value_map}")
        if self.rule.kind == "reference":
            chips.append(f"reference {self.rule.via or self.rule.entity}")
        return chips


def row_id(path: str) -> str:
    """An id for a row that is safe in HTML, in addresses and in selectors."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "-", path)
    return f"r-{plain}" if plain == path else f"r-{plain}-{zlib.crc32(path.encode()):x}"


class Editor:
    """A mapping as one person edits or reads it. What is expensive is computed when a page asks for it."""

    def __init__(self, mapping: Mapping, reader: Any, *, sample: int = 0, free: Sequence[str] = ()) -> None:
        self.mapping = mapping
        versions = {version.status: version for version in mapping.versions.exclude(status="superseded")}
        self.draft: MappingVersion | None = versions.get("draft")
        self.live: MappingVersion | None = versions.get("active")
        shown = self.draft or self.live
        self.rules: tuple[FieldRule, ...] = parse_rules(shown.rules) if shown else ()
        self.samples: Samples = kept_samples(mapping, reader)
        self.chosen = sample if 0 <= sample < len(self.samples.records) else 0
        wanted = [*(rule.target for rule in self.rules), *free]
        self.sides: Sides = sides_of(mapping, samples=self.samples.bodies, free=wanted)
        connection = mapping.stream.connection
        self.setting = Setting(known_value_maps(self.rules), connection.time_zone, mapping.direction)  # type: ignore[arg-type]

    # --- versions

    @cached_property
    def live_rules(self) -> tuple[FieldRule, ...]:
        return parse_rules(self.live.rules) if self.live else ()

    @cached_property
    def changes(self) -> list[Difference]:
        """Draft against live; empty without a draft."""
        return differences(self.live_rules, self.rules) if self.draft else []

    @property
    def mark(self) -> str:
        return rules_mark(self.draft.rules) if self.draft else ""

    @cached_property
    def edits(self) -> QuerySet[DraftEdit] | list[DraftEdit]:
        """The draft's log, newest first."""
        return self.draft.edits.select_related("made_by") if self.draft else []

    @cached_property
    def newest_edit(self) -> DraftEdit | None:
        return next(iter(self.edits[:1]), None)

    # --- findings

    @property
    def schema(self) -> Schema:
        return self.sides.schema

    @property
    def entity_word(self) -> str:
        """The word list that names are read with: only canonical fields have one."""
        return self.mapping.entity.slug

    @cached_property
    def coverage(self) -> Coverage:
        return coverage(self.rules, self.schema)

    @cached_property
    def problems(self) -> list[Problem]:
        found = problems(
            self.rules,
            source_fields=self.sides.sources,
            target_schema=self.schema,
            sample_records=self.samples.bodies,
            value_maps=self.setting.value_maps,
            time_zone=self.setting.time_zone,
            direction=self.setting.direction,
            entity=self.entity_word,
        )
        return [self._discreet(problem) for problem in found]

    def _discreet(self, problem: Problem) -> Problem:
        rule = self.rule(problem.target)
        sentence = _WITHOUT_VALUES.get(problem.code)
        if sentence is None or rule is None or not self.is_masked(rule):
            return problem
        return Problem(problem.severity, problem.target, problem.code, sentence, problem.quick_fix)

    @cached_property
    def severities(self) -> Counter[str]:
        return Counter(problem.severity for problem in self.problems)

    @property
    def is_blocked(self) -> bool:
        return bool(self.severities["error"])

    @cached_property
    def suggestions(self) -> list[Suggestion]:
        return suggest(
            self.sides.sources,
            self.schema,
            rules=self.rules,
            sample_records=self.samples.bodies,
            history=history_of(self.mapping),
            entity=self.entity_word,
        )

    @property
    def sure_suggestions(self) -> list[Suggestion]:
        return [each for each in self.suggestions if each.score >= PRESELECT]

    @cached_property
    def unused(self) -> list[FieldInfo]:
        """Source fields that no rule reads."""
        names = set(unused(self.rules, self.sides.source_paths))
        return [info for info in self.sides.sources if info.path in names]

    def sources_for(self, target: Target, q: str) -> list[Suggestion]:
        """The likeliest sources for a field, best first; with a text those that contain it."""
        fields = [info for info in self.sides.sources if q.lower() in f"{info.path} {info.title}".lower()]
        return candidates(target.field, fields, sample_records=self.samples.bodies, entity=self.entity_word, limit=12)

    # --- rows

    def rule(self, path: str) -> FieldRule | None:
        return self._rules.get(path)

    @cached_property
    def _rules(self) -> MappingType[str, FieldRule]:
        return {rule.target: rule for rule in self.rules}

    @cached_property
    def _changed(self) -> set[str]:
        return {change.field for change in self.changes}

    @cached_property
    def order(self) -> list[str]:
        return [target.path for target in self.sides.targets]

    def is_masked(self, rule: FieldRule | None, target: str = "") -> bool:
        """Whether what a rule reads or fills is confidential or restricted, so that no value of it is ever shown."""
        if self.sides.target(rule.target if rule else target).is_masked:
            return True
        return rule is not None and touches(rule, self._masked_sources)

    @cached_property
    def rows(self) -> list[Row]:
        return [self.row(target.path) for target in self.sides.targets]

    def row(self, path: str) -> Row:
        target, rule = self.sides.target(path), self.rule(path)
        found = self._try(rule, target) if rule and self.samples.records else None
        return Row(
            target=target,
            rule=rule,
            outcome=None if found is None or isinstance(found, Refusal) else found,
            refusal=found if isinstance(found, Refusal) else None,
            problems=tuple(problem for problem in self.problems if problem.target == path),
            suggestion=next((each for each in self.suggestions if each.target == path), None),
            source=next((info for info in self.sides.sources if rule and info.path == rule.source), None),
            is_changed=path in self._changed,
        )

    def _try(self, rule: FieldRule, target: Target) -> Outcome | Refusal:
        body = self.samples.bodies[self.chosen]
        found = try_rule(rule, [body], self.setting, field=target.field, masked=self.is_masked(rule))
        return found if isinstance(found, Refusal) else found[0]

    def filtered(self, which: Filter, q: str = "") -> list[Row]:
        words = q.lower().split()
        keep = _FILTERS[which]
        return [
            row
            for row in self.rows
            if keep(row) and all(word in f"{row.target.path} {row.target.field.title}".lower() for word in words)
        ]

    def counts(self) -> dict[Filter, int]:
        return {name: sum(map(keep, self.rows)) for name, keep in _FILTERS.items()}

    def sample_value(self, path: str) -> Shown | None:
        """What the chosen sample holds at a source path; masked where a masked field is filled from it."""
        if not self.samples.records:
            return None
        if path in self.hidden_sources:
            return Shown("masked", is_blank=True)
        try:
            return show(read_path(self.samples.bodies[self.chosen], parse_path(path)))
        except HubError:
            return show(MISSING)

    @cached_property
    def _masked_sources(self) -> set[str]:
        """Masked sources, and those that fill a masked target in the draft or live."""
        filled = {rule.source for rule in (*self.rules, *self.live_rules) if rule.target in self._masked_targets}
        return (filled - {""}) | self.sides.masked

    @cached_property
    def hidden_sources(self) -> set[str]:
        """The same, and those that are suggested for a masked target."""
        likely = {each.source for each in self.suggestions if each.target in self._masked_targets}
        return likely | self._masked_sources

    @cached_property
    def _masked_targets(self) -> set[str]:
        return {target.path for target in self.sides.targets if target.is_masked}


_FILTERS: dict[Filter, Any] = {
    "all": lambda row: True,
    "required": lambda row: row.rule is None and row.target.field.is_required,
    "suggested": lambda row: row.suggestion is not None,
    "changed": lambda row: row.is_changed,
    "problems": lambda row: bool(row.problems),
}
