"""The way of one record through the hub as a waterfall: when each hop came, and what it waited before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from hub.common.states import state_of
from hub.common.templatetags.charts import SHAPES
from hub.sync.templatetags.sync_ui import outcome_name, short
from hub.sync.threads import Hop

register = template.Library()

ROW, TOP, LABEL, WIDTH, END = 30, 24, 190, 900, 150


@register.simple_tag
def waterfall(hops: Sequence[Hop]) -> SafeString:
    """A bar for each hop: pale while it waited for its turn, full while the target was called."""
    longest = max((hop.after + _took(hop) for hop in hops), default=timedelta(0)).total_seconds() or 0.001
    scale = (WIDTH - LABEL - END) / longest
    height = TOP + ROW * len(hops) + 4
    words = ", ".join(
        f"{hop.system} {hop.row.get_outcome_display()} after {short(hop.after.total_seconds())}" for hop in hops
    )
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="Waterfall: {}">{}{}</svg>',
        WIDTH, height, words, _axis(longest, scale, height),
        format_html_join("", "{}", ((_bar(place, hop, scale),) for place, hop in enumerate(hops))),
    )  # fmt: skip


def _took(hop: Hop) -> timedelta:
    return timedelta(microseconds=hop.row.duration_us or 0)


def _bar(place: int, hop: Hop, scale: float) -> SafeString:
    """A row is written when its batch ends, so that its own time lies before its moment."""
    y, end, took = TOP + ROW * place, hop.after.total_seconds(), _took(hop).total_seconds()
    token = state_of(outcome_name(hop.row)).token
    x = round(LABEL + end * scale, 1)
    busy = max(round(min(took, end) * scale, 1), 3)
    return format_html(
        '<text x="0" y="{0}" class="lab">{1}</text><rect x="{2}" y="{3}" width="{4}" height="12" rx="2" class="bg-wait"/>'
        '<rect x="{5}" y="{3}" width="{6}" height="12" rx="2" class="f-{7}"/>'
        '<g transform="translate({8} {9})">{10}</g><text x="{11}" y="{0}" class="dim">{12}</text>',
        y + 17, _name(hop), LABEL, y + 7, max(x - LABEL, 0), max(x - busy, LABEL), busy, token,
        x + 6, y + 4, mark_safe(SHAPES[token]), x + 18, _words(hop),
    )  # fmt: skip


def _name(hop: Hop) -> str:
    name = hop.system if len(hop.system) <= 22 else f"{hop.system[:21]}…"
    return f"{name} ({hop.row.attempt})" if hop.row.attempt > 1 else name


def _words(hop: Hop) -> str:
    return f"{short(hop.after.total_seconds())}{f', HTTP {hop.row.http_status}' if hop.row.http_status else ''}"


def _axis(longest: float, scale: float, height: int) -> SafeString:
    ticks = [longest * part / 4 for part in range(5)]
    return format_html_join(
        "",
        '<path d="M{0} 20V{1}" class="rule"/><text x="{0}" y="12" text-anchor="middle" class="dim">{2}</text>',
        ((round(LABEL + tick * scale, 1), height, short(tick) if tick else "0") for tick in ticks),
    )
