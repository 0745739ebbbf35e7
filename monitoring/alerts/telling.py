"""From changes to notices: which routes are told of each, when, and in which words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from governance.calendars.opening import OpeningHours
from governance.models import Firm
from hub.common.display import money
from hub.common.times import format_instant, time_zone
from hub.sync.totals import exact
from monitoring.alerts import bell, routing
from monitoring.alerts.routing import Matter
from monitoring.alerts.states import OK, RANK
from monitoring.models import AlertChange, AlertNotice, AlertRoute

WORDS = {"ok": "Recovered", "warning": "Warning", "critical": "Critical"}


def routes() -> QuerySet[AlertRoute]:
    return AlertRoute.objects.select_related("calendar__parent__parent", "domain", "system", "rule")


def firm_currency() -> str:
    return Firm.objects.values_list("currency", flat=True).first() or ""


def firm_hours() -> OpeningHours:
    """The clock of the firm, never closed."""
    zone = Firm.objects.values_list("time_zone", flat=True).first()
    return OpeningHours(zone=time_zone(zone or "UTC"))


def write(changes: Sequence[AlertChange], *, now: datetime) -> int:
    """Put a notice of each change into the outbox of every channel that is to be told; returns how many.

    A change that no route wants is marked so: the page says that nobody was told.
    """
    known = list(routes())
    hours, clock = routing.hours_of(known), firm_hours()
    notices: list[AlertNotice] = []
    for change in changes:
        told = _routes_for(change, known)
        level = routing.severity(change.before, change.after)
        for route in told:
            at = routing.due_at(route, level, now, hours=hours[route.pk], zone_hours=clock)
            notices += [AlertNotice(route=route, channel=c, change=change, due_at=at) for c in route.channels]
        if not told:
            change.untold_why = "no_route"
    AlertChange.objects.bulk_update([change for change in changes if change.untold_why], ["untold_why"])
    AlertNotice.objects.bulk_create(notices)
    if notices:
        bell.ring()
    return len(notices)


def matter_of(change: AlertChange) -> Matter:
    alert = change.alert
    level = routing.severity(change.before, change.after)
    amount = alert.peak_firm if change.after == OK else alert.amount_firm
    return Matter(alert.rule_id, level, alert.domain_id, alert.system_id, amount)


def _routes_for(change: AlertChange, known: Sequence[AlertRoute]) -> list[AlertRoute]:
    """Whom it matches; and when it gets better, everybody who was told since it began."""
    matched = routing.matching(known, matter_of(change))
    if RANK[change.after] > RANK[change.before] or change.alert.opened_at is None:
        return matched
    since = AlertNotice.objects.filter(change__alert=change.alert, change__at__gte=change.alert.opened_at)
    told = set(since.values_list("route_id", flat=True))
    return [route for route in known if route in matched or route.pk in told]


# Words -----------------------------------------------------------------------------------------------------
def at_risk(records: int, amount: Decimal | None, currency: str, unconverted: Mapping[str, str]) -> str:
    """ "GBP 84,200.00 in 37 records"; what has no rate is named beside it."""
    parts = [f"{currency} {money(exact(amount), currency)}".strip()] if amount is not None else []
    parts += [
        f"{code or 'no currency'} {money(exact(Decimal(sum_)), code)} without a rate"
        for code, sum_ in unconverted.items()
    ]
    money_words = " and ".join(parts)
    count = f"{records:,} record{'s' if records != 1 else ''}" if records else ""
    return " in ".join(part for part in (money_words, count) if part)


def headline(change: AlertChange, currency: str) -> str:
    """One line: level, rule, subject and money."""
    risk = at_risk(change.records, change.amount_firm, currency, change.unconverted)
    return f"{WORDS[change.after]}: {change.alert.rule.name}: {change.alert.name}" + (f" ({risk})" if risk else "")


def lines(change: AlertChange) -> list[str]:
    """What stands below the headline."""
    return [change.words, *change.details, link(change.alert.get_absolute_url())]


def link(path: str) -> str:
    """The address of a page as somebody outside the browser needs it."""
    return f"{settings.HUB_URL.rstrip('/')}{path}"


def as_data(change: AlertChange, currency: str) -> dict[str, Any]:
    """What a webhook is told."""
    alert = change.alert
    return {
        "alert": alert.pk,
        "change": change.pk,
        "rule": alert.rule.slug,
        "subject": alert.subject,
        "name": alert.name,
        "before": change.before,
        "after": change.after,
        "at": format_instant(change.at),
        "words": change.words,
        "details": change.details,
        "records": change.records,
        "amount": None if change.amount_firm is None else f"{change.amount_firm.normalize():f}",
        "currency": currency,
        "unconverted": change.unconverted,
        "domain": alert.domain.slug if alert.domain else None,
        "url": link(alert.get_absolute_url()),
    }
