"""Clocks, arrivals and error budgets as inline SVG: they print, need no script, and say in words what they draw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from hub.common.times import business_now
from monitoring.models import Expectation

register = template.Library()
WIDTH = 640


@dataclass(frozen=True, slots=True)
class Scale:
    """Instants on a line of `width` units."""

    start: datetime
    end: datetime
    width: float = WIDTH

    def x(self, at: datetime) -> float:
        span = (self.end - self.start).total_seconds() or 1
        share = (at - self.start).total_seconds() / span
        return round(min(max(share, 0), 1) * self.width, 1)


@register.simple_tag
def clock(row: Expectation) -> SafeString:
    """From the beginning to the deadline and what is past it: the allowed time shaded, the warning, now and the arrival."""
    now = business_now()
    last = max(row.due_at, row.arrived_at or now)
    scale = Scale(row.opened_at, last + (last - row.opened_at) / 20)
    warn, due, seen = scale.x(row.warn_at), scale.x(row.due_at), scale.x(row.arrived_at or now)
    tone = "ok" if row.state == Expectation.State.MET else "fail" if row.breached_at else "run"
    return format_html(
        '<svg class="chart" viewBox="0 0 {w} 34" role="img" aria-label="{label}">'
        '<rect class="lane" x="0" y="14" width="{w}" height="14" rx="3"/>'
        '<rect class="f-queued" opacity=".25" x="0" y="14" width="{warn}" height="14"/>'
        '<rect class="f-warn" opacity=".3" x="{warn}" y="14" width="{warning}" height="14"/>'
        '<rect class="f-{tone}" x="0" y="19" width="{seen}" height="4"/>'
        '<path class="s-ink" stroke-width="2" d="M{due} 10V32"/>'
        '<path class="f-{tone}" d="M{left} 0H{right}L{seen} 11z"/></svg>',
        w=WIDTH, warn=warn, warning=round(due - warn, 1), due=due, seen=seen, tone=tone, left=seen - 6, right=seen + 6,
        label=_clock_words(row, now),
    )  # fmt: skip


def _clock_words(row: Expectation, now: datetime) -> str:
    stamp = "%Y-%m-%d %H:%M"
    end = f"arrived {row.arrived_at:{stamp}}" if row.arrived_at else f"not arrived by {now:{stamp}}"
    return f"Began {row.opened_at:{stamp}}, warning {row.warn_at:{stamp}}, due {row.due_at:{stamp}}, {end} (UTC)"


@register.simple_tag
def arrivals(readings: Sequence[tuple[datetime, str]], since: datetime, due: datetime | None, label: str) -> SafeString:
    """Readings of a stream as (when, state), the window in which the next one is allowed, and now."""
    now = business_now()
    end = max(now, due or now)
    scale = Scale(since, end + (end - since) / 30, 260)
    at, last = scale.x(now), readings[-1][0] if readings else since
    window = ""
    if due:
        tone, start = "warn" if due < now else "ok", scale.x(last)
        rect = '<rect class="f-{}" opacity=".25" x="{}" y="9" width="{}" height="14"/>'
        window = format_html(rect, tone, start, max(round(scale.x(due) - start, 1), 1))
    marks = format_html_join(
        "", '<rect class="f-{}" x="{}" y="9" width="2.5" height="14"/>',
        (("fail" if state == "met_late" else "ok", scale.x(when)) for when, state in readings),
    )  # fmt: skip
    return format_html(
        '<svg class="strip" width="260" height="28" viewBox="0 0 260 28" role="img" aria-label="{}">'
        '<path class="s-muted" d="M0 16H260" stroke-width="1"/>{}{}<path class="f-run" d="M{} 0h8l-4 7z"/></svg>',
        label, window, marks, at - 4,
    )  # fmt: skip


@register.simple_tag
def burn_down(points: Iterable[tuple[date, Decimal]], first: date, last: date) -> SafeString:
    """Error budget left by day, from the first to the last day of the window; below the line it is overspent."""
    found = list(points)
    if not found:
        return mark_safe("")
    days = max((last - first).days, 1)
    low = min(Decimal(0), *(left for _, left in found))
    low = max(low, Decimal(-300))
    height = 120

    def y(left: Decimal) -> float:
        return round(12 + float((100 - max(left, low)) / (100 - low)) * height, 1)

    def x(day: date) -> float:
        return round((day - first).days / days * WIDTH, 1)

    line = " ".join(f"{x(day)},{y(left)}" for day, left in found)
    tone = "fail" if found[-1][1] < 0 else "warn" if found[-1][1] < 25 else "ok"
    return format_html(
        '<svg class="chart" viewBox="0 0 {w} {tall}" role="img" aria-label="{label}">'
        '<path class="rule" d="M0 {top}H{w}M0 {zero}H{w}"/>'
        '<path class="s-muted" stroke-dasharray="4 4" d="M0 {top}L{w} {zero}"/>'
        '<polyline class="s-{tone}" fill="none" stroke-width="2" points="0,{top} {line}"/>'
        '<circle class="f-{tone}" cx="{cx}" cy="{cy}" r="3.5"/></svg>',
        tall=height + 20, w=WIDTH, top=y(Decimal(100)), zero=y(Decimal(0)), tone=tone, line=line,
        cx=x(found[-1][0]), cy=y(found[-1][1]),
        label=f"Error budget left, by day: {found[-1][1]} % on {found[-1][0].isoformat()}",
    )  # fmt: skip


def shown_state(row: Any) -> str:
    """The name of a state in hub.common.states."""
    return _SHOWN.get(str(row.state), str(row.state))


_SHOWN = {"open": "due", "warned": "warned", "breached": "late", "met": "met", "met_late": "partial"}
register.filter("shown_state", shown_state)
