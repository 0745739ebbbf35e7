"""A web server on loopback whose answers a test writes down, down to the single byte."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Request:
    """What the server received. `target` is the request line's own text, `query` its decoded parameters."""

    method: str
    path: str
    target: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """What the server sends. `raw` goes over the wire as it is, byte by byte with `drip_seconds` between."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0
    raw: bytes | Iterator[bytes] | None = None
    drip_seconds: float = 0

    def content(self) -> tuple[bytes, str]:
        if isinstance(self.body, bytes):
            return self.body, "application/json"
        if isinstance(self.body, str):
            return self.body.encode(), "text/html" if self.body.lstrip().startswith("<") else "text/plain"
        return (b"" if self.body is None else json.dumps(self.body).encode()), "application/json"


Handler = Callable[[Request], Answer | Any]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of many tests."""


class FakeServer:
    """Answers with `handler`; every request is kept in `requests`."""

    def __init__(self, handler: Handler, *, tls: ssl.SSLContext | None = None) -> None:
        self.handler = handler
        self.requests: list[Request] = []
        self.connections = 0
        self._server = _Server(("127.0.0.1", 0), self._handler_class())
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler_class(fake) -> type[BaseHTTPRequestHandler]:
        class _Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # without it each answer waits for the client's delayed acknowledgement
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                fake.connections += 1

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                parts = urlsplit(self.path)
                request = Request(
                    self.command,
                    parts.path,
                    self.path,
                    dict(parse_qsl(parts.query, keep_blank_values=True)),
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(length),
                )
                fake.requests.append(request)
                answer = fake.handler(request)
                self._send(answer if isinstance(answer, Answer) else Answer(answer))

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any

            def _send(self, answer: Answer) -> None:
                time.sleep(answer.delay_seconds)
                if answer.raw is not None:
                    self._drip(answer)
                    self.close_connection = True
                    return
                body, kind = answer.content()
                self.send_response(answer.status)
                for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def _drip(self, answer: Answer) -> None:
                chunks = [answer.raw] if isinstance(answer.raw, bytes) else answer.raw
                try:
                    for chunk in chunks or ():
                        for piece in [bytes([byte]) for byte in chunk] if answer.drip_seconds else [chunk]:
                            self.wfile.write(piece)
                            time.sleep(answer.drip_seconds)
                except OSError:
                    pass

            def log_message(self, *args: object) -> None:
                pass

        return _Handler


@contextmanager
def serve(handler: Handler) -> Iterator[FakeServer]:
    """A running fake server."""
    server = FakeServer(handler)
    try:
        yield server
    finally:
        server.close()
