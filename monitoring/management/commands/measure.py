"""manage.py measure SLUG [--all-months] [--json]: compute a measure now, and show what it comes to.

Exit 0 when it has a figure, 2 when it has none (not connected, or nothing counts), 1 when it failed or is unknown.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from hub.common.errors import ConfigError, HubError
from hub.common.times import format_instant
from monitoring.models import Measure, MeasureValue
from monitoring.value import computing, queries
from monitoring.value.formulas import find


class Command(BaseCommand):
    help = "Compute a measure of the value page."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="the short name of the measure")
        parser.add_argument(
            "--all-months", action="store_true", help="compute the whole year, not this month and the last"
        )
        parser.add_argument("--json", action="store_true", help="One JSON document on stdout.")

    def handle(self, *args: Any, slug: str, all_months: bool, **options: Any) -> None:
        try:
            found = _computed(slug, whole=all_months)
        except HubError as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error), "code": error.code}))
            self.stderr.write(str(error))
            sys.exit(1)
        data = queries.as_data(found)
        data["computed_at"] = format_instant(data["computed_at"])
        self.stdout.write(json.dumps(data) if options["json"] else in_words(found))
        state = found.latest.state if found.latest else ""
        if state != MeasureValue.State.MEASURED:
            sys.exit(1 if state == MeasureValue.State.FAILED else 2)


def _computed(slug: str, *, whole: bool) -> queries.Standing:
    measure = Measure.objects.filter(slug=slug).first()
    if measure is None:
        known = ", ".join(Measure.objects.values_list("slug", flat=True)[:30]) or "there is none yet"
        raise ConfigError(f"There is no measure {slug!r}.", fix=f"Known: {known}.")
    for month in computing.months_of(find(measure.formula), whole=whole):
        computing.compute(measure, month)
    return queries.standing(measure)


def in_words(found: queries.Standing) -> str:
    latest = found.latest
    assert latest is not None
    if latest.shown is None:
        return f"{found.measure.name}, {latest.month}: {found.note}"
    lines = [f"{found.measure.name}, {latest.month}: {found.text} {found.unit}".rstrip() + f", {latest.rows} rows"]
    if found.second_text:
        lines.append(f"  90th percentile: {found.second_text} {found.unit}".rstrip())
    confidence, doubts = found.confidence
    lines.append(f"  confidence {confidence}{': ' + ', '.join(doubts) if doubts else ''}")
    return "\n".join(
        [*lines, *(f"  {cause}: {rows}, {queries.plain_text(total)}" for cause, rows, total, _ in latest.causes)]
    )
