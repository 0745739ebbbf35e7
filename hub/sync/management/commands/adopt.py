"""manage.py adopt SYNC [SYNC …] --plan | --apply [--source SYNC|hub] [--accept SCORE] [--json]: a first load.

--plan reads both sides, matches and counts; nothing is written outside the hub's staging area. --apply approves what was
planned (or plans first), links, releases and delivers. Several syncs go parents first. Exit code 0: done.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from hub.common.errors import ConfigError, HubError
from hub.sync import services as syncs
from hub.sync.adopt import order, queries, services
from hub.sync.management.aimed import find_sync
from hub.sync.models import Adoption, Sync

HUB = "hub"


class Command(BaseCommand):
    help = "First load of two systems that both hold data: match, show, and after approval link before creating."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slugs", nargs="+", metavar="SYNC", help="Syncs that deliver to what is adopted.")
        step = parser.add_mutually_exclusive_group(required=True)
        step.add_argument("--plan", action="store_true", help="Read, match and count.")
        step.add_argument("--apply", action="store_true", help="Approve, link, release and deliver.")
        parser.add_argument(
            "--source", default="", help="The sync that reads the other side; hub: what is here already."
        )
        parser.add_argument("--accept", type=int, metavar="SCORE", help="Link undecided records from this score on.")
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, slugs: list[str], **options: Any) -> None:
        done: list[dict[str, Any]] = []
        try:
            for sync in order.in_order([find_sync(slug) for slug in slugs]):
                done.append(_one(sync, options))
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"adoptions": done, "error": str(error), "code": error.code}))
            self.stderr.write(str(error))
            sys.exit(1)
        self.stdout.write(json.dumps({"adoptions": done}) if options["json"] else "\n".join(map(_in_words, done)))


def _one(sync: Sync, options: dict[str, Any]) -> dict[str, Any]:
    adoption = _planned(sync, options["source"])
    if options["accept"] is not None:
        services.accept(adoption=adoption, at_least=options["accept"], by=None)
    if options["apply"]:
        adoption = services.work_here(services.approve(adoption=adoption, by=None))
        run = syncs.run_here(sync=find_sync(sync.slug))
        return queries.report(adoption) | {"delivery": syncs.report(run)}
    return queries.report(adoption)


def _planned(sync: Sync, source: str) -> Adoption:
    """The sync's open first load, made when there is none, worked on here until a person is needed."""
    found = Adoption.objects.filter(target=sync, status__in=Adoption.OPEN).first()
    adoption = found or services.start(target=sync, source=_source(sync, source), by=None)
    return services.work_here(adoption)


def _source(sync: Sync, named: str) -> Sync | None:
    if named:
        return None if named == HUB else find_sync(named)
    found = services.likely_source(sync)
    if found is None:
        raise ConfigError(
            f"It is not clear what {sync.slug!r} is to be matched with.",
            fix="Name a sync that reads with --source, or --source hub for what the hub holds.",
            code="SOURCE",
        )
    return found


def _in_words(report: dict[str, Any]) -> str:
    """A line a group, empty ones left out."""
    head = (
        f"First load {report['adoption']} of {report['sync']} is {report['status']}: {report['to_do']:,} records to do."
    )
    lines = [
        f"  {queries.GROUPS[name][0]}: {group['number']:,}{_amounts(group['amounts'])}"
        for name, group in report["groups"].items()
        if group["number"]
    ]
    return "\n".join([head, *lines, *report["notes"]])


def _amounts(amounts: dict[str, str]) -> str:
    return f" ({', '.join(f'{total} {currency}' for currency, total in amounts.items())})" if amounts else ""
