"""manage.py cutover list | show SLUG | compare SLUG | advance SLUG --legal-entity L --reason … | rollback … --to STATE [--json]

Exit code 0 = done; 1 = refused, with the sentence on stderr: a gate that is not open refuses here too.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from hub.common.errors import ConfigError, HubError
from hub.cutover import comparing, queries, services
from hub.cutover.models import ORDER, REST, Cutover


class Command(BaseCommand):
    help = "Look at cut-overs, and switch legal entities forward and back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("act", choices=["list", "show", "advance", "rollback", "compare"])
        parser.add_argument("slug", nargs="?", default="")
        parser.add_argument("--legal-entity", default=REST, help="* (all the rest) when not given")
        parser.add_argument(
            "--to", default="", choices=["", *[state.value for state in ORDER]], help="rollback: to where"
        )
        parser.add_argument("--reason", default="", help="advance and rollback: why")
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            data = getattr(self, f"_{options['act']}")(options)
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error), "code": error.code}))
            self.stderr.write(str(error))
            sys.exit(1)
        self.stdout.write(json.dumps(data, default=str) if options["json"] else _words(data))

    def _list(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"cutovers": [queries.as_data(cutover) for cutover in Cutover.objects.order_by("slug")]}

    def _show(self, options: dict[str, Any]) -> dict[str, Any]:
        return queries.as_data(_find(options["slug"]))

    def _advance(self, options: dict[str, Any]) -> dict[str, Any]:
        found = _find(options["slug"])
        services.advance(found, options["legal_entity"], reason=options["reason"], by=None)
        return queries.as_data(found)

    def _rollback(self, options: dict[str, Any]) -> dict[str, Any]:
        found = _find(options["slug"])
        services.roll_back(found, options["legal_entity"], options["to"], reason=options["reason"], by=None)
        return queries.as_data(found)

    def _compare(self, options: dict[str, Any]) -> dict[str, Any]:
        found = _find(options["slug"])
        number = comparing.compare(found)
        return {"compared": number, **queries.as_data(found)}


def _find(slug: str) -> Cutover:
    found = Cutover.objects.select_related("domain", "entity", "legacy", "new").filter(slug=slug).first()
    if found is None:
        known = ", ".join(Cutover.objects.order_by("slug").values_list("slug", flat=True)) or "none yet"
        raise ConfigError(f"There is no cut-over {slug!r}.", fix=f"Known: {known}.")
    return found


def _words(data: dict[str, Any]) -> str:
    lines = [
        f"{row['slug']} {route['legal_entity']}: {route['state']}, {route['unexplained']} unexplained"
        + "".join(f"\n  {reason}" for reason in route["reasons"])
        for row in data.get("cutovers", [data])
        for route in row["routes"]
    ]
    return "\n".join(lines) or "There is no cut-over yet."
