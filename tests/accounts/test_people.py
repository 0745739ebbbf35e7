from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from django.test import Client

from hub.accounts import services
from hub.accounts.models import AccessEvent, Domain, User
from hub.accounts.queries import role_history
from hub.accounts.services import (
    AccessError,
    add_role,
    create_service,
    create_token,
    invite_person,
    set_active,
    set_roles,
)

NEW_PASSWORD = "correct horse battery"


def link_in(answer: Any) -> str:
    found = re.search(r"http://testserver(/welcome/[^\"<]+)", answer.content.decode())
    assert found, "the page shows a link"
    return found[1]


def test_an_invited_person_chooses_a_password_with_a_link_that_works_once(browse: Any, ada: User) -> None:
    form = {"name": "Nina", "email": "Nina@Example.com", "grants": ["viewer:all"]}
    path = link_in(browse(ada).post("/settings/people/new/", form))
    visitor = Client()
    assert visitor.get(path).status_code == 200
    assert visitor.post(path, {"password": NEW_PASSWORD}).headers["Location"] == "/"
    assert visitor.get("/").status_code == 200
    assert Client().get(path).status_code == 404
    nina = User.objects.get(email="nina@example.com")
    assert nina.has_hub_perm("syncs.view")
    assert not nina.has_hub_perm("syncs.run")


@pytest.mark.parametrize(
    "path", ["/welcome/MQ/abc-def/", "/welcome/!!/abc-def/", "/welcome/OTk5OTk5OTk5OTk5OTk5OTk5/x-y/"]
)
def test_a_made_up_link_leads_nowhere(client: Client, ada: User, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_link_of_somebody_switched_off_does_not_work(browse: Any, ada: User, olga: User) -> None:
    path = link_in(browse(ada).post(f"/settings/people/{olga.pk}/link/"))
    set_active(olga, False, by=ada)
    assert Client().get(path).status_code == 404


def test_who_handed_out_a_link_is_kept(browse: Any, ada: User, olga: User) -> None:
    browse(ada).post(f"/settings/people/{olga.pk}/link/")
    assert AccessEvent.objects.filter(user=olga, by=ada, event="link").exists()
    assert "Link to choose a password handed out" in browse(ada).get(f"/settings/people/{olga.pk}/").content.decode()


def test_an_address_is_invited_once(browse: Any, ada: User, olga: User) -> None:
    answer = browse(ada).post("/settings/people/new/", {"name": "Olga", "email": "OLGA@example.com"})
    assert answer.status_code == 422
    assert "already an account for olga@example.com" in answer.content.decode()


def test_roles_become_exactly_what_was_ticked(browse: Any, ada: User, olga: User, domains: dict[str, Domain]) -> None:
    grants = [f"finance:{domains['billing-gl'].pk}", "viewer:all"]
    browse(ada).post(f"/settings/people/{olga.pk}/", {"grants": grants})
    assert {str(row) for row in olga.roles.all()} == {"Finance, Billing and ledger", "Viewer, all domains"}


def test_all_domains_swallow_the_single_ones(browse: Any, ada: User, olga: User, domains: dict[str, Domain]) -> None:
    browse(ada).post(f"/settings/people/{olga.pk}/", {"grants": ["viewer:all", f"viewer:{domains['resource'].pk}"]})
    assert [str(row) for row in olga.roles.all()] == ["Viewer, all domains"]


def test_saving_the_same_roles_changes_nothing(ada: User, olga: User) -> None:
    before = role_history(olga).count()
    set_roles(olga, {("operator", None)}, by=ada)
    assert role_history(olga).count() == before


def test_every_change_of_a_role_is_kept_with_who_did_it(ada: User, mallory: User) -> None:
    set_roles(mallory, {("viewer", None)}, by=ada)
    set_roles(mallory, set(), by=ada)
    kept = [(row.role, row.history_type, row.history_user) for row in role_history(mallory)]
    assert kept == [("viewer", "-", ada), ("viewer", "+", ada)]


def test_nobody_changes_their_own_roles(browse: Any, ada: User) -> None:
    with pytest.raises(AccessError, match="your own roles"):
        set_roles(ada, {("approver", None)}, by=ada)
    answer = browse(ada).post(f"/settings/people/{ada.pk}/", {"grants": ["approver:all"]})
    assert answer.status_code == 422
    assert [row.role for row in ada.roles.all()] == ["integration_admin"]


def test_nobody_switches_themselves_off(browse: Any, ada: User) -> None:
    browse(ada).post(f"/settings/people/{ada.pk}/active/", {"is_active": "0"})
    ada.refresh_from_db()
    assert ada.is_active


def test_switching_off_ends_sessions_and_tokens_at_once(browse: Any, ada: User, olga: User) -> None:
    session = browse(olga)
    secret = create_token(olga, name="t", days=None, by=olga)[1]
    assert session.get("/").status_code == 200
    set_active(olga, False, by=ada)
    assert session.get("/").status_code == 302
    assert Client().get("/api/schema/", headers={"Authorization": f"Bearer {secret}"}).status_code == 401


def test_a_role_that_does_not_exist_is_refused(ada: User, mallory: User) -> None:
    with pytest.raises(AccessError, match="no role 'king'"):
        set_roles(mallory, {("king", None)}, by=ada)


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/settings/people/", "get"), ("/settings/people.csv", "get"), ("/settings/people/new/", "get"),
        ("/settings/people/{pk}/", "get"), ("/settings/people/{pk}/", "post"),
        ("/settings/people/{pk}/active/", "post"),
        ("/settings/people/{pk}/link/", "post"), ("/settings/people/{pk}/tokens/", "post"),
    ],
)  # fmt: skip
def test_access_is_for_those_who_hold_it(
    browse: Any, ada: User, make_person: Any, finn: User, path: str, method: str
) -> None:
    auditor = make_person("Audrey", "auditor")
    limited = make_person("Rita", ("integration_admin", "resource"))
    path = path.format(pk=ada.pk)
    reads = method == "get" and "new" not in path
    assert getattr(browse(auditor), method)(path).status_code == (200 if reads else 403)
    assert getattr(browse(finn), method)(path).status_code == 403
    assert getattr(browse(limited), method)(path).status_code == 403, "one domain is not enough"


def test_the_export_holds_the_rows_of_the_page(browse: Any, ada: User, olga: User, mallory: User) -> None:
    answer = browse(ada).get("/settings/people.csv?q=ol")
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode("utf-8-sig"))))
    assert [(row["E-mail"], row["Roles"]) for row in rows] == [("olga@example.com", "Operator, all domains")]


def test_a_service_account_never_signs_in(ada: User) -> None:
    robot = create_service(name="exporter", grants=[("viewer", None)], by=ada)
    assert (robot.email, robot.has_usable_password(), robot.is_service) == ("exporter@service.invalid", False, True)
    with pytest.raises(AccessError, match="already an account"):
        create_service(name="exporter", grants=[], by=ada)


def test_a_service_account_gets_its_token_on_its_page(browse: Any, ada: User) -> None:
    answer = browse(ada).post("/settings/people/new/?kind=service", {"name": "exporter", "grants": ["viewer:all"]})
    assert answer.status_code == 201
    robot = User.objects.get(is_service=True)
    shown = browse(ada).post(f"/settings/people/{robot.pk}/tokens/", {"name": "nightly", "days": "30"}).content.decode()
    assert re.search(r"hub_pat_[0-9a-f]{64}", shown)
    assert not re.search(r"hub_pat_[0-9a-f]{64}", browse(ada).get(f"/settings/people/{robot.pk}/").content.decode())


def test_a_person_gets_no_token_from_somebody_else(browse: Any, ada: User, olga: User) -> None:
    assert browse(ada).post(f"/settings/people/{olga.pk}/tokens/", {"name": "x", "days": "30"}).status_code == 404


def test_a_role_is_given_once(olga: User) -> None:
    add_role(olga, ("operator", None), by=None)
    add_role(olga, ("viewer", None), by=None)
    assert sorted(row.role for row in olga.roles.all()) == ["operator", "viewer"]


def test_inviting_is_all_or_nothing(ada: User) -> None:
    with pytest.raises(AccessError):
        invite_person(email="x@example.com", name="X", grants=[("king", None)], by=ada)
    assert not User.objects.filter(email="x@example.com").exists()


def test_set_up_is_open_only_without_people(ada: User) -> None:
    assert not services.is_setup_open()
