"""The only way out over HTTP: checked addresses, one deadline, bounded answers, no redirects, secrets redacted."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import httpcore

from hub.common.errors import ConfigError, HubError, PermanentError, TransientError
from hub.common.wire import BodyReader, Clock, GuardedBackend, Target, TlsFailure, parse_url, tls_context

DEFAULT_TIMEOUT_SECONDS = 60.0
DEFAULT_CONNECT_SECONDS = 10.0
DEFAULT_MAX_BYTES = 32 * 1024 * 1024
KEEP_ALIVE_SECONDS = 15
USER_AGENT = "Syncline/0.1"

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_MASK = "•••"


class NoAnswer(TransientError):
    """The request got no complete answer."""

    def __init__(self, what: str, *, maybe_done: bool, where: str = "", fix: str = "", code: str = "") -> None:
        super().__init__(what, where=where, fix=fix, code=code)
        self.maybe_done = maybe_done


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer that came in whole.

    `headers` has lower-case names; several of one name are joined by a comma (cookies by a line end).
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed_seconds: float
    where: str


class Redactor:
    """Replaces known secrets in text that is shown or stored."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Know one more secret, also as it looks in addresses and in a Basic header. Short ones are no secrets."""
        if len(secret) < 4 or secret in self._secrets:
            return
        forms = {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")}
        self._secrets |= forms
        longest_first = sorted(self._secrets, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def __call__(self, text: str) -> str:
        return self._pattern.sub(_MASK, text) if self._pattern else text


class HttpClient:
    """A client for one remote system. Connections are kept alive; safe to use from several threads.

    `allowed_networks` opens private networks by CIDR. `timeout_seconds` is the whole time of a request, from the
    first byte sent to the last one received. Everything raised is a HubError.
    """

    def __init__(
        self,
        *,
        allowed_networks: Sequence[str] = (),
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        connect_timeout_seconds: float = DEFAULT_CONNECT_SECONDS,
        max_response_bytes: int = DEFAULT_MAX_BYTES,
        max_connections: int = 10,
        secrets: Iterable[str] = (),
    ) -> None:
        self.timeout_seconds, self.max_response_bytes = timeout_seconds, max_response_bytes
        self.redact = Redactor(secrets)
        self._connect_seconds = connect_timeout_seconds
        self._clock = Clock()
        self._backend = GuardedBackend(tuple(allowed_networks), self._clock)
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls_context(),
            max_connections=max_connections,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
            network_backend=self._backend,
        )

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout_seconds: float | None = None,
    ) -> HttpAnswer:
        """Send one request and read the whole answer, whatever its status."""
        target = parse_url(url)
        where = f"{method} {self.redact(target.shown)}"
        request = httpcore.Request(
            method, target.url, headers=_head(target, headers or {}, body, method), content=body or None
        )
        started = time.monotonic()
        self._clock.start(timeout_seconds or self.timeout_seconds, self._connect_seconds)
        try:
            return self._exchange(request, started, where)
        except NoAnswer as error:
            if method not in _READS or error.code != "BROKEN":
                raise
            # a server may close an idle connection at the moment it is used again
            return self._exchange(request, started, where)

    def try_to_connect(self, url: str, *, timeout_seconds: float) -> None:
        """Open a connection, with TLS where the address asks for it, and close it again; raises as `send`."""
        target = parse_url(url)
        self._clock.start(timeout_seconds, self._connect_seconds)
        try:
            stream = self._backend.connect_tcp(target.url.host.decode(), target.port)
            if target.url.scheme == b"https":
                stream = stream.start_tls(tls_context(), target.url.host.decode())
            stream.close()
        except HubError as error:
            error.where = error.where or target.shown
            raise
        except Exception as error:
            raise self._explain(error, target.shown) from error

    def close(self) -> None:
        """Close all connections. Safe to call twice."""
        self._pool.close()

    def _exchange(self, request: httpcore.Request, started: float, where: str) -> HttpAnswer:
        self._clock.sent = False
        try:
            response = self._pool.handle_request(request)
            try:
                headers = _read_headers(response.headers)
                body = self._read_body(response, headers, where)
            finally:
                self._clock.release()
                response.close()
        except HubError as error:
            error.where, error.maybe_done = error.where or where, error.maybe_done or self._clock.sent
            raise
        except Exception as error:
            raise self._explain(error, where) from error
        return HttpAnswer(response.status, headers, body, time.monotonic() - started, where)

    def _read_body(self, response: httpcore.Response, headers: Mapping[str, str], where: str) -> bytes:
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self.max_response_bytes:
            raise self._too_large(where)
        reader = BodyReader(headers.get("content-encoding", ""), self.max_response_bytes)
        assert isinstance(response.stream, Iterable)
        for chunk in response.stream:
            if not reader.feed(chunk):
                raise self._too_large(where)
        return reader.finish()

    def _too_large(self, where: str) -> PermanentError:
        return PermanentError(
            f"The answer is larger than {self.max_response_bytes:,} bytes and was not read.",
            where=where,
            fix="Ask for smaller pages, or raise `limits.max_response_bytes`.",
            code="TOO_LARGE",
        )

    def _explain(self, error: Exception, where: str) -> HubError:
        maybe_done = self._clock.sent
        words = self.redact(str(error))
        if isinstance(error, TlsFailure):
            return ConfigError(
                f"The TLS connection failed: {words}.",
                where=where,
                fix="Check the certificate of the system, and that the address has the right scheme and port.",
                code="TLS",
            )
        if isinstance(error, httpcore.TimeoutException):
            return _no_answer("The system did not answer in time.", maybe_done, where, "TIMEOUT")
        if isinstance(error, httpcore.ConnectError | OSError) and not maybe_done:
            return _no_answer(f"The system cannot be reached: {words}.", False, where, "CONNECT")
        if isinstance(error, httpcore.LocalProtocolError):
            return ConfigError(f"The request cannot be sent: {words}.", where=where, fix="Check headers and address.")
        return _no_answer(f"The connection broke before the answer was complete: {words}.", maybe_done, where, "BROKEN")


def _no_answer(what: str, maybe_done: bool, where: str, code: str) -> NoAnswer:
    fix = "" if code == "BROKEN" else "Check the address, the firewall and whether the system is up."
    return NoAnswer(what, maybe_done=maybe_done, where=where, fix=fix, code=code)


def _head(target: Target, headers: Mapping[str, str], body: bytes, method: str) -> list[tuple[bytes, bytes]]:
    """The request's headers; those given hide the standard ones."""
    head = {
        "Host": target.host,
        "User-Agent": USER_AGENT,
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
    }
    if body or method not in _READS:
        head["Content-Length"] = str(len(body))
    given = {name.lower() for name in headers}
    kept = {name: value for name, value in head.items() if name.lower() not in given}
    return [(name.encode("latin1"), _header_bytes(name, value)) for name, value in {**kept, **headers}.items()]


def _header_bytes(name: str, value: str) -> bytes:
    try:
        return value.encode("latin1")
    except UnicodeEncodeError:
        raise ConfigError(
            f"The header {name} holds characters that no header can carry.",
            fix="Check the key or password for copied typographic characters.",
        ) from None


def _read_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin1").lower(), value.decode("latin1")
        # an expiry date in a cookie holds a comma
        joint = "\n" if key == "set-cookie" else ", "
        headers[key] = f"{headers[key]}{joint}{text}" if key in headers else text
    return headers
