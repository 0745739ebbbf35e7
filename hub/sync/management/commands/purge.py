"""manage.py purge --sync SLUG | --connection SLUG  --plan | --go --reason R [--json]: discard what is queued.

--plan only counts. Both exit 0; 1 is an error, such as a sync that is not paused.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.db.models import QuerySet

from hub.common.times import format_instant
from hub.sync import purge, totals
from hub.sync.management.aimed import AimedCommand, find_connection, find_sync
from hub.sync.models import Sync
from hub.sync.purge import PurgePlan


class Command(AimedCommand):
    help = "Discard the queued deliveries of a sync or a connection; each stands in the ledger with the reason."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        step = parser.add_mutually_exclusive_group(required=True)
        step.add_argument("--plan", action="store_true", help="Count what would be discarded.")
        step.add_argument("--go", action="store_true", help="Discard it.")

    def act(self, options: dict[str, Any]) -> tuple[dict[str, Any], str]:
        syncs, go = _aimed_at(options["sync"], options["connection"]), options["go"]
        found = purge.purge(syncs, reason=options["reason"], by=None) if go else purge.plan(syncs)
        return {**found.as_data(), "is_done": go}, _in_words(found, is_done=go)


def _aimed_at(sync: str, connection: str) -> QuerySet[Sync]:
    if sync:
        return Sync.objects.filter(pk=find_sync(sync).pk)
    return Sync.objects.filter(mapping__stream__connection=find_connection(connection))


def _in_words(found: PurgePlan, *, is_done: bool) -> str:
    amounts = ", ".join(f"{totals.exact(total)} {currency}" for currency, total in found.amounts)
    what = "1 queued delivery" if found.number == 1 else f"{found.number:,} queued deliveries"
    oldest = f", the oldest since {format_instant(found.oldest_at)}" if found.oldest_at else ""
    done = ("was discarded" if found.number == 1 else "were discarded") if is_done else "would be discarded"
    return f"{what}{f' ({amounts})' if amounts else ''}{oldest} {done}."
