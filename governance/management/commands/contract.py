"""manage.py contract diff | export | import

diff OLD NEW [--mode FULL] [--second-opinion]: what a change breaks. OLD and NEW are files (JSON Schema as JSON or YAML) or
`contract@version`, by number or by semantic version. Where OLD is a version, `effective` is the verdict restricted to what its
actual consumers use. Exit 0 nothing breaks what the mode promises, 2 something does, 1 a side cannot be read.

export [NAME[@VERSION]] --format odcs|jsonschema|asyncapi [--output FILE]: without a name, the events of the whole hub.
Exit 0 written, 1 not.

import FILE --format odcs|jsonschema [--as NAME] [--domain SLUG] [--dry-run] [--breaking]: a new version, or a new entity.
Exit 0 done, or a dry run that breaks nothing; 2 it would break what the contract promises; 1 refused. All take --json.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from governance import consumers
from governance.compatibility import second_opinion
from governance.compatibility.verdict import Mode, Verdict, judge
from governance.consumers import Effective
from governance.exchange import exporting, importing, reading
from governance.exchange.importing import Proposal
from governance.models import Contract, ContractVersion
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


ACTIONS = {"diff": "diff", "export": "export", "import": "take"}


class Command(BaseCommand):
    help = "Compare versions of a contract, write it in a standard's format, or read such a file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        diff = actions.add_parser("diff", help="Compare two versions and say what the change breaks.")
        diff.add_argument("old", metavar="OLD", help="A file, or contract@version.")
        diff.add_argument("new", metavar="NEW", help="A file, or contract@version.")
        diff.add_argument("--mode", choices=[mode.value for mode in Mode], help="The contract's, or FULL for files.")
        diff.add_argument("--second-opinion", action="store_true", help="Ask jsoncompat too, where it is installed.")
        export = actions.add_parser("export", help="Write a contract in a standard's format.")
        export.add_argument("name", metavar="NAME[@VERSION]", nargs="?", default="", help="Without: the hub's events.")
        export.add_argument("--format", choices=list(exporting.FORMATS), required=True, dest="format_")
        export.add_argument("--output", type=Path, help="A file; without, stdout.")
        take = actions.add_parser("import", help="Make a file the next version of a contract.")
        take.add_argument("file", metavar="FILE", type=Path)
        take.add_argument("--format", choices=importing.FORMATS, required=True, dest="format_")
        take.add_argument(
            "--as", dest="name", metavar="NAME", default="", help="The contract; without, as the file says."
        )
        take.add_argument("--domain", default="", help="For a new entity; without, as the file says.")
        take.add_argument("--dry-run", action="store_true", help="Compare, and change nothing.")
        take.add_argument("--breaking", action="store_true", help="Import it although it breaks what is promised.")
        for each in (diff, export, take):
            each.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            getattr(self, ACTIONS[action])(**options)
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error), "code": error.code}))
            self.stderr.write(str(error))
            sys.exit(1)

    def diff(self, *, old: str, new: str, mode: str | None, **options: Any) -> None:
        before, after = side(old), side(new)
        chosen = Mode(mode) if mode else before.mode or Mode.FULL
        verdict = judge(before.schema, after.schema, mode=chosen, version=before.version)
        real = consumers.effective(verdict, consumers.of(before.of.contract.entity)) if before.of else None
        asked = options["second_opinion"]
        opinions = second_opinion.ask(before.schema, after.schema, verdict) if asked else []
        told = as_data(verdict, real) | ({"second_opinion": [each.as_data() for each in opinions]} if asked else {})
        self.stdout.write(json.dumps(told, default=str) if options["json"] else in_words(verdict, real))
        for each in opinions:
            if not each.agrees:
                self.stderr.write(
                    f"jsoncompat disagrees about {each.direction}: {'kept' if each.theirs else 'broken'}."
                )
        if verdict.is_breaking:
            sys.exit(2)

    def export(self, *, name: str, format_: str, output: Path | None, **options: Any) -> None:
        if not name and format_ != "asyncapi":
            raise ConfigError("Only events are exported for the whole hub.", fix="Name a contract, such as project@2.")
        version = exporting.find_version(name) if name else None
        made = (
            exporting.export_version(version, format_) if version else exporting.export_events(Contract.objects.all())
        )
        if output:
            _write(output, made.text)
            done = {"written": str(output), "format": format_, "contract": name or None}
            self.stdout.write(json.dumps(done) if options["json"] else f"Written to {output}.")
        else:
            self.stdout.write(json.dumps(made.document) if options["json"] else made.text)

    def take(self, *, file: Path, format_: str, name: str, domain: str, **options: Any) -> None:
        proposal = importing.propose(_bytes(file), format_=format_, where=str(file), name=name, domain=domain)
        told = proposal.as_data() | {"dry_run": options["dry_run"], "applied": False, "version": None, "said": ""}
        is_stopped = proposal.is_breaking and not options["breaking"]
        if not options["dry_run"] and not is_stopped:
            put = importing.accept(proposal, by=None, is_breaking_accepted=options["breaking"], where=file.name)
            version = ContractVersion.objects.filter(contract__slug=proposal.slug, status="active").first()
            told |= {"applied": put.is_applied, "version": version.number if version else None, "said": put.said}
        self._say(proposal, told, as_json=options["json"])
        if is_stopped:
            sys.exit(2)

    def _say(self, proposal: Proposal, told: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(told, default=str))
            return
        lines = [*proposal.notes, in_words(proposal.verdict) if proposal.verdict else told["sentence"]]
        lines.append(
            f"{told['said']} Version {told['version']} is active." if told["applied"] else "Nothing was changed."
        )
        self.stdout.write("\n".join(lines))


def side(name: str) -> Side:
    """What a command's argument names. Raises ConfigError."""
    path = Path(name)
    if path.is_file():
        schema = _read(path)
        return Side(schema, str(schema.get("version", "1.0.0")))
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
    found = reading.read(_bytes(path), where=str(path))
    if problem := schema_error(found):
        raise ConfigError(problem[1], where=f"{path}: {problem[0]}".rstrip(": "))
    return found


def _bytes(path: Path) -> bytes:
    """The file, and no more of it than may be read at all."""
    try:
        with path.open("rb") as file:
            return file.read(reading.MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"The file cannot be read: {error.strerror}.", where=str(path)) from None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"The file cannot be written: {error.strerror}.", where=str(path)) from None


def as_data(verdict: Verdict, real: Effective | None) -> dict[str, Any]:
    return verdict.as_data() | ({"effective": real.as_data()} if real else {})


def in_words(verdict: Verdict, real: Effective | None = None) -> str:
    lines = [f"{j.severity.value:5}{j.change.path or '(record)':28} {j.change.kind.title}" for j in verdict.changes]
    said = f"{verdict.compatibility}. {verdict.sentence} Next version: {verdict.suggested_version}."
    return "\n".join([*lines, said, *([f"In fact: {real.sentence}"] if real else [])])
