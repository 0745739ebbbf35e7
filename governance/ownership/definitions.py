"""What makes a stored rule sound, and an entity's rules and contract as the pure modules need them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.models import System
from governance.models import ContractVersion, Entity, OwnershipRule
from governance.ownership.coverage import Coverage, check
from governance.ownership.rules import Rule, rule_of, text_of
from governance.schemas import Field, Schema, fields_of, is_nullable, markers_of
from hub.common.times import business_today

Problem = tuple[str, str]  # (attribute, sentence)


@dataclass(frozen=True, slots=True)
class Ground:
    """The contract of an entity as far as ownership needs it. `fields` are those that may be owned: all but the key."""

    schema: Schema
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    legal_entity_field: str
    updated_at_field: str

    @classmethod
    def of(cls, schema: Schema) -> Ground:
        markers = markers_of(schema)
        places = dict(markers.promoted)
        fields = tuple(field for field in fields_of(schema) if not field.is_key)
        return cls(schema, fields, markers.key, places.get("legal_entity", ""), places.get("source_updated_at", ""))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def values(self) -> dict[str, set[str]]:
        """Every value of fields that list theirs, "" among them where the field may be empty."""
        properties: Mapping[str, Any] = self.schema.get("properties") or {}
        required = set(self.schema.get("required") or ())
        found = {name: values for name, spec in properties.items() if (values := _listed(spec))}
        return {
            name: values if name in required and not is_nullable(properties[name]) else {*values, ""}
            for name, values in found.items()
        }

    def rule(self, row: OwnershipRule) -> Rule:
        return rule_of(row, self.legal_entity_field)


def _listed(spec: Mapping[str, Any]) -> set[str]:
    if "enum" in spec:
        return {text_of(value) for value in spec["enum"] if value is not None}
    return {"true", "false"} if spec.get("type") == "boolean" else set()


def ground_of(entity: Entity) -> Ground:
    """By the contract in force; a ground without fields where there is none."""
    found = ContractVersion.objects.filter(contract__entity=entity, status=ContractVersion.Status.ACTIVE)
    return Ground.of(found.values_list("schema", flat=True).first() or {})


def active_rules(entity_id: int) -> list[OwnershipRule]:
    rows = OwnershipRule.objects.filter(entity=entity_id, status=OwnershipRule.Status.ACTIVE)
    return list(rows.order_by("slug"))


def coverage_of(ground: Ground, rows: Iterable[OwnershipRule]) -> Coverage:
    return check([ground.rule(row) for row in rows], ground.names, today=business_today(), values=ground.values)


# One rule ---------------------------------------------------------------------------------------------------


def problems(row: OwnershipRule) -> list[Problem]:
    """Everything wrong with a rule on its own; empty when it is sound."""
    if not row.entity_id:
        return []
    ground = ground_of(row.entity)
    if not ground.fields:
        return [("entity", f"{row.entity} has no field that could be owned. Add fields to its contract first.")]
    return [*_field_problems(row, ground), *_system_problems(row), *_condition_problems(row, ground)]


def _field_problems(row: OwnershipRule, ground: Ground) -> Iterator[Problem]:
    for name in row.fields:
        if name in ground.key:
            yield "fields", f"{name} is part of the key, which every system may send."
        elif name not in ground.names:
            yield "fields", f"The contract of {row.entity} has no field {name!r}."
    if len(set(row.fields)) < len(row.fields):
        yield "fields", "A field stands there twice."


def _system_problems(row: OwnershipRule) -> Iterator[Problem]:
    known = set(System.objects.filter(slug__in=row.systems).values_list("slug", flat=True))
    for slug in row.systems:
        if slug not in known:
            yield "systems", f"There is no system {slug!r}."
    if len(set(row.systems)) < len(row.systems):
        yield "systems", "A system stands there twice."
    number, decide = len(row.systems), row.decide
    if decide == OwnershipRule.Decide.OWNER and number != 1:
        yield "systems", "Name the one system that owns the fields."
    elif decide == OwnershipRule.Decide.RANKING and number < 2:
        yield "systems", "Name two systems or more, the most trusted first."


def _condition_problems(row: OwnershipRule, ground: Ground) -> Iterator[Problem]:
    if row.legal_entities and not ground.legal_entity_field:
        yield "legal_entities", f"No field of {row.entity} is marked as its legal entity."
    if bool(row.phase_field) != bool(row.phases):
        missing = "phases" if row.phase_field else "phase_field"
        yield missing, "A phase is a field and the values in which it is met."
    if row.phase_field and row.phase_field not in {*ground.names, *ground.key}:
        yield "phase_field", f"The contract of {row.entity} has no field {row.phase_field!r}."
    if row.phases and row.phase_field == ground.legal_entity_field:
        yield "phase_field", "That is the legal entity; name its values there."
    listed = ground.values.get(row.phase_field)
    if listed and (unknown := [value for value in row.phases if value not in listed]):
        yield (
            "phases",
            f"{row.phase_field} is never {unknown[0]!r}. It is one of: {', '.join(sorted(filter(None, listed)))}.",
        )
