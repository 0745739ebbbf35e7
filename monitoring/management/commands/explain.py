"""manage.py explain ENTITY KEY --json: the evidence pack of one record. Exit 0 = it is there."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

import orjson
from django.core.management.base import BaseCommand
from django.http import Http404

from monitoring.thread.services import take_evidence


class Command(BaseCommand):
    help = "Explain where a record comes from: payloads, versions, approvers, edits."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("entity", help="the short name of its entity, such as invoice")
        parser.add_argument("key", help="its key in the hub")
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, entity: str, key: str, **options: Any) -> None:
        try:
            pack = take_evidence(None, entity, key)
        except Http404:
            sentence = (
                f"There is no record {key!r} of {entity!r}. Give its key in the hub: `manage.py thread ID` finds it."
            )
            if options["json"]:
                self.stdout.write(orjson.dumps({"error": sentence}).decode())
            else:
                self.stderr.write(sentence)
            sys.exit(1)
        self.stdout.write(orjson.dumps(pack).decode() if options["json"] else _in_words(pack))


def _in_words(pack: dict[str, Any]) -> str:
    record = pack["record"]
    lines = [f"{record['entity']} {record['key']} {record['name']}, version {record['version']}"]
    lines += [f"  {step['at']}  {step['said']}" for step in pack["steps"]]
    for version in pack["versions"]:
        names = ", ".join(one["name"] for one in version["approved_by"]) or version["put_in_force_by"] or "nobody known"
        lines.append(f"  {version['kind']} {version['name']} v{version['version']}: {names}")
    lines += [f"  {edit['at']}  {edit['what']} ({edit['by']})" for edit in pack["edits"]]
    return "\n".join([*lines, f"  SHA-256 {pack['content_sha256']}"])
