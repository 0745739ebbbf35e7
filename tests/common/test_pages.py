from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path

from hub.common import home, nav, search
from hub.common.home import Need, Panel, Step
from hub.common.htmx import redirect_to, render_page
from hub.common.nav import Badge, Entry
from hub.common.permissions import public, signed_in
from hub.common.search import Hit


@signed_in
def list_page(request: HttpRequest) -> HttpResponse:
    messages.success(request, "Saved.")
    return render_page(request, "search.html", {"q": "x", "groups": []}, partial="components/palette_hits.html")


@public
def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("the secret is swordfish")


@signed_in
def moved(request: HttpRequest) -> HttpResponse:
    return redirect_to(request, "/elsewhere/")


urlpatterns = [
    path("", include("hub.accounts.urls")),
    path("", include("hub.common.urls")),
    path("list/", list_page, name="list"),
    path("list/deeper/", list_page, name="deeper"),
    path("broken/", broken),
    path("moved/", moved),
]
handler500 = "hub.common.pages.server_error"
here = override_settings(ROOT_URLCONF=__name__)


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """What a test registers is gone after it."""
    kept = [
        (store, store.copy()) for store in (nav._entries, search._providers, home._steps, home._needs, home._panels)
    ]
    home._steps.clear()
    yield
    for store, content in kept:
        store.clear()
        store.update(content) if isinstance(store, dict) else store.extend(content)


def test_htmx_gets_the_fragment_and_a_visit_the_page(browse: Any, ada: Any) -> None:
    client = browse(ada)
    with here:
        page, fragment = client.get("/list/"), client.get("/list/", headers={"HX-Request": "true"})
        boosted = client.get("/list/", headers={"HX-Request": "true", "HX-Boosted": "true"})
    assert b"<html" in page.content
    assert b"<html" in boosted.content
    assert b"<html" not in fragment.content
    assert "HX-Request" in page.headers["Vary"]
    assert "HX-Request" in fragment.headers["Vary"]


def test_messages_travel_with_a_fragment_once(browse: Any, ada: Any) -> None:
    with here:
        fragment = browse(ada).get("/list/", headers={"HX-Request": "true"}).content.decode()
    assert fragment.count("Saved.") == 1
    assert 'hx-swap-oob="beforeend:#toasts"' in fragment


def test_htmx_is_redirected_as_a_whole_page(browse: Any, ada: Any) -> None:
    client = browse(ada)
    with here:
        assert client.get("/moved/").headers["Location"] == "/elsewhere/"
        assert client.get("/moved/", headers={"HX-Request": "true"}).headers["HX-Redirect"] == "/elsewhere/"


def test_the_navigation_shows_what_exists_and_may_be_opened(browse: Any, ada: Any, olga: Any) -> None:
    nav.register(
        Entry("Build", "Editor", "list", icon="pencil", permission="mappings.edit", badge=lambda user: Badge(7))
    )
    nav.register(Entry("Build", "Not built yet", "no_such_page", icon="x"))
    with here:
        page, other = browse(ada).get("/").content.decode(), browse(olga).get("/").content.decode()
    assert 'title="Editor"' in page
    assert '<span class="n">7</span>' in page
    assert "Not built yet" not in page
    assert 'title="Editor"' not in other


def test_the_closest_entry_is_the_current_one(browse: Any, ada: Any) -> None:
    nav.register(Entry("Build", "List", "list", icon="list"))
    nav.register(Entry("Build", "Deeper", "deeper", icon="list"))
    with here:
        page = browse(ada).get("/list/deeper/").content.decode()
    assert page.count('aria-current="page">') == 2 + 1, "side, small screen, and the breadcrumb"
    assert 'title="Deeper" aria-current="page"' in page


def test_an_entry_belongs_to_a_known_group() -> None:
    with pytest.raises(ValueError, match="Navigation group"):
        nav.register(Entry("Elsewhere", "X", "list", icon="x"))


def test_search_asks_every_provider_and_survives_one_that_fails(browse: Any, ada: Any) -> None:
    @search.provider(order=1)
    def good(q: str, user: Any) -> list[Hit]:
        return [Hit(f"Project {q}", "/p/", "Projects", subtitle="Castell")]

    @search.provider(order=2)
    def bad(q: str, user: Any) -> list[Hit]:
        raise RuntimeError

    page = browse(ada).get("/search/?q=4711").content.decode()
    assert "Project 4711" in page
    palette = browse(ada).get("/search/?q=<b>", headers={"HX-Request": "true"}).content.decode()
    assert "Project &lt;b&gt;" in palette
    assert "<html" not in palette


def test_search_is_for_people_with_an_account(client: Client, ada: Any) -> None:
    assert client.get("/search/?q=x").status_code == 302


def test_what_needs_me_is_sorted_by_deadline_and_amount(browse: Any, ada: Any, olga: Any) -> None:
    @home.needs("approvals.view")
    def waiting(request: HttpRequest) -> list[Need]:
        return [
            Need("small", "/a/", amount=Decimal(5), currency="EUR"),
            Need("large", "/b/", amount=Decimal("61262.50"), currency="EUR"),
        ]

    page = browse(ada).get("/").content.decode()
    assert page.index(">large<") < page.index(">small<")
    assert "61,262.50" in page
    assert "2 items, soonest first" in page


def test_a_panel_that_fails_leaves_the_rest_of_the_page_usable(browse: Any, ada: Any) -> None:
    @home.panel("main", order=1)
    def bad(request: HttpRequest) -> Panel:
        raise RuntimeError

    @home.panel("side", order=2)
    def good(request: HttpRequest) -> Panel:
        return Panel("components/notice.html", {})

    answer = browse(ada).get("/")
    assert answer.status_code == 200
    assert b"This part of the page could not be read" in answer.content


def test_panels_are_for_those_who_may_see_them(browse: Any, mallory: Any) -> None:
    @home.panel("tiles", permission="syncs.view")
    def tile(request: HttpRequest) -> Panel:
        raise AssertionError("not asked for")

    page = browse(mallory).get("/").content.decode()
    assert "You have no role yet" in page


def test_first_steps_stay_until_all_are_done(browse: Any, ada: Any) -> None:
    done: list[str] = []
    home.step(Step(1, "Connect", "…", "home", "Go", "connections.edit", lambda request: "connect" in done))
    home.step(Step(2, "Map", "…", "search", "Go", "mappings.edit", lambda request: "map" in done))
    client = browse(ada)
    assert "First steps" in client.get("/").content.decode()
    done += ["connect", "map"]
    assert "First steps" not in client.get("/").content.decode()


def test_an_error_page_tells_no_secret(db: Any) -> None:
    client = Client(raise_request_exception=False)
    with here:
        answer = client.get("/broken/")
    assert answer.status_code == 500
    assert b"Something went wrong" in answer.content
    assert b"swordfish" not in answer.content


def test_a_missing_page_offers_the_way_back(browse: Any, ada: Any, client: Client) -> None:
    assert 'href="/">My work' in browse(ada).get("/nowhere/").content.decode()
    assert "/sign-in/" in client.get("/nowhere/").content.decode()


@pytest.mark.parametrize(("environment", "shown"), [("prod", "prod"), ("demo", "demo"), ("staging", "prod")])
def test_an_environment_nobody_knows_gets_the_care_of_prod(browse: Any, ada: Any, environment: str, shown: str) -> None:
    with override_settings(HUB_ENVIRONMENT=environment):
        page = browse(ada).get("/").content.decode()
    assert f'data-env="{shown}"' in page
    assert environment.upper() in page


def test_the_firm_is_named_beside_the_product(browse: Any, ada: Any) -> None:
    with override_settings(HUB_FIRM="Harrow & Vale"):
        assert "Harrow &amp; Vale" in browse(ada).get("/").content.decode()


def test_the_palette_is_reachable_without_script(browse: Any, ada: Any) -> None:
    assert f'href="{settings.FORCE_SCRIPT_NAME or ""}/search/"' in browse(ada).get("/").content.decode()
