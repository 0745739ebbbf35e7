"""A secret that was entered is in the encrypted column and nowhere else."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from rest_framework.test import APIClient

from connectors import services
from connectors.models import Connection, Stream
from hub.accounts.models import User
from hub.config.services import export
from tests.connectors_web.conftest import DECLARATION, KIND, LOOPBACK, TOKEN
from tests.fakes.http import Answer, FakeServer, Request, serve


def tell_tale(request: Request) -> Any:
    """A system that repeats the caller's key in every answer, errors and records alike."""
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if request.path == "/api/me":
        return Answer({"error": {"message": f"the key {given} is not known"}}, status=401)
    return {"data": [{"id": given, "name": f"key {given}"}]}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serve(tell_tale) as server:
        yield server


def pages(slug: str) -> list[str]:
    base = f"/connections/{slug}/"
    return [
        "/connections/", "/connections.csv", "/connections.json", base, f"{base}settings/", f"{base}history/",
        f"{base}objects/?discover=1", f"{base}objects/samples/?name=projects", "/search/?q=acme", "/",
        "/api/v1/connections/", f"/api/v1/connections/{slug}/", "/connections/systems/acme-time/",
    ]  # fmt: skip


def body_of(answer: Any) -> str:
    return (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode()


def test_a_secret_is_in_no_page_answer_export_history_or_log(
    browse: Any, ada: User, server: FakeServer, caplog: pytest.LogCaptureFixture, values: dict[str, str]
) -> None:
    caplog.set_level(logging.DEBUG)
    client: Client = browse(ada)
    form = {**values, "c_site": server.url}
    seen = [
        client.post(f"/connections/new/?kind={KIND}", {**form, "action": action})
        for action in ("test", "save", "anyway")
    ]
    assert Connection.objects.get(slug="acme-prod").secrets == {"token": TOKEN}
    seen += [client.post("/connections/acme-prod/test/", follow=True)]
    seen += [client.get(path) for path in pages("acme-prod")]
    api = APIClient()
    api.force_authenticate(ada)
    seen += [api.post("/api/v1/connections/acme-prod/test/"), api.get("/api/v1/connections/acme-prod/discover/")]
    shown = [body_of(answer) for answer in seen]
    assert not [answer.request["PATH_INFO"] for answer, text in zip(seen, shown, strict=True) if TOKEN in text]
    assert any("the key •" in text or "the key *" in text for text in shown), "the system's words are shown, masked"
    assert TOKEN not in json.dumps(list(export()), default=str)
    assert TOKEN not in caplog.text
    assert TOKEN not in "".join(everything_stored())


def everything_stored() -> Iterator[str]:
    """Every row of every table of the database, as text."""
    with database.cursor() as cursor:
        cursor.execute("select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace")
        for (table,) in cursor.fetchall():
            cursor.execute(f'select t::text from "{table}" t')
            yield from (row[0] or "" for row in cursor.fetchall())


def test_the_history_says_which_secret_was_entered_by_whom_and_not_its_value(
    browse: Any, ada: User, values: dict[str, str]
) -> None:
    client = browse(ada)
    client.post(f"/connections/new/?kind={KIND}", values)
    page = body_of(client.get("/connections/acme-prod/history/"))
    assert "Secret entered: token." in page
    assert "Ada" in page


def test_samples_of_a_system_that_repeats_the_key_are_masked(
    browse: Any, ada: User, make_connection: Any, server: FakeServer
) -> None:
    made = make_connection(config={"site": server.url})
    Stream.objects.create(connection=made, slug="acme-projects", name="projects", key_fields=["id"])
    page = body_of(browse(ada).get("/connections/streams/acme-projects/samples/"))
    assert "key " in page
    assert TOKEN not in page


ROTATING = DECLARATION.replace(
    'auth: {type: bearer, token: "${secret.token}"}',
    "auth: {type: oauth2, grant: refresh_token, token_url: /oauth/token, client_id: hub, "
    'refresh_token: "${secret.token}"}',
)


class RotatingSystem:
    """Hands out a new refresh token each time, and refuses the old one from then on."""

    def __init__(self) -> None:
        self.current, self.count = "refresh-0", 0

    def __call__(self, request: Request) -> Any:
        if not request.path.endswith("/oauth/token"):
            return {"email": "hub@acme.example", "data": []}
        if f"refresh_token={self.current}" not in request.body.decode():
            return Answer({"error": "invalid_grant"}, status=400)
        self.count += 1
        self.current = f"refresh-{self.count}"
        return {"access_token": f"access-{self.count}", "refresh_token": self.current, "expires_in": 60}


@pytest.fixture
def rotating(catalogue: Any) -> Iterator[tuple[RotatingSystem, FakeServer]]:
    (catalogue / "acme.yaml").write_text(ROTATING)
    system = RotatingSystem()
    with serve(system) as server:
        yield system, server


def test_a_refresh_token_that_a_test_uses_up_is_replaced_before_saving(
    browse: Any, ada: User, rotating: Any, values: dict[str, str]
) -> None:
    system, server = rotating
    client = browse(ada)
    form = {**values, "c_site": server.url, "c_token": "refresh-0"}
    first = body_of(client.post(f"/connections/new/?kind={KIND}", {**form, "action": "test"}))
    assert "Works" in first
    assert "refresh-1" not in first
    sealed = first.split('name="sealed"')[1].split('value="')[1].split('"')[0]
    assert client.post(f"/connections/new/?kind={KIND}", {**form, "sealed": sealed}).status_code == 302
    assert Connection.objects.get().secrets == {"token": system.current}


def test_a_refresh_token_that_is_replaced_at_work_is_stored_at_once(make_connection: Any, rotating: Any) -> None:
    system, server = rotating
    made = make_connection(config={"site": server.url}, secrets={"token": "refresh-0"}, allowed_networks=[LOOPBACK])
    services.check_connection(made)
    assert made.status == "ok", made.status_detail
    assert Connection.objects.get().secrets == {"token": system.current}
    assert system.count > 0
    assert services.discover(made)
    assert Connection.objects.get().secrets == {"token": system.current}
