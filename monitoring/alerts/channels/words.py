"""A message in words: one alert, or several together. Pure but for the firm's currency."""

from __future__ import annotations

from collections.abc import Sequence

from hub.common.times import format_instant
from monitoring.alerts.telling import firm_currency, headline, lines, link
from monitoring.models import AlertNotice, AlertRoute


def subject(notices: Sequence[AlertNotice]) -> str:
    changes = [notice.change for notice in notices if notice.change]
    if not changes:
        return "Syncline: test of an alert route"
    if len(changes) == 1:
        return f"Syncline: {headline(changes[0], firm_currency())}"
    worst = "critical" if any(change.after == "critical" for change in changes) else changes[-1].after
    return (
        f"Syncline: {len(changes)} alerts, the worst is {worst}"
        if worst != "ok"
        else f"Syncline: {len(changes)} alerts have recovered"
    )


def body(route: AlertRoute, notices: Sequence[AlertNotice]) -> str:
    """Plain text; times are in UTC."""
    changes = [notice.change for notice in notices if notice.change]
    if not changes:
        by = notices[0].requested_by
        asked = f"{by} asked for this test" if by else "This is a test"
        where = link(route.get_absolute_url())
        return f"{asked} of the route “{route.name}”. Whoever reads it will be told of its alerts.\n\n{where}\n"
    currency = firm_currency()
    parts = []
    for change in changes:
        head = headline(change, currency)
        parts.append("\n".join([head, f"At {format_instant(change.at)}", *(line for line in lines(change) if line)]))
    return "\n\n".join(parts) + f"\n\nTold by the route “{route.name}”.\n"
