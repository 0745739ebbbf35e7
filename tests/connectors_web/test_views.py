from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.urls import reverse

from connectors import services
from connectors.models import Connection, Stream, System
from hub.accounts.models import Domain, User

LIST = "/connections/"


def text_of(answer: Any) -> str:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body.decode()


def test_the_list_shows_health_kind_and_account(browse: Any, ada: User, connection: Connection) -> None:
    services.check_connection(connection)
    page = text_of(browse(ada).get(LIST))
    for words in ("Acme", "Connected", "Acme Time", "hub@acme.example", "PSA"):
        assert words in page


def test_a_hub_without_connections_shows_the_gallery_to_those_who_may_use_it(
    browse: Any, ada: User, grace: User
) -> None:
    assert "Acme Time" in text_of(browse(ada).get(LIST))
    page = text_of(browse(grace).get(LIST))
    assert "No connections yet" in page
    assert "/connections/new/" not in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=untested", {"One", "Two"}),
        ("status=failing", set()),
        ("status=paused", {"Three"}),
        ("category=psa", {"One", "Two", "Three"}),
        ("category=erp", set()),
        ("kind=catalogue:acme", {"One", "Two", "Three"}),
        ("kind=protocol:rest", set()),
        ("q=two", {"Two"}),
        ("q=status:paused", {"Three"}),
    ],
)
def test_the_filters_of_the_list(browse: Any, ada: User, make_connection: Any, query: str, found: set[str]) -> None:
    for slug, paused in (("one", False), ("two", False), ("three", True)):
        make_connection(slug, is_paused=paused)
    rows = json.loads(text_of(browse(ada).get(f"/connections.json?{query}")))
    assert {row["name"] for row in rows} == found
    page = text_of(browse(ada).get(f"{LIST}?{query}"))
    shown = {name for name in ("One", "Two", "Three") if f'class="t1" href="/connections/{name.lower()}/"' in page}
    assert shown == found
    assert found or "No connection matches" in page


def test_the_list_as_a_file_has_the_same_rows(browse: Any, ada: User, connection: Connection) -> None:
    services.check_connection(connection)
    rows = list(csv.DictReader(io.StringIO(text_of(browse(ada).get("/connections.csv")).lstrip("\ufeff"))))
    assert [(row["Short name"], row["State"], row["Signed in as"]) for row in rows] == [
        ("acme", "Connected", "hub@acme.example")
    ]


def test_a_viewer_sees_everything_and_changes_nothing(
    browse: Any, make_person: Any, connection: Connection, stream: Stream
) -> None:
    viewer = browse(make_person("Vera", "viewer"))
    for path in ("", "objects/", "settings/", "history/"):
        page = viewer.get(f"/connections/acme/{path}")
        assert page.status_code == 200
        assert "Save changes" not in text_of(page)
    for path in ("test/", "pause/", "delete/", "settings/"):
        assert viewer.post(f"/connections/acme/{path}").status_code == 403
    assert viewer.get("/connections/new/").status_code == 403
    assert viewer.get("/connections/streams/acme-projects/").status_code == 200
    assert viewer.get("/connections/streams/acme-projects/samples/").status_code == 403


def test_somebody_without_a_role_sees_nothing(browse: Any, mallory: User, connection: Connection) -> None:
    for path in (LIST, "/connections/acme/", "/connections/systems/", "/connections.csv"):
        assert browse(mallory).get(path).status_code == 403


def test_a_role_for_one_domain_ends_at_its_border(
    browse: Any, make_person: Any, make_connection: Any, domains: dict[str, Any]
) -> None:
    slugs = list(domains)
    make_connection("mine", domain=domains[slugs[0]])
    make_connection("theirs", domain=domains[slugs[1]])
    make_connection("firm", domain=None)
    dan = browse(make_person("Dan", ("integration_admin", slugs[0])))
    assert [row["slug"] for row in json.loads(text_of(dan.get("/connections.json")))] == ["mine"]
    assert dan.get("/connections/theirs/").status_code == 404
    assert dan.post("/connections/firm/pause/", {"is_paused": "1"}).status_code == 404


def test_pausing_and_resuming(browse: Any, ada: User, connection: Connection) -> None:
    browse(ada).post("/connections/acme/pause/", {"is_paused": "1"})
    connection.refresh_from_db()
    assert connection.is_paused
    assert "Paused" in text_of(browse(ada).get("/connections/acme/"))
    browse(ada).post("/connections/acme/pause/", {"is_paused": "0"})
    connection.refresh_from_db()
    assert not connection.is_paused


def test_a_test_from_the_page_keeps_its_steps(browse: Any, ada: User, connection: Connection) -> None:
    browse(ada).post("/connections/acme/test/")
    connection.refresh_from_db()
    assert [step["name"] for step in connection.check_steps] == ["resolve", "connect", "authenticate", "read"]
    page = text_of(browse(ada).get("/connections/acme/"))
    assert "Signed in as hub@acme.example." in page


def test_htmx_gets_only_the_steps(browse: Any, ada: User, connection: Connection) -> None:
    page = text_of(browse(ada).post("/connections/acme/test/", headers={"HX-Request": "true", "HX-Target": "test"}))
    assert page.lstrip().startswith("<section")
    assert "Read one record" in page


def test_a_test_adds_nothing_to_the_history(browse: Any, ada: User, connection: Connection) -> None:
    before = connection.history.count()
    browse(ada).post("/connections/acme/test/")
    assert connection.history.count() == before


def test_an_unused_connection_can_be_removed_with_its_objects(
    browse: Any, ada: User, connection: Connection, stream: Stream
) -> None:
    answer = browse(ada).post("/connections/acme/delete/", follow=True)
    assert "are removed" in text_of(answer)
    assert not Connection.objects.exists()
    assert System.objects.filter(slug="acme-time").exists()


def test_a_connection_in_use_is_kept_and_says_by_what(
    browse: Any, ada: User, connection: Connection, stream: Stream
) -> None:
    use(stream)
    page = text_of(browse(ada).get("/connections/acme/"))
    assert "cannot be removed while it is used by mapping" in page
    answer = browse(ada).post("/connections/acme/delete/", follow=True)
    assert "is used by mapping" in text_of(answer)
    assert Connection.objects.exists()


def use(stream: Stream) -> None:
    """A mapping that reads the stream."""
    from governance.models import Entity
    from mappings.models import Mapping

    entity = Entity.objects.create(slug="thing", name="Thing", domain=Domain.objects.all()[0])
    Mapping.objects.create(slug="acme-things", name="Acme things", stream=stream, entity=entity, direction="in")


def test_the_history_names_who_changed_what(browse: Any, ada: User, connection: Connection, values: Any) -> None:
    client = browse(ada)
    version = Connection.objects.get().updated_at.isoformat()
    form = {**values, "c_token": "", "name": "Acme renamed", "system": "acme-time", "version": version}
    assert client.post("/connections/acme/settings/", form).status_code == 302
    page = text_of(client.get("/connections/acme/history/"))
    for words in ("Ada", "Acme renamed", "Changed"):
        assert words in page


def test_connections_and_objects_are_found_by_name(
    browse: Any, ada: User, mallory: User, connection: Connection, stream: Stream
) -> None:
    page = text_of(browse(ada).get("/search/?q=acme"))
    assert reverse("connectors:connection_detail", args=["acme"]) in page
    assert reverse("connectors:stream_detail", args=["acme-projects"]) in page
    assert "/connections/acme/" not in text_of(browse(mallory).get("/search/?q=acme"))


def test_a_failing_connection_waits_for_those_who_can_mend_it(
    browse: Any, ada: User, grace: User, connection: Connection
) -> None:
    connection.secrets = {"token": "wrong"}
    connection.save()
    services.check_connection(connection)
    assert "Acme: needs sign-in" in text_of(browse(ada).get("/"))
    assert "Acme: needs sign-in" not in text_of(browse(grace).get("/"))


def test_the_first_step_of_a_new_hub_is_a_connection(browse: Any, ada: User) -> None:
    assert "Connect your systems" in text_of(browse(ada).get("/"))
