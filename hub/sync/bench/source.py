"""The benchmark's REST source: `python -m hub.sync.bench.source FOLDER` serves ready pages with as little work as possible.

Prints its port, ends with its parent.
"""

from __future__ import annotations

import os
import socketserver
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from hub.cli.process import die_with_parent


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        body = (self.folder / f"{query.get('page', ['1'])[0]}.json").read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Silent: the log would be part of what is measured."""


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def main(folder: str) -> None:
    Handler.folder = Path(folder)
    with Server(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    die_with_parent(os.getppid())
    main(sys.argv[1])
