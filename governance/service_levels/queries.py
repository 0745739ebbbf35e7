"""Reads of service levels: which a person may see, and what one says."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from governance.models import ServiceLevel
from governance.service_levels.words import Said
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains

SEE, EDIT = "monitor.view", "monitor.edit"


def levels_for(user: User, permission: str = SEE) -> QuerySet[ServiceLevel]:
    """Those of the domains in which the person holds the permission."""
    rows = ServiceLevel.objects.select_related("domain", "entity", "source", "target", "calendar__parent__parent")
    return scope_to_domains(rows, user, permission)


def search(rows: QuerySet[ServiceLevel], text: str) -> QuerySet[ServiceLevel]:
    for word in text.split():
        rows = rows.filter(
            Q(name__icontains=word)
            | Q(slug__icontains=word)
            | Q(owner__icontains=word)
            | Q(entity__name__icontains=word)
        )
    return rows


def said_of(level: ServiceLevel) -> Said:
    """What a level says, saved or not; what it does not name yet is left out."""
    return Said(
        measure=level.measure,
        domain=level.domain.name if level.domain_id else "",
        entity=level.entity.name if level.entity else "",
        source=level.source.name if level.source else "",
        target=level.target.name if level.target else "",
        condition=level.condition,
        calendar=level.calendar.name if level.calendar else "",
        zone=level.calendar.time_zone if level.calendar else "UTC",
        warn_seconds=level.warn_seconds,
        breach_seconds=level.breach_seconds,
        due_time=level.due_time,
        objective=level.objective_percent,
        window=level.window,
    )
