"""Below the HTTP client: guarded sockets under one deadline, addresses as they go over the wire, bounded bodies."""

from __future__ import annotations

import re
import select
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote, urlsplit

import certifi
import httpcore
import idna

from hub.common.egress import open_socket
from hub.common.errors import ConfigError, TransientError

_BAD_URL = re.compile(r"[\x00-\x1f\x7f\\]")
# An address is already encoded when it comes here; only what may not stand in one is.
_SAFE = "/%:@!$&'()*+,;=-._~"
_SEND_TOGETHER = 32 * 1024
_DEFAULT_PORTS = {"http": 80, "https": 443}


class TlsFailure(Exception):
    """The TLS handshake failed; the text says why."""


class Clock(threading.local):
    """The deadline of the request that the current thread carries out, whether any of it was sent, and on what stream."""

    deadline = 0.0
    connect_seconds = 10.0
    sent = False
    stream: GuardedStream | None = None

    def start(self, seconds: float, connect_seconds: float) -> None:
        self.deadline, self.connect_seconds, self.sent = time.monotonic() + seconds, connect_seconds, False

    def release(self) -> None:
        """The request is over: its connection may be idle now."""
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.release()

    def remaining(self) -> float:
        """Seconds left; raises when there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time limit of the request is over")
        return left


class GuardedBackend(httpcore.NetworkBackend):
    """Opens connections to checked addresses only."""

    def __init__(self, allowed_networks: Sequence[str], clock: Clock) -> None:
        self._allowed, self._clock = allowed_networks, clock

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        seconds = min(self._clock.remaining(), self._clock.connect_seconds)
        try:
            return GuardedStream(open_socket(host, port, self._allowed, timeout_seconds=seconds), self._clock)
        except TimeoutError:
            raise httpcore.ConnectTimeout("no connection in time") from None
        except OSError as error:
            raise httpcore.ConnectError(str(error.strerror or error).lower()) from error


class GuardedStream(httpcore.NetworkStream):
    """A socket whose every wait ends at the deadline of the request, however slowly bytes drip in.

    The pool judges connections that other threads may begin to use at that moment, and closes what it holds for idle.
    While a request is under way, a close by another thread therefore waits for its end.
    """

    def __init__(self, connection: socket.socket, clock: Clock) -> None:
        self._socket, self._clock = connection, clock
        self._unsent = b""
        self._lock = threading.Lock()
        self._is_busy = self._is_doomed = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._unsent:
            self._flush()
        self._socket.settimeout(self._clock.remaining())
        try:
            return self._socket.recv(max_bytes)
        except TimeoutError:
            raise httpcore.ReadTimeout("no data in time") from None
        except OSError as error:
            raise httpcore.ReadError(str(error.strerror or error).lower()) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Head and body come apart; small ones go out together, which spares the other side a wake-up."""
        with self._lock:
            self._is_busy, self._clock.stream = True, self
        self._unsent += buffer
        if len(self._unsent) > _SEND_TOGETHER:
            self._flush()

    def _flush(self) -> None:
        data, self._unsent = self._unsent, b""
        if self._socket.fileno() < 0:
            # closed before anything was sent: the pool takes another connection
            raise httpcore.ConnectionNotAvailable
        self._clock.sent = True
        self._socket.settimeout(self._clock.remaining())
        try:
            self._socket.sendall(data)
        except TimeoutError:
            raise httpcore.WriteTimeout("the system does not take the request") from None
        except OSError as error:
            raise httpcore.WriteError(str(error.strerror or error).lower()) from error

    def close(self) -> None:
        with self._lock:
            if self._is_busy and self._clock.stream is not self:
                self._is_doomed = True
            else:
                self._socket.close()

    def release(self) -> None:
        """The request is over."""
        with self._lock:
            self._is_busy = False
            if self._is_doomed:
                self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            self._socket.settimeout(min(self._clock.remaining(), self._clock.connect_seconds))
            secured = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except TimeoutError:
            self.close()
            raise httpcore.ConnectTimeout("no TLS handshake in time") from None
        except (ssl.SSLError, OSError) as error:
            self.close()
            raise TlsFailure(_tls_words(error)) from error
        return GuardedStream(secured, self._clock)

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object" and isinstance(self._socket, ssl.SSLSocket):
            return self._socket
        return self._is_readable() if info == "is_readable" else None

    def _is_readable(self) -> bool:
        """An idle connection with something to read was closed by the other side."""
        if self._is_busy:
            return False
        poll = select.poll()
        try:
            poll.register(self._socket, select.POLLIN)
            return bool(poll.poll(0))
        except (OSError, ValueError):
            return True


def _tls_words(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return str(getattr(error, "reason", "") or error.strerror or error).replace("_", " ").lower()


@cache
def tls_context() -> ssl.SSLContext:
    """The context of all connections: the machine's authorities (SSL_CERT_FILE), or the bundled ones if it has none."""
    context = ssl.create_default_context()
    if not context.get_ca_certs():
        context.load_verify_locations(certifi.where())
    return context


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: `url` for the wire, `host` for the Host header, `shown` for people (no query)."""

    url: httpcore.URL
    host: str
    port: int
    shown: str


def parse_url(url: str) -> Target:
    """Read an absolute address; raises ConfigError for anything but plain http and https."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme not in _DEFAULT_PORTS or not host or _BAD_URL.search(url):
        raise ConfigError(
            f"{url.partition('?')[0]!r} is not an address.", fix="Write it as https://name/path.", code="URL"
        )
    if parts.username is not None:
        raise ConfigError(
            "An address may not hold a user name.", fix="Put the credentials into their own fields.", code="URL"
        )
    name = _ascii_host(host)
    shown_host = f"[{name}]" if ":" in name else name
    authority = shown_host if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{shown_host}:{port}"
    path = quote(parts.path or "/", safe=_SAFE)
    query = f"?{quote(parts.query, safe=_SAFE + '?')}" if parts.query else ""
    wire = httpcore.URL(scheme=parts.scheme.encode(), host=name.encode(), port=port, target=f"{path}{query}".encode())
    return Target(wire, authority, port or _DEFAULT_PORTS[parts.scheme], f"{parts.scheme}://{authority}{path}")


def _ascii_host(host: str) -> str:
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        raise ConfigError(f"{host!r} is not a host name.", fix="Check the spelling.", code="URL") from None


class BodyReader:
    """Collects a body and decompresses it, never past its limit: a bomb is stopped before it unfolds."""

    def __init__(self, encoding: str, max_bytes: int) -> None:
        self._encoding, self._max = encoding.strip().lower(), max_bytes
        self._body = bytearray()
        if self._encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise TransientError(f"The answer is compressed as {encoding!r}, which was not asked for.", code="ENCODING")
        self._inflate = zlib.decompressobj(wbits=47) if self._encoding not in ("", "identity") else None

    def feed(self, chunk: bytes) -> bool:
        """Take a chunk; False when the limit is passed."""
        while chunk and self._inflate:
            chunk = self._unfold(chunk)
            if len(self._body) > self._max:
                return False
        self._body += chunk
        return len(self._body) <= self._max

    def _unfold(self, chunk: bytes) -> bytes:
        """Decompress as much as the limit lets pass; the rest of the chunk comes back."""
        assert self._inflate is not None
        if self._inflate.eof:
            # a gzip file may consist of several members
            self._inflate = zlib.decompressobj(wbits=47)
        try:
            self._body += self._inflate.decompress(chunk, self._max - len(self._body) + 1)
        except zlib.error as error:
            if self._body or self._encoding != "deflate":
                raise TransientError("The answer's compression is damaged.", code="ENCODING") from error
            # some servers send deflate without its zlib wrapper
            self._inflate = zlib.decompressobj(wbits=-15)
            self._body += self._inflate.decompress(chunk, self._max + 1)
        return self._inflate.unconsumed_tail or self._inflate.unused_data

    def finish(self) -> bytes:
        """The whole body; raises TransientError when it was cut short."""
        if self._inflate and not self._inflate.eof and self._body:
            raise TransientError("The answer was cut short: its compressed body is incomplete.", code="ENCODING")
        return bytes(self._body)
