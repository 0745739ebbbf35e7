"""Whether a term's expression fits the contracts: entities and fields exist, values are of the fields' types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches

from governance.schemas import Field
from governance.terms.syntax import (
    Aggregate,
    Blank,
    Compare,
    FieldName,
    InPeriod,
    Node,
    OneOf,
    Scalar,
    aggregates_of,
    fields_in,
    leaves,
)

# Fields of an entity by name; None where there is no such entity.
FieldsOf = Callable[[str], Mapping[str, Field] | None]
_NUMBERS = ("decimal", "integer", "number")
_DAYS = ("date", "date-time", "period")


@dataclass(frozen=True, slots=True)
class Used:
    """A field that an expression reads."""

    entity: str
    field: Field

    def __str__(self) -> str:
        return f"{self.entity}.{self.field.name}"


def check(node: Node, fields_of: FieldsOf) -> list[Used]:
    """The fields that an expression reads, each once. TermError names the place of what does not fit."""
    found: dict[str, Used] = {}
    for aggregate in aggregates_of(node):
        for used in _Checker(aggregate, fields_of).used():
            found[str(used)] = used
    return list(found.values())


class _Checker:
    def __init__(self, aggregate: Aggregate, fields_of: FieldsOf) -> None:
        self.aggregate = aggregate
        known = fields_of(aggregate.entity)
        if known is None:
            raise aggregate.place.error(
                f"There is no entity “{aggregate.entity}”.", "Name one from the page of entities and contracts."
            )
        self.known = known

    def used(self) -> Iterable[Used]:
        for name in fields_in(self.aggregate.value):
            yield self._number(name) if self.aggregate.kind in ("sum", "avg") else self._use(name)
        for leaf in leaves(self.aggregate.where):
            used = self._use(leaf.field)
            self._check_leaf(leaf, used.field)
            yield used

    def _use(self, name: FieldName) -> Used:
        field = self.known.get(name.name)
        if field is None:
            near = get_close_matches(name.name, self.known, n=3)
            fix = f"Did you mean {' or '.join(near)}?" if near else f"Its fields are {', '.join(self.known)}."
            raise name.place.error(f"{self.aggregate.entity} has no field “{name.name}”.", fix)
        return Used(self.aggregate.entity, field)

    def _number(self, name: FieldName) -> Used:
        used = self._use(name)
        if used.field.type not in _NUMBERS:
            raise name.place.error(f"{name.name} is a {used.field.type_word}, which cannot be added up.")
        return used

    def _check_leaf(self, leaf: Compare | OneOf | Blank | InPeriod, field: Field) -> None:
        if isinstance(leaf, InPeriod) and field.type not in _DAYS:
            raise leaf.field.place.error(f"{field.name} is a {field.type_word}, not a date.")
        if isinstance(leaf, Compare):
            self._fits(leaf.field, field, leaf.value)
        if isinstance(leaf, OneOf):
            for value in leaf.values:
                self._fits(leaf.field, field, value)

    def _fits(self, name: FieldName, field: Field, value: Scalar) -> None:
        if field.type in _NUMBERS:
            wanted, fits = "a number", isinstance(value, Decimal)
        elif field.type == "boolean":
            wanted, fits = "true or false", isinstance(value, bool)
        else:
            wanted, fits = "a text in quotes", isinstance(value, str)
        if not fits:
            raise name.place.error(f"{name.name} is a {field.type_word}: compare it with {wanted}.")
        if field.enum and isinstance(value, str) and value not in field.enum:
            raise name.place.error(f"{name.name} is never “{value}”.", f"It is one of {', '.join(field.enum)}.")
