"""XML from outside, read without document type, entities or a depth that could exhaust the reader."""

from __future__ import annotations

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from hub.common.errors import ConfigError

_MAX_DEPTH = 100


def parse_xml(text: bytes, *, where: str = "") -> Element:
    """The root element; names are written as `{namespace}name`. Raises ConfigError for what is no plain XML."""
    return _Reader(where).read(text)


class _Reader:
    def __init__(self, where: str) -> None:
        self._where, self._depth, self._tree = where, 0, TreeBuilder()
        self._expat = expat.ParserCreate(namespace_separator="}")
        self._expat.buffer_text = True
        self._expat.StartDoctypeDeclHandler = self._doctype
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._tree.data

    def read(self, text: bytes) -> Element:
        try:
            self._expat.Parse(text, True)
        except expat.ExpatError as error:
            raise self._refused(f"it is not whole ({error})") from None
        return self._tree.close()

    def _doctype(self, *declared: object) -> None:
        # entities are declared there: without one, none can grow or fetch anything
        raise self._refused("it declares a document type, which may hold entities")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._refused(f"its elements are nested deeper than {_MAX_DEPTH}")
        self._tree.start(_name(name), {_name(key): value for key, value in attributes.items()})

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._tree.end(_name(name))

    def _refused(self, why: str) -> ConfigError:
        return ConfigError(
            f"The XML of the system is not read: {why}.",
            where=self._where,
            fix="Check the address of the description.",
            code="XML",
        )


def _name(name: str) -> str:
    return "{" + name if "}" in name else name
