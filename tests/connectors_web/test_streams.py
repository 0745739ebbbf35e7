from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from connectors.models import Connection, Stream
from connectors.samples import tabulate
from hub.accounts.models import User
from tests.connectors_web.conftest import TOKEN
from tests.connectors_web.test_views import use
from tests.fakes.http import FakeServer

OBJECTS = "/connections/acme/objects/"
STREAM = "/connections/streams/acme-projects/"


def page_of(answer: Any) -> str:
    return unescape(answer.content.decode())


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    cache.clear()


@pytest.fixture
def admin(browse: Any, ada: User, connection: Connection) -> Client:
    return browse(ada)


def test_the_objects_are_asked_for_only_when_wanted(admin: Client, remote: FakeServer) -> None:
    assert "No objects chosen yet" in page_of(admin.get(OBJECTS))
    assert not remote.requests
    page = page_of(admin.get(f"{OBJECTS}?discover=1"))
    for words in ("Projects", "People", "Project id", "updated_at", "date-time"):
        assert words in page


def test_a_long_list_of_objects_is_searched(admin: Client) -> None:
    page = page_of(admin.get(f"{OBJECTS}?discover=1&q=peop", headers={"HX-Request": "true"}))
    assert "People" in page
    assert "Projects" not in page


def test_a_system_that_cannot_be_asked_says_why(admin: Client, connection: Connection) -> None:
    connection.secrets = {"token": "wrong-token"}
    connection.save()
    page = page_of(admin.get(f"{OBJECTS}?discover=1"))
    assert "Could not be asked" in page
    assert "Token expired on Tuesday" in page


def test_a_paused_connection_is_not_asked(admin: Client, connection: Connection, remote: FakeServer) -> None:
    Connection.objects.update(is_paused=True)
    assert "is paused" in page_of(admin.get(f"{OBJECTS}?discover=1"))
    assert not remote.requests


def test_choosing_an_object_starts_from_what_the_system_says(admin: Client) -> None:
    page = page_of(admin.get(f"{OBJECTS}new/?name=projects"))
    for words in ('value="id"', 'value="updated_at"', 'value="acme-projects"', 'value="Projects"'):
        assert words in page
    form = {"label": "Projects", "slug": "", "key_fields": "id", "cursor_field": "updated_at", "page_size": ""}
    assert admin.post(f"{OBJECTS}new/?name=projects", form).headers["Location"] == STREAM
    stream = Stream.objects.get()
    assert (stream.slug, stream.key_fields, stream.cursor_field, stream.page_size) == (
        "acme-projects",
        ["id"],
        "updated_at",
        0,
    )
    assert stream.fields[0] == {
        "path": "id", "type": "string", "title": "Project id", "required": True, "example": "P-1",
    }  # fmt: skip
    assert admin.get(f"{OBJECTS}new/?name=projects").status_code == 302, "it is chosen already"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"key_fields": "idd"}, "There is no field 'idd'. Did you mean id?"),
        ({"key_fields": " , "}, "Name at least one field."),
        ({"cursor_field": "updated"}, "There is no field 'updated'. Did you mean updated_at?"),
        ({"page_size": "-1"}, "greater than or equal to 0"),
        ({"slug": "new"}, "a word of the hub's own addresses"),
    ],
)
def test_a_mistake_in_an_object_is_named(admin: Client, wrong: dict[str, str], sentence: str) -> None:
    form = {"label": "Projects", "key_fields": "id", "cursor_field": "", **wrong}
    answer = admin.post(f"{OBJECTS}new/?name=projects", form)
    assert answer.status_code == 422
    assert sentence in page_of(answer)


def test_an_object_that_is_not_on_offer_cannot_be_chosen(admin: Client) -> None:
    assert admin.get(f"{OBJECTS}new/?name=secrets").status_code == 404


def test_five_records_are_shown_as_a_table_and_as_json(admin: Client, stream: Stream) -> None:
    page = page_of(admin.get(f"{STREAM}samples/", headers={"HX-Request": "true"}))
    assert "client.name" in page
    assert "Project 5" in page
    assert "Project 6" not in page
    assert '"Northgate"' in page


def test_samples_never_show_the_accounts_secret(admin: Client) -> None:
    page = page_of(admin.get(f"{OBJECTS}samples/?name=people"))
    assert "Jo" in page
    assert TOKEN not in page


def test_a_sample_that_cannot_be_read_says_why(admin: Client, stream: Stream) -> None:
    Stream.objects.update(name="gone")
    assert "has no stream 'gone'" in page_of(admin.get(f"{STREAM}samples/"))


def test_columns_are_the_values_of_all_records_with_the_key_first() -> None:
    records = [{"a": 1, "b": {"c": True}}, {"id": "x", "b": {}, "list": [1, {"z": None}]}]
    table = tabulate(records, first=["id", "", "missing"])
    assert table.columns == ["id", "a", "b.c", "b", "list"]
    assert table.rows == [[None, "1", "true", None, None], ["x", None, None, "{}", '[1,{"z":null}]']]


def test_changing_an_object(admin: Client, stream: Stream) -> None:
    form = {"label": "Engagements", "key_fields": "id, name", "cursor_field": "", "page_size": "500"}
    assert admin.post(f"{STREAM}edit/", form).status_code == 302
    stream.refresh_from_db()
    assert (stream.label, stream.key_fields, stream.page_size, stream.slug) == (
        "Engagements",
        ["id", "name"],
        500,
        "acme-projects",
    )
    page = page_of(admin.get(STREAM))
    for words in ("Engagements", "Ada", "label"):
        assert words in page


def test_reading_the_fields_again_keeps_what_was_chosen(admin: Client, stream: Stream) -> None:
    Stream.objects.update(label="Mine", key_fields=["name"])
    assert "4 fields found." in page_of(admin.post(f"{STREAM}fields/", follow=True))
    stream.refresh_from_db()
    assert (stream.label, stream.key_fields, len(stream.fields)) == ("Mine", ["name"], 4)


def test_an_object_that_the_system_lost_is_named(admin: Client, stream: Stream) -> None:
    Stream.objects.update(name="gone")
    assert "does not offer 'gone'" in page_of(admin.post(f"{STREAM}fields/", follow=True))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "Line 1"),
        ('{"type": "object",}', "this is not JSON"),
        ("[1]", "A schema is a JSON object"),
        ('{"type": "thing"}', "This is not JSON Schema"),
        ('{"properties": {"a": {"pattern": "("}}}', "This is not JSON Schema"),
        ('{"$schema": "http://json-schema.org/draft-04/schema#"}', "Only schemas of"),
        ('{"properties": {"a": {"$ref": "#/$defs/b"}}}', "leads to nothing"),
    ],
)
def test_a_source_schema_that_is_none_is_refused(admin: Client, stream: Stream, text: str, sentence: str) -> None:
    answer = admin.post(f"{STREAM}schema/", {"source_schema": text})
    assert answer.status_code == 422
    assert sentence in page_of(answer)


def test_a_source_schema_makes_the_hub_fetch_nothing(admin: Client, stream: Stream, remote: FakeServer) -> None:
    answer = admin.post(f"{STREAM}schema/", {"source_schema": f'{{"$ref": "{remote.url}/schema.json"}}'})
    assert answer.status_code == 422
    assert "which is not fetched" in page_of(answer)
    assert not remote.requests


def test_a_source_schema_is_kept_and_can_be_taken_away(admin: Client, stream: Stream) -> None:
    admin.post(f"{STREAM}schema/", {"source_schema": '{"type": "object", "required": ["id"]}'})
    stream.refresh_from_db()
    assert stream.source_schema == {"type": "object", "required": ["id"]}
    admin.post(f"{STREAM}schema/", {"source_schema": " "})
    stream.refresh_from_db()
    assert stream.source_schema == {}


def test_an_unused_object_can_be_removed_and_a_used_one_not(admin: Client, stream: Stream) -> None:
    use(stream)
    assert "is used by mapping" in page_of(admin.post(f"{STREAM}delete/", follow=True))
    stream.mappings.all().delete()
    admin.post(f"{STREAM}delete/")
    assert not Stream.objects.exists()


def test_fields_written_by_hand_do_not_break_the_page(admin: Client, stream: Stream) -> None:
    Stream.objects.update(fields=[{"path": "id", "note": "mine"}])
    assert admin.get(STREAM).status_code == 200
    assert admin.get(f"{STREAM}edit/").status_code == 200
