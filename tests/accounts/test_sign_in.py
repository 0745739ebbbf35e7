from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from hub.accounts.models import User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def attempt(client: Client, email: str, password: str = "wrong", **extra: Any) -> Any:
    return client.post("/sign-in/", {"username": email, "password": password, **extra})


def test_the_address_is_read_in_any_case(client: Client, ada: User) -> None:
    assert attempt(client, "ADA@Example.COM ", PASSWORD).status_code == 302


def test_one_returns_to_where_one_was_sent_from(client: Client, ada: User) -> None:
    answer = attempt(client, ada.email, PASSWORD, next="/settings/profile/?a=1")
    assert answer.headers["Location"] == "/settings/profile/?a=1"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"]
)
def test_one_never_returns_to_another_site(client: Client, ada: User, target: str) -> None:
    assert attempt(client, ada.email, PASSWORD, next=target).headers["Location"] == "/"


def test_the_answer_is_the_same_whoever_is_asked_for(client: Client, ada: User, make_person: Any) -> None:
    make_person("Otto", is_active=False)
    make_person("Service", is_service=True)

    def words(email: str, password: str = "wrong") -> str:
        return attempt(client, email, password).content.decode().replace(email, "").split("<form")[1].split("<input")[0]

    unknown = words("nobody@example.com")
    assert words(ada.email) == words("otto@example.com", PASSWORD) == unknown


def test_five_wrong_passwords_lock_the_address_out_even_for_the_right_one(client: Client, ada: User) -> None:
    answers = [attempt(client, ada.email).status_code for _ in range(5)]
    assert answers == [422, 422, 422, 422, 429]
    locked = attempt(client, ada.email, PASSWORD)
    assert locked.status_code == 429
    assert "Wait 15 minutes" in locked.content.decode()


def test_an_unknown_address_is_locked_out_in_the_same_way(client: Client, ada: User) -> None:
    assert [attempt(client, "nobody@example.com").status_code for _ in range(6)] == [422] * 4 + [429] * 2


def test_writing_the_address_differently_does_not_reset_the_count(client: Client, ada: User) -> None:
    tries = [ada.email, ada.email.upper(), f" {ada.email}", ada.email.title(), ada.email]
    assert [attempt(client, name).status_code for name in tries][-1] == 429


def test_signing_out_takes_a_form(browse: Any, ada: User) -> None:
    client = browse(ada)
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").headers["Location"] == "/sign-in/"
    assert client.get("/").status_code == 302


def test_a_form_of_another_site_is_refused(ada: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada, backend="django.contrib.auth.backends.ModelBackend")
    assert strict.post("/settings/profile/theme/", {"theme": "dark"}).status_code == 403


def test_the_theme_of_the_profile_is_in_the_first_byte_of_the_page(browse: Any, ada: User) -> None:
    client = browse(ada)
    client.post("/settings/profile/theme/", {"theme": "dark"})
    assert b'<html lang="en" data-theme="dark" data-bs-theme="dark"' in client.get("/").content


def test_htmx_learns_the_new_theme_without_a_reload(browse: Any, ada: User) -> None:
    answer = browse(ada).post("/settings/profile/theme/", {"theme": "dark"}, headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Trigger"]) == (204, '{"hub:theme": {"theme": "dark"}}')


def test_a_theme_that_does_not_exist_changes_nothing(browse: Any, ada: User) -> None:
    browse(ada).post("/settings/profile/theme/", {"theme": '"><script>'})
    ada.refresh_from_db()
    assert ada.theme == "auto"


def test_times_follow_the_zone_of_the_person(browse: Any, ada: User) -> None:
    client = browse(ada)
    form = {"time_zone": "Asia/Tokyo", "time_style": "local", "theme": "auto", "density": "default", "name": "Ada"}
    assert client.post("/settings/profile/", form).status_code == 302
    ada.refresh_from_db()
    assert ada.time_zone == "Asia/Tokyo"


def test_a_zone_that_does_not_exist_is_refused(browse: Any, ada: User) -> None:
    form = {"time_zone": "Mars/Olympus", "time_style": "local", "theme": "auto", "density": "default"}
    assert browse(ada).post("/settings/profile/", form).status_code == 422


def test_a_new_password_takes_the_present_one_and_ends_other_sessions(browse: Any, ada: User) -> None:
    here, there = browse(ada), browse(ada)
    new = "a whole new password"
    assert here.post("/settings/profile/password/", {"current": "wrong", "password": new}).status_code == 422
    assert here.post("/settings/profile/password/", {"current": PASSWORD, "password": new}).status_code == 302
    assert here.get("/").status_code == 200
    assert there.get("/").status_code == 302


def test_locking_one_address_out_locks_nobody_else_out(client: Client, ada: User, olga: User) -> None:
    for _ in range(5):
        attempt(client, ada.email)
    assert attempt(client, olga.email, PASSWORD).status_code == 302


def test_an_expired_form_is_answered_with_a_sentence(ada: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada, backend="django.contrib.auth.backends.ModelBackend")
    page = strict.post("/settings/profile/theme/", {"theme": "dark"}).content.decode()
    assert "This form was open too long" in page
