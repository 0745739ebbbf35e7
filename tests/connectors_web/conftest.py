"""A small system on loopback, and a catalogue with one kind that describes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tests.memory  # noqa: F401  makes the protocol "memory" known
from connectors.models import Connection, Stream, System
from tests.fakes.http import Answer, FakeServer, Request, serve

TOKEN = "canary-7f3a-token"
LOOPBACK = "127.0.0.0/8"
KIND = "catalogue:acme"

DECLARATION = """\
name: acme
label: Acme Time
category: psa
protocol: rest
description: Hours and projects of the firm.
time_zone: Europe/London
config:
  site: {title: Site address, format: uri, example: "https://acme.example.com", help: Without a path.}
  token: {title: API token, type: secret, help: "Under Settings, API."}
  region: {title: Region, enum: [eu, us], default: eu}
  page_hint: {title: Page hint, type: integer, required: false}
  proxy_key: {title: Proxy key, type: secret, required: false}
base_url: ${config.site}/api
auth: {type: bearer, token: "${secret.token}"}
check: {path: /me, who: email, stream: projects}
streams:
  projects:
    label: Projects
    path: /projects
    records: data
    key: id
    paging: {type: none}
    incremental: {cursor: updated_at, query: {since: "${cursor}"}}
    fields:
      id: {type: string, title: Project id, required: true, example: P-1}
      name: string
      budget: decimal
      updated_at: date-time
  people: {label: People, path: /people, records: data, key: id}
"""

PROJECTS = [
    {"id": f"P-{n}", "name": f"Project {n}", "client": {"name": "Northgate"}, "updated_at": f"2026-11-0{n}T08:00:00Z"}
    for n in range(1, 8)
]


def acme(request: Request) -> Any:
    """Answers as the declared system does; who has the wrong token is told so in the system's own words."""
    if request.headers.get("authorization") != f"Bearer {TOKEN}":
        return Answer({"error": {"message": "Token expired on Tuesday"}}, status=401)
    if request.path == "/api/me":
        return {"email": "hub@acme.example"}
    # an API that gives away the caller's own key in its records
    if request.path == "/api/people":
        return {"data": [{"id": "1", "name": "Jo", "api_key": TOKEN}]}
    return {"data": PROJECTS}


@pytest.fixture
def remote() -> Iterator[FakeServer]:
    with serve(acme) as server:
        yield server


@pytest.fixture(autouse=True)
def catalogue(tmp_path: Path, settings: Any) -> Path:
    """HUB_CATALOG with the kind `acme`."""
    (tmp_path / "acme.yaml").write_text(DECLARATION)
    settings.HUB_CATALOG = str(tmp_path)
    return tmp_path


@pytest.fixture
def values(remote: FakeServer) -> dict[str, str]:
    """A form that passes its test."""
    return {
        "c_site": remote.url,
        "c_token": TOKEN,
        "c_region": "eu",
        "time_zone": "Europe/London",
        "allowed_networks": LOOPBACK,
        "name": "Acme production",
        "slug": "acme-prod",
        "new_system": "Acme Time",
        "category": "psa",
        "action": "save",
    }


MakeConnection = Callable[..., Connection]


@pytest.fixture
def make_connection(remote: FakeServer, db: Any) -> MakeConnection:
    """make_connection("acme", domain=…): a stored connection to the small system."""

    def make(slug: str = "acme", **fields: Any) -> Connection:
        system, _ = System.objects.get_or_create(slug="acme-time", defaults={"name": "Acme Time", "category": "psa"})
        first = {
            "name": slug.replace("-", " ").title(),
            "system": system,
            "catalogue": "acme",
            "protocol": "rest",
            "config": {"site": remote.url, "region": "eu"},
            "secrets": {"token": TOKEN},
            "time_zone": "Europe/London",
            "allowed_networks": [LOOPBACK],
        }
        return Connection.objects.create(slug=slug, **{**first, **fields})

    return make


@pytest.fixture
def connection(make_connection: MakeConnection) -> Connection:
    return make_connection()


@pytest.fixture
def stream(connection: Connection) -> Stream:
    return Stream.objects.create(
        connection=connection, slug="acme-projects", name="projects", label="Projects", key_fields=["id"]
    )
