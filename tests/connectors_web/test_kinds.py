from __future__ import annotations

from typing import Any

import pytest

from connectors.models import Connection, Stream, System
from hub.common.registry import kind
from tests.connectors_web.conftest import DECLARATION, LOOPBACK, TOKEN

DOCUMENT = {
    "kind": "Connection",
    "slug": "acme",
    "name": "Acme",
    "system": "acme-time",
    "catalogue": "acme",
    "config": {"site": "https://acme.example.com"},
    "secrets": {"token": "${secret:acme.token}"},
}


def sentences(change: dict[str, Any]) -> str:
    return " ".join(f"{p.path}: {p.sentence}" for p in kind("Connection").validate({**DOCUMENT, **change}))


def test_an_exported_connection_names_its_secrets_and_leads_back_to_itself(connection: Connection) -> None:
    document = kind("Connection").dump("acme")
    assert document
    assert document["secrets"] == {"token": "${secret:acme.token}"}
    assert document["allowed_networks"] == [LOOPBACK]
    assert kind("Connection").validate(document) == []
    assert kind("Connection").diff(document) == []


def test_applying_keeps_secrets_whose_value_is_not_known_here(connection: Connection) -> None:
    document = kind("Connection").dump("acme")
    assert document
    kind("Connection").apply({**document, "name": "Renamed"}, by=None)
    connection.refresh_from_db()
    assert (connection.name, connection.secrets) == ("Renamed", {"token": TOKEN})


def test_a_secret_comes_from_the_environment(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_SECRET_ACME_TOKEN", "from-outside")
    document = kind("Connection").dump("acme")
    assert document
    assert kind("Connection").diff(document)
    kind("Connection").apply(document, by=None)
    assert Connection.objects.get().secrets == {"token": "from-outside"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"slug": "new"}, "a word of the hub's own addresses"),
        ({"catalogue": "nobody"}, "The catalogue has no connector 'nobody'."),
        ({"catalogue": ""}, "Say which connector"),
        ({"config": {}}, "config.site: Site address is needed."),
        ({"config": {"site": "https://a.example", "token": "x"}}, "config.token: API token is a secret"),
        ({"config": {"site": "https://a.example", "region": "mars"}}, "Use one of: eu, us."),
        ({"config": {"site": "https://a.example", "page_hint": "many"}}, "must be of the type integer"),
        ({"secrets": {"token": 5}}, "must be text"),
    ],
)
def test_a_mistake_in_a_file_is_a_sentence(db: Any, change: dict[str, Any], sentence: str) -> None:
    assert sentence in sentences(change)


def test_a_description_in_a_file_may_be_text_or_data(db: Any) -> None:
    config = {"site": "https://a.example"}
    assert sentences({"catalogue": "", "config": {**config, "declaration": DECLARATION}}) == ""
    broken = DECLARATION.replace("type: bearer", "type: barer")
    assert "Line 14" in sentences({"catalogue": "", "config": {**config, "declaration": broken}})
    assert "is missing" in sentences({"catalogue": "", "config": {**config, "declaration": {"name": "x"}}})


def test_systems_and_streams_know_what_uses_them(connection: Connection, stream: Stream) -> None:
    assert kind("System").impact("acme-time") == [("Connection", "acme")]
    assert kind("Connection").impact("acme") == [("Stream", "acme-projects")]
    assert System.objects.count() == 1


@pytest.mark.parametrize("name", ["System", "Stream"])
def test_no_object_hides_behind_an_address_of_the_pages(db: Any, name: str) -> None:
    document = {"kind": name, "slug": "new", "name": "x", "connection": "acme"}
    if name == "System":
        del document["connection"]
    assert "a word of the hub's own addresses" in " ".join(p.sentence for p in kind(name).validate(document))
