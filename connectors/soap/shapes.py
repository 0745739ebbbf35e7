"""What a WSDL says about an element: which children it may have, which of them repeat, which attributes belong to it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from lxml import etree
from zeep import xsd

_SCALARS: dict[str, str] = {
    **dict.fromkeys(("boolean",), "boolean"),
    **dict.fromkeys(("integer", "int", "long", "short", "byte", "nonNegativeInteger", "positiveInteger"), "integer"),
    **dict.fromkeys(("unsignedInt", "unsignedLong", "unsignedShort", "unsignedByte", "nonPositiveInteger"), "integer"),
    **dict.fromkeys(("decimal",), "decimal"),
    **dict.fromkeys(("float", "double"), "number"),
    **dict.fromkeys(("date",), "date"),
    **dict.fromkeys(("dateTime",), "date-time"),
}


class Shape:
    """The content of one element. Types may hold themselves, so children are looked at when they are asked for."""

    def __init__(self, kind: Any, *, nillable: bool = False) -> None:
        self._kind, self.nillable = kind, nillable

    @cached_property
    def children(self) -> dict[str, tuple[Shape, bool]]:
        """local name -> (its shape, whether it may repeat)"""
        found: dict[str, tuple[Shape, bool]] = {}
        if isinstance(self._kind, xsd.ComplexType):
            for element, repeats in _elements(self._kind.elements_nested, False):
                twice = element.name in found
                found[element.name] = (Shape(element.type, nillable=bool(element.nillable)), repeats or twice)
        return found

    @cached_property
    def attributes(self) -> frozenset[str]:
        if not isinstance(self._kind, xsd.ComplexType):
            return frozenset()
        return frozenset(attribute.name for _, attribute in self._kind.attributes if getattr(attribute, "name", None))

    @cached_property
    def is_text(self) -> bool:
        """Whether the element holds text beside its attributes, if it has any."""
        if not isinstance(self._kind, xsd.ComplexType):
            return True
        nested = self._kind.elements_nested
        return len(nested) == 1 and isinstance(nested[0][1], xsd.Element) and self._kind.elements[0][0] == "_value_1"

    @cached_property
    def is_open(self) -> bool:
        """Whether the WSDL leaves open what stands here (`xsd:any`, `anyType`)."""
        if isinstance(self._kind, xsd.ComplexType):
            return any(isinstance(part, xsd.Any) for part in _particles(self._kind.elements_nested))
        return isinstance(self._kind, xsd.AnyType) and not isinstance(self._kind, xsd.AnySimpleType)

    @property
    def scalar(self) -> str:
        """The type of the text as a declaration names it."""
        kind = self._kind
        if isinstance(kind, xsd.ComplexType):
            inner = [element.type for _, element in kind.elements if isinstance(element, xsd.Element)]
            kind = inner[0] if self.is_text and inner else None
        if kind is None:
            return "string"
        names = (getattr(base, "_default_qname", None) for base in type(kind).__mro__)
        known = (_SCALARS.get(etree.QName(name).localname) for name in names if name is not None)
        return next((found for found in known if found), "string")


def _elements(nested: Any, repeats: bool) -> Iterator[tuple[Any, bool]]:
    for _, part in nested:
        more = repeats or part.accepts_multiple
        if isinstance(part, xsd.Element):
            if part.name is not None and not isinstance(part, xsd.Any):
                yield part, more
        elif isinstance(part, xsd.Group):
            yield from _elements([(None, part.child)], more)
        elif isinstance(part, list):
            yield from _elements([(None, inner) for inner in part], more)


def _particles(nested: Any) -> Iterator[Any]:
    for _, part in nested:
        yield part
        if isinstance(part, xsd.Group):
            yield from _particles([(None, part.child)])
        elif isinstance(part, list):
            yield from _particles([(None, inner) for inner in part])
