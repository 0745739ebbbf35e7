"""manage.py close LEGAL_ENTITY PERIOD [--json]: what would miss the close.

Exit 0 when nothing stands in the way, or it is closed; 2 when something does; 1 when something could not be read, or there is
no such period.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from hub.common.display import money
from hub.common.errors import ConfigError, HubError
from monitoring.close.books import book_of, legal_entities
from monitoring.close.readiness import Readiness, as_data, readiness
from monitoring.close.scope import bare_scope, scope_of


class Command(BaseCommand):
    help = "Show what stands in the way of a close, ranked by amount."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("legal_entity", help="the code of the legal entity, such as HV-UK")
        parser.add_argument("period", help="the period as YYYY-MM")
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, legal_entity: str, period: str, **options: Any) -> None:
        try:
            found = _readiness(legal_entity, period)
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error), "code": error.code}))
            self.stderr.write(str(error))
            sys.exit(1)
        self.stdout.write(json.dumps(as_data(found)) if options["json"] else in_words(found))
        if found.failed:
            sys.exit(1)
        if found.state not in ("ready", "closed"):
            sys.exit(2)


def _readiness(legal_entity: str, period: str) -> Readiness:
    book = book_of(legal_entity, period)
    known = legal_entities()
    if book is None and legal_entity not in known:
        raise ConfigError(
            f"There is no legal entity {legal_entity!r}.", fix=f"Known: {', '.join(known) or 'none yet'}."
        )
    return readiness(scope_of(book) if book else bare_scope(legal_entity, period), book)


def in_words(found: Readiness) -> str:
    currency = found.rates.currency
    scope = found.scope
    head = f"{scope.legal_entity} {scope.period}: {found.word}, {found.count} in the way"
    lines = [f"{head}, {currency} {money(found.total, currency)}" if currency else head]
    for each in found.rows:
        row = each.row
        amount = "" if row.amount is None else f", {row.currency} {money(row.amount, row.currency)}"
        lines.append(f"  {row.what}: {row.count}{amount} ({row.turn})")
    lines += [f"  {name}: could not be read" for name in found.failed]
    return "\n".join(lines)
