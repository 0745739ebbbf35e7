"""The gallery: found by words and filters that stand in the address, and a page that says what a connector can do."""

from __future__ import annotations

from typing import Any

import pytest

from connectors import registry, showcase
from hub.accounts.models import User

GALLERY = "/connections/gallery/"


def shown(page: str) -> set[str]:
    return {each.name for each in showcase.showcases() if f'href="{GALLERY}{each.name}/"' in page}


def get(browse: Any, user: User, query: str = "") -> str:
    answer = browse(user).get(GALLERY + query)
    assert answer.status_code == 200
    text: str = answer.content.decode()
    return text


def test_every_connector_has_a_tile(browse: Any, ada: User) -> None:
    assert shown(get(browse, ada)) == {*registry.catalogue(), *registry.protocols()}


@pytest.mark.parametrize(
    ("query", "there", "absent"),
    [
        ("?q=tryton", {"tryton"}, {"sim_crm", "sql"}),
        ("?q=opportunities", {"sim_crm"}, {"tryton", "sim_hris"}),
        ("?category=crm", {"sim_crm"}, {"sim_erp", "rest"}),
        ("?protocol=jsonrpc", {"tryton", "jsonrpc"}, {"sim_crm"}),
        ("?auth=oauth2", {"sim_crm", "sim_erp"}, {"sim_hris", "tryton"}),
        ("?safety=D", {"sim_erp"}, {"sim_crm"}),
        ("?proof=peer", {"tryton", "sql"}, {"rest"}),
        ("?category=erp&protocol=jsonrpc", {"tryton"}, {"sim_erp", "jsonrpc"}),
        ("?q=category:hris", {"sim_hris"}, {"sim_crm"}),
    ],
)
def test_words_and_filters_narrow_it(browse: Any, ada: User, query: str, there: set[str], absent: set[str]) -> None:
    found = shown(get(browse, ada, query))
    assert there <= found
    assert not absent & found


def test_nothing_found_says_what_to_do(browse: Any, ada: User) -> None:
    page = get(browse, ada, "?q=no+such+system")
    assert "No connector matches" in page
    assert "Clear filters" in page


def test_the_page_of_a_connector_says_what_is_safe_to_send_twice(browse: Any, ada: User) -> None:
    page = browse(ada).get(f"{GALLERY}sim_erp/").content.decode()
    for words in (
        "timeRegistrationEntries",
        "create · C",
        "update · B",
        "After a lost answer the hub looks",
        "Page size",
    ):
        assert words in page
    assert "/connections/new/?kind=catalogue%3Asim_erp" in page


def test_who_may_not_connect_sees_no_button(browse: Any, grace: User) -> None:
    page = browse(grace).get(f"{GALLERY}sim_erp/").content.decode()
    assert "create · C" in page
    assert "/connections/new/" not in page


def test_a_connector_that_does_not_exist_is_not_found(browse: Any, ada: User) -> None:
    assert browse(ada).get(f"{GALLERY}nothing/").status_code == 404


def test_a_declaration_of_ones_own_shows_its_default_mapping(tmp_path: Any, settings: Any) -> None:
    declaration = registry.catalogue()["sim_hris"]
    facts = showcase._object("employees", {**declaration.streams["employees"], "canonical": {
        "entity": "resource", "fields": {"code": "employeeNumber", "name": {"concat": ["a", "b"]}}}}, [])  # fmt: skip
    assert (facts.entity, facts.mapped) == ("resource", [("code", "employeeNumber"), ("name", "concat ['a', 'b']")])
