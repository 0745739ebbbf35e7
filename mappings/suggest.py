"""Suggestions for unmapped target fields: deterministic, explained, and never over a rule that a person made.

A score joins naming (the name itself, or a word of the synonym table), type, sample values, the parent and what approved
mappings did before. Evidence that is not there (no samples, no history) does not count, for or against.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rapidfuzz import fuzz

from hub.common.records import FieldInfo
from mappings.paths import parse_path
from mappings.profiles import Profile, fit, profile
from mappings.rules import Conversion, FieldRule
from mappings.target_fields import TargetField, target_fields
from mappings.words import Concept, Phrase, phrases, vocabulary

PRESELECT = 0.90
OFFER = 0.70
WEIGHTS = {"naming": 0.60, "type": 0.15, "values": 0.15, "parent": 0.05, "prior": 0.05}
ENOUGH_HISTORY = 3

# How sure a kind of naming is. A similar name alone is never preselected.
_SYNONYM, _REFERENCE, _MAYBE, _SIMILAR = 0.97, 0.96, 0.76, 0.82


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A source for a target field, with why: `rule` is ready to be saved."""

    target: str
    source: str
    score: float
    reasons: tuple[str, ...]
    rule: FieldRule


@dataclass(frozen=True, slots=True)
class Source:
    """A source field with every reading of its name and the profile of its values."""

    info: FieldInfo
    phrases: tuple[Phrase, ...]
    profile: Profile


@dataclass(frozen=True, slots=True)
class _Naming:
    score: float
    reason: str
    phrase: Phrase
    is_opposite: bool = False


def suggest(
    source_fields: Sequence[FieldInfo],
    target_schema: Mapping[str, Any],
    *,
    rules: Sequence[FieldRule] = (),
    sample_records: Sequence[Mapping[str, Any]] = (),
    history: Mapping[tuple[str, str], int] | None = None,
    entity: str = "",
    minimum: float = OFFER,
) -> list[Suggestion]:
    """The best source for each target field that has no rule yet, in the order of the schema.

    `history` counts approved mappings of the same pair of systems by (source, target). A source is suggested once; one
    that a rule uses already is not suggested again. The surest pair is settled first, so that it is never given up for
    two doubtful ones.
    """
    taken = {rule.target for rule in rules}
    used = {rule.source for rule in rules}
    sources = [each for each in describe(source_fields, sample_records, entity) if each.info.path not in used]
    fields = target_fields(target_schema)
    borne = _borne_names(fields)
    pairs = [
        found
        for field in fields
        if field.path not in taken
        for source in sources
        if (found := _score(field, source, history or {}, entity, borne)) is not None and found.score >= minimum
    ]
    chosen = {each.target: each for each in _one_to_one(pairs)}
    currency = {field.currency_field: chosen.get(field.currency_field) for field in fields if field.currency_field}
    return [
        _with_currency(chosen[field.path], currency.get(field.currency_field))
        for field in fields
        if field.path in chosen
    ]


def candidates(
    target: TargetField,
    source_fields: Sequence[FieldInfo],
    *,
    sample_records: Sequence[Mapping[str, Any]] = (),
    history: Mapping[tuple[str, str], int] | None = None,
    entity: str = "",
    limit: int = 10,
) -> list[Suggestion]:
    """The likeliest sources for one field, best first, for the list behind its input."""
    sources = describe(source_fields, sample_records, entity)
    return likeliest(target, sources, history=history, entity=entity, limit=limit)


def likeliest(
    target: TargetField,
    sources: Sequence[Source],
    *,
    history: Mapping[tuple[str, str], int] | None = None,
    entity: str = "",
    limit: int = 10,
) -> list[Suggestion]:
    """The same for sources that were described before: whoever asks for many fields describes them once."""
    scored = (_score(target, source, history or {}, entity, frozenset()) for source in sources)
    return sorted((each for each in scored if each), key=_rank)[:limit]


def describe(fields: Sequence[FieldInfo], records: Sequence[Mapping[str, Any]], entity: str) -> list[Source]:
    """The sources with every reading of their names and what their values look like."""
    return [
        Source(
            info, tuple(phrases(parse_path(info.path), info.title, entity)), profile(info.path, records, info.example)
        )
        for info in fields
    ]


def _rank(found: Suggestion) -> tuple[float, str, str]:
    return -found.score, found.target, found.source


def _one_to_one(pairs: Sequence[Suggestion]) -> Iterator[Suggestion]:
    targets: set[str] = set()
    sources: set[str] = set()
    for found in sorted(pairs, key=_rank):
        if found.target not in targets and found.source not in sources:
            targets.add(found.target)
            sources.add(found.source)
            yield found


# --- one pair -------------------------------------------------------------------------------------------------------


def _score(
    target: TargetField, source: Source, history: Mapping[tuple[str, str], int], entity: str, borne: frozenset[str]
) -> Suggestion | None:
    """The score of a pair, None when the types cannot meet."""
    kind = type_fit(source.info.type, target)
    if kind == 0:
        return None
    naming = max(_namings(target, source, entity, borne), key=lambda found: found.score)
    evidence = {"naming": naming.score, "type": kind}
    reasons = [naming.reason]
    values = fit(target, source.profile)
    if values is not None:
        evidence["values"] = values[0]
        reasons += [values[1]] if values[0] >= 0.8 else []
    parents = parse_path(source.info.path)[:-1]
    if parents and len(parse_path(target.path)) > 1:
        evidence["parent"] = fuzz.token_sort_ratio(_joined(parents), _joined(parse_path(target.path)[:-1])) / 100
    if times := history.get((source.info.path, target.path), 0):
        evidence["prior"] = min(1.0, times / ENOUGH_HISTORY)
        reasons.append(f"used in {times} approved mapping{'s' if times > 1 else ''}")
        evidence["naming"] = max(naming.score, _SYNONYM) if times >= ENOUGH_HISTORY else naming.score
    weight = sum(WEIGHTS[name] for name in evidence)
    score = sum(WEIGHTS[name] * value for name, value in evidence.items()) / weight
    return Suggestion(target.path, source.info.path, round(score, 3), tuple(reasons), _rule(target, source, naming))


def _joined(steps: Sequence[str]) -> str:
    return " ".join(map(vocabulary().normal, steps))


def _borne_names(fields: Sequence[TargetField]) -> frozenset[str]:
    """The names of the target's fields: a synonym that one of them bears belongs to that field alone."""
    words = vocabulary()
    return frozenset(words.normal(name) for field in fields for name in (field.name, field.title))


def _namings(target: TargetField, source: Source, entity: str, borne: frozenset[str]) -> Iterator[_Naming]:
    """Every way in which the source's name speaks for the target, at least one."""
    words = vocabulary()
    own = (words.normal(target.name), words.normal(target.title))
    concept = words.concept(entity, target.name)
    # In a record of a project, "project id" is the record itself and no reference to its parent.
    other_entity = target.entity if target.entity != entity else ""
    for phrase in source.phrases:
        if phrase.text in own:
            yield _Naming(_trust(target, phrase), "same name", phrase)
        elif phrase.text in borne:
            yield _similar(target, phrase, own)
        else:
            yield _by_concept(target, phrase, concept, other_entity) or _similar(target, phrase, (*own, *concept.names))


def _trust(target: TargetField, phrase: Phrase) -> float:
    return phrase.trust if target.entity or not phrase.identifier else phrase.trust * 0.7


def _similar(target: TargetField, phrase: Phrase, names: Sequence[str]) -> _Naming:
    similar = max(fuzz.token_sort_ratio(phrase.text, name) for name in names) / 100
    return _Naming(_trust(target, phrase) * _SIMILAR * similar, "similar name", phrase)


def _by_concept(target: TargetField, phrase: Phrase, concept: Concept, other_entity: str) -> _Naming | None:
    """What the synonym table says, None when it says nothing."""
    trust = _trust(target, phrase)
    if phrase.text in concept.names:
        place = concept.names.index(phrase.text)
        return _Naming(trust * (_SYNONYM - place * 0.002), f"synonym: {phrase.text}", phrase)
    if phrase.text in concept.opposite:
        return _Naming(trust * _SYNONYM, f"opposite: {phrase.text}", phrase, is_opposite=True)
    if phrase.text in vocabulary().entities.get(other_entity, ()):
        return _Naming(trust * _REFERENCE, f"refers to a {target.entity.replace('_', ' ')}", phrase)
    if phrase.text in concept.maybe:
        place = concept.maybe.index(phrase.text)
        return _Naming(trust * (_MAYBE - place * 0.01), f"perhaps: {phrase.text}", phrase)
    return None


_FITS: Mapping[tuple[str, str], float] = {
    ("integer", "decimal"): 1.0,
    ("decimal", "integer"): 0.7,
    ("integer", "string"): 0.9,
    ("decimal", "string"): 0.5,
    ("boolean", "string"): 0.3,
    ("date", "string"): 0.4,
    ("datetime", "string"): 0.4,
    ("date", "datetime"): 0.7,
    ("datetime", "date"): 0.9,
    ("string", "decimal"): 0.7,
    ("string", "integer"): 0.8,
    ("string", "date"): 0.7,
    ("string", "datetime"): 0.7,
    ("string", "boolean"): 0.7,
    ("integer", "boolean"): 0.5,
    ("integer", "date"): 0.4,
    ("integer", "datetime"): 0.4,
    ("json", "string"): 0.6,
    ("json", "json"): 1.0,
}
_SOURCE_TYPES = {"number": "decimal", "date-time": "datetime", "array": "json", "object": "json", "": "string"}


def type_fit(source_type: str, target: TargetField) -> float:
    """How well a source type meets a target field: 1 as it is, 0 never."""
    kind = _SOURCE_TYPES.get(source_type, source_type)
    if target.enum and kind not in ("string", "integer"):
        return 0.2 if kind == "boolean" else 0.0
    return 1.0 if kind == target.type else _FITS.get((kind, target.type), 0.0)


# --- the rule that comes with it ------------------------------------------------------------------------------------


def _rule(target: TargetField, source: Source, naming: _Naming) -> FieldRule:
    """A rule ready to be saved, with the conversion that the names ask for."""
    if target.entity:
        return FieldRule(target=target.path, kind="reference", source=source.info.path, entity=target.entity)
    rule = FieldRule(target=target.path, source=source.info.path, type=target.type)
    return replace(rule, convert=tuple(_conversions(target, source, naming)))


def _conversions(target: TargetField, source: Source, naming: _Naming) -> Iterator[Conversion]:
    unit = naming.phrase.unit or ("minutes" if "minutes" in source.info.title.lower() else "")
    if target.type == "decimal" and unit == "cents":
        yield Conversion("cents_to_money", {"digits": 2})
    elif target.type == "decimal" and unit in ("minutes", "seconds"):
        yield Conversion(f"{unit}_to_hours")
    elif target.type == "boolean":
        if source.info.type != "boolean":
            yield Conversion("to_boolean")
        if naming.is_opposite:
            yield Conversion("invert")
    elif target.type == "date" and source.info.type == "date-time":
        yield Conversion("date_part")


def _with_currency(found: Suggestion, currency: Suggestion | None) -> Suggestion:
    """Minor units are read with the currency of the same record when that is known."""
    if currency is None or not any(step.fn == "cents_to_money" for step in found.rule.convert):
        return found
    convert = (Conversion("cents_to_money", {"currency_field": currency.source}),)
    return replace(found, rule=replace(found.rule, convert=convert))
