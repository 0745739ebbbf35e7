"""Pages of records over HTTP, made before the first request: `python -m connectors.bench.source KIND RECORDS PAGE`.

KIND is rest, odata or soap; the port is printed once it listens.
"""

from __future__ import annotations

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from connectors.bench.register import answer, wsdl

FIELDS = ("id", "employee", "project", "day", "hours", "rate", "note", "changed_at")


def row(n: int) -> dict[str, str]:
    """The n-th time entry."""
    day = f"2026-{1 + n % 12:02d}-{1 + n % 28:02d}"
    values = (
        f"T{n:08d}",
        f"E{n % 900:04d}",
        f"P{n % 300:04d}",
        day,
        "7.50",
        "130.10",
        f"Work on part {n}",
        f"{day}T08:00:00Z",
    )
    return dict(zip(FIELDS, values, strict=True))


class _Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    kind = ""
    parts: tuple[list[dict[str, str]], ...] = ()
    pages: tuple[bytes, ...] = ()

    def do_GET(self) -> None:
        if self.kind == "soap":
            return self._answer(wsdl(self._url, FIELDS).encode(), "text/xml")
        asked = parse_qs(urlsplit(self.path).query).get("page", ["1"])[0]
        return self._answer(self.pages[int(asked) - 1].replace(b"$URL", self._url.encode()), "application/json")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = re.search(rb"<[^>]*page>(\d+)<", body)
        self._answer(self.pages[int(asked[1]) - 1 if asked else 0], "text/xml; charset=utf-8")

    @property
    def _url(self) -> str:
        return f"http://{self.headers['Host']}"

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


def _written(kind: str, number: int, pages: int, part: list[dict[str, str]]) -> bytes:
    if kind == "soap":
        return answer(pages, part).encode()
    if kind == "odata":
        more = {"@odata.nextLink": f"$URL/entries?page={number + 1}"} if number < pages else {}
        return json.dumps({"value": part, **more}).encode()
    return json.dumps({"pages": pages, "data": part}).encode()


def main(kind: str, records: int, size: int) -> None:
    rows = [row(n) for n in range(records)]
    parts = [rows[start : start + size] for start in range(0, records, size)]
    _Pages.kind = kind
    _Pages.pages = tuple(_written(kind, number, len(parts), part) for number, part in enumerate(parts, start=1))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
