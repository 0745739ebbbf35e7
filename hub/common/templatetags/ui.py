"""The small pieces of a page: icon, state, money, time, person, copyable id, progress, JSON. See docs/components.md."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from django import template
from django.template.context import Context
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from hub.common import display
from hub.common.permissions import is_allowed
from hub.common.states import State, state_of

register = template.Library()

OWN_ICONS = frozenset({"cube", "dead", "dots", "key", "list", "lookup", "sign-out", "trash"})
PLAN_STEPS = (
    ("create", "Create", "ok", "plus"),
    ("update", "Update", "run", "pencil"),
    ("skip", "Skip", "muted", "equal"),
    ("would_duplicate", "Would duplicate", "warn", "copy"),
    ("reject", "Reject", "fail", "x"),
)


@cache
def _sprite(own: bool) -> str:
    return static("img/icons.svg" if own else "vendor/icons.svg")


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """`{% icon "check" %}`: decoration beside a word, hidden from screen readers."""
    return format_html(
        '<svg class="ic {}" aria-hidden="true"><use href="{}#i-{}"/></svg>', css, _sprite(name in OWN_ICONS), name
    )


@register.simple_tag
def status(name: object, word: str = "") -> SafeString:
    """`{% status run.state %}`: icon, word and colour of a state; `word` replaces the usual word."""
    return _state_span("status", state_of(name), word)


@register.simple_tag
def status_text(name: object, word: str = "") -> SafeString:
    """The same without the ground colour, for use inside a sentence or a dense table."""
    return _state_span("txt", state_of(name), word)


def _state_span(css: str, state: State, word: str) -> SafeString:
    return format_html(
        '<span class="{}" data-status="{}">{}{}</span>', css, state.token, icon(state.icon), word or state.word
    )


@register.simple_tag
def state_icon(name: object) -> SafeString:
    """Only the icon of a state, where its word stands beside it anyway."""
    return icon(state_of(name).icon)


@register.filter
def token(name: object) -> str:
    """The token of a state, for `data-status`."""
    return state_of(name).token


@register.simple_tag
def amount(
    value: Decimal | str | int | None, currency: str = "", original: Decimal | str | None = None, of: str = ""
) -> SafeString:
    """`{% amount "61262.5" "EUR" %}`; `original` and `of` add the amount in its own currency below."""
    if value in (None, ""):
        return mark_safe(display.NOTHING)
    main = format_html(
        '<span class="amount"><span class="cur">{}</span> {}</span>', currency, display.money(value, currency)
    )
    if original in (None, "") or of == currency:
        return main
    return main + format_html('<span class="orig">{} {}</span>', of, display.money(original, of))


@register.simple_tag(takes_context=True)
def when(context: Context, instant: Any, style: str = "") -> SafeString:
    """An instant in the person's zone and style, with UTC as the tooltip; a dash when there is none."""
    moment = display.as_instant(instant)
    if moment is None:
        return mark_safe(display.NOTHING)
    style = style or getattr(getattr(context.get("request"), "user", None), "time_style", "local")
    machine, tip = display.machine_time(moment), display.utc_time(moment)
    return format_html('<time datetime="{}" title="{}">{}</time>', machine, tip, display.time_in(moment, style))


@register.simple_tag
def day(value: Any) -> SafeString:
    """A business date: never shifted by any time zone."""
    date = display.as_date(value)
    return (
        format_html('<time datetime="{}">{}</time>', date.isoformat(), display.date_text(date))
        if date
        else mark_safe(display.NOTHING)
    )


@register.filter
def duration(seconds: float | None) -> str:
    """`241` becomes "4 m 01 s"."""
    return display.duration(seconds)


@register.filter
def count(number: int | None) -> str:
    """`1412` becomes "1,412"."""
    return display.NOTHING if number is None else f"{number:,}"


@register.simple_tag
def chip(text: str, icon_name: str = "", on: bool = False) -> SafeString:
    """A small fact in a frame."""
    return format_html(
        '<span class="chip{}">{}{}</span>', " chip-on" if on else "", icon(icon_name) if icon_name else "", text
    )


@register.simple_tag
def person(user: Any, nobody: str = "Nobody") -> SafeString:
    """Initials and name of a person, or the word for nobody."""
    if user is None:
        return format_html('<span class="meta">{}</span>', nobody)
    return format_html('<span class="who"><span class="av" aria-hidden="true">{}</span>{}</span>', user.initials, user)


@register.simple_tag
def copy_id(value: object, label: str = "Copy") -> SafeString:
    """An id in full, with a button that copies it."""
    return format_html(
        '<span class="copy"><code>{0}</code>'
        '<button class="icon-btn" type="button" data-copy="{0}" aria-label="{1} {0}">{2}</button></span>',
        value,
        label,
        icon("copy"),
    )


@register.simple_tag
def progress(done: int, total: int, label: str, state: str = "run") -> SafeString:
    """A bar for a known total; nothing is drawn for an unknown one."""
    most = max(total, 1)
    return format_html(
        '<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" role="progressbar" aria-valuemin="0" '
        'aria-valuemax="{}" aria-valuenow="{}" aria-label="{}"><rect width="100" height="6" rx="1" class="bg"/>'
        '<rect width="{}" height="6" rx="1" class="f-{}"/></svg>',
        most,
        min(done, most),
        label,
        display.share(done, total),
        state_of(state).token,
    )


@register.simple_tag
def json_block(value: Any, masked: Collection[str] = ()) -> SafeString:
    """Pretty JSON; values at the dotted paths in `masked` are never in the page at all."""
    text = json.dumps(display.mask(value, frozenset(masked)), indent=2, ensure_ascii=False, default=str)
    return format_html('<pre class="pre" tabindex="0">{}</pre>', text)


@register.simple_tag
def plan(counts: Mapping[str, int]) -> SafeString:
    """What would happen, always the same five words in the same order; `counts` lacks what is zero."""
    cells = format_html_join("", "{}", ([_plan_cell(*step, counts.get(step[0], 0))] for step in PLAN_STEPS))
    return format_html('<dl class="plan">{}</dl>', cells)


def _plan_cell(key: str, word: str, tone: str, icon_name: str, number: int) -> SafeString:
    return format_html(
        '<div data-step="{}" data-status="{}"{}><dt>{}{}</dt><dd>{}</dd></div>',
        key,
        tone if number else "muted",
        "" if number else mark_safe(" data-zero"),
        icon(icon_name),
        word,
        f"{number:,}",
    )


@register.simple_tag(takes_context=True)
def may(context: Context, permission: str) -> bool:
    """`{% may "syncs.run" as can_run %}`: whether the person holds a permission in any domain."""
    request = context.get("request")
    return request is not None and is_allowed(request.user, permission)


@register.simple_tag(takes_context=True)
def export_url(context: Context, fmt: str) -> str:
    """The address of this list as a file: `/runs/?status=failed` becomes `/runs.csv?status=failed`."""
    request = context["request"]
    params = request.GET.copy()
    for name in ("after", "before", "size"):
        params.pop(name, None)
    return f"{request.path.rstrip('/')}.{fmt}{'?' if params else ''}{params.urlencode()}"
