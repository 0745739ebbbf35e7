"""One sign-in for all workers: they share the token, renew it once, and keep what the system replaces."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
from django.db import connection as database
from django.db import connections, transaction

from connectors import registry, services, tokens
from connectors.models import AccessToken, Connection, System
from connectors.simulators import crm
from hub.common.errors import AuthError
from hub.common.records import Page, StreamSpec
from tests.connectors.tools import BASE
from tests.fakes.http import Answer, FakeServer, Request, serve
from tests.simulators import conftest as simulated

landscape, systems = simulated.landscape, simulated.systems

pytestmark = pytest.mark.django_db(transaction=True)
WORKERS = 8
ITEMS = StreamSpec("items", key=("id",))


class RotatingIssuer:
    """Accepts the newest access token, and each refresh token once; a used one ends the whole sign-in."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.issued, self.refresh, self.seconds, self.is_over = 0, "refresh-0", 3600, False
        self.asked: list[str] = []

    def __call__(self, request: Request) -> Any:
        with self.lock:
            return self.token(request) if request.path == "/token" else self.items(request)

    def token(self, request: Request) -> Any:
        given = dict(parse_qsl(request.body.decode()))
        self.asked.append(given["refresh_token"])
        if given["refresh_token"] != self.refresh or self.is_over:
            self.is_over = True
            return Answer({"error": "invalid_grant", "error_description": "The sign-in has ended."}, 400)
        self.issued += 1
        self.refresh = f"refresh-{self.issued}"
        return {"access_token": f"access-{self.issued}", "refresh_token": self.refresh, "expires_in": self.seconds}

    def items(self, request: Request) -> Any:
        good = request.headers.get("authorization") == f"Bearer access-{self.issued}"
        return [{"id": "1"}] if good and not self.is_over else Answer({"error": "expired"}, 401)


@pytest.fixture
def issuer() -> RotatingIssuer:
    return RotatingIssuer()


@pytest.fixture
def server(issuer: RotatingIssuer) -> Iterator[FakeServer]:
    with serve(issuer) as found:
        yield found


@pytest.fixture
def account(server: FakeServer) -> Connection:
    """A stored connection that a person has signed in for."""
    declaration = {
        **BASE,
        "config": {"refresh": {"title": "Refresh token", "type": "secret", "required": False}},
        "base_url": server.url,
        "auth": {
            "type": "oauth2",
            "grant": "refresh_token",
            "token_url": "/token",
            "client_id": "hub",
            "refresh_token": "${secret.refresh}",
        },
        "streams": {"items": {"path": "/items", "key": "id"}},
    }
    system = System.objects.create(slug="fake", name="Fake")
    return Connection.objects.create(
        slug="fake",
        name="Fake",
        system=system,
        protocol="rest",
        config={"declaration": orjson.dumps(declaration).decode()},
        secrets={"refresh": "refresh-0"},
        allowed_networks=["127.0.0.0/8"],
    )


def read(account: Connection) -> list[Any]:
    with services.open_connection(account) as connector:
        return [record for page in connector.read(ITEMS, cursor=None) for record in page.records]


def at_once(work: Any) -> list[Any]:
    """What `work(number)` gives or raises in as many threads as there are workers, each with its own database."""
    found: list[Any] = [None] * WORKERS
    start = threading.Barrier(WORKERS, timeout=30)

    def run(number: int) -> None:
        try:
            start.wait()
            found[number] = work(number)
        except Exception as error:
            found[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(WORKERS)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return found


def crm_without_limits() -> dict[str, Any]:
    """The shipped declaration, where no worker waits for another one's share of the requests."""
    return {name: part for name, part in registry.catalogue()["sim_crm"].body.items() if name != "limits"}


def test_eight_workers_whose_token_expires_in_the_middle_renew_it_once(systems: Any) -> None:
    system = System.objects.create(slug="crm", name="CRM")
    Connection.objects.create(
        slug="crm",
        name="CRM",
        system=system,
        protocol="rest",
        config={"url": systems.crm.url, "declaration": orjson.dumps(crm_without_limits()).decode()},
        secrets={"client_secret": crm.CLIENT_SECRET},
        allowed_networks=["127.0.0.0/8"],
    )
    systems.crm.call("POST", "settings", {"page_limit": 1})

    def expire() -> None:
        systems.crm.call("POST", "faults", {"kind": "expire_token"})

    between = threading.Barrier(WORKERS, action=expire, timeout=30)

    def work(number: int) -> int:
        with services.open_connection(Connection.objects.get(slug="crm")) as connector:
            pages: Iterator[Page] = connector.read(StreamSpec("Account"), cursor=None)
            count = len(next(pages).records)
            between.wait()
            return count + sum(len(page.records) for page in pages)

    found = at_once(work)
    assert len(set(map(str, found))) == 1, found
    assert found[0] == systems.crm.call("GET", "state")["Account"]
    assert len(systems.crm.call("GET", "journal?method=POST&path=oauth2/token")) == 2


def test_workers_that_start_together_sign_in_once(account: Connection, issuer: RotatingIssuer) -> None:
    assert at_once(lambda number: read(Connection.objects.get())) == [[{"id": "1"}]] * WORKERS
    assert issuer.asked == ["refresh-0"]


def test_a_refresh_token_that_was_replaced_is_never_used_again(account: Connection, issuer: RotatingIssuer) -> None:
    opened = [Connection.objects.get() for _ in range(WORKERS)]
    for _ in range(3):
        AccessToken.objects.update(expires_at="2026-01-01T00:00:00Z")
        # each still holds the secrets of the beginning
        assert at_once(lambda number: read(opened[number])) == [[{"id": "1"}]] * WORKERS
    assert issuer.asked == ["refresh-0", "refresh-1", "refresh-2"]
    assert Connection.objects.get().secrets == {"refresh": "refresh-3"}


def test_a_replaced_refresh_token_stays_although_the_work_is_undone(
    account: Connection, issuer: RotatingIssuer
) -> None:
    with transaction.atomic():
        read(account)
        transaction.set_rollback(True)
    assert Connection.objects.get().secrets == {"refresh": "refresh-1"}
    assert read(Connection.objects.get()) == [{"id": "1"}]
    assert issuer.asked == ["refresh-0"]


def test_what_is_kept_is_sealed(account: Connection) -> None:
    read(account)
    with database.cursor() as cursor:
        cursor.execute("select sealed, (select secrets from connectors_connection) from connectors_accesstoken")
        stored = b"".join(map(bytes, cursor.fetchone()))
    assert b"access-1" not in stored
    assert b"refresh-1" not in stored
    assert AccessToken.objects.get().sealed["token"] == "access-1"


def test_a_refusal_reaches_every_worker_in_the_systems_words(account: Connection, issuer: RotatingIssuer) -> None:
    issuer.is_over = True
    found = at_once(lambda number: read(Connection.objects.get()))
    assert {type(error) for error in found} == {AuthError}
    assert all("The sign-in has ended." in str(error) for error in found)


def test_a_secret_that_a_person_enters_ends_the_use_of_the_old_token(
    account: Connection, issuer: RotatingIssuer
) -> None:
    read(account)
    issuer.refresh = "typed"
    services.save_connection(account, secrets={"refresh": "typed"})
    assert read(Connection.objects.get()) == [{"id": "1"}]
    assert issuer.asked == ["refresh-0", "typed"]


def test_a_token_of_other_settings_is_not_used(account: Connection, issuer: RotatingIssuer) -> None:
    read(account)
    Connection.objects.update(
        config={"declaration": account.config["declaration"].replace('"client_id":"hub"', '"client_id":"other"')}
    )
    read(Connection.objects.get())
    assert issuer.asked == ["refresh-0", "refresh-1"]


def test_a_connection_that_is_not_committed_signs_in_for_itself(account: Connection, issuer: RotatingIssuer) -> None:
    copy = Connection.objects.get()
    copy.pk, copy.slug = None, "copy"
    with transaction.atomic():
        copy.save()
        assert read(copy) == [{"id": "1"}]
        transaction.set_rollback(True)
    assert not AccessToken.objects.exists()


def test_a_forgotten_token_keeps_its_number(account: Connection) -> None:
    read(account)
    tokens.forget(account.pk)
    assert TokenNumber.of(account) == 1
    read(Connection.objects.get())
    assert TokenNumber.of(account) == 2


class TokenNumber:
    @staticmethod
    def of(account: Connection) -> int:
        return AccessToken.objects.get(pk=account.pk).generation
