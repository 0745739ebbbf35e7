"""HTTP/1.1 on loopback for one simulator: reads requests, sends replies, breaks connections when a fault says so."""

from __future__ import annotations

import socket
import struct
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from connectors.simulators.base import Simulator
from connectors.simulators.control import CONTROL_PREFIX, Control
from connectors.simulators.messages import Reply, Request

_LARGEST_BODY = 32 * 1024 * 1024


class SimulatorServer(ThreadingHTTPServer):
    """A simulator on `127.0.0.1:port`; port 0 takes a free one. `start()` serves in a thread, `stop()` ends it."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, simulator: Simulator, port: int = 0) -> None:
        self.simulator, self.control = simulator, Control(simulator)
        super().__init__(("127.0.0.1", port), _Handler)
        self._thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no event."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Simulator/1", ""
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave in one packet
    server: SimulatorServer

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _LARGEST_BODY or "chunked" in self.headers.get("Transfer-Encoding", ""):
            self.close_connection = True
            return self._send(Reply(413, {"error": "The body is too large or chunked."}))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        if request.path.startswith(CONTROL_PREFIX):
            return self._send(self.server.control.answer(request))
        return self._send(self.server.simulator.answer(request))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve

    def _send(self, reply: Reply) -> None:
        if reply.drop:
            return self._hang_up()
        payload = reply.payload()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if payload and "Content-Type" not in reply.headers:
            self.send_header("Content-Type", "application/json; charset=utf-8")
        if reply.status != 204:
            self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload if reply.cut is None else payload[: reply.cut])
        self.wfile.flush()
        if reply.cut is not None:
            self._hang_up()
        return None

    def _hang_up(self) -> None:
        """Reset the connection, so that the other side sees an error and no orderly end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def log_message(self, format: str, *args: object) -> None:
        """The journal keeps what happened."""
