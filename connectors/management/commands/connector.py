"""manage.py connector: list the systems of the catalogue, and check a declaration before it is used."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand

from connectors import catalog, registry
from connectors.catalog import Declaration, Problem
from connectors.declared import stream_label


class Command(BaseCommand):
    help = "List the systems of the catalogue, or check a declaration file."
    # a declaration can be checked without a database
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="the systems of the catalogue and of HUB_CATALOG")
        listing.add_argument(
            "--json", action="store_true", dest="as_json", help="as JSON, with streams and form fields"
        )
        check = actions.add_parser("check", help="say what is wrong with declaration files; exit 1 when anything is")
        check.add_argument("files", nargs="+", type=Path, metavar="FILE")

    def handle(self, *, action: str, **options: Any) -> None:
        if action == "check":
            self._check(options["files"])
        else:
            self._list(options["as_json"])

    def _list(self, as_json: bool) -> None:
        declarations = list(registry.catalogue().values())
        if as_json:
            self.stdout.write(orjson.dumps([describe(d) for d in declarations], option=orjson.OPT_INDENT_2).decode())
        else:
            width = max((len(declaration.name) for declaration in declarations), default=0)
            for d in declarations:
                self.stdout.write(f"{d.name:{width}}  {d.protocol:8}{d.category:12}{d.label}: {', '.join(d.streams)}")
        for path, problems in registry.catalogue_problems().items():
            self._report(Path(path), problems)

    def _check(self, files: Iterable[Path]) -> None:
        sound = [self._is_sound(path) for path in files]
        if not all(sound):
            sys.exit(1)

    def _is_sound(self, path: Path) -> bool:
        problems = problems_of(path)
        self._report(path, problems)
        if not problems:
            declaration = catalog.load_file(path)
            self.stdout.write(f"{path}: {declaration.label} is sound; it offers {', '.join(declaration.streams)}.")
        return not problems

    def _report(self, path: Path, problems: Iterable[Problem]) -> None:
        for problem in problems:
            place = f"{path}:{problem.line}" if problem.line else str(path)
            self.stderr.write(f"{place}: {problem}")


def problems_of(path: Path) -> list[Problem]:
    """What is wrong with a declaration file, its name included."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        return [Problem("", 0, f"It cannot be read: {reason}.")]
    found = catalog.validate_text(text)
    if not found and (name := catalog.parse(text).name) != path.stem:
        return [Problem("name", 0, f"The file is called {path.name}, so the name must be {path.stem!r}, not {name!r}.")]
    return found


def describe(declaration: Declaration) -> dict[str, Any]:
    """A system of the catalogue for programs."""
    names = ("name", "label", "category", "protocol", "description", "docs", "time_zone", "source")
    return {
        **{name: getattr(declaration, name) for name in names},
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
