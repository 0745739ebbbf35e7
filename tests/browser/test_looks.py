"""Every page of the shell: nothing that axe finds, nothing that scrolls sideways, in both themes and at both widths."""

from __future__ import annotations

from typing import Any

import pytest

from hub.accounts import services
from hub.accounts.models import Domain, User

LOOKS = [(1440, False), (1440, True), (360, False), (360, True), (900, False)]


def looks(test: Any) -> Any:
    return pytest.mark.parametrize(
        ("width", "dark"), LOOKS, ids=[f"{width}-{'dark' if dark else 'light'}" for width, dark in LOOKS]
    )(test)


def inspect(visit: Any, path: str, name: str, user: User | None, width: int, dark: bool) -> None:
    here = visit(user, width=width, dark=dark)
    here.go(path)
    here.shoot(f"{name}_{width}{'_dark' if dark else ''}")
    here.assert_accessible()


@looks
def test_set_up(visit: Any, width: int, dark: bool) -> None:
    inspect(visit, "/setup/", "setup", None, width, dark)


@looks
def test_sign_in(visit: Any, ada: User, width: int, dark: bool) -> None:
    inspect(visit, "/sign-in/", "sign_in", None, width, dark)


@looks
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "home"),
        ("/search/?q=set", "search"),
        ("/settings/profile/", "profile"),
        ("/settings/profile/password/", "password"),
        ("/settings/tokens/", "tokens"),
        ("/settings/people/", "people"),
        ("/settings/people/new/", "person_new"),
        ("/nowhere/", "missing"),
    ],
    ids=lambda value: value if "/" not in value else "",
)
def test_pages(visit: Any, ada: User, mallory: User, path: str, name: str, width: int, dark: bool) -> None:
    services.set_roles(mallory, {("finance", Domain.objects.get(slug="billing-gl")), ("viewer", None)}, by=ada)
    services.create_token(ada, name="nightly export", days=90, by=ada)
    inspect(visit, path, name, ada, width, dark)


@looks
def test_a_person(visit: Any, ada: User, mallory: User, width: int, dark: bool) -> None:
    services.set_roles(mallory, {("finance", Domain.objects.get(slug="billing-gl")), ("viewer", None)}, by=ada)
    inspect(visit, f"/settings/people/{mallory.pk}/", "person", ada, width, dark)


@looks
def test_not_allowed(visit: Any, mallory: User, width: int, dark: bool) -> None:
    inspect(visit, "/settings/people/", "forbidden", mallory, width, dark)
