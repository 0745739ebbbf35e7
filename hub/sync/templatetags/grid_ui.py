"""The run grid as HTML. Thousands of cells: they are joined here, because a template would take seconds for them."""

from __future__ import annotations

from django import template
from django.urls import reverse
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from hub.common.states import state_of
from hub.sync.grid import Cell, Grid, GridRow, GridRun

register = template.Library()
BAR = 48


@register.simple_tag
def run_grid(grid: Grid, label: str) -> SafeString:
    """A table: bars of duration above where the columns are runs, then a row for each stage or sync. Every cell is a link."""
    base = reverse("sync:run_detail", args=[0])
    runs = base.replace("/0/", "/%d/")
    body = "".join(_row(row, runs) for row in grid.rows)
    head = _bars(grid) if grid.runs else ""
    return format_html(
        '<table class="run-grid" data-grid><caption class="vh">{}</caption>{}<tbody>{}</tbody></table>',
        label, mark_safe(head), mark_safe(body),
    )  # fmt: skip


def _row(row: GridRow, runs: str) -> str:
    name: str = escape(row.label)
    if row.url:
        name = f'<a class="t1" href="{escape(reverse("sync:sync_grid", args=[row.url]))}">{name}</a>'
    below = f'<span class="t2">{escape(row.below)}</span>' if row.below else ""
    return f'<tr><th scope="row">{name}{below}</th>{"".join([_cell(cell, runs) for cell in row.cells])}</tr>'


def _cell(cell: Cell, runs: str) -> str:
    if cell.run is None or not cell.status:
        return "<td></td>"
    # Numbers and words of our own: nothing to escape.
    token = state_of(cell.status).token
    return f'<td><a class="g g-{token}" href="{runs % cell.run.id}" title="{cell.title}"></a></td>'


def _bars(grid: Grid) -> str:
    """What each run took, and outlined what it waited before; all on one scale."""
    cells = "".join([_bar(run, grid.longest) for run in grid.runs])
    return f'<thead><tr><th scope="col">Took, and waited</th>{cells}</tr></thead>'


def _bar(run: GridRun, longest: float) -> str:
    took, waited = (_height(seconds, longest) for seconds in (run.seconds, run.waited))
    token = state_of(run.status).token
    return (
        f'<th scope="col"><svg width="12" height="{BAR}" viewBox="0 0 12 {BAR}" role="img" aria-label="{escape(run.title)}">'
        f"<title>{escape(run.title)}</title>"
        f'<rect x="1" y="{BAR - took}" width="10" height="{took}" class="f-{token}"/>'
        f'<rect x="1.5" y="{BAR - took - waited}" width="9" height="{max(waited - 0.5, 0)}" class="s-queued" fill="none"/>'
        "</svg></th>"
    )


def _height(seconds: float, longest: float) -> float:
    """At least a pixel for what took any time at all."""
    return round(max(seconds / longest * (BAR - 2), 1), 1) if seconds > 0 and longest > 0 else 0
