"""Stale records: streams by domain and system with their age against the limit, and the records of one that are too old."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to, render_page
from hub.common.permissions import requires
from monitoring.expectations.queries import firm_currency
from monitoring.expectations.views import me
from monitoring.freshness import queries, services
from monitoring.freshness.queries import SEE, STATES, Row, StaleRecord
from monitoring.freshness.tiles import tiles_of

# Whoever keeps syncs running reads again, and says that a delay is known.
RUN = ACKNOWLEDGE = "syncs.run"
PAGE = 100
COLUMNS = [
    Column("domain", "Domain", "sync.entity.domain.slug"),
    Column("system", "System", "sync.stream.connection.system.slug"),
    Column("entity", "Entity", "sync.entity.slug"),
    Column("stream", "Stream", "sync.stream.slug"),
    Column("sync", "Sync", "sync.slug"),
    Column("state", "State"),
    Column("last_at", "Last update (UTC)"),
    Column("due_at", "Expected by (UTC)"),
    Column("overdue_seconds", "Overdue, seconds", lambda row: row.overdue_seconds and round(row.overdue_seconds)),
    Column("service_level", "Service level", "level.slug"),
    Column("stale_records", "Stale records", "stale.number"),
    Column("stale_amount", "Stale amount, firm's currency", "stale.amount"),
    Column("stale_unconverted", "Stale without a rate", "stale.unconverted"),
    Column("acknowledged", "Known because", "acknowledged.reason"),
]
RECORD_COLUMNS = [
    Column("key", "Record"),
    Column("external_id", "Id at the source"),
    Column("confirmed_at", "Last confirmed (UTC)"),
    Column("customer", "Client"),
    Column("project", "Project"),
    Column("amount", "Amount", "plain"),
    Column("currency", "Currency"),
    Column("held_since", "Newer version held since (UTC)"),
    Column("held_why", "Why"),
]


@requires(SEE)
@require_safe
def freshness_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Every inbound stream, the worst first."""
    user = me(request)
    rows = queries.rows_of(queries.inbound_for(user), queries.freshness_levels(user))
    bar = FilterBar(
        request,
        keys={"state": "State", "domain": "Domain", "system": "System"},
        selects=[
            Select("state", "State", list(STATES.items())),
            Select("domain", "Domain", sorted({(r.sync.entity.domain.slug, r.sync.entity.domain.name) for r in rows})),
            Select("system", "System", sorted({_system(row) for row in rows})),
        ],
    )
    asked = {key: bar.get(key) for key in ("state", "domain", "system")}
    found = queries.narrow(rows, **asked, text=bar.text)
    if fmt:
        return export_response(found, COLUMNS, fmt, name="freshness")
    context = {
        "bar": bar,
        "rows": found,
        "has_any": bool(rows),
        "tiles": tiles_of(rows),
        "firm_currency": firm_currency(),
        "can_run": user.has_hub_perm(RUN),
        "can_acknowledge": user.has_hub_perm(ACKNOWLEDGE),
    }
    return render_page(request, "freshness/list.html", context, partial="freshness/_rows.html")


def _system(row: Row) -> tuple[str, str]:
    system = row.sync.stream.connection.system
    return system.slug, system.name


@requires(SEE)
@require_safe
def stale_records(request: HttpRequest, slug: str, fmt: str = "") -> HttpResponseBase:
    """The records of one stream that nothing has confirmed within its limit."""
    row = _row(request, slug)
    if fmt:
        return export_response(_all(row), RECORD_COLUMNS, fmt, name=f"stale-{slug}")
    found = queries.stale_records(row, after=request.GET.get("after", "")[:200], limit=PAGE + 1)
    context = {
        "row": row,
        "records": found[:PAGE],
        "next": found[PAGE - 1].external_id if len(found) > PAGE else "",
        "is_first": not request.GET.get("after"),
        "firm_currency": firm_currency(),
        "can_see_records": me(request).has_hub_perm("ledger.view", row.sync.entity.domain_id),
        "can_run": me(request).has_hub_perm(RUN, row.sync.entity.domain_id),
    }
    return render_page(request, "freshness/records.html", context)


def _all(row: Row) -> Iterator[StaleRecord]:
    after = ""
    while found := queries.stale_records(row, after=after, limit=2_000):
        yield from found
        after = found[-1].external_id


@requires(RUN)
@require_POST
def refresh(request: HttpRequest, slug: str) -> HttpResponse:
    """Read the source now; the run shows how far it is."""
    row = _row(request, slug, RUN)
    try:
        run, made = services.refresh(sync=row.sync, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
        return redirect_to(request, reverse("freshness:freshness_list"))
    messages.success(
        request, f"Run {run.pk} reads {row.sync.name}." if made else f"Run {run.pk} was under way already."
    )
    return redirect_to(request, reverse("sync:run_detail", args=[run.pk]))


@requires(ACKNOWLEDGE)
@require_POST
def acknowledge(request: HttpRequest, slug: str) -> HttpResponse:
    """A person knows of the delay; it stays in the list, with the reason."""
    row = _row(request, slug, ACKNOWLEDGE)
    hours = request.POST.get("hours", "24")
    try:
        said = services.acknowledge(
            sync=row.sync,
            reason=request.POST.get("reason", ""),
            hours=int(hours) if hours.isascii() and hours.isdigit() else 0,
            by=me(request),
        )
    except HubError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Known until {said.until:%Y-%m-%d %H:%M} UTC, or until data arrives.")
    return redirect_to(request, reverse("freshness:freshness_list"))


def _row(request: HttpRequest, slug: str, permission: str = SEE) -> Row:
    """The stream's row, or 404 where the person may not do this in its domain."""
    row = queries.by_stream(me(request), slug)
    if row is None or not me(request).has_hub_perm(permission, row.sync.entity.domain_id):
        raise Http404
    return row
