"""Signing in at a simulated system in a real browser, from the saved connection to the consent page and back."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.models import Connection
from tests.connectors_web import test_vendor_sign_in as by_person

landscape, systems, account = by_person.landscape, by_person.systems, by_person.account


@pytest.fixture
def here(visit: Any, ada: Any, account: Connection, settings: Any) -> Any:
    found = visit(ada)
    settings.HUB_URL = found.base
    return found


def test_from_the_connection_to_the_consent_and_back(here: Any) -> None:
    page = here.go("/connections/crm/")
    page.get_by_role("link", name="Sign in at Cloud CRM").click()
    page.get_by_role("heading", name="Sign in at Cloud CRM").wait_for()
    page.get_by_role("link", name="Go to Cloud CRM").click()
    page.get_by_role("button", name="Allow").click()
    page.get_by_text("You signed in for Sales CRM").wait_for()
    here.shoot("sign_in_done")
    assert here.path == "/connections/crm/"
    assert Connection.objects.get().secrets["refresh_token"]


def test_a_consent_that_is_refused_changes_nothing(here: Any) -> None:
    page = here.go("/connections/crm/sign-in/")
    page.get_by_role("link", name="Go to Cloud CRM").click()
    page.get_by_role("button", name="Deny").click()
    page.get_by_text("The consent was refused at Cloud CRM.").wait_for()
    here.shoot("sign_in_refused")
    assert "refresh_token" not in Connection.objects.get().secrets


def test_the_page_of_a_sign_in(here: Any) -> None:
    here.inspect("/connections/crm/sign-in/", "sign_in")
