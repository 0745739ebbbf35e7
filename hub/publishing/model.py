"""The canonical model in the words of OData: entity sets, properties and their types. Masked fields are no part of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

from django.db.models import BooleanField, CharField, DateField, DateTimeField, DecimalField, F, FloatField
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from governance.models import Entity
from governance.schemas import Field
from hub.records.reading import Described

NAMESPACE = "Syncline"
_TYPES = {
    "decimal": "Edm.Decimal",
    "integer": "Edm.Int64",
    "number": "Edm.Double",
    "boolean": "Edm.Boolean",
    "date": "Edm.Date",
    "date-time": "Edm.DateTimeOffset",
}
_COLUMNS: dict[str, Callable[[], Any]] = {
    "Edm.Decimal": lambda: DecimalField(max_digits=38, decimal_places=18),
    "Edm.Int64": lambda: DecimalField(max_digits=38, decimal_places=0),
    "Edm.Double": FloatField,
    "Edm.Boolean": BooleanField,
    "Edm.Date": DateField,
    "Edm.DateTimeOffset": DateTimeField,
}


@dataclass(frozen=True, slots=True)
class Property:
    """One property: its OData type, and where the database holds it."""

    name: str
    type: str
    column: str = ""  # a column of the record, for what stands beside the body

    @property
    def expression(self) -> Combinable:
        if self.column:
            return F(self.column)
        text = KeyTextTransform(self.name, "body")
        make = _COLUMNS.get(self.type)
        return Cast(text, make()) if make else Cast(text, CharField())


KEY = Property("Key", "Edm.String", "key")
OWN = (KEY, Property("Version", "Edm.Int32", "version"), Property("UpdatedAt", "Edm.DateTimeOffset", "updated_at"))


def properties_of(entity: Entity) -> dict[str, Property]:
    """What the records of an entity have, for everybody who may see them: no lists, no objects, nothing masked."""
    fields = Described(entity).fields.values()
    own = {each.name: each for each in OWN}
    return own | {field.name: _property(field) for field in fields if _is_open(field)}


def _is_open(field: Field) -> bool:
    return not field.is_masked and field.type not in ("object", "array")


def _property(field: Field) -> Property:
    return Property(field.name, _TYPES.get(field.type, "Edm.String"))


def shown(property_: Property, value: Any) -> Any:
    """A value as OData's JSON has it: decimals as numbers that keep their digits are texts (IEEE754Compatible)."""
    if value is None:
        return None
    if property_.type == "Edm.Double":
        return float(value)
    return str(value) if property_.type in ("Edm.String", "Edm.Decimal") and not isinstance(value, str) else value


def metadata(entities: Iterable[Entity]) -> str:
    """The $metadata document."""
    found = [(entity, properties_of(entity)) for entity in entities]
    types = "".join(_entity_type(entity, properties) for entity, properties in found)
    sets = "".join(
        f"<EntitySet Name={quoteattr(entity.slug)} EntityType={quoteattr(f'{NAMESPACE}.{entity.slug}')}/>"
        for entity, _ in found
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0"><edmx:DataServices>'
        f'<Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="{NAMESPACE}">{types}'
        f'<EntityContainer Name="Hub">{sets}</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>'
    )


def _entity_type(entity: Entity, properties: Mapping[str, Property]) -> str:
    listed = "".join(
        f"<Property Name={quoteattr(each.name)} Type={quoteattr(each.type)}"
        f"{' Scale=' + quoteattr('variable') if each.type == 'Edm.Decimal' else ''}"
        f"{' Nullable=' + quoteattr('false') if each in OWN else ''}/>"
        for each in properties.values()
    )
    return f'<EntityType Name={quoteattr(entity.slug)}><Key><PropertyRef Name="Key"/></Key>{listed}</EntityType>'
