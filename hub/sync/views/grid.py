"""The run grid of one sync, and of all syncs of a domain."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hub.accounts.queries import domains_for
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.permissions import requires
from hub.sync import grid, queries
from hub.sync.views.common import find_sync, me
from hub.sync.views.syncs import frame

COLUMNS = [
    Column("row", "Row"),
    Column("run", "Run", "run.id"),
    Column("status", "State"),
    Column("seconds", "Seconds"),
    Column("created_at", "Due (UTC)", "run.created_at"),
    Column("started_at", "Started (UTC)", "run.started_at"),
    Column("finished_at", "Finished (UTC)", "run.finished_at"),
]


@requires("syncs.view")
@require_safe
def sync_grid(request: HttpRequest, slug: str, fmt: str = "") -> HttpResponseBase:
    """Stages by runs, with the time of each run above."""
    sync = find_sync(request, slug, "syncs.view")
    found = grid.of_sync(sync)
    if fmt:
        return export_response(grid.export_rows(found), COLUMNS, fmt, name=f"{sync.slug}-grid")
    return render(request, "sync/sync_grid.html", frame(request, sync, "grid") | {"grid": found})


@requires("syncs.view")
@require_safe
def run_grid(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Syncs by runs, of all domains or one."""
    domains = [(domain.slug, domain.name) for domain in domains_for(me(request), "syncs.view")]
    bar = FilterBar(
        request, keys={"domain": "Domain"}, selects=[Select("domain", "Domain", domains)], hint="Name of a sync"
    )
    rows = queries.syncs_for(me(request), "syncs.view").filter(name__icontains=bar.text).order_by("name", "pk")
    if domain := bar.get("domain"):
        rows = rows.filter(mapping__entity__domain__slug=domain)
    shown = list(rows[: grid.MOST_ROWS + 1])
    found = grid.of_syncs(shown[: grid.MOST_ROWS])
    if fmt:
        return export_response(grid.export_rows(found), COLUMNS, fmt, name="run-grid")
    context = {"bar": bar, "grid": found, "has_more": len(shown) > grid.MOST_ROWS, "most": grid.MOST_ROWS}
    return render(request, "sync/run_grid.html", context)
