"""manage.py service-level backtest NAME --days 90 --json: what the promise would have been worth."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from governance.models import ServiceLevel
from hub.common.errors import ConfigError, HubError
from monitoring.service_levels.backtest import DAYS, as_data, backtest


class Command(BaseCommand):
    help = "Hold a service level against stored history."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["backtest"])
        parser.add_argument("name", help="the short name of the service level")
        parser.add_argument("--days", type=int, default=DAYS)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, action: str, name: str, days: int, **options: Any) -> None:
        try:
            found = as_data(backtest(self._find(name), days=days))
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error)}))
            else:
                self.stderr.write(str(error))
            sys.exit(1)
        self.stdout.write(json.dumps(found) if options["json"] else _in_words(found))

    def _find(self, name: str) -> ServiceLevel:
        found = ServiceLevel.objects.filter(slug=name).first()
        if found is None:
            known = ", ".join(ServiceLevel.objects.values_list("slug", flat=True)[:20]) or "there is none yet"
            raise ConfigError(f"There is no service level {name!r}.", fix=f"Known: {known}.")
        return found


def _in_words(found: dict[str, Any]) -> str:
    lines = [
        f"{found['service_level']}: {found['attained_percent'] or '–'} % of {found['objective_percent']} %",
        f"met {found['met']}, warned {found['warned']}, breached {found['breached']}, undecided {found['running']}",
        *(f"  {row['month']}: {row['attained_percent'] or '–'} %" for row in found["months"]),
        *(f"  worst: {row['what']}, {row['business_seconds']} s, {row['verdict']}" for row in found["worst"]),
        *found["notes"],
    ]
    return "\n".join(lines)
