"""Measuring terms: the hub's number, every system's, and how they stand to each other."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from connectors.models import Connection
from governance.models import Term
from governance.terms.parsing import parse
from governance.terms.probes import Probe
from hub.common.errors import HubError
from hub.common.http import Redactor
from hub.common.money import decimal_text
from monitoring.glossary import canonical, drift, probing
from monitoring.glossary.periods import Span, span_of
from monitoring.models import TermMeasurement

log = logging.getLogger(__name__)
State = TermMeasurement.State


@dataclass(slots=True)
class Reading:
    """One system asked; `value` is None where there is no number, and `note` says why."""

    system: str
    name: str
    connection: str
    value: Decimal | None = None
    note: str = ""
    difference: Decimal | None = None
    state: str = State.UNMEASURED

    def as_data(self) -> dict[str, Any]:
        """As kept and shown: numbers as text, so that no digit is lost."""
        return {
            "system": self.system,
            "name": self.name,
            "connection": self.connection,
            "value": text_of(self.value),
            "difference": text_of(self.difference),
            "state": str(self.state),
            "note": self.note,
        }


@dataclass(slots=True)
class Look:
    """A term measured once; nothing of it is kept yet."""

    span: Span | None
    hub: Decimal | None = None
    hub_note: str = ""
    readings: list[Reading] = field(default_factory=list)

    @property
    def state(self) -> str:
        """Apart as soon as one system is; equal only when the hub and every system that has a probe gave a number."""
        states = {reading.state for reading in self.readings}
        if State.APART in states:
            return State.APART
        return State.EQUAL if states == {State.EQUAL} else State.UNMEASURED


def text_of(number: Decimal | None) -> str | None:
    return None if number is None else decimal_text(number.normalize())


def look(term: Term) -> Look:
    """Measure a term, stored or not, without keeping anything. Never raises for what a system or an expression does."""
    span = span_of(term.period)
    found = Look(span)
    found.hub, found.hub_note = _hub(term, span)
    known = {each.slug: each for each in Connection.objects.select_related("system")}
    for probe in map(Probe.of, term.probes):
        reading = _ask(probe, known.get(probe.connection), span)
        _compare(reading, found.hub, term)
        found.readings.append(reading)
    return found


def _hub(term: Term, span: Span | None) -> tuple[Decimal | None, str]:
    if not term.expression:
        return None, "The term has no expression."
    try:
        return canonical.measure(parse(term.expression), span=span, currency=term.currency), ""
    except HubError as error:
        return None, str(error)


def _ask(probe: Probe, connection: Connection | None, span: Span | None) -> Reading:
    if connection is None:
        return Reading(
            "", probe.connection, probe.connection, note=f"There is no connection {probe.connection!r} any more."
        )
    reading = Reading(connection.system.slug, connection.system.name, connection.slug)
    try:
        reading.value = probing.ask(probe, connection, span)
    except HubError as error:
        reading.note = Redactor(connection.secrets.values())(str(error))
    except Exception:
        # A connector's fault must not keep the other systems from being measured.
        log.exception("probe failed", extra={"connection": connection.slug})
        reading.note = "The probe failed inside the hub; its log says more."
    return reading


def _compare(reading: Reading, hub: Decimal | None, term: Term) -> None:
    if reading.value is None:
        return
    if hub is None:
        reading.note = "There is no number of the hub to compare with."
        return
    reading.difference = reading.value - hub
    within = abs(reading.difference) <= allowed(term, hub)
    reading.state = State.EQUAL if within else State.APART


def allowed(term: Term, hub: Decimal) -> Decimal:
    """By how much a system's number may differ."""
    if term.tolerance_kind == Term.Tolerance.PERCENT:
        return abs(hub) * term.tolerance / 100
    return term.tolerance


def measure(term: Term) -> TermMeasurement:
    """Measure a stored term, keep it, and open or close its drift. Systems are asked outside any transaction."""
    found = look(term)
    with transaction.atomic():
        kept = Term.objects.select_for_update().get(pk=term.pk)
        made = TermMeasurement.objects.create(
            term=kept,
            measured_at=timezone.now(),
            period_start=found.span.start if found.span else None,
            period_end=found.span.end if found.span else None,
            hub=found.hub,
            hub_note=found.hub_note,
            systems=[reading.as_data() for reading in found.readings],
            state=found.state,
        )
        drift.follow(made)
    return made


def measure_all(terms: Iterable[Term]) -> list[TermMeasurement]:
    return [measure(term) for term in terms]
