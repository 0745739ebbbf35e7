"""Recorded payloads beside a declaration (`NAME.payloads/*.yaml`): what was asked, what came back, what it must mean.

A case is carried out by the real connector against a server on loopback that knows nothing but the recorded answers.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

NOT_RECORDED = 501


@dataclass(slots=True)
class Exchange:
    """One request and its answer; `line` is where the request stands, `kept` answers any number of times."""

    request: Mapping[str, Any]
    answer: Mapping[str, Any]
    line: int
    kept: bool = False
    times: int = 0

    @property
    def words(self) -> str:
        return f"{self.request.get('method', 'GET')} {self.request['path']}"

    def fits(self, method: str, path: str) -> bool:
        wanted = (self.request.get("method", "GET"), self.request["path"])
        return wanted == (method, path) and (self.kept or not self.times)


@dataclass(slots=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    body: Any

    @property
    def words(self) -> str:
        return f"{self.method} {self.path}" + (f" with {self.query}" if self.query else "")


@dataclass(slots=True)
class Recorder:
    """Gives the recorded answers in order and notes what differs: (line, sentence)."""

    exchanges: Sequence[Exchange]
    differences: list[tuple[int, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, asked: Asked) -> Mapping[str, Any]:
        with self.lock:
            found = next((each for each in self.exchanges if each.fits(asked.method, asked.path)), None)
            if found is None:
                self.differences.append((0, self._unknown(asked)))
                return {"status": NOT_RECORDED, "body": {"error": "This request is not recorded."}}
            found.times += 1
            self.differences += [(found.line, sentence) for sentence in _differences(found.request, asked)]
            return found.answer

    def _unknown(self, asked: Asked) -> str:
        left = ", ".join(each.words for each in self.exchanges if not each.times) or "nothing more"
        return f"The declaration asks {asked.words}, which is not recorded here; recorded is {left}."

    def unused(self) -> Iterator[tuple[int, str]]:
        """Requests that the declaration never made."""
        for each in self.exchanges:
            if not each.times and not each.kept:
                yield each.line, f"The declaration never asks {each.words}."


def _differences(request: Mapping[str, Any], asked: Asked) -> Iterator[str]:
    query = {str(name): _text(value) for name, value in request.get("query", asked.query).items()}
    for name in sorted({*query, *asked.query}):
        if query.get(name) != asked.query.get(name):
            yield (
                f"The parameter {name!r} of {asked.method} {asked.path} is {asked.query.get(name)!r}, "
                f"recorded is {query.get(name)!r}."
            )
    if "body" in request and request["body"] != asked.body:
        sent = json.dumps(asked.body, ensure_ascii=False, default=str)
        yield f"The body of {asked.method} {asked.path} is {sent}, which is not what is recorded."


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class RecordedServer(ThreadingHTTPServer):
    """Recorded answers on loopback; a context manager."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.recorder = Recorder(())
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> RecordedServer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RecordedServer

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        asked = Asked(self.command, unquote(parts.path), query, _read_body(self.rfile.read(length)))
        answer = self.server.recorder.answer(asked)
        self._send(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _send(self, answer: Mapping[str, Any]) -> None:
        body = answer.get("body")
        text = "" if body is None else body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        # An answer may lead to the next page by a whole address.
        payload = text.replace("${server}", self.server.url).encode()
        self.send_response(int(answer.get("status", 200)))
        headers = {"Content-Type": "application/json", **answer.get("headers", {}), "Content-Length": len(payload)}
        for name, value in headers.items():
            self.send_header(str(name), str(value).replace("${server}", self.server.url))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:
        """What differs is noted by the recorder."""


def _read_body(raw: bytes) -> Any:
    """JSON as data, a form as names and values, anything else as text; None when there is none."""
    if not raw:
        return None
    text = raw.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return dict(parse_qsl(text, keep_blank_values=True)) or text
