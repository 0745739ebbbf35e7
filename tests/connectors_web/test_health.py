"""Health: every connection is looked at by itself, the state says since when, and what a look must not do it does not."""

from __future__ import annotations

import datetime as dt
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import settings as hub_settings
from django.utils import timezone

from connectors import certificates, circuits, health, queries, services, tasks
from connectors.models import Connection, Health
from governance.models import Drift
from hub.accounts.models import User
from tests.connectors_web.conftest import LOOPBACK, MakeConnection
from tests.fakes.http import Answer, FakeServer, Request, serve

pytestmark = pytest.mark.django_db


def look(connection: Connection) -> Health:
    return health.look(Connection.objects.get(pk=connection.pk))


def test_a_system_that_answers_is_healthy_and_no_record_is_read(connection: Connection, remote: FakeServer) -> None:
    found = look(connection)
    assert (found.state, found.detail) == ("healthy", "")
    assert found.since is not None
    assert [request.path for request in remote.requests] == ["/api/me"]


def test_a_refused_sign_in_needs_a_person_and_is_not_tried_again(
    make_connection: MakeConnection, remote: FakeServer
) -> None:
    connection = make_connection(secrets={"token": "old-token"})
    found = look(connection)
    assert found.state == "needs_sign_in"
    assert "Token expired on Tuesday" in found.detail
    assert circuits.look(connection.pk).state == "paused_auth"
    asked = len(remote.requests)
    assert look(connection).state == "needs_sign_in"
    assert len(remote.requests) == asked


def test_the_state_keeps_since_when_it_holds(connection: Connection) -> None:
    first = look(connection)
    second = look(connection)
    assert first.since == second.since
    assert second.looked_at > first.looked_at  # type: ignore[operator]
    connection.config = {**connection.config, "site": "http://127.0.0.1:9"}
    connection.save()
    third = look(connection)
    assert third.state == "unreachable"
    assert third.since > first.since  # type: ignore[operator]


def test_a_system_that_takes_its_time_is_slow(connection: Connection, settings: Any) -> None:
    settings.HUB_SLOW_SECONDS = 0
    found = look(connection)
    assert found.state == "slow"
    assert "to answer" in found.detail


@pytest.mark.parametrize(
    ("status", "state"),
    [(500, "unreachable"), (503, "unreachable"), (429, "refused"), (403, "refused"), (401, "needs_sign_in")],
)
def test_what_a_refusal_means(make_connection: MakeConnection, status: int, state: str) -> None:
    with serve(lambda request: Answer({"error": {"message": "No."}}, status=status)) as server:
        found = look(make_connection(config={"site": server.url, "region": "eu"}))
    assert found.state == state


def test_a_paused_connection_is_left_alone(make_connection: MakeConnection) -> None:
    connection = make_connection(is_paused=True)
    assert connection not in health.due()
    tasks.look_at_connection(connection.pk)
    assert not Health.objects.filter(looked_at__isnull=False).exists()


def test_one_worker_looks_and_the_next_look_is_within_five_minutes(connection: Connection) -> None:
    assert connection in health.due()
    assert health.claim(connection.pk)
    assert not health.claim(connection.pk)
    assert connection not in health.due()
    row = Health.objects.get(pk=connection.pk)
    entry = hub_settings.CELERY_BEAT_SCHEDULE["health"]
    longest = (row.next_at - timezone.now()).total_seconds() + entry["schedule"]  # type: ignore[operator]
    assert longest <= 300
    assert hub_settings.CELERY_TASK_ROUTES["connectors.tasks.look_at_connection"] == {"queue": "look"}


def test_the_quota_that_answers_tell_is_kept_and_shown(
    make_connection: MakeConnection, catalogue: Path, browse: Any, ada: User
) -> None:
    text = (catalogue / "acme.yaml").read_text()
    usage = 'limits: {usage: {header: Sforce-Limit-Info, pattern: "api-usage=(?P<used>\\\\d+)/(?P<limit>\\\\d+)"}}\nstreams:'
    (catalogue / "acme.yaml").write_text(text.replace("streams:", usage, 1))

    def answer(request: Request) -> Answer:
        return Answer({"email": "hub@acme.example"}, headers={"Sforce-Limit-Info": "api-usage=4500/5000"})

    with serve(answer) as server:
        connection = make_connection(config={"site": server.url, "region": "eu"})
        found = look(connection)
    assert (found.quota_left, found.quota_limit) == (500, 5000)
    page = browse(ada).get(f"/connections/{connection.slug}/").content.decode()
    assert "500 requests left of 5,000; 90 % used" in page
    assert "90 % of the quota used" in browse(ada).get("/connections/").content.decode()


def test_the_last_look_is_what_page_and_list_show_until_somebody_tests(
    make_connection: MakeConnection, browse: Any, ada: User, remote: FakeServer
) -> None:
    connection = make_connection(config={"site": "http://127.0.0.1:9", "region": "eu"})
    look(connection)
    for path in ("/connections/", f"/connections/{connection.slug}/"):
        assert "Unreachable" in browse(ada).get(path).content.decode()
    connection.config = {"site": remote.url, "region": "eu"}
    connection.save()
    services.check_connection(connection)
    assert queries.health(Connection.objects.get(pk=connection.pk)).state == "connected"


# --- once a day ----------------------------------------------------------------------------------------------------


def chosen(connection: Connection) -> None:
    info = next(info for info in services.discover(connection) if info.name == "projects")
    services.save_stream(connection=connection, info=info, slug="acme-projects")


def test_a_shape_that_changed_is_found_without_anybody_looking(connection: Connection, catalogue: Path) -> None:
    chosen(connection)
    assert connection in health.due_shapes()
    tasks.look_at_shapes(connection.pk)
    assert not Drift.objects.exists()
    assert connection not in health.due_shapes()
    text = (catalogue / "acme.yaml").read_text()
    (catalogue / "acme.yaml").write_text(
        text.replace("      name: string\n      budget: decimal\n", "      budget: string\n")
    )
    yesterday = timezone.now() - dt.timedelta(days=1, seconds=1)
    Health.objects.update(shapes_at=yesterday)
    tasks.look_at_shapes(connection.pk)
    drift = Drift.objects.get()
    assert {change["path"] for change in drift.verdict["changes"]} >= {"name", "budget"}
    assert {field["path"] for field in connection.streams.get().fields} >= {"name"}, "the record stays until accepted"


def test_an_object_that_is_no_longer_offered_is_named(
    connection: Connection, catalogue: Path, browse: Any, ada: User
) -> None:
    chosen(connection)
    text = (catalogue / "acme.yaml").read_text()
    (catalogue / "acme.yaml").write_text(
        text.replace("  projects:\n", "  jobs:\n").replace("stream: projects", "stream: jobs")
    )
    tasks.look_at_shapes(connection.pk)
    assert Health.objects.get().missing == ["projects"]
    assert "no longer offered: projects" in browse(ada).get(f"/connections/{connection.slug}/").content.decode()


def test_a_system_that_does_not_answer_is_asked_for_its_shapes_an_hour_later(make_connection: MakeConnection) -> None:
    place = {"dialect": "postgresql", "host": "127.0.0.1", "port": 9, "database": "x", "user": "x"}
    connection = make_connection(catalogue="", protocol="sql", config=place, secrets={"password": "x"})
    connection.streams.create(slug="t", name="public.t", key_fields=["id"])
    tasks.look_at_shapes(connection.pk)
    again_in = Health.objects.get().shapes_at + dt.timedelta(days=1) - timezone.now()  # type: ignore[operator]
    assert dt.timedelta(minutes=59) < again_in <= dt.timedelta(hours=1)


@pytest.fixture
def secure_server(tmp_path: Path) -> Iterator[tuple[str, dt.datetime]]:
    """An https server on loopback whose certificate ends in nine days."""
    ends = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=9)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(ends - dt.timedelta(days=30)).not_valid_after(ends)
    certificate = builder.sign(key, hashes.SHA256())
    pem = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}", ends
    server.shutdown()
    server.server_close()


def test_the_end_of_a_servers_certificate_is_known(secure_server: tuple[str, dt.datetime]) -> None:
    address, ends = secure_server
    assert certificates.ends_at(address, [LOOPBACK]) == ends


def test_a_certificate_behind_a_closed_address_or_no_tls_is_not_asked_for(
    secure_server: tuple[str, dt.datetime],
) -> None:
    assert certificates.ends_at(secure_server[0]) is None, "loopback is closed unless the connection allows it"
    assert certificates.ends_at("https://127.0.0.1:9", [LOOPBACK]) is None
    assert certificates.ends_at("http://127.0.0.1:9", [LOOPBACK]) is None
