"""SOAP over the hub's own HTTP client: messages from the WSDL, signed as they are sent, faults as refusals."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lxml import etree

from connectors.declared import DeclaredConnector
from connectors.failures import Classifier, Failure, holds, read_error
from connectors.rest.client import ApiClient, Reply, merge
from connectors.soap import documents
from connectors.soap.contract import ENVELOPE_11, ENVELOPE_12, Contract, Operation, read_wsdl
from connectors.soap.faults import find_detail, read_fault, usual_kind
from connectors.soap.security import Security
from connectors.soap.values import ValueReader
from connectors.template import Scope, render, render_text
from connectors.web_pages import is_page
from hub.common.errors import ConfigError
from hub.common.http import HttpAnswer

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_ENVELOPES = frozenset({f"{{{ENVELOPE_11}}}Envelope", f"{{{ENVELOPE_12}}}Envelope"})
_FILE_NAME = re.compile(r"[\w-][\w.-]*\.(wsdl|xml)")
_FAULT_PATHS: Mapping[str, Any] = {
    "code": ["fault.subcode", "fault.code"],
    "message": ["fault.string", "fault.code"],
}


class SoapClient(ApiClient):
    """Calls the operations of one connection. The `data` of a reply is the content of the answer's body."""

    def __init__(self, connector: DeclaredConnector, **options: Any) -> None:
        super().__init__(connector, **options)
        self._source = connector.declaration.source
        self._soap: Mapping[str, Any] = connector.declaration.body.get("soap", {})
        self._keyed_by: Mapping[str, str] = self._soap.get("keyed_by", {})
        self._reader = ValueReader(self._keyed_by)
        # conditions look at the content of the body, which only `ask` has
        errors = connector.declaration.body.get("errors", {})
        self._failed_when: Sequence[Mapping[str, Any]] = errors.get("failed_when", ())
        self.classifier = Classifier({**_FAULT_PATHS, **errors, "failed_when": ()})
        self._contracts: dict[str, Contract] = {}
        self._lock = threading.Lock()

    @cached_property
    def _security(self) -> Security:
        return Security(render(self._soap.get("security", {}), self.scope))

    # --- the WSDL --------------------------------------------------------------------------------------------------

    def service_of(self, section: Mapping[str, Any]) -> str:
        """The service that a section calls; empty stands for the first of the WSDL."""
        return str(section.get("service") or render(self._soap.get("service", ""), self.scope) or "")

    def contract(self, section: Mapping[str, Any] = _NOTHING) -> Contract:
        """The service that a section calls."""
        service = self.service_of(section)
        with self._lock:
            if service not in self._contracts:
                self._contracts[service] = self._read_contract(service)
            return self._contracts[service]

    def _read_contract(self, service: str) -> Contract:
        scope = self.scope.extend(service=service)
        text = render(self._soap.get("wsdl_text", ""), scope) or ""
        location, folder = self._location(scope, is_needed=not text)
        document = read_wsdl(location, self.fetch, folder=folder, text=str(text).strip())
        return Contract(document, service=service, version=render(self._soap.get("version", ""), scope) or "")

    def _location(self, scope: Scope, *, is_needed: bool) -> tuple[str, Path | None]:
        """The address of the WSDL, or its path and folder when it lies beside the declaration."""
        named = render(self._soap.get("wsdl", ""), scope) or ""
        if not named and is_needed:
            raise ConfigError(
                "It is not said where the WSDL is.", where="soap.wsdl", fix="Enter its address, or the WSDL itself."
            )
        if not _FILE_NAME.fullmatch(str(named)):
            return (self.url(str(named), scope) if named else f"{self.base_url}/wsdl"), None
        path = Path(self._source).parent / "wsdl" / str(named)
        if not Path(self._source).is_file():
            raise ConfigError(
                f"Only a declaration that is a file can have {named!r} beside it.",
                where="soap.wsdl",
                fix="Give the address of the WSDL, or the WSDL itself under `wsdl_text`.",
            )
        return str(path), path.parent

    def fetch(self, url: str) -> bytes:
        """A document of the WSDL, from the host of the connection alone."""
        reply = self.send("GET", url, headers={"Accept": "text/xml, application/wsdl+xml, application/xml"})
        if reply.failure:
            raise read_error(reply.failure)
        return reply.answer.body

    # --- calls -----------------------------------------------------------------------------------------------------

    def ask(
        self,
        section: Mapping[str, Any],
        scope: Scope,
        *,
        method: str = "POST",
        changes: Mapping[str, Any] = _NOTHING,
        parameters: Mapping[str, Any] = _NOTHING,
        link: str = "",
        body: Any = None,
        headers: Mapping[str, Any] = _NOTHING,
        good: Sequence[int] = (),
    ) -> Reply:
        """Call the operation of a section; paging parameters are dotted places in the request."""
        service = self.service_of(section)
        operation = self.contract(section).operation(section["operation"])
        template = section.get("request")
        request = render(template, scope) if template is not None else body or {}
        request = merge(request, render(changes.get("request", {}), scope))
        for place, value in parameters.items():
            request = put(request, place.split("."), value)
        request = pruned(request)
        more = {**render({**section.get("headers", {}), **changes.get("headers", {})}, scope), **headers}
        return self._call(operation, request, service, {**operation.headers(), **more})

    def _call(
        self, operation: Operation, request: Mapping[str, Any], service: str, headers: Mapping[str, Any]
    ) -> Reply:
        envelope = operation.envelope(request, self._keyed_by)
        content = etree.tostring(envelope)

        def signed() -> bytes:
            fresh = etree.fromstring(content)
            self._security.sign(fresh)
            return etree.tostring(fresh, xml_declaration=True, encoding="utf-8")

        address = render_text(self._soap.get("address", ""), self.scope.extend(service=service), where="soap.address")
        url = self.url(address, self.scope.extend(service=service))
        reply = self.send("POST", url, headers=headers, content=signed)
        answer = replace(reply.answer, where=f"{reply.answer.where} {operation.name}")
        if reply.failure:
            return replace(reply, answer=answer, failure=replace(reply.failure, where=answer.where))
        if isinstance(reply.data, dict):
            # an empty list is left out of an answer, and with it whatever held it
            known: dict[str, Any] = {
                name: [] if repeats else None for name, (_, repeats) in operation.output.children.items()
            }
            reply = replace(reply, data={**known, **reply.data})
        return self._judged(replace(reply, answer=answer))

    def _judged(self, reply: Reply) -> Reply:
        """The reply, or a refusal when its content says so (`errors.failed_when`)."""
        answer = reply.answer
        facts = {"data": reply.data, "status": answer.status, "headers": answer.headers}
        if not any(holds(condition, **facts) for condition in self._failed_when):
            return reply
        failure = self.classifier.judge(
            status=answer.status, data=reply.data, headers=answer.headers, where=answer.where
        )
        return replace(reply, failure=replace(failure, words=self.http.redact(failure.words)))

    def read_reply(self, answer: HttpAnswer, good: Sequence[int] = ()) -> Reply:
        """Unwrap the body, or judge the fault, whatever the HTTP status."""
        if is_page(answer.headers.get("content-type", ""), answer.body) or not answer.body.strip():
            return super().read_reply(answer, good)
        ok = 200 <= answer.status < 300
        try:
            root = documents.parse(answer.body)
        except documents.XmlProblem as problem:
            words = answer.body[:2_000].decode("utf-8", "replace")
            return Reply(answer, failure=self._judge(answer, None, words, good), broken=str(problem) if ok else "")
        if root.tag not in _ENVELOPES:
            # a WSDL, or a plain error document
            words = " ".join(" ".join(map(str, root.itertext())).split())[:2_000]
            broken = "it is no SOAP envelope" if ok else ""
            return Reply(answer, failure=self._judge(answer, None, words, good), broken=broken)
        return self._opened(answer, root, good)

    def _opened(self, answer: HttpAnswer, envelope: etree._Element, good: Sequence[int]) -> Reply:
        body = documents.find_child(envelope, "Body")
        content = documents.children(body) if body is not None else []
        if content and documents.local_name(content[0]) == "Fault":
            return Reply(answer, failure=self._refused(answer, content[0]))
        data = self._value(content[0]) if content else {}
        # an element without content is an answer all the same
        return Reply(answer, data if data not in (None, "") else {}, failure=self._judge(answer, data, "", good))

    def _refused(self, answer: HttpAnswer, fault: etree._Element) -> Failure:
        found = find_detail(fault)
        inner = documents.children(found) if found is not None else []
        words = (found.text or "").strip() if found is not None else ""
        detail = {documents.local_name(child): self._value(child) for child in inner} or words
        data = read_fault(fault, detail)
        failure = self.classifier.judge(
            status=answer.status,
            data=data,
            headers=answer.headers,
            where=answer.where,
            usual=usual_kind(data, answer.status),
        )
        return replace(failure, words=self.http.redact(failure.words), field=_element_path(failure.field))

    def _value(self, element: etree._Element) -> Any:
        shapes = (contract.shape_of(element) for contract in list(self._contracts.values()))
        return self._reader.read(element, next((shape for shape in shapes if shape is not None), None))


_STEP = re.compile(r"(?:[\w.-]+:)?([\w.-]+)(?:\[(\d+)\])?")


def _element_path(place: str) -> str:
    """An XPath into a request as a dotted path from within it: `/env:Envelope/env:Body/a:Put_X/a:Y[2]/a:Z` is `Y.1.Z`."""
    steps = [_STEP.fullmatch(step) for step in place.strip("/").split("/") if step]
    if "/" not in place or not all(steps):
        return place
    found = [(step[1], [str(int(step[2]) - 1)] if step[2] not in (None, "1") else []) for step in steps if step]
    names = [name for name, _ in found]
    inner = found[names.index("Body") + 2 :] if "Body" in names else found[1:]
    # the first of several is written like the only one
    parts = [part for name, index in inner for part in (name, *index)]
    return ".".join(parts) or place


def put(request: Any, place: Sequence[str], value: Any) -> dict[str, Any]:
    """A copy of a request with a value at a place; objects on the way are made."""
    base = dict(request) if isinstance(request, Mapping) else {}
    name, *rest = place
    return {**base, name: put(base.get(name), rest, value) if rest else value}


def pruned(value: Any) -> Any:
    """A request without objects and lists of which nothing is left once their templates had no value."""
    if isinstance(value, Mapping):
        kept = {name: pruned(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner != {} and inner != []}
    if isinstance(value, list):
        return [inner for inner in map(pruned, value) if inner != {} and inner != []]
    return value
