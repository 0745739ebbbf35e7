"""How alerts look: their state, what hangs on them, and where rules and routes count."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from hub.common.display import NOTHING
from hub.common.templatetags.ui import amount, status
from hub.sync.totals import exact
from monitoring.models import Alert, AlertChange, AlertRoute, AlertRule

register = template.Library()

WORDS = {"ok": "In order", "warning": "Warning", "critical": "Critical"}
UNTOLD = {
    "muted": "nobody was told: muted",
    "cause": "told with the alert that explains it",
    "known": "known already",
    "no_route": "nobody was told: no route",
}


@register.simple_tag
def alert_state(alert: Alert) -> SafeString:
    return status(alert.state, WORDS[alert.state])


@register.filter
def plain(number: Decimal | None) -> str:
    """Digits without the zeros of the column's scale; a dash for none."""
    return NOTHING if number is None else f"{number.normalize():,f}"


@register.simple_tag
def at_risk(row: Any, currency: str) -> SafeString:
    """The amount, what has no rate, and the number of records of an alert or a change."""
    parts = [amount(exact(row.amount_firm), currency)] if row.amount_firm is not None else []
    parts += [format_html("{}, no rate", amount(exact(Decimal(sum_)), code)) for code, sum_ in row.unconverted.items()]
    parts += (
        [format_html('<span class="t2">{} record{}</span>', f"{row.records:,}", "" if row.records == 1 else "s")]
        if row.records
        else []
    )
    return format_html_join(" ", "{}", ((part,) for part in parts)) if parts else format_html("{}", NOTHING)


@register.filter
def change_words(change: AlertChange) -> str:
    before, after = WORDS[change.before], WORDS[change.after]
    return f"{after}, told late" if before == after else f"{before} → {after}"


@register.simple_tag
def told(change: AlertChange) -> str:
    """Whom it was told, or why nobody was."""
    notices = list(change.notices.all())
    if not notices:
        return UNTOLD.get(change.untold_why, "nobody was told")
    return "told by " + ", ".join(sorted({notice.get_channel_display().lower() for notice in notices}))


@register.simple_tag
def rule_scope(rule: AlertRule) -> str:
    parts = [str(part) for part in (rule.sync, rule.system, rule.domain) if part]
    return ", ".join(parts) or "everywhere"


@register.simple_tag
def route_scope(route: AlertRoute, currency: str) -> str:
    parts = [str(part) for part in (route.rule, route.system, route.domain) if part]
    where = ", ".join(parts) or "everything"
    level = "critical alerts" if route.level == "critical" else "all alerts"
    from_ = f" from {currency} {plain(route.amount_from)} on" if route.amount_from is not None else ""
    return f"{level[:1].upper()}{level[1:]} of {where}{from_}"
