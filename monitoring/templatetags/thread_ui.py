"""The drawing of a thread, as SVG: it prints, needs no script, and stands beside a list that says the same."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import template
from django.template.context import Context
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from hub.common import display
from hub.common.states import state_of
from hub.common.templatetags.ui import amount
from monitoring.thread.lanes import BOX, HEIGHT, LANE, Arrow, Box, Lanes, lanes_of, second_line
from monitoring.thread.shapes import Leg, Thread

register = template.Library()

# Characters that fit into a box.
TITLE, LINE = 15, 17


@register.simple_tag(takes_context=True)
def lanes(context: Context, thread: Thread) -> SafeString:
    """Swim lanes by system on a time axis, with an arrow to every leg that followed from another one."""
    drawn = lanes_of(thread)
    done = sum(leg.state == "done" for leg in thread.drawn)
    words = f"{done} of {len(thread.drawn)} legs are done. The list below says the same in words."
    return format_html(
        '<svg class="chart wide" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img" aria-label="{2}">'
        '<defs><marker id="a-ink" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" class="f-queued"/></marker><marker id="a-fail" viewBox="0 0 8 8" refX="7" refY="4"'
        ' markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" class="f-fail"/></marker></defs>{3}{4}{5}{6}'
        "</svg>",
        drawn.width, drawn.height, words, _lanes(drawn), _heads(context, drawn),
        format_html_join("", "{}", ((_arrow(arrow),) for arrow in drawn.arrows)),
        format_html_join("", "{}", ((_box(box),) for box in drawn.boxes)),
    )  # fmt: skip


def _lanes(drawn: Lanes) -> SafeString:
    return format_html_join(
        "",
        '<rect x="0" y="{}" width="{}" height="{}" rx="4" class="lane"/><text x="12" y="{}" class="lab">{}</text>'
        '<text x="12" y="{}" class="dim">{}</text>',
        (
            (y, drawn.width, LANE - 4, y + 31, category, y + 47, "" if system == category else _short(system, 16))
            for y, category, system in drawn.lanes
        ),
    )


def _heads(context: Context, drawn: Lanes) -> SafeString:
    return format_html_join(
        "",
        '<text x="{}" y="20" text-anchor="middle" class="dim">{}</text>',
        ((x, _head(context, moment, day)) for x, moment, day in drawn.columns),
    )


def _head(context: Context, moment: Any, day: str) -> str:
    if moment is None:
        date = display.as_date(day) if day else None
        return display.date_text(date) if date else ""
    style = getattr(getattr(context.get("request"), "user", None), "time_style", "local")
    return display.time_in(moment, style)


def _arrow(arrow: Arrow) -> SafeString:
    tone = "fail" if arrow.is_red else "ink"
    line = format_html(
        '<path d="{}" fill="none" class="s-{}" stroke-width="1.6"{} marker-end="url(#a-{})"/>',
        arrow.path, tone, mark_safe(' stroke-dasharray="5 4"') if arrow.is_red else "", tone,
    )  # fmt: skip
    if not arrow.label or not arrow.label_x:
        return line
    anchor = "start" if "H" not in arrow.path else "end"
    return line + format_html(
        '<text x="{}" y="{}" text-anchor="{}" class="{}">{}</text>',
        arrow.label_x, arrow.label_y, anchor, "t-fail" if arrow.is_red else "dim", arrow.label,
    )  # fmt: skip


def _box(box: Box) -> SafeString:
    leg = box.leg
    state = state_of(leg.look)
    dashed = mark_safe(' stroke-dasharray="5 4"') if leg.is_red and not leg.done else ""
    return format_html(
        '<g><title>{}: {}</title><rect x="{}" y="{}" width="{}" height="{}" rx="5" class="leg s-{}" stroke-width="1.25"{}/>'
        '<text x="{}" y="{}" text-anchor="middle" class="lab">{}</text>'
        '<text x="{}" y="{}" text-anchor="middle" class="{}">{}</text></g>',
        leg.spec.sentence, leg.word, box.x, box.y, BOX, HEIGHT, state.token, dashed,
        box.middle[0], box.y + 18, _short(leg.spec.title, TITLE),
        box.middle[0], box.y + 33, "t-fail" if leg.is_red else "dim", _short(second_line(leg), LINE),
    )  # fmt: skip


def _short(text: str, length: int) -> str:
    """Both ends of a long id tell more than its beginning alone."""
    if len(text) <= length:
        return text
    half = (length - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


@register.simple_tag
def amounts(found: Mapping[str, Decimal]) -> SafeString:
    """An amount for each currency, the largest first; a dash for none."""
    if not found:
        return mark_safe(display.NOTHING)
    ordered = sorted(found.items(), key=lambda pair: -abs(pair[1]))
    return format_html_join(
        mark_safe("<br>"), "{}", ((amount(_plain(value), currency),) for currency, value in ordered)
    )


def _plain(value: Decimal) -> Decimal:
    """Without the zeros that only the column's scale adds."""
    whole = value.normalize()
    return (
        whole.quantize(Decimal(1)) if isinstance(exponent := whole.as_tuple().exponent, int) and exponent > 0 else whole
    )


@register.filter
def sla_words(leg: Leg, thread: Thread) -> str:
    return leg.sla.words(thread.now) if leg.sla else ""
