from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from django.test import Client

from connectors.models import Connection, System
from hub.accounts.models import User

SYSTEMS = "/connections/systems/"


def page_of(answer: Any) -> str:
    return unescape(answer.content.decode())


@pytest.fixture
def admin(browse: Any, ada: User) -> Client:
    return browse(ada)


def test_making_and_changing_a_system(admin: Client) -> None:
    form = {"name": "Finance ERP", "slug": "", "category": "erp", "description": "Ledger and invoices."}
    assert admin.post(f"{SYSTEMS}new/", form).headers["Location"] == f"{SYSTEMS}finance-erp/"
    assert admin.post(f"{SYSTEMS}finance-erp/edit/", {**form, "name": "ERP"}).status_code == 302
    page = page_of(admin.get(f"{SYSTEMS}finance-erp/"))
    for words in ("ERP", "Ledger and invoices.", "Changed", "Finance ERP"):
        assert words in page


def test_a_short_name_is_given_once(admin: Client, connection: Connection) -> None:
    answer = admin.post(f"{SYSTEMS}new/", {"name": "Other", "slug": "acme-time", "category": "erp"})
    assert answer.status_code == 422
    assert "'acme-time' is taken" in page_of(answer)


def test_a_system_lists_its_connections(admin: Client, connection: Connection) -> None:
    assert "/connections/acme/" in page_of(admin.get(f"{SYSTEMS}acme-time/"))
    assert "Acme Time" in page_of(admin.get(f"{SYSTEMS}?category=psa"))
    assert "No system matches" in page_of(admin.get(f"{SYSTEMS}?category=erp"))
    assert b"acme-time" in b"".join(admin.get("/connections/systems.csv").streaming_content)


def test_a_system_with_connections_is_kept(admin: Client, connection: Connection) -> None:
    assert "is used by connection" in page_of(admin.post(f"{SYSTEMS}acme-time/delete/", follow=True))
    connection.delete()
    admin.post(f"{SYSTEMS}acme-time/delete/")
    assert not System.objects.exists()


def test_a_system_is_changed_by_those_who_may_change_all_its_connections(
    browse: Any, make_person: Any, make_connection: Any, domains: Any
) -> None:
    first, second = list(domains)[:2]
    make_connection("mine", domain=domains[first])
    dan = browse(make_person("Dan", ("integration_admin", first)))
    form = {"name": "Acme Time", "category": "psa", "description": "Hours"}
    assert dan.post(f"{SYSTEMS}acme-time/edit/", form).status_code == 302
    make_connection("theirs", domain=domains[second])
    assert dan.post(f"{SYSTEMS}acme-time/edit/", form).status_code == 404
    assert dan.get(f"{SYSTEMS}acme-time/").status_code == 200
