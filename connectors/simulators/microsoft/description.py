"""The `$metadata` of a simulated service, written from its object types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from xml.sax.saxutils import quoteattr

from connectors.simulators.tables import Field, ObjectType

_EDM = {
    "id": "Edm.Guid", "string": "Edm.String", "decimal": "Edm.Decimal", "integer": "Edm.Int32",
    "boolean": "Edm.Boolean", "date": "Edm.Date", "date-time": "Edm.DateTimeOffset", "object": "Edm.Untyped",
    "array": "Edm.Untyped",
}  # fmt: skip
_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices>'
    '<Schema Namespace="{0}" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
)


def describe(
    kinds: Sequence[ObjectType],
    namespace: str,
    keys: Mapping[str, Sequence[str]],
    *,
    alternate: Mapping[str, Sequence[str]],
    enums: Mapping[str, Sequence[str]],
) -> bytes:
    """CSDL of the entity sets; `keys` and `alternate` hold the key fields by set, `enums` the members by field."""
    types = "".join(_type(kind, namespace, keys[kind.name], alternate.get(kind.name, ()), enums) for kind in kinds)
    sets = "".join(
        f'<EntitySet Name={quoteattr(kind.name)} EntityType="{namespace}.{_singular(kind)}"/>' for kind in kinds
    )
    members = "".join(_enum(name, values) for name, values in enums.items())
    container = f'<EntityContainer Name="Container">{sets}</EntityContainer>'
    return (
        _HEAD.format(namespace) + members + types + container + "</Schema></edmx:DataServices></edmx:Edmx>"
    ).encode()


def _singular(kind: ObjectType) -> str:
    return kind.name.removesuffix("s")


def _enum(name: str, members: Iterable[str]) -> str:
    inner = "".join(f'<Member Name={quoteattr(member)} Value="{n}"/>' for n, member in enumerate(members))
    return f'<EnumType Name="{name}">{inner}</EnumType>'


def _type(
    kind: ObjectType,
    namespace: str,
    key: Sequence[str],
    alternate: Sequence[str],
    enums: Mapping[str, Sequence[str]],
) -> str:
    refs = "".join(f'<PropertyRef Name="{name}"/>' for name in key)
    properties = "".join(_property(field, namespace, key, enums) for field in kind.fields)
    return f'<EntityType Name="{_singular(kind)}"><Key>{refs}</Key>{properties}{_alternate(alternate)}</EntityType>'


def _property(field: Field, namespace: str, key: Sequence[str], enums: Mapping[str, Sequence[str]]) -> str:
    kind = f"{namespace}.{field.label}" if field.label in enums else _EDM[field.type]
    length = f' MaxLength="{field.max_length}"' if field.max_length else ""
    nullable = ' Nullable="false"' if field.required or field.name in key else ""
    return f'<Property Name="{field.name}" Type="{kind}"{nullable}{length}/>'


def _alternate(names: Sequence[str]) -> str:
    if not names:
        return ""
    refs = "".join(
        f'<Record Type="Org.OData.Core.V1.PropertyRef"><PropertyValue Property="Name" PropertyPath="{name}"/></Record>'
        for name in names
    )
    return (
        '<Annotation Term="OData.Community.Keys.V1.AlternateKeys"><Collection><Record>'
        f'<PropertyValue Property="Key"><Collection>{refs}</Collection></PropertyValue>'
        "</Record></Collection></Annotation>"
    )
