"""manage.py contract diff OLD NEW [--mode FULL] [--json]: what a change of a contract breaks.

OLD and NEW are files (JSON Schema as JSON or YAML) or `contract@version`. Exit 0 nothing breaks what the mode promises, 2
something does, 1 a side cannot be read.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import BaseCommand

from governance.compatibility.verdict import Mode, Verdict, judge
from governance.models import ContractVersion
from governance.schemas import Schema
from hub.common.errors import ConfigError, HubError
from hub.common.json_schemas import schema_error


@dataclass(frozen=True, slots=True)
class Side:
    """One of two versions; `mode` is what its contract promises, None for a file."""

    schema: Schema
    version: str
    mode: Mode | None = None


class Command(BaseCommand):
    help = "Compare two versions of a contract and say what the change breaks."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["diff"])
        parser.add_argument("old", metavar="OLD", help="A file, or contract@version.")
        parser.add_argument("new", metavar="NEW", help="A file, or contract@version.")
        parser.add_argument("--mode", choices=[mode.value for mode in Mode], help="The contract's, or FULL for files.")
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, old: str, new: str, mode: str | None, **options: Any) -> None:
        try:
            before, after = side(old), side(new)
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error), "code": error.code}))
            self.stderr.write(str(error))
            sys.exit(1)
        chosen = Mode(mode) if mode else before.mode or Mode.FULL
        verdict = judge(before.schema, after.schema, mode=chosen, version=before.version)
        self.stdout.write(json.dumps(verdict.as_data(), default=str) if options["json"] else in_words(verdict))
        if verdict.is_breaking:
            sys.exit(2)


def side(name: str) -> Side:
    """What a command's argument names. Raises ConfigError."""
    path = Path(name)
    if path.is_file():
        return Side(_read(path), str(_read(path).get("version", "1.0.0")))
    slug, _, number = name.partition("@")
    version = ContractVersion.objects.filter(
        contract__slug=slug, number=int(number) if number.isdecimal() else 0
    ).first()
    if version is None:
        raise ConfigError(
            f"{name!r} is neither a file nor a version of a contract.",
            fix="Name a JSON Schema file, or a contract and its version, such as project@2.",
        )
    return Side(version.schema, f"{version.number}.0.0", Mode(version.contract.compatibility))


def _read(path: Path) -> Schema:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"The file cannot be read: {error}.", where=str(path)) from None
    if problem := schema_error(found):
        raise ConfigError(problem[1], where=f"{path}: {problem[0]}".rstrip(": "))
    return dict(found)


def in_words(verdict: Verdict) -> str:
    lines = [f"{j.severity.value:5}{j.change.path or '(record)':28} {j.change.kind.title}" for j in verdict.changes]
    return "\n".join(
        [*lines, f"{verdict.compatibility}. {verdict.sentence} Next version: {verdict.suggested_version}."]
    )
