from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from connectors import custody
from connectors.examples import EXAMPLES
from connectors.models import Connection, System
from hub.accounts.models import User
from tests.connectors_web.conftest import DECLARATION, KIND, LOOPBACK, TOKEN
from tests.fakes.http import Answer, FakeServer, serve

NEW = f"/connections/new/?kind={KIND}"
INLINE = "/connections/new/?kind=protocol:rest"
HTMX = {"HX-Request": "true", "HX-Target": "test"}


def page_of(answer: Any) -> str:
    return unescape(answer.content.decode())


def sealed_in(page: str) -> str:
    found = re.search(r'name="sealed"[^>]*value="([^"]*)"', page)
    assert found
    return found[1]


@pytest.fixture
def admin(browse: Any, ada: User) -> Client:
    return browse(ada)


# --- choosing -------------------------------------------------------------------------------------------------------


def test_the_gallery_offers_declared_systems_and_bare_protocols(admin: Client) -> None:
    page = page_of(admin.get("/connections/new/"))
    for words in ("Acme Time", "Any REST API", "JSON-RPC", "SQL database", "Files or SFTP", "Everything else"):
        assert words in page


def test_the_gallery_is_searched_by_name_category_and_description(admin: Client) -> None:
    assert "Acme Time" in page_of(admin.get("/connections/new/?q=hours and"))
    page = page_of(admin.get("/connections/new/?q=nothing of this name"))
    assert "Acme Time" not in page
    assert "No system matches" in page


def test_a_broken_file_of_the_catalogue_is_named_with_its_line(admin: Client, catalogue: Any) -> None:
    (catalogue / "broken.yaml").write_text("name: broken\nlabel: 3\n")
    page = page_of(admin.get("/connections/new/"))
    assert "broken.yaml" in page
    assert "Line 2" in page


def test_choosing_a_kind_draws_its_own_fields(admin: Client) -> None:
    page = page_of(admin.get(NEW))
    for words in ("Site address", "Without a path.", "https://acme.example.com", "API token", 'value="Europe/London"'):
        assert words in page
    assert 'type="password" name="c_token"' in page
    assert 'value="acme-time"' in page, "a short name is suggested"


@pytest.mark.parametrize("protocol", ["sql", "files"])
def test_a_time_zone_is_asked_for_once(admin: Client, protocol: str) -> None:
    page = page_of(admin.get(f"/connections/new/?kind=protocol:{protocol}"))
    assert page.count(">Time zone") == 1


def test_htmx_gets_the_form_alone(admin: Client) -> None:
    page = page_of(admin.get(NEW, headers={"HX-Request": "true", "HX-Target": "wizard"}))
    assert "<html" not in page
    assert "Site address" in page


def test_an_unknown_kind_leads_back_to_the_gallery(admin: Client) -> None:
    assert "Any REST API" in page_of(admin.get("/connections/new/?kind=catalogue:nobody"))


def test_a_short_name_follows_the_name_until_somebody_types_their_own(admin: Client) -> None:
    url = "/connections/new/slug/"
    assert 'name="slug" value="acme-uk"' in page_of(admin.get(url, {"name": "Acme UK", "slug": "", "suggested": ""}))
    again = {"name": "Acme DE", "slug": "acme-uk", "suggested": "acme-uk"}
    assert 'name="slug" value="acme-de"' in page_of(admin.get(url, again))
    assert 'name="slug" value="mine"' in page_of(admin.get(url, {**again, "slug": "mine"}))


# --- testing before saving ------------------------------------------------------------------------------------------


def test_a_test_says_who_one_is_and_saves_nothing(admin: Client, values: dict[str, str]) -> None:
    answer = admin.post(NEW, {**values, "action": "test", "name": ""}, headers=HTMX)
    page = page_of(answer)
    for words in ("Name resolves", "Connection", "Signed in as hub@acme.example.", "a record was read", "Works"):
        assert words in page
    assert not Connection.objects.exists()
    assert not System.objects.exists()


def test_a_wrong_password_is_shown_in_the_systems_own_words(admin: Client, values: dict[str, str]) -> None:
    page = page_of(admin.post(NEW, {**values, "action": "test", "c_token": "wrong-token"}, headers=HTMX))
    assert "Token expired on Tuesday" in page
    assert "Stopped at: sign-in" in page
    assert "Not tried." in page
    assert "Save anyway" in page


def test_an_unreachable_host_is_a_sentence(admin: Client, values: dict[str, str]) -> None:
    with serve(lambda request: None) as gone:
        url = gone.url
    page = page_of(admin.post(NEW, {**values, "action": "test", "c_site": url}, headers=HTMX))
    assert "Stopped at: connection" in page
    assert "127.0.0.1" in page


def test_a_name_that_does_not_resolve_is_a_sentence(admin: Client, values: dict[str, str]) -> None:
    form = {**values, "action": "test", "c_site": "http://nowhere.invalid"}
    page = page_of(admin.post(NEW, form, headers=HTMX))
    assert "nowhere.invalid cannot be resolved" in page
    assert "Check the spelling" in page


def test_a_private_address_is_refused_with_what_to_do(admin: Client, values: dict[str, str]) -> None:
    page = page_of(admin.post(NEW, {**values, "action": "test", "allowed_networks": ""}, headers=HTMX))
    assert "belongs to this machine and is closed to this connection" in page
    assert "add 127.0.0.1/32 to the connection's allowed networks" in page


def test_a_web_page_in_place_of_data_is_named(admin: Client, values: dict[str, str]) -> None:
    body = "<!doctype html><title>Planned maintenance</title><p>Back soon"
    with serve(lambda request: Answer(body, headers={"Content-Type": "text/html"})) as portal:
        page = page_of(admin.post(NEW, {**values, "action": "test", "c_site": portal.url}, headers=HTMX))
    assert "web page instead of data" in page
    assert "Planned maintenance" in page


def test_what_is_missing_for_a_test_is_listed_by_field(admin: Client, values: dict[str, str]) -> None:
    form = {**values, "action": "test", "c_site": "acme", "c_token": "", "time_zone": "London"}
    answer = admin.post(NEW, form, headers=HTMX)
    page = page_of(answer)
    assert answer.status_code == 422
    for words in ("Write the whole address", "API token", "is not a time zone"):
        assert words in page


@pytest.mark.parametrize("networks", ["10.0.0.0/99", "intranet"])
def test_networks_that_cannot_be_read_are_named(admin: Client, values: dict[str, str], networks: str) -> None:
    answer = admin.post(NEW, {**values, "allowed_networks": networks})
    assert answer.status_code == 422
    assert f"{networks!r} is not a network." in page_of(answer)


# --- saving ---------------------------------------------------------------------------------------------------------


def test_saving_tests_first_and_leads_to_the_objects(admin: Client, ada: User, values: dict[str, str]) -> None:
    answer = admin.post(NEW, values)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/connections/acme-prod/objects/?discover=1")
    found = Connection.objects.get()
    assert (found.status, found.protocol, found.catalogue) == ("ok", "rest", "acme")
    assert found.config == {"site": values["c_site"], "region": "eu"}
    assert found.secrets == {"token": TOKEN}
    assert (found.system.name, found.system.category) == ("Acme Time", "psa")
    assert found.allowed_networks == [LOOPBACK]


def test_a_connection_that_fails_is_saved_only_when_that_is_wanted(admin: Client, values: dict[str, str]) -> None:
    answer = admin.post(NEW, {**values, "c_token": "wrong-token"})
    assert answer.status_code == 422
    assert not Connection.objects.exists()
    assert not System.objects.exists()
    again = {**values, "c_token": "", "sealed": sealed_in(answer.content.decode()), "action": "anyway"}
    assert admin.post(NEW, again).status_code == 302
    found = Connection.objects.get()
    assert (found.status, found.secrets) == ("failing", {"token": "wrong-token"})


def test_a_typed_secret_outlives_an_answer_without_being_in_it(admin: Client, values: dict[str, str]) -> None:
    first = admin.post(NEW, {**values, "name": ""}).content.decode()
    assert TOKEN not in first
    answer = admin.post(NEW, {**values, "c_token": "", "sealed": sealed_in(first)})
    assert answer.status_code == 302
    assert Connection.objects.get().secrets == {"token": TOKEN}


def test_a_sealed_secret_is_worth_nothing_to_anybody_else(
    admin: Client, browse: Any, make_person: Any, values: dict[str, str]
) -> None:
    sealed = sealed_in(admin.post(NEW, {**values, "name": ""}).content.decode())
    other = browse(make_person("Eve", "integration_admin"))
    answer = other.post(NEW, {**values, "c_token": "", "sealed": sealed})
    assert answer.status_code == 422
    assert not Connection.objects.exists()


@pytest.mark.parametrize("sealed", ["", "rubbish", "gAAAAA", "ключ"])
def test_a_seal_that_is_not_ours_is_empty(sealed: str) -> None:
    assert custody.unseal(sealed, holder="1:x:") == {}


def test_every_mistake_stands_at_its_field(admin: Client, values: dict[str, str], connection: Connection) -> None:
    form = {**values, "slug": "acme", "new_system": "Acme Time", "c_region": "mars", "c_page_hint": "many"}
    answer = admin.post(NEW, form)
    page = page_of(answer)
    assert answer.status_code == 422
    for words in ("'acme' is taken", "There is a system of this name already", "mars", "Enter a whole number"):
        assert words in page


@pytest.mark.parametrize("slug", ["new", "systems", "streams", "declarations"])
def test_a_connection_cannot_take_a_word_of_the_addresses(admin: Client, values: dict[str, str], slug: str) -> None:
    answer = admin.post(NEW, {**values, "slug": slug})
    assert answer.status_code == 422
    assert "a word of the hub's own addresses" in page_of(answer)


def test_who_edits_one_domain_only_chooses_that_domain(
    browse: Any, make_person: Any, domains: Any, values: dict[str, str]
) -> None:
    first, second = list(domains)[:2]
    dan = browse(make_person("Dan", ("integration_admin", first)))
    assert dan.post(NEW, values).status_code == 422, "the whole firm is not theirs"
    assert dan.post(NEW, {**values, "domain": second}).status_code == 422
    assert dan.post(NEW, {**values, "domain": first}).status_code == 302


# --- describing a system on the spot --------------------------------------------------------------------------------


def test_a_description_is_checked_with_line_numbers(admin: Client) -> None:
    broken = DECLARATION.replace("type: bearer", "type: barer")
    answer = admin.post(INLINE, {"c_declaration": broken, "action": "read"})
    page = page_of(answer)
    assert "Line 14" in page
    assert "bearer" in page


def test_a_sound_description_draws_its_fields(admin: Client) -> None:
    page = page_of(admin.post(INLINE, {"c_declaration": DECLARATION, "action": "read"}))
    assert "Site address" in page
    assert 'name="c_token"' in page
    assert "This field is required" not in page


def test_a_connection_may_bring_its_own_description(admin: Client, values: dict[str, str]) -> None:
    answer = admin.post(INLINE, {**values, "c_declaration": DECLARATION})
    assert answer.status_code == 302
    found = Connection.objects.get()
    assert (found.catalogue, found.protocol) == ("", "rest")
    assert found.config["declaration"].replace("\r\n", "\n").strip() == DECLARATION.strip()
    assert "token" not in found.config


def test_a_broken_description_is_not_saved(admin: Client, values: dict[str, str]) -> None:
    answer = admin.post(INLINE, {**values, "c_declaration": "name: x\n  bad: indent"})
    assert answer.status_code == 422
    assert "Line 2" in page_of(answer)
    assert not Connection.objects.exists()


@pytest.mark.parametrize("protocol", sorted(EXAMPLES))
def test_the_example_beside_the_form_is_sound(admin: Client, protocol: str) -> None:
    page = page_of(admin.get(f"/connections/new/?kind=protocol:{protocol}"))
    assert EXAMPLES[protocol] in page
    answer = admin.post(
        f"/connections/new/?kind=protocol:{protocol}", {"c_declaration": EXAMPLES[protocol], "action": "read"}
    )
    assert "cannot be used yet" not in page_of(answer)


def test_every_option_of_a_declaration_is_explained(admin: Client) -> None:
    page = page_of(admin.get("/connections/declarations/"))
    for words in ("base_url", "page_param", "trusted_hosts", "token_url"):
        assert words in page


# --- changing -------------------------------------------------------------------------------------------------------


@pytest.fixture
def settings_form(connection: Connection, values: dict[str, str], ada: User) -> dict[str, str]:
    return {
        **values,
        "c_token": "",
        "name": "Acme",
        "system": "acme-time",
        "version": Connection.objects.get().updated_at.isoformat(),
    }


EDIT = "/connections/acme/settings/"


def test_a_stored_secret_is_kept_and_never_shown(admin: Client, settings_form: dict[str, str]) -> None:
    page = page_of(admin.get(EDIT))
    assert "Set; leave empty to keep it." in page
    assert TOKEN not in page
    assert admin.post(EDIT, {**settings_form, "name": "Renamed"}).status_code == 302
    found = Connection.objects.get()
    assert (found.name, found.secrets, found.slug) == ("Renamed", {"token": TOKEN}, "acme")


def test_a_new_secret_replaces_the_old_one_after_a_test(admin: Client, settings_form: dict[str, str]) -> None:
    assert admin.post(EDIT, {**settings_form, "c_token": "wrong-token"}).status_code == 422
    assert Connection.objects.get().secrets == {"token": TOKEN}
    assert admin.post(EDIT, {**settings_form, "c_token": "wrong-token", "action": "anyway"}).status_code == 302
    assert Connection.objects.get().secrets == {"token": "wrong-token"}


def test_an_optional_secret_can_be_removed(admin: Client, settings_form: dict[str, str]) -> None:
    Connection.objects.update(secrets={"token": TOKEN, "proxy_key": "old-proxy-key"})
    assert "Remove the stored value" in page_of(admin.get(EDIT))
    assert admin.post(EDIT, {**settings_form, "clear_proxy_key": "on"}).status_code == 302
    assert Connection.objects.get().secrets == {"token": TOKEN}
    assert "Secret removed: proxy_key." in page_of(admin.get("/connections/acme/history/"))


def test_changing_the_name_alone_needs_no_test(
    admin: Client, settings_form: dict[str, str], remote: FakeServer
) -> None:
    admin.post(EDIT, {**settings_form, "name": "Renamed"})
    assert not remote.requests


@pytest.mark.parametrize("action", ["test", "save", "anyway"])
def test_a_stored_secret_is_not_sent_to_another_address(
    admin: Client, settings_form: dict[str, str], action: str
) -> None:
    with serve(lambda request: {"email": "x"}) as thief:
        answer = admin.post(EDIT, {**settings_form, "c_site": thief.url, "action": action})
        assert answer.status_code == 422
        assert "Enter API token again" in page_of(answer)
        assert not thief.requests
    assert Connection.objects.get().config["site"] != thief.url


def test_a_description_that_moves_the_secret_asks_for_it_again(
    admin: Client, make_connection: Any, values: dict[str, str]
) -> None:
    own = {"declaration": DECLARATION, "site": values["c_site"]}
    made = make_connection("own", catalogue="", config=own)
    form = {**values, "c_token": "", "name": "Own", "system": "acme-time", "version": made.updated_at.isoformat()}
    harmless = DECLARATION.replace("label: Projects", "label: Engagements")
    moved = DECLARATION.replace("${config.site}/api", "${config.site}/other")
    assert admin.post("/connections/own/settings/", {**form, "c_declaration": moved}).status_code == 422
    assert admin.post("/connections/own/settings/", {**form, "c_declaration": harmless}).status_code == 302


def test_two_people_do_not_overwrite_each_other(admin: Client, settings_form: dict[str, str]) -> None:
    assert admin.post(EDIT, {**settings_form, "name": "First"}).status_code == 302
    answer = admin.post(EDIT, {**settings_form, "name": "Second"})
    assert answer.status_code == 422
    assert "Somebody changed this connection" in page_of(answer)
    assert Connection.objects.get().name == "First"


def test_a_kind_that_left_the_catalogue_can_still_be_named(
    admin: Client, settings_form: dict[str, str], catalogue: Any
) -> None:
    (catalogue / "acme.yaml").unlink()
    assert admin.get(EDIT).status_code == 200
    assert "The catalogue has no connector" in page_of(admin.post("/connections/acme/test/", headers=HTMX))
    assert admin.post(EDIT, {**settings_form, "name": "Old one"}).status_code == 302
    found = Connection.objects.get()
    assert (found.name, found.secrets) == ("Old one", {"token": TOKEN})
    assert found.config["site"]


@pytest.mark.parametrize(
    ("change", "moved"),
    [({"host": "db.other.example"}, True), ({"user": "somebody"}, True), ({"port": 6543}, True), ({}, False)],
)
def test_a_database_password_stays_with_its_host_and_user(
    make_connection: Any, change: dict[str, Any], moved: bool
) -> None:
    config = {"dialect": "postgresql", "host": "db.example", "port": 5432, "database": "erp", "user": "hub"}
    made = make_connection(catalogue="", protocol="sql", config=config, secrets={"password": "s3cret-word"})
    assert custody.is_moved(made, {**config, **change}) is moved
