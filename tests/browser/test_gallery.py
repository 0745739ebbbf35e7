"""The gallery in a real browser: how it looks, by keyboard, and the way into the wizard."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hub.accounts.models import User

PAGES = {
    "gallery": "/connections/gallery/",
    "gallery_filtered": "/connections/gallery/?protocol=jsonrpc&q=tryton",
    "gallery_nothing": "/connections/gallery/?q=nothing+at+all",
    "gallery_system": "/connections/gallery/sim_erp/",
    "gallery_protocol": "/connections/gallery/sql/",
}


@pytest.mark.parametrize("name", PAGES)
def test_pages(visit: Any, ada: User, name: str) -> None:
    visit(ada).inspect(PAGES[name], name)


def test_from_a_key_press_to_the_form_of_a_system(visit: Any, ada: User) -> None:
    here = visit(ada)
    page = here.go("/connections/gallery/")
    page.keyboard.press("/")
    page.keyboard.type("tryton")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"[?&]q=tryton"))
    page.get_by_role("link", name="Tryton").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/connections/gallery/tryton/")
    page.get_by_role("link", name="Connect", exact=True).click()
    page.wait_for_url("**/connections/new/?kind=*")
    assert page.get_by_label("Database").is_visible()


def test_a_filter_stands_in_the_address_and_can_be_taken_away(visit: Any, ada: User) -> None:
    page = visit(ada).go("/connections/gallery/")
    page.get_by_label("Sign-in").select_option("oauth2")
    page.wait_for_url(re.compile("auth=oauth2"))
    assert page.get_by_role("link", name="Tryton").count() == 0
    page.get_by_role("link", name="Remove the filter auth").click()
    page.get_by_role("link", name="Tryton").wait_for()
    assert "auth=" not in page.url
