"""JSON-RPC 2.0 over HTTP: procedures in place of addresses, and errors that come with a good status."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from connectors.declared import DeclaredConnector
from connectors.failures import Classifier, Failure, Kind, holds
from connectors.jsonrpc.typed import untype
from connectors.rest.client import ApiClient, Reply
from connectors.rest.issued import Tokens
from connectors.template import Scope, render, render_text
from hub.common.http import HttpAnswer

_NOTHING: Mapping[str, Any] = MappingProxyType({})
# https://www.jsonrpc.org/specification#error_object
_KINDS: Mapping[int, Kind] = {
    -32700: "server_fatal",
    -32600: "server_fatal",
    -32601: "server_fatal",
    -32602: "validation",
    -32603: "server_transient",
}
_SERVER_ERRORS = range(-32099, -31999)


class JsonRpcClient(ApiClient):
    """Calls the procedures of one connection. The `data` of a reply is the result, its errors are failures."""

    def __init__(self, connector: DeclaredConnector, *, tokens: Callable[[], Tokens]) -> None:
        super().__init__(connector, tokens=tokens)
        # unlike a path, the address of a procedure may depend on its last slash
        self.endpoint = render_text(connector.declaration.body["base_url"], self.scope, where="base_url")
        # conditions look at the result, not at the envelope that the base class sees
        errors = connector.declaration.body.get("errors", {})
        self._failed_when: Sequence[Mapping[str, Any]] = errors.get("failed_when", ())
        self.classifier = Classifier({**errors, "failed_when": ()})
        self._ids = itertools.count(1)
        named = connector.declaration.body.get("rpc_version", "2.0") != "none"
        self._head: Mapping[str, Any] = {"jsonrpc": "2.0"} if named else {}

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
        """Call the procedure of a section; paging parameters join parameters that have names."""
        params = render(changes.get("params", section.get("params", [])), scope)
        if parameters and isinstance(params, dict):
            params = {**params, **parameters}
        more = {**render({**section.get("headers", {}), **changes.get("headers", {})}, scope), **headers}
        return self._call(section["call"], params, more)

    def login(self, section: Mapping[str, Any]) -> Reply:
        params = render(section.get("params", []), self.scope)
        return self._call(section["call"], params, render(section.get("headers", {}), self.scope), signed=False)

    def _call(self, procedure: str, params: Any, headers: Mapping[str, Any], *, signed: bool = True) -> Reply:
        request = {**self._head, "id": next(self._ids), "method": procedure, "params": params}
        reply = self.send("POST", self.endpoint, headers=headers, json=request, signed=signed)
        answer = replace(reply.answer, where=f"{reply.answer.where} {procedure}")
        failure = replace(reply.failure, where=answer.where) if reply.failure else None
        return replace(reply, answer=answer, failure=failure)

    def read_reply(self, answer: HttpAnswer, good: Sequence[int] = ()) -> Reply:
        """Unwrap the result, or judge the error, whatever the HTTP status."""
        reply = super().read_reply(answer, good)
        if not isinstance(reply.data, dict) or not {"result", "error"} & set(reply.data):
            no_envelope = reply.data is not None and not reply.failure
            return replace(reply, data=None, broken="it is no JSON-RPC answer") if no_envelope else reply
        error = reply.data.get("error")
        if error:
            return replace(reply, data=None, failure=self._error(answer, error))
        result = reply.data.get("result")
        if b'"__class__"' in answer.body:
            result = untype(result)
        return replace(reply, data=result, failure=reply.failure or self._refused(answer, result))

    def _error(self, answer: HttpAnswer, error: Any) -> Failure:
        """The failure of an error object; some systems send a list of class and message, or a bare text."""
        if isinstance(error, list):
            message = next((part[0] if isinstance(part, list) and part else part for part in error[1:]), "")
            error = {"code": error[0] if error else "", "message": message, "data": error}
        data = error if isinstance(error, dict) else {"message": error}
        code = data.get("code")
        usual = _KINDS.get(code) if isinstance(code, int) else None
        if isinstance(code, int) and code in _SERVER_ERRORS:
            usual = "server_transient"
        failure = self.classifier.judge(
            status=answer.status, data=data, headers=answer.headers, where=answer.where, usual=usual
        )
        return replace(failure, words=self.http.redact(failure.words))

    def _refused(self, answer: HttpAnswer, result: Any) -> Failure | None:
        facts = {"data": result, "status": answer.status, "headers": answer.headers}
        if not any(holds(condition, **facts) for condition in self._failed_when):
            return None
        return self.classifier.judge(status=answer.status, data=result, headers=answer.headers, where=answer.where)
