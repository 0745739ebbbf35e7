"""How every sync runs against what its data needs: declared, measured, and what follows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import render_page
from hub.common.permissions import requires
from hub.sync import modes, queries
from hub.sync.models import Sync
from hub.sync.views.common import me

# More syncs than this are looked at by their filter.
MOST = 500
COLUMNS = [
    Column("sync", "Sync", lambda row: row["sync"].slug),
    Column("criticality", "Criticality", lambda row: row["sync"].criticality),
    Column("needed_seconds", "Needed within (s)", lambda row: row["sync"].latency_seconds),
    Column("expected", "Expected a day", lambda row: row["sync"].records_a_day),
    Column("way", "Runs by", lambda row: row["measured"].way),
    Column("every_seconds", "Every (s)", lambda row: row["measured"].every_seconds),
    Column("p95_seconds", "95 of 100 within (s)", lambda row: row["measured"].p95_seconds),
    Column("records", "Changes a day", lambda row: round(row["measured"].records, 1)),
    Column("requests", "Requests a day", lambda row: round(row["measured"].requests, 1)),
    Column("advice", "Advice", lambda row: row["advice"].word),
    Column("because", "Because", lambda row: row["advice"].sentence),
    Column("saves", "Saves requests a day", lambda row: row["advice"].saves),
]


@requires("syncs.view")
@require_safe
def mode_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    bar = FilterBar(
        request, keys={"criticality": "Criticality"},
        selects=[Select("criticality", "Criticality", list(Sync.Criticality.choices))], hint="Name of a sync",
    )  # fmt: skip
    syncs = queries.syncs_for(me(request), "syncs.view").select_related(
        "mapping__stream__connection", "mapping__entity"
    )
    if bar.get("criticality"):
        syncs = syncs.filter(criticality=bar.get("criticality"))
    for word in bar.text.split():
        syncs = syncs.filter(name__icontains=word)
    rows = rows_of(list(syncs.order_by("name")[:MOST]))
    if fmt:
        return export_response(rows, COLUMNS, fmt, name="modes")
    context = {
        "bar": bar,
        "rows": rows,
        "saves": sum(row["advice"].saves or 0 for row in rows),
        "late": sum(row["advice"].state == "failed" for row in rows),
        "undeclared": sum(row["sync"].latency_seconds is None for row in rows),
    }
    return render_page(request, "sync/mode_list.html", context)


def rows_of(syncs: list[Sync]) -> list[dict[str, Any]]:
    """What matters most first: what is late, then what wastes most requests."""
    found = modes.measure(syncs)
    rows = [
        {"sync": sync, "measured": found[sync.pk], "advice": modes.judge(sync.latency_seconds, found[sync.pk])}
        for sync in syncs
    ]
    urgent = {"high": 0, "normal": 1, "low": 2}
    return sorted(
        rows, key=lambda row: (row["advice"].rank, urgent[row["sync"].criticality], -(row["advice"].saves or 0))
    )
