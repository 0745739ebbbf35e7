"""manage.py merge ENTITY LOSER WINNER --reason R | --undo N --reason R [--json]"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from hub.common.errors import ConfigError, HubError
from hub.records.models import CanonicalRecord
from hub.sync.models import Merge
from hub.sync.removals import merges


class Command(BaseCommand):
    help = "Make one record of two, or undo that."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("records", nargs="*", metavar="ENTITY LOSER WINNER", help="The entity and two keys.")
        parser.add_argument("--undo", type=int, metavar="N", help="The number of a merge.")
        parser.add_argument("--reason", default="", help="Kept with the merge.")
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, records: list[str], undo: int | None, **options: Any) -> None:
        try:
            found = _undo(undo, options["reason"]) if undo else _merge(records, options["reason"])
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error), "code": error.code}))
            self.stderr.write(str(error))
            sys.exit(1)
        data = {"merge": found.pk, "loser": found.loser.key, "winner": found.winner.key, "in_force": found.in_force}
        words = f"Merge {found.pk}: {found} {'is in force' if found.in_force else 'is undone'}."
        self.stdout.write(json.dumps(data) if options["json"] else words)


def _merge(records: list[str], reason: str) -> Merge:
    if len(records) != 3:
        raise ConfigError("Name the entity and two keys: ENTITY LOSER WINNER.", where="merge", code="USAGE")
    entity, loser, winner = records
    return merges.merge(loser=_find(entity, loser), winner=_find(entity, winner), reason=reason, by=None)


def _find(entity: str, key: str) -> CanonicalRecord:
    found = CanonicalRecord.objects.select_related("entity").filter(entity__slug=entity, key=key).first()
    if found is None:
        raise ConfigError(f"There is no {entity} {key!r}.", where="merge", fix="See /records/ for its key.")
    return found


def _undo(number: int, reason: str) -> Merge:
    found = Merge.objects.filter(pk=number).first()
    if found is None:
        raise ConfigError(f"There is no merge {number}.", where="--undo", fix="See /merges/ for its number.")
    return merges.undo(merge=found, reason=reason, by=None)
