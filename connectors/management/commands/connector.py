"""manage.py connector: list what there is, check a declaration before it is used, certify it against its simulator."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from connectors import catalog, registry
from connectors.catalog import Declaration, Problem
from connectors.certification import Certificate, certify, describing
from connectors.certification.checking import Checked, check_file
from connectors.certification.rehearsal import load_simulator
from connectors.declaration_schema import suggest
from connectors.declared import stream_label


class Command(BaseCommand):
    help = "List the connectors, check a declaration file, or certify a connector against its simulator."
    # a declaration can be checked without a database
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="the systems of the catalogue and of HUB_CATALOG, and the protocols")
        listing.add_argument(
            "--json", action="store_true", dest="as_json", help="as JSON, with objects, operations and their proof"
        )
        check = actions.add_parser(
            "check",
            help="schema, recorded payloads and conformance of declaration files; exit 1 when anything is wrong",
        )
        check.add_argument("files", nargs="+", type=Path, metavar="FILE")
        certifying = actions.add_parser("certify", help="prove what a connector promises; exit 0 when all of it held")
        certifying.add_argument("name", metavar="NAME", help="a name of the list, or a declaration file")
        certifying.add_argument(
            "--simulator",
            type=Path,
            metavar="FILE",
            help="a Python file with the simulator to certify against; it is run",
        )
        certifying.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")
        certifying.add_argument(
            "--record", action="store_true", help="keep what was proven for the list and the gallery"
        )

    def handle(self, *, action: str, **options: Any) -> None:
        if action == "check":
            self._check(options["files"])
        elif action == "certify":
            certificate = self._certify(options["name"], options["simulator"], is_recorded=options["record"])
            self._show(certificate, as_json=options["as_json"])
        else:
            self._list(options["as_json"])

    def _list(self, as_json: bool) -> None:
        declarations = registry.catalogue()
        names = list(describing.protocol_names(declarations))
        if as_json:
            found = [describe(d) for d in declarations.values()] + [describing.protocol_facts(name) for name in names]
            self.stdout.write(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
        else:
            width = max(len(name) for name in [*declarations, *names])
            for d in declarations.values():
                self.stdout.write(f"{d.name:{width}}  {d.protocol:8}{d.category:12}{d.label}: {', '.join(d.streams)}")
            for name in names:
                self.stdout.write(f"{name:{width}}  any system of this protocol")
        for path, problems in registry.catalogue_problems().items():
            self._report(Path(path), problems)

    # --- check

    def _check(self, files: Iterable[Path]) -> None:
        found = [check_file(path) for path in files]
        for checked in found:
            self._say(checked)
        if not all(checked.is_sound for checked in found):
            sys.exit(1)

    def _say(self, checked: Checked) -> None:
        for sentence in checked.sentences:
            self.stderr.write(sentence)
        for line in checked.found:
            self.stdout.write(line)

    def _report(self, path: Path, problems: Iterable[Problem]) -> None:
        for problem in problems:
            place = f"{path}:{problem.line}" if problem.line else str(path)
            self.stderr.write(f"{place}: {problem}")

    # --- certify

    def _certify(self, name: str, simulator: Path | None, *, is_recorded: bool) -> Certificate:
        declaration = _declaration(name)
        if declaration is None:
            return describing.protocol_certificate(name)
        certificate = certify(declaration, load_simulator(simulator) if simulator else None)
        if is_recorded:
            describing.record(declaration, certificate)
        return certificate

    def _show(self, certificate: Certificate, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(orjson.dumps(certificate.as_data(), option=orjson.OPT_INDENT_2).decode())
        else:
            self._tell(certificate)
        if not certificate.passed:
            sys.exit(1)

    def _tell(self, certificate: Certificate) -> None:
        against = f" against the {certificate.against}" if certificate.against else ""
        for proof in certificate.proofs:
            self.stdout.write(f"{proof.state:8} {proof.subject:40} {proof.rule}: {proof.detail}")
        held = sum(proof.state == "passed" for proof in certificate.proofs)
        self.stdout.write(f"{certificate.name}: {held} of {len(certificate.proofs)} promises held{against}.")


def _declaration(name: str) -> Declaration | None:
    """A system of the catalogue or a file; None for a bare protocol."""
    if name.endswith((".yaml", ".yml")):
        return catalog.load_file(Path(name))
    known = registry.catalogue()
    if name in known:
        return known[name]
    protocols = list(describing.protocol_names(known))
    if name not in protocols:
        raise CommandError(f"There is no connector {name!r}.{suggest(name, [*known, *protocols])}")
    return None


def describe(declaration: Declaration) -> dict[str, Any]:
    """A system of the catalogue for programs."""
    names = ("name", "label", "category", "protocol", "description", "docs", "time_zone", "source")
    return {
        **{name: getattr(declaration, name) for name in names},
        "vendor": declaration.label,
        "objects": list(declaration.streams),
        "operations": [asdict(each) for each in describing.operations(declaration)],
        "proof": describing.proof_line(declaration),
        "config": declaration.fields(),
        "streams": [_describe_stream(name, stream) for name, stream in declaration.streams.items()],
    }


def _describe_stream(name: str, stream: Mapping[str, Any]) -> dict[str, Any]:
    key = stream.get("key", [])
    return {
        "name": name,
        "label": stream_label(name, stream),
        "key": [key] if isinstance(key, str) else list(key),
        "operations": list(stream.get("write", {})),
    }
