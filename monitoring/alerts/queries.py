"""Reads of alerts: what a person may see, lists, and who would be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet
from django.utils import timezone

from governance.calendars.opening import ROUND_THE_CLOCK
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from monitoring.alerts import routing, telling
from monitoring.alerts.conditions import Condition, conditions
from monitoring.alerts.routing import Matter
from monitoring.models import Alert, AlertChange, AlertMute, AlertNotice, AlertRoute, AlertRule

SEE, EDIT = "monitor.view", "monitor.edit"
OK = "ok"


def in_force() -> Q:
    """Mutes that hold at this moment."""
    return Q(ended_at__isnull=True, until_at__gt=timezone.now())


# What a person may see -------------------------------------------------------------------------------------
def alerts_for(user: User, permission: str = SEE) -> QuerySet[Alert]:
    """Those of the person's domains; what belongs to no domain needs the permission for all."""
    rows = Alert.objects.select_related("rule", "domain", "acknowledged_by", "cause__rule")
    return scope_to_domains(rows, user, permission)


def active_for(user: User) -> QuerySet[Alert]:
    """What people have to know of: not in order, and not explained by another alert."""
    return alerts_for(user).exclude(state=OK).filter(cause__isnull=True)


def with_mutes(rows: QuerySet[Alert]) -> QuerySet[Alert]:
    """With `is_muted`."""
    muted = AlertMute.objects.filter(in_force(), rule=OuterRef("rule"))
    mine = muted.filter(Q(subject="") | Q(subject=OuterRef("subject")))
    return rows.annotate(is_muted=Exists(mine))


def rules_for(user: User, permission: str = SEE) -> QuerySet[AlertRule]:
    """People see rules of the whole firm as well; to change one of them takes the permission for all domains."""
    rows = AlertRule.objects.select_related("domain", "system", "sync")
    if permission == SEE and (ids := user.domain_ids_for(SEE)) is not None:
        return rows.filter(Q(domain__isnull=True) | Q(domain__in=ids))
    return scope_to_domains(rows, user, permission)


def routes_for(user: User, permission: str = SEE) -> QuerySet[AlertRoute]:
    rows = telling.routes()
    if permission == SEE and (ids := user.domain_ids_for(SEE)) is not None:
        return rows.filter(Q(domain__isnull=True) | Q(domain__in=ids))
    return scope_to_domains(rows, user, permission)


def mutes_for(user: User) -> QuerySet[AlertMute]:
    return AlertMute.objects.filter(rule__in=rules_for(user)).select_related("rule__domain", "by")


def mutes_in_force(rule: AlertRule, subject: str = "") -> QuerySet[AlertMute]:
    rows = AlertMute.objects.filter(in_force(), rule=rule).select_related("by")
    return rows.filter(Q(subject="") | Q(subject=subject)) if subject else rows


def changes_for(user: User) -> QuerySet[AlertChange]:
    rows = AlertChange.objects.select_related("alert__rule", "alert__domain")
    return scope_to_domains(rows, user, SEE, "alert__domain")


def notices_for(user: User, permission: str = SEE) -> QuerySet[AlertNotice]:
    """Notices of alerts that the person may see, and tests of routes that the person may see."""
    rows = AlertNotice.objects.select_related("route__domain", "change__alert__rule", "requested_by")
    ids = user.domain_ids_for(permission)
    if ids is None:
        return rows
    return rows.filter(Q(change__alert__domain__in=ids) | Q(change__isnull=True, route__domain__in=ids))


# Lists -----------------------------------------------------------------------------------------------------
def search(rows: QuerySet[Alert], text: str) -> QuerySet[Alert]:
    for word in text.split():
        rows = rows.filter(Q(name__icontains=word) | Q(words__icontains=word) | Q(rule__name__icontains=word))
    return rows


def with_counts(rows: QuerySet[AlertRule]) -> QuerySet[AlertRule]:
    active = ~Q(alerts__state=OK) & Q(alerts__isnull=False)
    muted = Q(mutes__ended_at__isnull=True, mutes__until_at__gt=timezone.now())
    return rows.annotate(
        active=Count("alerts", filter=active, distinct=True), muted=Count("mutes", filter=muted, distinct=True)
    )


def last_look() -> datetime | None:
    """When the rules were last evaluated; None when they never were."""
    return AlertRule.objects.aggregate(last=Max("evaluated_at"))["last"]


def condition_of(rule: AlertRule) -> Condition | None:
    return conditions().get(rule.what)


# Who would be told -----------------------------------------------------------------------------------------
@dataclass(slots=True)
class Told:
    """One route in a preview: whether and when it would be told, or why not."""

    route: AlertRoute
    why_not: str
    due_at: datetime | None = None
    channels: list[str] = field(default_factory=list)


def who(matter: Matter, *, now: datetime, routes: Sequence[AlertRoute] | None = None) -> list[Told]:
    """Every route in order, with what it would do about this matter."""
    known = list(telling.routes()) if routes is None else list(routes)
    told = routing.matching(known, matter)
    clock = telling.firm_hours()
    found = []
    for route in sorted(known, key=lambda each: (each.position, each.name)):
        why = routing.why_not(route, matter)
        if route in told:
            hours = route.calendar.opening_hours if route.calendar else ROUND_THE_CLOCK
            at = routing.due_at(route, matter.level, now, hours=hours, zone_hours=clock)
            found.append(Told(route, "", at, route.channels))
        else:
            found.append(Told(route, why or "A route before it ends the search."))
    return found
