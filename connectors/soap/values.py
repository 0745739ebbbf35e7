"""Between XML and the values that paths and templates work on.

An element with children is an object, one that may repeat a list, an attribute `@name`, text beside attributes `#text`.
What `keyed_by` names (element -> attribute) is an object by the values of that attribute: `{"WID": …, "Employee_ID": …}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lxml import etree

from connectors.soap.documents import children, local_name
from connectors.soap.shapes import Shape
from connectors.template import to_text
from hub.common.errors import RecordError

XSI = "http://www.w3.org/2001/XMLSchema-instance"
TEXT = "#text"
_NOT_DATA = frozenset({XSI, "http://www.w3.org/XML/1998/namespace"})
_TRUE = frozenset({"true", "1"})


class ValueReader:
    """Reads elements; without a shape, what repeats is known only where it comes twice."""

    def __init__(self, keyed_by: Mapping[str, str]) -> None:
        self._keyed_by = keyed_by

    def read(self, element: etree._Element, shape: Shape | None = None) -> Any:
        """The value of an element; None for one that is nil."""
        if element.get(f"{{{XSI}}}nil") in _TRUE:
            return None
        attributes = _attributes(element)
        below = children(element)
        if below:
            return {**attributes, **self._children(below, shape)}
        text = element.text or ""
        if shape is not None and not shape.is_text and not shape.is_open and not text.strip():
            return attributes
        value = _scalar(text, shape)
        if attributes or (shape is not None and shape.attributes):
            return {**attributes, TEXT: value}
        return value

    def _children(self, below: Iterable[etree._Element], shape: Shape | None) -> dict[str, Any]:
        found: dict[str, Any] = {}
        lists: set[str] = set()
        for child in below:
            name = local_name(child)
            inner, repeats = shape.children.get(name, (None, False)) if shape else (None, False)
            value = self.read(child, inner)
            if name in lists:
                found[name].append(value)
            elif repeats or name in found:
                found[name] = [found[name], value] if name in found else [value]
                lists.add(name)
            else:
                found[name] = value
        return {name: self._keyed(name, value) for name, value in found.items()}

    def _keyed(self, name: str, found: Any) -> Any:
        if name not in self._keyed_by:
            return found
        attribute = f"@{self._keyed_by[name]}"
        keyed: dict[str, Any] = {}
        for value in found if isinstance(found, list) else [found]:
            if not isinstance(value, dict) or attribute not in value or value[attribute] in keyed:
                # values that the attribute does not tell apart stay as they came, so that none is lost
                return found
            rest = {key: inner for key, inner in value.items() if key != attribute}
            keyed[value[attribute]] = rest[TEXT] if set(rest) == {TEXT} else rest
        return keyed


def _attributes(element: etree._Element) -> dict[str, str]:
    names = ((etree.QName(name), value) for name, value in element.attrib.items())
    return {f"@{name.localname}": str(value) for name, value in names if name.namespace not in _NOT_DATA}


def _scalar(text: str, shape: Shape | None) -> Any:
    """Truth values and whole numbers by their type; everything else keeps the text that was sent."""
    kind = shape.scalar if shape is not None else "string"
    if kind == "string":
        return text
    text = text.strip()
    if not text:
        return None
    if kind == "boolean":
        return text in _TRUE
    return int(text) if kind == "integer" and text.lstrip("+-").isdecimal() else text


class RequestWriter:
    """Brings a request into the form that zeep fills messages from; names of the WSDL only."""

    def __init__(self, keyed_by: Mapping[str, str], nil: Any) -> None:
        self._keyed_by, self._nil = keyed_by, nil

    def write(self, value: Any, shape: Shape, path: str = "") -> Any:
        """Raises RecordError that names the place of what the WSDL does not know."""
        if isinstance(value, Mapping):
            return self._object(value, shape, path)
        if shape.children and not isinstance(value, list | tuple) and value is not None:
            raise RecordError(f"{path} holds elements, not a single value.", field=path, code="SHAPE")
        if isinstance(value, list | tuple):
            return [self.write(entry, shape, f"{path}.{number}") for number, entry in enumerate(value)]
        if value is None:
            return self._nil if shape.nillable else None
        return value if isinstance(value, bool) else to_text(value)

    def _object(self, value: Mapping[str, Any], shape: Shape, path: str) -> dict[str, Any]:
        filled: dict[str, Any] = {}
        for name, inner in value.items():
            place = f"{path}.{name}".lstrip(".")
            if name == TEXT:
                filled["_value_1"] = inner if isinstance(inner, bool) else to_text(inner)
            elif name.startswith("@"):
                filled[self._attribute(name[1:], shape, place)] = to_text(inner)
            else:
                filled[name] = self._child(name, inner, shape, place)
        return filled

    def _child(self, name: str, value: Any, shape: Shape, place: str) -> Any:
        if name not in shape.children:
            if shape.is_open:
                return value
            known = ", ".join(list(shape.children)[:12]) or "nothing"
            raise RecordError(
                f"The service knows no element {name!r} here.",
                field=place,
                fix=f"Its WSDL has: {known}.",
                code="UNKNOWN_ELEMENT",
            )
        inner, repeats = shape.children[name]
        if name in self._keyed_by and isinstance(value, Mapping):
            value = [self._entry(name, key, entry) for key, entry in value.items()]
        written = self.write(value, inner, place)
        return [written] if repeats and not isinstance(written, list) and written is not None else written

    def _entry(self, name: str, key: str, value: Any) -> dict[str, Any]:
        rest = value if isinstance(value, Mapping) else {TEXT: value}
        return {f"@{self._keyed_by[name]}": key, **rest}

    def _attribute(self, name: str, shape: Shape, place: str) -> str:
        if name not in shape.attributes:
            raise RecordError(f"The service knows no attribute {name!r} here.", field=place, code="UNKNOWN_ELEMENT")
        return f"attr__{name}" if name in shape.children else name
