"""What commands share that aim at a sync, a connection or everything, and answer in words or as JSON."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import QuerySet

from connectors.models import Connection
from hub.common.errors import ConfigError, HubError
from hub.sync.models import Sync


class AimedCommand(BaseCommand):
    """Subclasses say in `act` what is done and return (data, words); HubErrors become a sentence and exit code 1."""

    can_aim_at_all = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        aim = parser.add_mutually_exclusive_group(required=True)
        aim.add_argument("--sync", metavar="SLUG")
        aim.add_argument("--connection", metavar="SLUG")
        if self.can_aim_at_all:
            aim.add_argument("--all", action="store_true", help="All work of the hub.")
        parser.add_argument("--reason", default="", help="Kept where the change is shown.")
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            data, words = self.act(options)
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error), "code": error.code}))
            self.stderr.write(str(error))
            sys.exit(1)
        self.stdout.write(json.dumps(data, default=str) if options["json"] else words)

    def act(self, options: dict[str, Any]) -> tuple[dict[str, Any], str]:
        raise NotImplementedError


def find_sync(slug: str) -> Sync:
    return _find(Sync.objects.all(), slug, "sync")


def find_connection(slug: str) -> Connection:
    return _find(Connection.objects.all(), slug, "connection")


def _find(rows: QuerySet[Any], slug: str, word: str) -> Any:
    found = rows.filter(slug=slug).first()
    if found is None:
        known = ", ".join(rows.order_by("slug").values_list("slug", flat=True)[:20]) or "none yet"
        raise ConfigError(f"There is no {word} {slug!r}.", fix=f"Known: {known}.")
    return found
