"""The pages of connections in a real browser: the way through the wizard, and how everything looks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache

from connectors import services
from connectors.models import Connection, Stream, System
from hub.accounts.models import User
from tests.connectors_web import conftest as acme
from tests.connectors_web.conftest import DECLARATION, KIND, LOOPBACK, TOKEN

catalogue, make_connection, remote = acme.catalogue, acme.make_connection, acme.remote


@pytest.fixture
def full(make_connection: Callable[..., Connection], ada: User) -> Connection:
    """A hub with connections in every state."""
    found = make_connection("acme", name="Acme Time", owner=ada)
    services.check_connection(found)
    refused = make_connection("coupa-prod", name="Coupa", secrets={"token": "old-token"})
    services.check_connection(refused)
    gone = make_connection("legacy", name="Legacy timesheet", config={"site": "http://127.0.0.1:9"}, owner=ada)
    services.check_connection(gone)
    make_connection("okta", name="Okta", is_paused=True)
    make_connection("kantata-prod", name="Kantata")
    info = next(iter(services.discover(found)))
    schema = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
    services.save_stream(connection=found, info=info, slug="acme-projects", source_schema=schema)
    return found


PAGES = {
    "connections": "/connections/",
    "connections_filtered": "/connections/?status=failing&q=nothing",
    "connection_ok": "/connections/acme/",
    "connection_failing": "/connections/coupa-prod/",
    "connection_objects": "/connections/acme/objects/?discover=1",
    "connection_settings": "/connections/acme/settings/",
    "connection_history": "/connections/acme/history/",
    "connection_new": "/connections/new/",
    "connection_new_kind": f"/connections/new/?kind={KIND}",
    "connection_new_inline": "/connections/new/?kind=protocol:rest",
    "declarations": "/connections/declarations/",
    "stream_new": "/connections/acme/objects/new/?name=people",
    "stream": "/connections/streams/acme-projects/",
    "stream_samples": "/connections/streams/acme-projects/samples/",
    "stream_edit": "/connections/streams/acme-projects/edit/",
    "stream_schema": "/connections/streams/acme-projects/schema/",
    "systems": "/connections/systems/",
    "system": "/connections/systems/acme-time/",
    "system_edit": "/connections/systems/acme-time/edit/",
}


@pytest.mark.parametrize("name", PAGES)
def test_pages(visit: Any, ada: User, full: Connection, name: str) -> None:
    visit(ada).inspect(PAGES[name], name)


def test_an_empty_hub(visit: Any, ada: User) -> None:
    visit(ada).inspect("/connections/", "connections_first")


def test_a_viewers_settings(visit: Any, make_person: Any, full: Connection) -> None:
    visit(make_person("Vera", "viewer")).inspect("/connections/acme/settings/", "connection_settings_viewer")


def test_from_the_gallery_to_a_chosen_object(visit: Any, ada: User, remote: Any) -> None:
    here = visit(ada)
    page = here.go("/connections/new/")
    page.get_by_label("Find a system").fill("hours and")
    page.locator("#gallery").get_by_text("Any REST API").wait_for(state="detached")
    page.get_by_role("link", name="Acme Time").click()
    page.get_by_label("Site address").fill(remote.url)
    page.get_by_label("API token").fill("wrong-token")
    page.get_by_label("Allowed networks").fill(LOOPBACK)
    page.get_by_role("button", name="Test", exact=True).click()
    page.get_by_text("Token expired on Tuesday", exact=True).wait_for()
    here.assert_accessible()
    page.get_by_label("API token").fill(TOKEN)
    page.get_by_role("button", name="Test", exact=True).click()
    page.get_by_text("Signed in as hub@acme.example.").wait_for()
    here.assert_accessible()
    assert not Connection.objects.exists()
    page.get_by_label("Name", exact=True).fill("Acme UK")
    page.get_by_label("Name", exact=True).press("Tab")
    page.locator("#id_slug[value='acme-uk']").wait_for()
    page.get_by_role("button", name="Save connection").click()
    page.wait_for_url("**/connections/acme-uk/objects/?discover=1")
    page.get_by_role("link", name=re.compile("Choose.*Projects")).click()
    page.get_by_role("link", name="Read five records").click()
    page.get_by_role("cell", name="Project 5").wait_for()
    here.assert_accessible()
    page.get_by_role("button", name="Choose this object").click()
    page.wait_for_url("**/connections/streams/acme-uk-projects/")
    assert Stream.objects.get().connection.slug == "acme-uk"
    assert System.objects.get().name == "Acme Time"


def test_a_description_draws_its_fields_where_one_is(visit: Any, ada: User, remote: Any) -> None:
    here = visit(ada)
    page = here.go("/connections/new/?kind=protocol:rest")
    page.get_by_label("Declaration").fill(DECLARATION.replace("type: bearer", "type: barer"))
    page.get_by_role("button", name="Read the declaration").click()
    page.get_by_text("Line 14").wait_for()
    here.assert_accessible()
    page.get_by_label("Declaration").fill(DECLARATION)
    page.get_by_role("button", name="Read the declaration").click()
    page.get_by_label("Site address").fill(remote.url)
    page.get_by_label("API token").fill(TOKEN)
    page.get_by_label("Allowed networks").fill(LOOPBACK)
    page.get_by_role("button", name="Test", exact=True).click()
    page.get_by_text("Signed in as hub@acme.example.").wait_for()


def test_testing_again_in_place(visit: Any, ada: User, full: Connection) -> None:
    here = visit(ada)
    page = here.go("/connections/coupa-prod/")
    page.get_by_role("button", name="Test again").click()
    page.get_by_text("Token expired on Tuesday", exact=True).wait_for()
    page.get_by_role("button", name="Remove…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Type").fill("coupa-prod")
    dialog.get_by_role("button", name="Remove").click()
    page.wait_for_url("**/connections/")
    assert not Connection.objects.filter(slug="coupa-prod").exists()


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    cache.clear()
