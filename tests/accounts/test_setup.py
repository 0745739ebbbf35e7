from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from hub.accounts import services
from hub.accounts.models import SetupCode, User
from hub.accounts.services import AccessError, complete_setup, create_service, issue_setup_code

GOOD = {"name": "Ada", "email": "Ada@Example.com", "password": "correct horse battery"}

pytestmark = pytest.mark.django_db


def test_the_code_makes_the_first_integration_admin_and_signs_in(client: Client) -> None:
    answer = client.post("/setup/", {"code": issue_setup_code(), **GOOD})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    ada = User.objects.get()
    assert (ada.email, [str(role) for role in ada.roles.all()]) == (
        "ada@example.com",
        ["Integration admin, all domains"],
    )
    assert ada.has_hub_perm("access.manage")
    assert client.get("/").status_code == 200


def test_a_code_works_once() -> None:
    code = issue_setup_code()
    complete_setup(code=code, email="a@example.com", password="x")
    with pytest.raises(AccessError):
        complete_setup(code=code, email="b@example.com", password="x")


def test_a_code_is_read_without_its_dashes_and_in_any_case() -> None:
    assert complete_setup(code=issue_setup_code().replace("-", " ").lower(), email="a@example.com", password="x").pk


def test_a_newer_code_replaces_the_older_one() -> None:
    old = issue_setup_code()
    issue_setup_code()
    with pytest.raises(AccessError):
        complete_setup(code=old, email="a@example.com", password="x")


def test_an_old_code_has_expired() -> None:
    code = issue_setup_code()
    SetupCode.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(AccessError, match="not valid"):
        complete_setup(code=code, email="a@example.com", password="x")


def test_only_the_hash_of_a_code_is_kept() -> None:
    code = issue_setup_code()
    assert code.replace("-", "") not in SetupCode.objects.get().code_hash


def test_a_wrong_code_makes_nobody_and_says_what_to_do(client: Client) -> None:
    issue_setup_code()
    answer = client.post("/setup/", {"code": "AAAA-BBBB-CCCC", **GOOD})
    assert answer.status_code == 422
    assert "setup_code" in answer.content.decode()
    assert not User.objects.exists()


@pytest.mark.parametrize("password", ["short", "password1234", "ada@example.com"])
def test_a_weak_password_is_refused(client: Client, password: str) -> None:
    answer = client.post("/setup/", {"code": issue_setup_code(), **GOOD, "password": password})
    assert answer.status_code == 422
    assert not User.objects.exists()


def test_a_hub_without_people_leads_to_its_set_up(client: Client) -> None:
    assert client.get("/sign-in/").headers["Location"] == "/setup/"


def test_with_people_the_set_up_is_closed(client: Client, ada: User) -> None:
    answer = client.get("/setup/")
    assert answer.status_code == 404
    assert "already set up" in answer.content.decode()
    assert client.post("/setup/", {"code": "X", **GOOD}).status_code == 404
    with pytest.raises(AccessError, match="already set up"):
        issue_setup_code()


def test_a_service_account_does_not_close_the_set_up() -> None:
    create_service(name="ci", grants=[], by=None)
    assert services.is_setup_open()


def test_people_who_have_no_password_yet_do_not_close_the_set_up(client: Client, make_person: Any) -> None:
    User.objects.create_user("nina@example.com")
    assert services.is_setup_open()
    answer = client.post("/setup/", {"code": issue_setup_code(), **GOOD, "email": "NINA@example.com"})
    assert "already an account for nina@example.com" in answer.content.decode()


def test_the_printed_address_fills_the_code_in(client: Client) -> None:
    assert 'value="AAAA-BBBB-CCCC"' in client.get("/setup/?code=AAAA-BBBB-CCCC").content.decode()


def test_the_command_prints_a_code_that_works(capsys: Any) -> None:
    call_command("setup_code")
    assert complete_setup(code=capsys.readouterr().out.strip(), email="a@example.com", password="x").pk
