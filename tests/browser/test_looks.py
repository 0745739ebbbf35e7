"""Every page of the shell: nothing that axe finds, nothing that scrolls sideways, in both themes and at three widths."""

from __future__ import annotations

from typing import Any

import pytest

from hub.accounts import services
from hub.accounts.models import Domain, User

PAGES = {
    "home": "/",
    "search": "/search/?q=set",
    "profile": "/settings/profile/",
    "password": "/settings/profile/password/",
    "tokens": "/settings/tokens/",
    "people": "/settings/people/",
    "services": "/settings/people/?view=services",
    "person_new": "/settings/people/new/",
    "person": "/settings/people/{other}/",
    "missing": "/nowhere/",
}


def test_set_up(visit: Any) -> None:
    visit().inspect("/setup/", "setup")


def test_sign_in(visit: Any, ada: User) -> None:
    visit().inspect("/sign-in/", "sign_in")


@pytest.mark.parametrize("name", PAGES)
def test_pages(visit: Any, ada: User, mallory: User, name: str) -> None:
    services.set_roles(mallory, {("finance", Domain.objects.get(slug="billing-gl")), ("viewer", None)}, by=ada)
    services.create_token(ada, name="nightly export", days=90, by=ada)
    visit(ada).inspect(PAGES[name].format(other=mallory.pk), name)


def test_not_allowed(visit: Any, mallory: User) -> None:
    visit(mallory).inspect("/settings/people/", "forbidden")


def test_a_new_person_without_roles(visit: Any, mallory: User) -> None:
    visit(mallory).inspect("/", "home_no_role")
