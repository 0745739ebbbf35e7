"""The other side on loopback: a mail server and a receiver of webhooks, both real, both remembering what came."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class MailSink:
    """An SMTP server that takes everything; `answer_data` is what it says after a mail, "" for hanging up."""

    port: int = 0
    mails: list[Message] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    answer_data: str = "250 Taken"


@contextmanager
def mail_sink() -> Iterator[MailSink]:
    sink = MailSink()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 sink")
            to: list[str] = []
            while line := self.rfile.readline():
                word = line.strip().split(b":")[0].split(b" ")[0].upper()
                if word == b"DATA":
                    self._say("354 Go on")
                    sink.mails.append(message_from_bytes(self._body(), policy=default))  # type: ignore[arg-type]
                    sink.recipients.append(to)
                    if not sink.answer_data:
                        return
                    self._say(sink.answer_data)
                elif word == b"QUIT":
                    self._say("221 Bye")
                    return
                else:
                    if word == b"RCPT":
                        to.append(line.decode().partition("<")[2].partition(">")[0])
                    self._say("250 OK")

        def _body(self) -> bytes:
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            return b"".join(lines)

        def _say(self, words: str) -> None:
            self.wfile.write(words.encode() + b"\r\n")

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)) as port:
        sink.port = port
        yield sink


@dataclass
class HttpSink:
    """A receiver; `statuses` are its answers in order, then 200."""

    url: str = ""
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)


@contextmanager
def http_sink() -> Iterator[HttpSink]:
    sink = HttpSink()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                sink.bodies.append(json.loads(raw))
            except ValueError:
                sink.bodies.append(raw)
            sink.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(sink.statuses.pop(0) if sink.statuses else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Answer)) as port:
        sink.url = f"http://127.0.0.1:{port}/alerts"
        yield sink


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    server.daemon_threads = True  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
