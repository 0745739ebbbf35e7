"""manage.py thread KEY --json: the engagement of any system's id or key. Exit 0 = no leg is missing, late or stopped."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.http import Http404

from hub.common.errors import ConfigError, HubError
from monitoring.thread import queries
from monitoring.thread.anchors import anchors_of
from monitoring.thread.data import as_data
from monitoring.thread.declaration import engagement
from monitoring.thread.finding import records_called
from monitoring.thread.shapes import Thread


class Command(BaseCommand):
    help = "Follow an engagement from the won deal to posted revenue."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("key", help="a project's key, or any system's id of a record that belongs to it")
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, key: str, **options: Any) -> None:
        try:
            thread = _thread(key)
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error)}))
            else:
                self.stderr.write(str(error))
            sys.exit(1)
        self.stdout.write(json.dumps(as_data(thread)) if options["json"] else _in_words(thread))
        if thread.red:
            sys.exit(2)


def _thread(key: str) -> Thread:
    anchors = {a.pk: a for record in records_called(key) for a in anchors_of(record, engagement())}
    if len(anchors) != 1:
        found = ", ".join(anchor.key for anchor in anchors.values())
        raise ConfigError(
            f"{key!r} belongs to {len(anchors) or 'no'} engagement{'' if len(anchors) == 1 else 's'}.",
            fix=f"Name one of them: {found}." if found else "Give a whole id or key.",
        )
    try:
        return queries.thread_of(None, next(iter(anchors.values())))
    except Http404:
        raise ConfigError(f"{key!r} has no thread.") from None


def _in_words(thread: Thread) -> str:
    lines = [f"{thread.key} {thread.title}: {thread.state_words}"]
    for leg in thread.listed:
        promise = f", {leg.sla.words(thread.now)}" if leg.sla else ""
        lines.append(f"  {leg.word:13s} {leg.spec.sentence}: {leg.counts or leg.total}{promise}")
        lines += [f"                {leg.why} {leg.turn}".rstrip()] if leg.is_red else []
    return "\n".join(lines)
