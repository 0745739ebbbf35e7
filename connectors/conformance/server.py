"""A web server on loopback that may misbehave down to the single byte."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

# A client that waits for the end of a slow answer is cut off here, so that a failed case ends as well.
LONGEST_DRIP_SECONDS = 20.0
DRIP_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Request:
    """What the server received; names of headers in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Answer:
    """What the server sends; with `drips` the body comes byte by byte, without an end in reasonable time."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    drips: bool = False


Handler = Callable[[Request], Answer]


class HostileServer:
    """Answers with `handler` on a free port of `host` while it is entered; keeps what it was asked in `requests`."""

    def __init__(self, handler: Handler, host: str = "127.0.0.1") -> None:
        self.handler = handler
        self.requests: list[Request] = []
        # how many slow answers went out whole, because the client waited for their end
        self.sent_whole = 0
        self._server = _Server((host, 0), _handler_class(self))
        self.url = f"http://{host}:{self._server.server_port}"

    def __enter__(self) -> HostileServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what most cases want."""


def _handler_class(server: HostileServer) -> type[BaseHTTPRequestHandler]:
    class _Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            request = self._request()
            server.requests.append(request)
            self._send(server.handler(request))

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any

        def _request(self) -> Request:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length") or 0))
            return Request(self.command, parts.path, query, headers, body)

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            head = {"Content-Type": "application/json", "Content-Length": str(len(answer.body)), **answer.headers}
            for name, value in head.items():
                self.send_header(name, value)
            self.end_headers()
            if not answer.drips:
                self.wfile.write(answer.body)
                return
            self.close_connection = True
            for byte in _in_time(answer.body):
                self.wfile.write(byte)
            server.sent_whole += 1

        def log_message(self, *args: object) -> None:
            pass

    return _Handler


def _in_time(body: bytes) -> Iterator[bytes]:
    until = time.monotonic() + LONGEST_DRIP_SECONDS
    for byte in body:
        if time.monotonic() > until:
            return
        yield bytes([byte])
        time.sleep(DRIP_SECONDS)
