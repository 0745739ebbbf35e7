"""Reads of what terms measured."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from governance.models import Term
from governance.terms.queries import SEE
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from monitoring.models import SemanticDrift, TermMeasurement

EVERY = timedelta(hours=24)
# A term measured at nine is due again at the beat of nine, not of ten.
SLACK = timedelta(minutes=30)


def due_terms() -> QuerySet[Term]:
    """Terms that can be measured and were not for a day."""
    recent = TermMeasurement.objects.filter(term=OuterRef("pk"), measured_at__gt=timezone.now() - EVERY + SLACK)
    return measurable().filter(~Exists(recent)).order_by("pk")


def measurable() -> QuerySet[Term]:
    """Terms with an expression or a probe; a mere definition has no number."""
    return Term.objects.filter(~Q(expression="") | ~Q(probes=[]))


def with_latest(rows: QuerySet[Term]) -> QuerySet[Term]:
    """Terms with `state` and `measured_at` of their newest measurement, None where there is none."""
    newest = TermMeasurement.objects.filter(term=OuterRef("pk")).order_by("-id")
    return rows.annotate(
        state=Subquery(newest.values("state")[:1]), measured_at=Subquery(newest.values("measured_at")[:1])
    )


def latest_of(terms: Iterable[Term]) -> dict[int, TermMeasurement]:
    """The newest measurement of each term, by the term's id."""
    pks = [term.pk for term in terms]
    rows = TermMeasurement.objects.filter(term__in=pks).order_by("term_id", "-id").distinct("term_id")
    return {row.term_id: row for row in rows}


def measurements_of(term: Term) -> QuerySet[TermMeasurement]:
    return term.measurements.order_by("-id")


def drifts_for(user: User) -> QuerySet[SemanticDrift]:
    rows = SemanticDrift.objects.select_related("term__domain")
    return scope_to_domains(rows, user, SEE, "term__domain")


def open_drift_of(term: Term) -> SemanticDrift | None:
    return term.drifts.filter(closed_at__isnull=True).first()
