"""SOAP as the tenant reads and writes it: plain text and the standard library's parser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

NS = "urn:com.workday/bsvc"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
CONTENT_TYPE = {"Content-Type": "text/xml;charset=UTF-8"}
Element = ElementTree.Element


_WORDS = {
    "Client.validationError": "Validation error occurred. ",
    "Server.processingFault": "Processing error occurred. ",
}


class Invalid(Exception):
    """A request that the tenant refuses, with the place of what is wrong."""

    def __init__(self, message: str, path: str = "", *, code: str = "Client.validationError") -> None:
        super().__init__(message)
        self.message, self.path, self.code = message, path, code


@dataclass(frozen=True, slots=True)
class Call:
    """The content of a message; `path` names its element as faults do."""

    element: Element

    @property
    def name(self) -> str:
        return local(self.element)

    def at(self, path: str) -> Element | None:
        """The element at a path of local names, such as `Response_Filter/Page`."""
        return self.element.find("/".join(f"{{{NS}}}{name}" for name in path.split("/")))

    def text(self, path: str) -> str:
        found = self.at(path)
        return (found.text or "").strip() if found is not None else ""

    def flag(self, path: str) -> bool:
        return self.text(path) in ("true", "1")

    def all(self, path: str) -> list[Element]:
        return self.element.findall("/".join(f"{{{NS}}}{name}" for name in path.split("/")))

    def attribute(self, name: str) -> str:
        return self.element.get(f"{{{NS}}}{name}", "")


def local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def read(body: bytes) -> tuple[Element | None, Call]:
    """Header and content of an envelope; raises Invalid."""
    try:
        envelope = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise Invalid(f"The message is no XML: {error}") from None
    content = envelope.find(f"{{{SOAP}}}Body/*")
    if envelope.tag != f"{{{SOAP}}}Envelope" or content is None:
        raise Invalid("The message is no SOAP 1.1 envelope with content.")
    if not content.tag.startswith(f"{{{NS}}}"):
        raise Invalid(f"Invalid request element: {content.tag}")
    return envelope.find(f"{{{SOAP}}}Header"), Call(content)


def references(element: Element | None) -> dict[str, str]:
    """type -> id of a reference."""
    ids = element.findall(f"{{{NS}}}ID") if element is not None else []
    return {str(each.get(f"{{{NS}}}type", "")): (each.text or "").strip() for each in ids}


def values(element: Element | None) -> dict[str, Any]:
    """The data of an element by local names: texts, references as {type: id}, elements below as data of their own."""
    found: dict[str, Any] = {}
    for child in element if element is not None else ():
        inner = references(child) if child.find(f"{{{NS}}}ID[@{{{NS}}}type]") is not None else None
        below = values(child) if inner is None and len(child) else None
        found[local(child)] = inner if inner is not None else below if below is not None else (child.text or "")
    return found


def check_order(element: Element, orders: Mapping[str, tuple[str, ...]], path: str = "") -> None:
    """Raises Invalid for an element that is unknown at its place or stands after one that it must precede."""
    here = f"{path}/wd:{local(element)}"
    allowed = orders.get(local(element))
    last = 0
    for child in element:
        name = local(child)
        if allowed is not None:
            if not child.tag.startswith(f"{{{NS}}}") or name not in allowed or allowed.index(name) < last:
                raise Invalid(f"Invalid content was found starting with element '{name}'.", f"{here}/wd:{name}[1]")
            last = allowed.index(name)
        check_order(child, orders, f"{here}[1]" if path else here)


# --- answers -------------------------------------------------------------------------------------------------------


def tag(name: str, *inner: str, **attributes: str) -> str:
    """An element around text that is XML already."""
    head = "".join(f" wd:{key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<wd:{name}{head}>{''.join(inner)}</wd:{name}>"


def leaf(name: str, value: Any) -> str:
    """An element with a text; nothing for None and the empty text."""
    if value is None or value == "":
        return ""
    text = ("1" if value else "0") if isinstance(value, bool) else str(value)
    return tag(name, escape(text))


def reference(name: str, ids: Mapping[str, str], descriptor: str = "") -> str:
    if not ids:
        return ""
    inner = "".join(tag("ID", escape(value), type=kind) for kind, value in ids.items())
    return tag(name, inner, **({"Descriptor": descriptor} if descriptor else {}))


def envelope(content: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><env:Envelope xmlns:env="{SOAP}"><env:Body>{content}'
        "</env:Body></env:Envelope>"
    ).encode()


def answer(name: str, *inner: str, version: str = "") -> bytes:
    head = f' xmlns:wd="{NS}"' + (f" wd:version={quoteattr(version)}" if version else "")
    return envelope(f"<wd:{name}{head}>{''.join(inner)}</wd:{name}>")


def fault(problem: Invalid) -> bytes:
    text = escape(_WORDS.get(problem.code, "") + problem.message)
    detail = "".join(_detail(problem))
    return envelope(
        f'<env:Fault xmlns:wd="{NS}"><faultcode>env:{problem.code}</faultcode><faultstring>{text}</faultstring>'
        f"{detail}</env:Fault>"
    )


def _detail(problem: Invalid) -> Iterator[str]:
    if problem.code == "Client.validationError":
        told = (leaf("Message", problem.message), leaf("Detail_Message", problem.message), leaf("Xpath", problem.path))
        yield f"<detail>{tag('Validation_Fault', tag('Validation_Error', *told))}</detail>"
    elif problem.code == "Server.processingFault":
        yield f"<detail>{tag('Processing_Fault', leaf('Detail_Message', problem.message))}</detail>"
