"""manage.py term measure [NAME …] [--json]: measure terms in the hub and in every system, and say where numbers part.

Exit 0 when every system agrees with the hub, 2 when one parts from it, 1 when something that has a probe could not be
measured, or a term is unknown.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import QuerySet

from governance.models import Term
from hub.common.errors import ConfigError, HubError
from monitoring.glossary import measuring, queries
from monitoring.glossary.measuring import State, text_of
from monitoring.models import TermMeasurement


class Command(BaseCommand):
    help = "Measure the terms of the glossary in every system."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["measure"])
        parser.add_argument("names", metavar="NAME", nargs="*", help="Short names of terms; all without any.")
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, names: list[str], **options: Any) -> None:
        try:
            found = [measuring.measure(term) for term in _terms(names)]
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error), "code": error.code}))
            self.stderr.write(str(error))
            sys.exit(1)
        self.stdout.write(json.dumps(as_data(found)) if options["json"] else in_words(found))
        if any(each.state == State.APART for each in found):
            sys.exit(2)
        if any(failed(each) for each in found):
            sys.exit(1)


def _terms(names: list[str]) -> QuerySet[Term]:
    known = set(Term.objects.values_list("slug", flat=True))
    if missing := [name for name in names if name not in known]:
        raise ConfigError(
            f"There is no term {missing[0]!r}.",
            fix=f"Known: {', '.join(sorted(known)) or 'none, the glossary is empty'}.",
        )
    return Term.objects.filter(slug__in=names) if names else queries.measurable()


def failed(measurement: TermMeasurement) -> bool:
    """Something that was asked gave no number. A term that no system has a probe for was not asked."""
    silent = [each for each in measurement.systems if each["value"] is None]
    return bool(silent or (measurement.hub is None and measurement.term.expression))


def as_data(found: list[TermMeasurement]) -> dict[str, Any]:
    """`ok` only when no number parts and everything that was asked gave one."""
    return {
        "terms": [_term(each) for each in found],
        "measured": sum(1 for each in found if each.state != State.UNMEASURED),
        "ok": not any(each.state == State.APART or failed(each) for each in found),
    }


def _term(found: TermMeasurement) -> dict[str, Any]:
    return {
        "name": found.term.slug,
        "hub": text_of(found.hub),
        "note": found.hub_note or ("" if found.systems else "No system has a probe."),
        "systems": found.systems,
        "state": str(found.state),
        "drift": queries.open_drift_of(found.term) is not None,
    }


def in_words(found: list[TermMeasurement]) -> str:
    if not found:
        return "No term can be measured: none has an expression or a probe."
    return "\n".join(line for each in found for line in _lines(each))


def _lines(found: TermMeasurement) -> list[str]:
    hub = text_of(found.hub) or found.hub_note
    lines = [f"{found.term}: {hub} in the hub, {found.get_state_display().lower()}"]
    for each in found.systems:
        told = each["note"] or f"differs by {each['difference']}"
        lines.append(f"  {each['name']}: {each['value'] or '-'}, {each['state']}: {told}")
    return lines if found.systems else [*lines, "  No system has a probe."]
