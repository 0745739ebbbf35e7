"""manage.py contract diff OLD NEW [--mode FULL] [--json]: what a change of a contract breaks.

OLD and NEW are files (JSON Schema as JSON or YAML) or `contract@version`, by number or by semantic version. Where OLD is a
version, `effective` is the verdict restricted to what its actual consumers use. Exit 0 nothing breaks what the mode promises, 2
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

from governance import consumers
from governance.compatibility.verdict import Mode, Verdict, judge
from governance.consumers import Effective
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
    of: ContractVersion | None = None


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
        real = consumers.effective(verdict, consumers.of(before.of.contract.entity)) if before.of else None
        self.stdout.write(as_json(verdict, real) if options["json"] else in_words(verdict, real))
        if verdict.is_breaking:
            sys.exit(2)


def side(name: str) -> Side:
    """What a command's argument names. Raises ConfigError."""
    path = Path(name)
    if path.is_file():
        return Side(_read(path), str(_read(path).get("version", "1.0.0")))
    slug, _, number = name.partition("@")
    named = {"number": int(number)} if number.isdecimal() and len(number) < 10 else {"semver": number}
    found = ContractVersion.objects.filter(contract__slug=slug, **named).select_related("contract__entity")
    version = found.order_by("-number").first()
    if version is None:
        raise ConfigError(
            f"{name!r} is neither a file nor a version of a contract.",
            fix="Name a JSON Schema file, or a contract and its version, such as project@2.",
        )
    return Side(version.schema, version.semver, Mode(version.contract.compatibility), version)


def _read(path: Path) -> Schema:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"The file cannot be read: {error}.", where=str(path)) from None
    if problem := schema_error(found):
        raise ConfigError(problem[1], where=f"{path}: {problem[0]}".rstrip(": "))
    return dict(found)


def as_json(verdict: Verdict, real: Effective | None) -> str:
    return json.dumps(verdict.as_data() | ({"effective": real.as_data()} if real else {}), default=str)


def in_words(verdict: Verdict, real: Effective | None = None) -> str:
    lines = [f"{j.severity.value:5}{j.change.path or '(record)':28} {j.change.kind.title}" for j in verdict.changes]
    said = f"{verdict.compatibility}. {verdict.sentence} Next version: {verdict.suggested_version}."
    return "\n".join([*lines, said, *([f"In fact: {real.sentence}"] if real else [])])
