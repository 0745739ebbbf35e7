"""Charts as inline SVG: they print, need no script, and say in words what they draw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from hub.common.display import NOTHING
from hub.common.states import State, Token, state_of

register = template.Library()

CELL, GAP, HEIGHT = 7, 2, 18

# The shape of each token within a cell of 7 x 14 at (0, 2): told apart without colour.
SHAPES: dict[Token, str] = {
    "ok": '<rect y="2" width="7" height="14" rx="1.5" class="f-ok"/>',
    "run": '<rect x=".75" y="2.75" width="5.5" height="12.5" class="s-run" fill="none" stroke-width="1.5"/>'
    '<rect y="9" width="7" height="7" rx="1" class="f-run"/>',
    "queued": '<rect x=".75" y="2.75" width="5.5" height="12.5" class="s-queued" fill="none" stroke-width="1.5"/>',
    "warn": '<path d="M3.5 2L7 16H0z" class="f-warn"/>',
    "fail": '<path d="M.5 3l6 12M6.5 3l-6 12" class="s-fail" stroke-width="2"/>',
    "dead": '<rect x=".6" y="2.6" width="5.8" height="12.8" class="s-dead" fill="none" stroke-width="1.2"/>'
    '<path d="M1.5 5l4 8M5.5 5l-4 8" class="s-dead" stroke-width="1.4"/>',
    "stale": '<path d="M0 15L7 3M0 9l4-6M3 15l4-7" class="s-stale" stroke-width="1.6" fill="none"/>',
    "review": '<circle cx="3.5" cy="9" r="3" class="f-review"/>',
    "blocked": '<rect y="6" width="7" height="6" class="f-blocked"/>',
    "muted": '<path d="M0 9h7" class="s-muted" stroke-width="1.5"/>',
}


@register.simple_tag
def strip(marks: Iterable[Any], label: str) -> SafeString:
    """The last runs, oldest first: each mark is a state name, or a pair of state name and title."""
    cells = [_cell(mark) for mark in marks]
    width = max(len(cells) * (CELL + GAP) - GAP, CELL)
    body = format_html_join(
        "",
        '<g transform="translate({} 0)"><title>{}</title>{}</g>',
        ((index * (CELL + GAP), title, mark_safe(SHAPES[state.token])) for index, (state, title) in enumerate(cells)),
    )
    return format_html(
        '<svg class="strip" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img" aria-label="{2}">{3}</svg>',
        width, HEIGHT, f"{label}: {_in_words([state for state, _ in cells])}", body,
    )  # fmt: skip


def _cell(mark: Any) -> tuple[State, str]:
    name, title = (mark, "") if isinstance(mark, str) else mark
    state = state_of(name)
    return state, title or state.word


def _in_words(states: Sequence[State]) -> str:
    """`24, of which 20 Succeeded, 2 Failed`."""
    counts = Counter(state.word for state in states)
    return (
        f"{len(states)}, of which " + ", ".join(f"{n} {word}" for word, n in counts.most_common()) if states else "none"
    )


@register.simple_tag
def spark(values: Iterable[float], label: str, tone: str = "s1", width: int = 72, height: int = 20) -> SafeString:
    """A line through some values, oldest first, with a dot on the newest; `tone` is a token or a series s1 to s5."""
    points = _points([float(value) for value in values], width - 6, height - 6)
    if not points:
        return mark_safe(NOTHING)
    last_x, last_y = points[-1]
    return format_html(
        '<svg class="spark" width="{0}" height="{1}" viewBox="0 0 {0} {1}" role="img" aria-label="{2}">'
        '<polyline points="{3}" class="s-{4}"/><circle cx="{5}" cy="{6}" r="2" class="f-{4}"/></svg>',
        width, height, label, " ".join(f"{x},{y}" for x, y in points), tone, last_x, last_y,
    )  # fmt: skip


def _points(values: Sequence[float], width: float, height: float) -> list[tuple[float, float]]:
    """Scaled to the box, three pixels in from its edges; equal values lie in the middle."""
    if not values:
        return []
    low, span = min(values), max(values) - min(values)
    step = width / max(len(values) - 1, 1)
    return [
        (round(3 + index * step, 1), round(3 + height - ((value - low) / span if span else 0.5) * height, 1))
        for index, value in enumerate(values)
    ]
