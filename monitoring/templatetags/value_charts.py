"""Charts of the value pages as inline SVG; each stands beside a table that says the same."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from monitoring.value.hours import HoursFlow
from monitoring.value.queries import Standing, figure_text

register = template.Library()

WIDTH, TREND_HEIGHT, LABEL = 720, 200, 190
ROW = 26


@register.simple_tag
def trend_chart(found: Standing) -> SafeString:
    """The months as a line with a dot each, the target dashed; empty where there is no trend."""
    months = found.trend
    if not months:
        return mark_safe("")
    figures = [one.value for one in months if one.value is not None]
    bounds = [*figures, *([Decimal(found.measure.target)] if found.measure.target else [])]
    low, high = min([*bounds, Decimal(0)]), max(bounds)
    span = (high - low) or Decimal(1)

    def y(value: Decimal) -> float:
        return round(float(TREND_HEIGHT - 34 - (value - low) / span * (TREND_HEIGHT - 64)), 1)

    step = (WIDTH - 80) / max(len(months) - 1, 1)
    points = [(round(40 + n * step, 1), y(value)) for n, value in enumerate(figures)]
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{} by month">{}<polyline points="{}" class="s-s1"'
        ' fill="none" stroke-width="2"/>{}{}</svg>',
        WIDTH, TREND_HEIGHT, found.measure.name, _target_line(found, y), " ".join(f"{x},{at}" for x, at in points),
        format_html_join("", '<circle cx="{}" cy="{}" r="3" class="f-s1"><title>{}: {}</title></circle>',
            ((x, at, one.month, figure_text(one.value, found.formula, found.currency))
             for (x, at), one in zip(points, months, strict=True))),
        format_html_join("", '<text x="{}" y="{}" text-anchor="middle" class="dim">{}</text>',
            ((x, TREND_HEIGHT - 8, one.month) for n, ((x, _), one) in enumerate(zip(points, months, strict=True))
             if n % 2 == (len(months) - 1) % 2)),
    )  # fmt: skip


def _target_line(found: Standing, y: Any) -> SafeString:
    if not found.measure.target:
        return mark_safe("")
    at = y(Decimal(found.measure.target))
    return format_html(
        '<line x1="40" x2="{}" y1="{}" y2="{}" class="s-ok" stroke-dasharray="5 4"/>'
        '<text x="{}" y="{}" text-anchor="end" class="t-ok">target</text>',
        WIDTH - 40, at, at, WIDTH - 40, at - 5,
    )  # fmt: skip


@register.simple_tag
def waterfall(found: Standing) -> SafeString:
    """From the figure of the month before to that of now, by cause; empty where causes do not add up."""
    if not found.steps:
        return mark_safe("")
    before, after = found.values[-2], found.values[-1]
    assert before.value is not None
    assert after.value is not None
    bars = _bars(before.value, after.value, found, before.month, after.month)
    edges = [edge for _, start, end, _, _ in bars for edge in (start, end)]
    low, span = min([*edges, Decimal(0)]), (max([*edges, Decimal(0)]) - min([*edges, Decimal(0)])) or Decimal(1)

    def x(value: Decimal) -> float:
        return round(float(LABEL + (value - low) / span * (WIDTH - LABEL - 120)), 1)

    rows = (
        _bar(n, x(min(start, end)), x(max(start, end)), word, text, tone)
        for n, (word, start, end, text, tone) in enumerate(bars)
    )
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="What changed since {}, by cause">{}</svg>',
        WIDTH, len(bars) * ROW + 6, before.month, format_html_join("", "{}", ([row] for row in rows)),
    )  # fmt: skip


Bar = tuple[str, Decimal, Decimal, str, str]


def _bars(before: Decimal, after: Decimal, found: Standing, old: str, new: str) -> list[Bar]:
    zero, at = Decimal(0), before
    bars: list[Bar] = [(old, zero, before, figure_text(before, found.formula, found.currency), "s1")]
    for step in found.steps:
        good = (step.change < 0) == (found.measure.direction == "down")
        sign = "+" if step.change > 0 else ""
        text = f"{sign}{figure_text(step.change, found.formula, found.currency)}"
        bars.append((step.cause, at, at + step.change, text, "ok" if good else "warn"))
        at += step.change
    return [*bars, (new, zero, after, figure_text(after, found.formula, found.currency), "s1")]


def _bar(n: int, left: float, right: float, word: str, text: str, tone: str) -> SafeString:
    y = n * ROW + 4
    return format_html(
        '<text x="0" y="{}">{}</text><rect x="{}" y="{}" width="{}" height="16" rx="2" class="f-{}"/>'
        '<text x="{}" y="{}" class="lab">{}</text>',
        y + 13, _short(word), left, y, max(round(right - left, 1), 1.5), tone, max(right, left) + 6, y + 13, text,
    )  # fmt: skip


def _short(text: str, most: int = 28) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


# Where hours are -----------------------------------------------------------------------------------------------
_STAGES = (("approved", "Approved"), ("valid", "Valid"), ("in_erp", "In the ERP"), ("invoiced", "Invoiced"))
_X = (20, 235, 450, 640)
_NODE, _HEIGHT, _TOP = 14, 180, 34


@register.simple_tag
def hours_sankey(flow: HoursFlow) -> SafeString:
    """Approved → valid → in the ERP → invoiced; what is stuck leaves downwards. Widths are hours."""
    if not flow.approved:
        return mark_safe("")
    scale = _HEIGHT / float(flow.approved)
    heights = {name: float(getattr(flow, name)) * scale for name, _ in _STAGES}
    stuck = {"valid": flow.approved - flow.valid, "in_erp": flow.valid - flow.in_erp, "invoiced": flow.not_invoiced}
    parts = [_node(n, name, word, heights[name], getattr(flow, name)) for n, (name, word) in enumerate(_STAGES)]
    for n, (name, _) in enumerate(_STAGES[1:]):
        parts.insert(0, _link(_X[n] + _NODE, _X[n + 1], heights[name]))
        if stuck[name] > 0:
            lost = float(stuck[name]) * scale
            word = "not invoiced yet" if name == "invoiced" else "stuck"
            parts.append(_fall(_X[n] + _NODE, heights[name], lost, f"{stuck[name]:,.1f} h {word}"))
    return format_html(
        '<svg class="chart minw" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>',
        WIDTH, _HEIGHT + 110, _in_words(flow), format_html_join("", "{}", ([part] for part in parts)),
    )  # fmt: skip


def _in_words(flow: HoursFlow) -> str:
    told = (f"{word} {getattr(flow, name):,.1f} hours" for name, word in _STAGES)
    return f"Hours of {flow.month}: {', '.join(told)}. The table below says the same."


def _node(n: int, name: str, word: str, height: float, hours: Decimal) -> SafeString:
    return format_html(
        '<rect x="{}" y="{}" width="{}" height="{}" rx="2" class="f-s1"/><text x="{}" y="14" class="lab">{}</text>'
        '<text x="{}" y="28">{} h</text>',
        _X[n], _TOP, _NODE, max(round(height, 1), 1), _X[n], word, _X[n], f"{hours:,.1f}",
    )  # fmt: skip


def _link(left: float, right: float, height: float) -> SafeString:
    return format_html(
        '<rect x="{}" y="{}" width="{}" height="{}" class="f-s1" fill-opacity=".14"/>',
        left,
        _TOP,
        right - left,
        max(round(height, 1), 0),
    )


def _fall(x: float, top: float, height: float, text: str) -> SafeString:
    """What leaves: from the right edge of a node down to its words."""
    y, down = _TOP + top, _HEIGHT + 70
    width = max(min(height, 40.0), 2.0)
    return format_html(
        '<path d="M{0} {1} h60 q{2} 0 {2} {2} V{3} h-{4} V{5} q0 -6 -6 -6 H{0} z" class="f-warn" fill-opacity=".5"/>'
        '<text x="{6}" y="{7}" class="t-warn">{8}</text>',
        x, round(y, 1), 12, down, round(min(width, 30), 1), round(max(y + height, y + 14), 1), x + 4, down + 16, text,
    )  # fmt: skip


@register.simple_tag
def values_spark(months: Sequence[Any]) -> list[float]:
    """The figures of a trend, for `spark`."""
    return [float(one.value) for one in months if one.value is not None]
