"""One signed-in client for an HTTP API: addresses, credentials, pace, parsing, and what a refusal means."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

import orjson

from connectors.declared import DeclaredConnector
from connectors.exact_json import parse_json
from connectors.failures import Classifier, Failure, page_failure, read_error, sentence
from connectors.limiter import Limiter, LocalLimiter, gap_seconds, is_its_own
from connectors.paths import get
from connectors.rest.auth import Authenticator, Credentials, build_auth
from connectors.rest.issued import Tokens
from connectors.rest.usage import UsageWatch
from connectors.template import Scope, render, render_path, render_text, to_text
from connectors.web_pages import is_page
from hub.common.errors import ConfigError, HubError
from hub.common.http import DEFAULT_CONNECT_SECONDS, DEFAULT_MAX_BYTES, DEFAULT_TIMEOUT_SECONDS, HttpAnswer, HttpClient

DEFAULT_CONCURRENCY = 4
# The system says "too many" without saying for how long.
DEFAULT_BUSY_SECONDS = 1.0
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_PART_NAME = re.compile(r'[\r\n"]')
_QUERY_SAFE = "-._~:,@/!*'()$"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with its JSON. `failure` says what a refusal means, `broken` why a body could not be read.

    `url` is the address that was asked, to which links in the answer relate.
    """

    answer: HttpAnswer
    data: Any = None
    careful: bool = False
    failure: Failure | None = None
    broken: str = ""
    url: str = ""


class ApiClient:
    """Sends the requests of one connection."""

    def __init__(self, connector: DeclaredConnector, *, tokens: Callable[[], Tokens]) -> None:
        body, limits = connector.declaration.body, connector.limits
        self.scope = connector.scope
        # a token answer may move everything but the sign-in itself to another address
        self.home_url = self.base_url = render_text(body["base_url"], self.scope, where="base_url").rstrip("/")
        self.concurrency: int = limits.get("concurrency", DEFAULT_CONCURRENCY)
        self.http = HttpClient(
            allowed_networks=connector.allowed_networks,
            timeout_seconds=limits.get("timeout_seconds", DEFAULT_TIMEOUT_SECONDS),
            connect_timeout_seconds=limits.get("connect_timeout_seconds", DEFAULT_CONNECT_SECONDS),
            max_response_bytes=limits.get("max_response_bytes", DEFAULT_MAX_BYTES),
            max_connections=self.concurrency + 2,
            secrets=connector.secrets.values(),
        )
        # seconds for each request in place of the declared limit, during a connection test
        self.time_limit: float | None = None
        self.classifier = Classifier(body.get("errors", {}))
        self._trusted = frozenset(render(body.get("trusted_hosts", []), self.scope))
        self._headers: Mapping[str, Any] = body.get("headers", {})
        self._query: Mapping[str, Any] = body.get("query", {})
        self.usage = UsageWatch(limits.get("usage"))
        self._locating: Mapping[str, Any] = body.get("base_url_from", {})
        self._locate_lock = threading.Lock()
        own = LocalLimiter(gap_seconds(limits))
        # a stored connection is handed the limiter that all workers share
        self._limiter: Callable[[], Limiter] = lambda: connector.limiter or own
        self.auth: Authenticator = build_auth(body.get("auth", {}), self.scope, self, tokens)

    def url(self, path: str, scope: Scope, *, base: str = "") -> str:
        """The address of a path template."""
        whole = path.startswith(("http://", "https://", "${"))
        filled = render_text(path, scope, where="path") if whole else render_path(path, scope, where="path")
        if "://" in filled:
            return filled
        below = filled.lstrip("/")
        return f"{base or self.base_url}/{below}" if below else base or self.base_url

    def follow(self, link: str, current: str) -> str:
        """The address of a link that an answer gave; raises ConfigError when it leads to another host."""
        url = urljoin(current, link)
        here, there = urlsplit(current), urlsplit(url)
        if there.hostname == here.hostname and (there.scheme, there.port) != (here.scheme, here.port):
            # behind a proxy that ends TLS, systems often write their inner scheme and port into links
            url = there._replace(scheme=here.scheme, netloc=here.netloc).geturl()
        return url

    def send(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
        multipart: bool = False,
        content: Callable[[], bytes] | None = None,
        good: Sequence[int] = (),
        signed: bool = True,
        raw: bytes | None = None,
    ) -> Reply:
        """Send a request; a refused token is renewed once. `signed=False` sends no credentials (and to any host).

        `raw` is a body that is written already; its Content-Type stands in `headers`.
        `content` makes the body at the moment of each sending, for what carries its time.
        """
        credentials = Credentials()
        if signed:
            credentials = self.auth.credentials()
            self._refuse_strange_host(url)
        encoded = _encode_parts(form or {}) if multipart else _encode_body(json, form)
        body, content_type = encoded if raw is None else (raw, dict[str, str]())
        head = {**content_type, **self._common(self._headers), **_strings(headers or {})}

        def once(credentials: Credentials) -> Reply:
            parameters = {**self._common(self._query), **(query or {}), **credentials.query} if signed else query or {}
            address = with_query(url, parameters)
            own = (
                credentials.sign(method, address, None if multipart else _strings(form or {}))
                if credentials.sign
                else {}
            )
            answer = partial(
                self.http.send,
                method,
                address,
                headers={**head, **credentials.headers, **own},
                timeout_seconds=self.time_limit,
            )
            made = content or (lambda: body)
            return replace(self._in_turn(lambda: self.read_reply(answer(body=made()), good)), url=url)

        reply = once(credentials)
        if signed and reply.failure and reply.failure.kind == "auth_expired" and self.auth.renew(credentials):
            reply = once(self.auth.credentials())
        if signed and reply.failure and reply.failure.kind in ("auth_expired", "auth_denied"):
            self._limiter().refuse(sentence(reply.failure))
        return reply

    def _in_turn(self, exchange: Callable[[], Reply]) -> Reply:
        """Carry out a request when the limiter lets it, and tell the limiter how the system took it."""
        limiter = self._limiter()
        limiter.begin()
        failed, busy_seconds = "", None
        try:
            reply = exchange()
            self.usage.note(reply.answer.headers)
            if reply.failure and reply.failure.kind in ("throttled", "quota"):
                busy_seconds = reply.failure.retry_after or DEFAULT_BUSY_SECONDS
            elif not reply.failure:
                busy_seconds = self.usage.pause_seconds(reply.answer.headers)
            elif reply.failure and reply.failure.kind in ("server_transient", "timeout"):
                failed = sentence(reply.failure)
            return reply
        except HubError as error:
            failed = str(error) if is_its_own(error) else ""
            raise
        finally:
            limiter.end(failed=failed, busy_seconds=busy_seconds)

    def ask(
        self,
        section: Mapping[str, Any],
        scope: Scope,
        *,
        method: str = "GET",
        changes: Mapping[str, Any] = _NOTHING,
        parameters: Mapping[str, Any] = _NOTHING,
        link: str = "",
        body: Any = None,
        headers: Mapping[str, Any] = _NOTHING,
        good: Sequence[int] = (),
    ) -> Reply:
        """Send the request that a section of the declaration describes.

        `changes` are laid over the section, `parameters` are those of the paging, `link` is a whole address that
        replaces path and query, `body` goes in place of the section's own.
        """
        self.sign_in()
        if body is None and ("json" in section or "json" in changes):
            body = merge(render(section.get("json", {}), scope), render(changes.get("json", {}), scope))
        query: dict[str, Any] = {}
        if not link:
            query = render({**section.get("query", {}), **changes.get("query", {})}, scope)
            if section.get("paging", {}).get("in") == "json":
                body = {**(body or {}), **parameters}
            else:
                query |= parameters
        form = section.get("body_format") if section.get("body_format") in ("form", "multipart") else ""
        return self.send(
            section.get("method", method),
            link or self.url(changes.get("path", section["path"]), scope),
            query=query,
            headers={**render({**section.get("headers", {}), **changes.get("headers", {})}, scope), **headers},
            json=None if form else body,
            form=body if form else None,
            multipart=form == "multipart",
            good=good,
        )

    def login(self, section: Mapping[str, Any]) -> Reply:
        """Carry out a login request, without credentials."""
        filled = render(section, self.scope)
        return self.send(
            section.get("method", "POST"),
            self.url(section["path"], self.scope, base=self.home_url),
            query=filled.get("query"),
            headers=filled.get("headers"),
            json=filled.get("json"),
            form=filled.get("form"),
            signed=False,
        )

    def sign_in(self) -> None:
        """Find the account's address and fetch a token, where that is needed; raises AuthError when it is refused."""
        if self._locating:
            with self._locate_lock:
                if self._locating:
                    self._locate(self._locating)
                    self._locating = {}
        self.auth.credentials()

    def _locate(self, section: Mapping[str, Any]) -> None:
        """Ask the system which address this account has; raises what the answer means, ConfigError without one."""
        filled = render(section, self.scope)
        reply = self.send(
            section.get("method", "GET"),
            self.url(section["path"], self.scope, base=self.home_url),
            query=filled.get("query"),
            headers=filled.get("headers"),
            json=filled.get("json"),
            signed=bool(section.get("signed")),
        )
        if reply.failure:
            raise read_error(reply.failure)
        found = get(reply.data, section["base_url_path"])
        if not isinstance(found, str) or not found.startswith(("http://", "https://")):
            raise ConfigError(
                f"The answer names no address at {section['base_url_path']!r}.",
                where=reply.answer.where,
                fix="Check the account in the connection, then `base_url_from` in the declaration.",
                code="BASE_URL",
            )
        self.base_url = found.rstrip("/")

    def read_reply(self, answer: HttpAnswer, good: Sequence[int] = ()) -> Reply:
        """Parse an answer and judge it."""
        content_type = answer.headers.get("content-type", "")
        ok = 200 <= answer.status < 300
        if is_page(content_type, answer.body):
            failure = page_failure(answer.body, answer.status, answer.where) if ok else None
            text = answer.body[:20_000].decode("utf-8", "replace")
            return Reply(answer, failure=failure or self._judge(answer, None, text, good))
        data, careful, broken = _parse(answer.body, content_type)
        text = "" if data is not None else answer.body[:2_000].decode("utf-8", "replace")
        return Reply(answer, data, careful, self._judge(answer, data, text, good), broken if ok else "")

    def _judge(self, answer: HttpAnswer, data: Any, text: str, good: Sequence[int]) -> Failure | None:
        failure = self.classifier.classify(
            status=answer.status, data=data, text=text, headers=answer.headers, where=answer.where, good=good
        )
        return replace(failure, words=self.http.redact(failure.words)) if failure else None

    def _common(self, section: Mapping[str, Any]) -> dict[str, str]:
        return _strings(render(section, self.scope)) if section else {}

    def _refuse_strange_host(self, url: str) -> None:
        host = urlsplit(url).hostname
        if host == urlsplit(self.base_url).hostname or host in self._trusted:
            return
        raise ConfigError(
            f"An address leads to another system, {host}, which gets no credentials of this connection.",
            where=url.partition("?")[0],
            fix="If it belongs to the same system, add it to `trusted_hosts`.",
            code="STRANGE_HOST",
        )


def _strings(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: to_text(value) for name, value in values.items() if value is not None}


def with_query(url: str, query: Mapping[str, Any]) -> str:
    """An address with more parameters; a space is %20 (many systems do not read `+`), null values are left out."""
    pairs = "&".join(
        f"{quote(name, safe='$@._-~:')}={quote(to_text(value), safe=_QUERY_SAFE)}"
        for name, value in query.items()
        if value is not None
    )
    return f"{url}{'&' if '?' in url else '?'}{pairs}" if pairs else url


def merge(base: Any, changes: Any) -> Any:
    """`changes` laid over `base`, object by object; anything else replaces."""
    if isinstance(base, dict) and isinstance(changes, dict):
        return {**base, **{key: merge(base.get(key), value) for key, value in changes.items()}}
    return base if changes in (None, {}) else changes


def _encode_body(json: Any, form: Mapping[str, Any] | None) -> tuple[bytes, dict[str, str]]:
    if form is not None:
        return urlencode(_strings(form)).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    if json is not None:
        return orjson.dumps(json, option=orjson.OPT_NON_STR_KEYS), {"Content-Type": "application/json"}
    return b"", {}


def _encode_parts(form: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
    """Fields as multipart/form-data (RFC 7578)."""
    boundary = uuid.uuid4().hex
    fields = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_PART_NAME.sub("_", name)}"\r\n\r\n{value}\r\n'
        for name, value in _strings(form).items()
    )
    return f"{fields}--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def _parse(body: bytes, content_type: str) -> tuple[Any, bool, str]:
    """Data, whether the careful parser was needed, and why there is no data."""
    if not body.strip():
        return None, False, ""
    try:
        return *parse_json(body.removeprefix(b"\xef\xbb\xbf")), ""
    except (ValueError, RecursionError) as error:
        broken: Exception = error
    # JSON is UTF-8, whatever a header says (RFC 8259); where it is not, the header may know better
    charset = content_type.lower().partition("charset=")[2].split(";")[0].strip(' "')
    try:
        if charset not in ("", "utf-8", "utf8", "us-ascii"):
            return *parse_json(body.decode(charset).removeprefix("\ufeff").encode()), ""
    except (ValueError, LookupError, RecursionError) as error:
        broken = error
    if content_type.lower().startswith("text/plain"):
        return None, False, ""
    return None, False, f"it is not whole JSON ({str(broken) or 'nested too deeply'})"
