"""What an OData service says about itself (`$metadata`, CSDL XML 4.0): entity sets, keys, properties, enums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element

from connectors.odata.xml import parse_xml
from hub.common.errors import ConfigError

_KINDS: Mapping[str, str] = {
    "Edm.Boolean": "boolean", "Edm.Byte": "integer", "Edm.SByte": "integer", "Edm.Int16": "integer",
    "Edm.Int32": "integer", "Edm.Int64": "decimal", "Edm.Decimal": "decimal", "Edm.Double": "number",
    "Edm.Single": "number", "Edm.Date": "date", "Edm.DateTimeOffset": "date-time",
}  # fmt: skip
_ALTERNATE_KEYS = "AlternateKeys"
_CHANGE_TRACKING = "ChangeTracking"


@dataclass(frozen=True, slots=True)
class Property:
    """`type` is the Edm type, or the whole name of an enum; `members` are the names of the enum."""

    name: str
    type: str
    nullable: bool = True
    max_length: int = 0
    members: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The type as declarations name it. 64-bit numbers count as decimal: services write them as text."""
        if self.type.startswith("Collection("):
            return "array"
        if self.members or self.type.startswith("Edm."):
            return _KINDS.get(self.type, "string")
        return "object"

    def declared(self) -> dict[str, Any]:
        """The field as a declaration would state it."""
        stated: dict[str, Any] = {"type": self.kind, "edm": self.type, "required": not self.nullable}
        if self.max_length:
            stated["max_length"] = self.max_length
        return {**stated, "enum": list(self.members)} if self.members else stated


@dataclass(frozen=True, slots=True)
class EntityType:
    name: str
    key: tuple[str, ...]
    properties: tuple[Property, ...]
    navigation: tuple[str, ...] = ()
    alternate_keys: tuple[tuple[str, ...], ...] = ()
    tracks_changes: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """The entity sets of a service by name."""

    sets: Mapping[str, EntityType] = field(default_factory=dict)


def parse_metadata(text: bytes, *, where: str = "") -> Model:
    """The model that a `$metadata` answer describes; raises ConfigError when it is no CSDL."""
    root = parse_xml(text, where=where)
    schemas = [element for element in root.iter() if _tag(element) == "Schema"]
    if not schemas:
        raise ConfigError(
            f"The description of the service holds no schema; it begins with <{_tag(root)}>.",
            where=where,
            fix="Enter the address of an OData V4 service.",
            code="METADATA",
        )
    return _Reader(schemas).model()


class _Reader:
    def __init__(self, schemas: Sequence[Element]) -> None:
        self._types: dict[str, Element] = {}
        self._enums: dict[str, tuple[str, ...]] = {}
        self._sets: list[Element] = []
        for schema in schemas:
            spaces = (schema.get("Namespace", ""), schema.get("Alias", ""))
            for element in schema:
                self._take(element, [f"{space}.{element.get('Name')}" for space in spaces if space])

    def _take(self, element: Element, names: Sequence[str]) -> None:
        match _tag(element):
            case "EntityType":
                self._types |= dict.fromkeys(names, element)
            case "EnumType":
                members = tuple(child.get("Name", "") for child in element if _tag(child) == "Member")
                self._enums |= dict.fromkeys(names, members)
            case "EntityContainer":
                self._sets += [child for child in element if _tag(child) == "EntitySet"]

    def model(self) -> Model:
        found = {}
        for each in self._sets:
            name, type_name = each.get("Name", ""), each.get("EntityType", "")
            if type_name in self._types:
                found[name] = self._entity(type_name, tracks=_has_annotation(each, _CHANGE_TRACKING))
        return Model(found)

    def _entity(self, name: str, *, tracks: bool) -> EntityType:
        family = list(self._ancestry(name))
        parts = [child for element in family for child in element]
        keys = [child for child in parts if _tag(child) == "Key"]
        return EntityType(
            name,
            key=tuple(ref.get("Name", "") for ref in keys[-1]) if keys else (),
            properties=tuple(self._property(child) for child in parts if _tag(child) == "Property"),
            navigation=tuple(child.get("Name", "") for child in parts if _tag(child) == "NavigationProperty"),
            alternate_keys=tuple(key for element in family for key in _alternate_keys(element)),
            tracks_changes=tracks or any(_has_annotation(element, _CHANGE_TRACKING) for element in family),
        )

    def _ancestry(self, name: str) -> Iterator[Element]:
        """A type after those that it is derived from."""
        chain: list[Element] = []
        while name in self._types and self._types[name] not in chain:
            chain.append(self._types[name])
            name = chain[-1].get("BaseType", "")
        yield from reversed(chain)

    def _property(self, element: Element) -> Property:
        length = element.get("MaxLength", "")
        kind = element.get("Type", "Edm.String")
        return Property(
            element.get("Name", ""),
            kind,
            nullable=element.get("Nullable", "true") != "false",
            max_length=int(length) if length.isdecimal() else 0,
            members=self._enums.get(kind, ()),
        )


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _has_annotation(element: Element, term: str) -> bool:
    return any(child.get("Term", "").endswith(f".{term}") for child in element if _tag(child) == "Annotation")


def _alternate_keys(element: Element) -> Iterator[tuple[str, ...]]:
    """The keys beside the primary one: records of `PropertyRef`s, each with the path of a property."""
    for annotation in element:
        if _tag(annotation) != "Annotation" or not annotation.get("Term", "").endswith(f".{_ALTERNATE_KEYS}"):
            continue
        for collection in annotation.iter():
            if _tag(collection) == "PropertyValue" and collection.get("Property") == "Key":
                refs = [child for child in collection.iter() if child.get("Property") == "Name"]
                yield tuple(ref.get("PropertyPath") or ref.get("String") or "" for ref in refs)
