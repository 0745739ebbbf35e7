"""A WSDL, read by zeep from documents that only the hub's own client fetches: its operations, messages and shapes."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import zeep.exceptions
from lxml import etree
from zeep import Settings, xsd
from zeep.transports import Transport
from zeep.wsdl import Document
from zeep.wsdl.bindings.soap import Soap11Binding, Soap12Binding, SoapBinding

from connectors.declaration_schema import suggest
from connectors.soap import documents
from connectors.soap.shapes import Shape
from connectors.soap.values import RequestWriter
from hub.common.errors import ConfigError, HubError, RecordError

ENVELOPE_11 = "http://schemas.xmlsoap.org/soap/envelope/"
ENVELOPE_12 = "http://www.w3.org/2003/05/soap-envelope"
_MAX_DOCUMENTS = 200
# Reading a large WSDL takes seconds; a worker opens the same connection again and again.
_KEPT = 8
_lock = threading.Lock()
_read: OrderedDict[str, Document] = OrderedDict()

Fetch = Callable[[str], bytes]


class HubTransport(Transport):
    """The only way in which zeep gets a document: checked XML from the folder of the declaration or through `fetch`."""

    def __init__(self, fetch: Fetch, folder: Path | None) -> None:
        # deliberately not the base class's: it would open a session of its own
        self._fetch, self._folder, self._count = fetch, folder, 0

    def __del__(self) -> None:
        """There is no session to close."""

    def load(self, url: str) -> bytes:
        self._count += 1
        if self._count > _MAX_DOCUMENTS:
            raise _unreadable(url, f"it imports more than {_MAX_DOCUMENTS} documents")
        body = self._fetch(url) if urlsplit(url).scheme in ("http", "https") else self._from_folder(url)
        try:
            documents.parse(body)
        except documents.XmlProblem as problem:
            raise _unreadable(url, str(problem)) from None
        return body

    def _from_folder(self, url: str) -> bytes:
        path = Path(unquote(urlsplit(url).path)).resolve()
        if self._folder is None or not path.is_relative_to(self._folder.resolve()):
            raise _unreadable(url, "it lies outside of the folder of the declaration")
        try:
            return path.read_bytes()
        except OSError as error:
            raise _unreadable(url, (error.strerror or "it cannot be opened").lower()) from None


def read_wsdl(location: str, fetch: Fetch, *, folder: Path | None = None, text: str = "") -> Document:
    """The WSDL at `location`, or in `text`, which then stands for it; documents of one text are read once a process."""
    transport = HubTransport(fetch, folder)
    body = text.encode() if text else transport.load(location)
    key = hashlib.sha256(location.encode() + b"\0" + body).hexdigest()
    with _lock:
        if key not in _read:
            _read[key] = _parse(location, body, transport)
        _read.move_to_end(key)
        while len(_read) > _KEPT:
            _read.popitem(last=False)
        return _read[key]


def _parse(location: str, body: bytes, transport: HubTransport) -> Document:
    settings = Settings(strict=False, forbid_dtd=True, forbid_entities=True, xml_huge_tree=False)
    root = _Given(location, body, transport)
    try:
        return Document(location, cast(Any, root), settings=settings)
    except HubError:
        raise
    except (zeep.exceptions.Error, etree.LxmlError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise _unreadable(location, str(error) or type(error).__name__) from error


class _Given(HubTransport):
    """A transport that has the first document already."""

    def __init__(self, location: str, body: bytes, other: HubTransport) -> None:
        super().__init__(other._fetch, other._folder)
        self._location, self._body = location, body

    def load(self, url: str) -> bytes:
        if url != self._location:
            return super().load(url)
        try:
            documents.parse(self._body)
        except documents.XmlProblem as problem:
            raise _unreadable(url, str(problem)) from None
        return self._body


def _unreadable(url: str, why: str) -> ConfigError:
    return ConfigError(
        f"The WSDL cannot be used: {why[:500]}.",
        where=url.partition("?")[0],
        fix="Check its address in a browser; it must come from the host of the connection.",
        code="WSDL",
    )


class Operation:
    """One operation of a service."""

    def __init__(self, name: str, operation: Any, binding: SoapBinding) -> None:
        self.name, self._operation, self._binding = name, operation, binding
        self.input = _shape(operation.input.body)
        self.output = _shape(operation.output.body) if operation.output is not None else Shape(None)

    @property
    def output_tag(self) -> str:
        body = self._operation.output.body if self._operation.output is not None else None
        return str(body.qname.text) if body is not None else ""

    @property
    def is_12(self) -> bool:
        return isinstance(self._binding, Soap12Binding)

    def envelope(self, request: Mapping[str, Any], keyed_by: Mapping[str, str]) -> etree._Element:
        """The message; raises RecordError that names what is missing or unknown."""
        filled = RequestWriter(keyed_by, xsd.Nil).write(request, self.input)
        try:
            built = self._operation.create(**filled).content
        except zeep.exceptions.ValidationError as error:
            path = ".".join(map(str, error.path or ()))
            raise RecordError(
                f"The request does not fit the WSDL: {error.message}.", field=path, code="SHAPE"
            ) from None
        except (TypeError, ValueError, zeep.exceptions.Error) as error:
            raise RecordError(f"The request does not fit the WSDL: {error}.", where=self.name, code="SHAPE") from None
        assert isinstance(built, etree._Element)
        return built

    def headers(self) -> dict[str, str]:
        """The HTTP headers that carry the message's type and action."""
        action = str(self._operation.soapaction or "")
        if self.is_12:
            named = f'; action="{action}"' if action else ""
            return {"Content-Type": f"application/soap+xml; charset=utf-8{named}", "Accept": "application/soap+xml"}
        return {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"', "Accept": "text/xml"}


class Contract:
    """One service of a WSDL, spoken in one version of SOAP."""

    def __init__(self, document: Document, *, service: str = "", version: str = "") -> None:
        self._document = document
        name = service or next(iter(document.services), "")
        if name not in document.services:
            raise ConfigError(
                f"The WSDL has no service {name!r}.{suggest(name, list(document.services), everything=True)}",
                where=document.location,
                code="WSDL",
            )
        self._binding = _binding(document.services[name], version, document.location)
        self._operations: dict[str, Operation] = {}
        self._roots: dict[str, Shape] = {}

    def names(self) -> list[str]:
        return list(self._binding.all())

    def operations(self) -> Iterator[Operation]:
        return (self.operation(name) for name in self.names())

    def operation(self, name: str) -> Operation:
        """Raises ConfigError for one that the service does not have."""
        if name not in self._operations:
            if name not in self._binding.all():
                raise ConfigError(
                    f"The service has no operation {name!r}.{suggest(name, self.names(), everything=True)}",
                    where=self._document.location,
                    code="OPERATION",
                )
            found = Operation(name, self._binding.get(name), self._binding)
            self._operations[name] = found
            self._roots[found.output_tag] = found.output
        return self._operations[name]

    def shape_of(self, element: etree._Element) -> Shape | None:
        """The shape of an element that stands alone: the content of an answer or of a fault's detail."""
        tag = str(element.tag)
        if tag not in self._roots:
            try:
                self._roots[tag] = _shape(self._document.types.get_element(tag))
            except (zeep.exceptions.Error, LookupError):
                return None
        return self._roots[tag]


def _binding(service: Any, version: str, where: str) -> SoapBinding:
    wanted = {"1.1": Soap11Binding, "1.2": Soap12Binding}.get(version, SoapBinding)
    bindings = [port.binding for port in service.ports.values()]
    found = next((binding for binding in bindings if isinstance(binding, wanted)), None)
    if found is None:
        raise ConfigError(
            f"The service {service.name!r} of the WSDL does not speak SOAP{f' {version}' if version else ''}.",
            where=where,
            fix="Leave the version out to take the one that it speaks.",
            code="WSDL",
        )
    return found


def _shape(element: Any) -> Shape:
    return Shape(element.type) if element is not None else Shape(None)
