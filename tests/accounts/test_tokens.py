from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from hub.accounts.models import ApiToken, User
from hub.accounts.services import AccessError, create_token

SECRET = re.compile(r"hub_pat_[0-9a-f]{64}")


def call(secret: str) -> int:
    return Client().get("/api/schema/", headers={"Authorization": f"Bearer {secret}"}).status_code


def test_a_token_is_shown_once_and_kept_as_a_hash(browse: Any, ada: User) -> None:
    client = browse(ada)
    answer = client.post("/settings/tokens/", {"name": "nightly export", "days": "90"})
    secret = SECRET.findall(answer.content.decode())[0]
    assert "no-store" in answer.headers["Cache-Control"]
    token = ApiToken.objects.get()
    assert secret.startswith(token.token_key)
    assert secret not in (token.digest, token.token_key)
    assert not SECRET.search(client.get("/settings/tokens/").content.decode())
    assert call(secret) == 200


def test_a_token_expires(ada: User) -> None:
    token, secret = create_token(ada, name="t", days=30, by=ada)
    ApiToken.objects.filter(pk=token.pk).update(expiry=timezone.now() - timedelta(seconds=1))
    assert call(secret) == 401


def test_a_token_without_days_never_expires(ada: User) -> None:
    assert create_token(ada, name="t", days=None, by=ada)[0].expiry is None


def test_the_use_of_a_token_is_noted(ada: User) -> None:
    token, secret = create_token(ada, name="t", days=30, by=ada)
    call(secret)
    token.refresh_from_db()
    first = token.last_used_at
    assert first is not None
    call(secret)
    token.refresh_from_db()
    assert token.last_used_at == first, "at most once a minute"


def test_a_revoked_token_is_refused_at_once(browse: Any, ada: User) -> None:
    token, secret = create_token(ada, name="t", days=30, by=ada)
    browse(ada).post(f"/settings/tokens/{token.uid}/revoke/")
    assert call(secret) == 401
    assert [event.event for event in ada.access_events.all()] == ["revoked", "token"]


def test_one_revokes_ones_own_tokens_only_unless_one_manages_access(browse: Any, ada: User, olga: User) -> None:
    token, _ = create_token(ada, name="t", days=30, by=ada)
    theirs, _ = create_token(olga, name="t", days=30, by=olga)
    assert browse(olga).post(f"/settings/tokens/{token.uid}/revoke/").status_code == 404
    assert browse(ada).post(f"/settings/tokens/{theirs.uid}/revoke/").status_code == 302


def test_the_command_makes_a_service_account_and_prints_the_token(capsys: Any, domains: Any) -> None:
    call_command("create_token", user="ci", role="operator", domain="billing-gl")
    secret = capsys.readouterr().out.strip()
    assert SECRET.fullmatch(secret)
    assert call(secret) == 200
    robot = User.objects.get()
    assert (robot.email, robot.is_service, robot.has_usable_password()) == ("ci@service.invalid", True, False)
    assert robot.has_hub_perm("syncs.run", domains["billing-gl"])
    assert not robot.has_hub_perm("syncs.run", domains["resource"])


def test_the_command_prints_json(capsys: Any, db: Any) -> None:
    call_command("create_token", user="ci", role="viewer", days=7, json=True)
    printed = json.loads(capsys.readouterr().out)
    assert set(printed) == {"token", "user", "prefix", "expires_at"}
    assert printed["token"].startswith(printed["prefix"])


def test_the_command_twice_makes_one_account_with_two_tokens(capsys: Any, db: Any) -> None:
    call_command("create_token", user="ci", role="viewer")
    call_command("create_token", user="ci", role="operator", read_only=True)
    robot = User.objects.get()
    assert sorted(row.role for row in robot.roles.all()) == ["operator", "viewer"]
    assert sorted(token.is_read_only for token in ApiToken.objects.all()) == [False, True]


@pytest.mark.parametrize(
    ("options", "words"),
    [({"role": "king"}, "no role 'king'"), ({"role": "viewer", "domain": "moon"}, "no domain 'moon'")],
)
def test_the_command_says_what_is_wrong_and_makes_nothing(db: Any, options: dict[str, str], words: str) -> None:
    with pytest.raises(AccessError, match=words):
        call_command("create_token", user="ci", **options)
    assert not User.objects.exists()
