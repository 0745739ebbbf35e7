"""Writes of measures: through the governed door, with their baselines, and computing them anew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from governance.saving import save
from hub.common import governed
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.registry import Document, kind
from monitoring.models import Measure
from monitoring.value import computing, shipped
from monitoring.value.formulas import find
from monitoring.value.kind import KIND

MOST_ROWS = 500


def save_measure(document: Document, *, by: Any, reason: str = "") -> Put:
    """Make or change a measure. Its months are computed anew: what is shown is by the definition that is shown."""
    done = save({"kind": KIND, **document}, act="measure.saved", by=by, reason=reason)
    if done.is_applied:
        recompute(Measure.objects.get(slug=document["slug"]))
    return done


@transaction.atomic
def load_shipped(*, by: Any) -> Put:
    """Make the shipped measures that are not there yet; those that are stay as they are."""
    known = set(Measure.objects.values_list("slug", flat=True))
    missing = [{"kind": KIND, **one} for one in shipped.documents() if one["slug"] not in known]
    if not missing:
        return Put(is_applied=True, said="All shipped measures are there.")
    done = governed.put(missing, by=by, reason="Shipped measures")
    if done.is_applied:
        for one in missing:
            tell(Act("measure.saved", KIND, one["slug"], by=by, after=kind(KIND).dump(one["slug"])))
        computing.compute_all()
        return Put(is_applied=True, said=f"{len(missing)} measures are there.")
    return done


@transaction.atomic
def delete_measure(measure: Measure, *, by: Any) -> None:
    tell(Act("measure.deleted", KIND, measure.slug, by=by, before=kind(KIND).dump(measure.slug)))
    measure.delete()


def recompute(measure: Measure) -> None:
    """This month and the last one, at once; the year before them is computed by the next hourly round."""
    formula = find(measure.formula)
    with transaction.atomic():
        if formula is None or not formula.is_stock:
            measure.values.all().delete()
        for month in computing.months_of(formula, whole=False):
            computing.compute(measure, month)


@transaction.atomic
def import_baselines(rows: Iterable[dict[str, str]], *, by: Any) -> Put:
    """Baselines by measure, value, period and source; all of the file or nothing. ConfigError says which line is wrong."""
    documents: list[Document] = []
    for line, row in enumerate(rows, start=2):
        if len(documents) >= MOST_ROWS:
            raise ConfigError(f"The file has more than {MOST_ROWS} rows.", fix="Split it.")
        documents.append(_with_baseline(row, line))
    if not documents:
        raise ConfigError("The file has no rows.", fix="Its first line is: measure,value,period,source.")
    before = {one["slug"]: kind(KIND).dump(one["slug"]) for one in documents}
    done = governed.put(documents, by=by, reason="Baselines from a file")
    if not done.is_applied:
        return done
    for one in documents:
        tell(
            Act(
                "measure.saved",
                KIND,
                one["slug"],
                by=by,
                before=before[one["slug"]],
                after=kind(KIND).dump(one["slug"]),
            )
        )
    return Put(is_applied=True, said=f"{len(documents)} baseline{'' if len(documents) == 1 else 's'} kept.")


def _with_baseline(row: dict[str, str], line: int) -> Document:
    given = {str(name).strip().lower(): (value or "").strip() for name, value in row.items() if name}
    document = kind(KIND).dump(given.get("measure", ""))
    if document is None:
        known = ", ".join(Measure.objects.values_list("slug", flat=True)[:30]) or "there is none yet"
        raise ConfigError(
            f"There is no measure {given.get('measure', '')!r}.", where=f"line {line}", fix=f"Known: {known}."
        )
    document = {**document, "baseline": {name: given.get(name, "") for name in ("value", "period", "source")}}
    for problem in kind(KIND).validate(document):
        raise ConfigError(problem.sentence, where=f"line {line}, {problem.path}")
    return document
