"""Semantic drift: opened when a term's numbers part, kept while they do, closed when they have met again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from governance.models import Term
from hub.common import facts
from hub.common.acts import Act, tell
from hub.common.money import decimal_text
from monitoring.models import SemanticDrift, TermMeasurement

State = TermMeasurement.State


def follow(measurement: TermMeasurement) -> SemanticDrift | None:
    """What a measurement says of its term's drift; the term's row is locked by the caller. Returns the drift it touched."""
    term = measurement.term
    found = term.drifts.select_for_update().filter(closed_at__isnull=True).first()
    parted = _parted(measurement, found)
    if found is None:
        return _open(measurement, parted) if parted else None
    if not parted:
        return _close(found, measurement)
    _keep(found, measurement, parted)
    found.measurements += 1
    found.save()
    return found


def _parted(measurement: TermMeasurement, found: SemanticDrift | None) -> list[dict[str, Any]]:
    """The systems that part, and those that did and could not be measured now: silence is no agreement."""
    silent = {each["connection"]: each for each in measurement.systems if each["state"] == State.UNMEASURED}
    before = found.systems if found else []
    return [*measurement.apart, *(each for each in before if each["connection"] in silent)]


def _open(measurement: TermMeasurement, parted: list[dict[str, Any]]) -> SemanticDrift:
    made = SemanticDrift(term=measurement.term, opened_at=measurement.measured_at)
    _keep(made, measurement, parted)
    made.save()
    _tell("semantic_drift.opened", made)
    facts.publish("semantic_drift_opened", drift=made)
    return made


def _keep(drift: SemanticDrift, measurement: TermMeasurement, parted: list[dict[str, Any]]) -> None:
    drift.systems, drift.last_measured_at = parted, measurement.measured_at
    drift.difference = max((Decimal(each["difference"]) for each in parted), key=abs)
    is_money = measurement.term.unit == Term.Unit.MONEY
    drift.amount = abs(drift.difference) if is_money else None
    drift.currency = measurement.term.currency if is_money else ""


def _close(drift: SemanticDrift, measurement: TermMeasurement) -> SemanticDrift:
    drift.closed_at = drift.last_measured_at = measurement.measured_at
    drift.measurements += 1
    drift.save()
    _tell("semantic_drift.closed", drift)
    facts.publish("semantic_drift_closed", drift=drift)
    return drift


def _tell(act: str, drift: SemanticDrift) -> None:
    """Told to the audit as an act of the hub itself."""
    details = {
        "drift": drift.pk,
        "systems": [each["connection"] for each in drift.systems],
        "difference": decimal_text(drift.difference),
    }
    tell(Act(act, "Term", drift.term.slug, details=details, domain=drift.term.domain))
