"""XML that comes from outside: no document type, no entities, nothing fetched, bounded depth."""

from __future__ import annotations

from xml.parsers import expat

from lxml import etree


class XmlProblem(ValueError):
    """Why a document is not read, as the end of a sentence (`it is no XML …`)."""


class _RootReached(Exception):
    """The part of a document in which a document type may stand is over."""


def parse(body: bytes) -> etree._Element:
    """The root of a document; raises XmlProblem for what is no XML, or XML that could hurt."""
    _refuse_document_type(body)
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise XmlProblem(f"it is no XML ({str(error) or type(error).__name__})") from None


def _refuse_document_type(body: bytes) -> None:
    """Entities can only be declared in a document type: it is refused before any other parser sees the text."""
    parser = expat.ParserCreate()

    def refuse(*declared: object) -> None:
        raise XmlProblem("it declares a document type (DTD), which may hide entities that grow or read files")

    def stop(*element: object) -> None:
        raise _RootReached

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = stop
    try:
        parser.Parse(body, True)
    except _RootReached:
        return
    except (expat.ExpatError, LookupError, ValueError) as error:
        if isinstance(error, XmlProblem):
            raise
        raise XmlProblem(f"it is no XML ({error})") from None


def local_name(element: etree._Element) -> str:
    return etree.QName(element).localname


def children(element: etree._Element) -> list[etree._Element]:
    """The elements below; neither comments nor processing instructions."""
    return [child for child in element if isinstance(child.tag, str)]


def find_child(element: etree._Element | None, name: str) -> etree._Element | None:
    """The first child with this local name, whatever its namespace."""
    below = children(element) if element is not None else []
    return next((child for child in below if local_name(child) == name), None)
