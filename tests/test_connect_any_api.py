"""A stranger connects an API that is not in the catalogue by writing YAML, and a real worker carries the records."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from connectors.models import Circuit
from hub.common.errors import ConfigError
from hub.config import services as config
from hub.records.models import CanonicalRecord
from hub.sync import services
from hub.sync.models import HeldRecord, Run, Sync
from tests.worker import eventually, running_worker

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "acme-4711"


class Acme(ThreadingHTTPServer):
    """A help desk with manners of its own: key in a header, cursor paging, nested records, errors in `fault`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), AcmeHandler)
        self.tickets = [
            {
                "ref": f"T{n:03d}",
                "head": {"subject": f"Ticket {n}"},
                "mins": 90 + n,
                "touched": f"2026-11-{n % 28 + 1:02d}T08:00:00Z",
            }
            for n in range(25)
        ]
        self.jobs: dict[str, Any] = {}


class AcmeHandler(BaseHTTPRequestHandler):
    server: Acme
    protocol_version = "HTTP/1.1"

    def _answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _is_known(self) -> bool:
        if self.headers["X-Acme-Key"] == KEY:
            return True
        self._answer(401, {"fault": {"kind": "WHO", "text": "We do not know this key."}})
        return False

    def do_GET(self) -> None:
        if not self._is_known():
            return
        url, query = urlsplit(self.path), parse_qs(urlsplit(self.path).query)
        if url.path == "/v3/whoami":
            return self._answer(200, {"me": {"login": "hub@acme.example"}})
        since = query.get("touchedFrom", [""])[0]
        rows = [t for t in self.server.tickets if t["touched"] >= since]
        start = int(query.get("after", ["0"])[0])
        more = str(start + 10) if start + 10 < len(rows) else None
        return self._answer(200, {"result": {"items": rows[start : start + 10], "continue": more}})

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._is_known():
            return
        code = self.path.rsplit("/", 1)[1]
        if body["job"]["effort"] == "1.53":
            return self._answer(422, {"fault": {"kind": "BAD", "text": "We do not like 1.53.", "at": "effort"}})
        status = 200 if code in self.server.jobs else 201
        self.server.jobs[code] = body["job"]
        return self._answer(status, {"job": {"id": f"J-{code}"}})

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def acme() -> Iterator[Acme]:
    with Acme() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def documents(port: int) -> str:
    return f"""
kind: System
slug: acme
name: Acme Desk
---
kind: Connection
slug: acme
name: Acme Desk
system: acme
allowed_networks: [127.0.0.0/8]
secrets: {{key: "${{secret:acme.key}}"}}
config:
  declaration:
    name: acme
    label: Acme Desk
    category: other
    protocol: rest
    time_zone: UTC
    config:
      key: {{title: Key, type: secret}}
    base_url: http://127.0.0.1:{port}/v3
    auth: {{type: header, headers: {{X-Acme-Key: "${{secret.key}}"}}}}
    check: {{path: /whoami, who: me.login, stream: tickets}}
    errors: {{code: fault.kind, message: fault.text, field: fault.at}}
    streams:
      tickets:
        label: Tickets
        path: /tickets
        records: result.items
        key: ref
        paging: {{type: cursor, cursor_param: after, next_path: result.continue}}
        incremental: {{cursor: touched, query: {{touchedFrom: "${{cursor}}"}}}}
      jobs:
        label: Jobs
        key: code
        write:
          upsert: {{method: PUT, path: "/jobs/${{key}}", wrap: job, ref: job.id, safety: B}}
---
kind: Stream
slug: acme-tickets
connection: acme
name: tickets
key: [ref]
cursor: touched
---
kind: Stream
slug: acme-jobs
connection: acme
name: jobs
key: [code]
---
kind: Entity
slug: ticket
name: Ticket
domain: project-wbs
---
kind: Contract
slug: ticket
name: Ticket
entity: ticket
schema:
  type: object
  required: [code, subject, hours]
  properties:
    code: {{type: string, x-key: true}}
    subject: {{type: string}}
    hours: {{type: string, format: decimal}}
---
kind: Mapping
slug: acme-tickets-in
name: Tickets in
direction: in
stream: acme-tickets
entity: ticket
rules:
  - {{target: code, source: ref}}
  - {{target: subject, source: head.subject}}
  - target: hours
    source: mins
    convert: [{{fn: minutes_to_hours, args: {{digits: 2, rounding: half_up}}}}]
    type: decimal
    digits: 2
---
kind: Mapping
slug: acme-jobs-out
name: Jobs out
direction: out
stream: acme-jobs
entity: ticket
rules:
  - {{target: title, source: subject}}
  - {{target: effort, source: hours}}
---
kind: Sync
slug: acme-in
name: Tickets in
mapping: acme-tickets-in
---
kind: Sync
slug: acme-out
name: Jobs out
mapping: acme-jobs-out
"""


@pytest.fixture
def configured(acme, tmp_path, monkeypatch, domains):
    monkeypatch.setenv("HUB_SECRET_ACME_KEY", KEY)
    path = tmp_path / "acme.yaml"
    path.write_text(documents(acme.server_port))
    list(yaml.safe_load_all(path.read_text()))
    config.apply(path)
    return Sync.objects.get(slug="acme-in"), Sync.objects.get(slug="acme-out")


def test_yaml_alone_connects_reads_maps_and_delivers_through_a_real_worker(acme, configured, tmp_path):
    inbound, outbound = configured
    with running_worker(tmp_path / "worker.log"):
        run, _ = services.start_run(sync=inbound)
        services.wait_for(run, timeout_seconds=60)
        assert (run.status, run.read, run.created) == ("succeeded", 25, 25), run.error
        eventually(lambda: len(acme.jobs) == 24 and not Run.objects.filter(status__in=["queued", "running"]).exists())
    assert acme.jobs["T007"] == {"title": "Ticket 7", "effort": "1.62"}
    delivered = Run.objects.filter(sync=outbound).latest("pk")
    assert (delivered.created, delivered.rejected + delivered.failed) == (24, 1)


def test_the_next_run_asks_only_for_what_changed(acme, configured):
    inbound, _ = configured
    services.run_here(sync=inbound)
    acme.tickets[3]["head"]["subject"] = "Changed"
    acme.tickets[3]["touched"] = "2026-11-30T08:00:00Z"
    done = services.run_here(sync=inbound)
    assert done.updated == 1
    assert done.read < 25
    assert CanonicalRecord.objects.get(key="T003").body["subject"] == "Changed"


def test_a_wrong_key_stops_the_work_with_the_remote_systems_own_words(acme, configured, monkeypatch):
    inbound, _ = configured
    connection = inbound.stream.connection
    connection.secrets = {"key": "wrong"}
    connection.save()
    with pytest.raises(ConfigError, match="does not accept the sign-in"):
        services.run_here(sync=inbound)
    assert "We do not know this key." in Circuit.objects.get(connection=connection).error
    assert not HeldRecord.objects.exists()
