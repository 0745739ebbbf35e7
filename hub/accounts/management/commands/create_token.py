"""manage.py create_token --user ci --role operator [--domain billing-gl] [--json]"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from hub.accounts.models import Domain, User
from hub.accounts.roles import ROLES
from hub.accounts.services import SERVICE_HOST, AccessError, Grant, add_role, create_service, create_token


class Command(BaseCommand):
    help = "Make an API token for a service account (created if missing) and print it once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", required=True, help="name of the service account, or the e-mail of an account")
        parser.add_argument("--role", help=f"role it gets if it lacks it: {', '.join(ROLES)}")
        parser.add_argument("--domain", help="slug of the only domain the role is for; all domains without it")
        parser.add_argument("--name", default="command line", help="what the token is for")
        parser.add_argument("--days", type=int, help="days until it expires; never without it")
        parser.add_argument("--read-only", action="store_true", help="refuse everything but reading")
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of the bare token")

    def handle(self, **options: Any) -> None:
        user = _account(options["user"], _grants(options["role"], options["domain"]))
        token, secret = create_token(
            user, name=options["name"], days=options["days"], by=None, is_read_only=options["read_only"]
        )
        shown = {"token": secret, "user": user.email, "prefix": token.token_key, "expires_at": token.expiry}
        self.stdout.write(json.dumps(shown, default=str) if options["json"] else secret)


def _grants(role: str | None, domain: str | None) -> list[Grant]:
    if not role:
        return []
    found = Domain.objects.filter(slug=domain).first() if domain else None
    if domain and found is None:
        known = ", ".join(Domain.objects.values_list("slug", flat=True))
        raise AccessError(f"There is no domain {domain!r}.", fix=f"Choose one of {known}.")
    return [(role, found)]


def _account(name: str, grants: list[Grant]) -> User:
    email = (name if "@" in name else f"{name}@{SERVICE_HOST}").lower()
    user = User.objects.filter(email=email).first()
    if user is None:
        return create_service(name=name, grants=grants, by=None)
    for grant in grants:
        add_role(user, grant, by=None)
    return user
