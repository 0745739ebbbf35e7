"""The scorecard of reconciliations, and one of them with its comparisons and control totals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from governance.histories import events_of
from hub.accounts.models import User
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.sync.scheduling import in_words
from monitoring.models import Reconciliation, ReconciliationRun
from monitoring.reconciliation import queries, services
from monitoring.reconciliation.queries import EDIT, RESOLVE, SEE, Cell
from monitoring.reconciliation.results import short
from monitoring.reconciliation.work import definition_of

# Columns of the scorecard.
PERIODS = 6
RUNS = 12

COLUMNS = [
    Column("reconciliation", "Short name", "sheet.reconciliation.slug"),
    Column("name", "Reconciliation", "sheet.reconciliation.name"),
    Column("period", "Period", "sheet.period"),
    Column("matched", "Matched"),
    Column("gaps", "Gaps"),
    Column("unexplained", "Unexplained"),
    Column("percent", "Matched, %"),
    Column("amounts", "Unexplained amounts", lambda cell: _amounts(cell)),
    Column("status", "Status", "sheet.status"),
    Column("prepared_by", "Prepared by", "sheet.prepared_by.name"),
    Column("reviewed_by", "Reviewed by", "sheet.reviewed_by.name"),
    Column("oldest", "Oldest unexplained gap"),
]
RUN_COLUMNS = [
    Column("id", "Comparison", "pk"),
    Column("status", "Status"),
    Column("finished_at", "Ended"),
    *(
        Column(name, name.replace("_", " ").capitalize())
        for name in ("left", "right", "matched", "only_left", "only_right")
    ),
    *(
        Column(name, name.replace("_", " ").capitalize())
        for name in ("differing", "duplicates_left", "duplicates_right")
    ),
    Column("explained", "Explained"),
    Column("unexplained", "Unexplained"),
    Column("reason", "Why not"),
]


def _amounts(cell: Cell) -> str:
    return "; ".join(f"{currency or '-'} {short(amount)}" for currency, amount in sorted(cell.amounts.items()))


@requires(SEE)
@require_safe
def scorecard(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Rows are reconciliations, columns the newest periods of any of them."""
    user = me(request)
    bar = FilterBar(request, keys={}, hint="Name or owner")
    rows = queries.search(queries.reconciliations_for(user), bar.text)
    if fmt:
        every = list(rows.order_by("name"))
        found = queries.cells(every)
        return export_response([cell for one in every for cell in found[one.pk]], COLUMNS, fmt, name="reconciliation")
    page = paginate(rows, request, order=("name", "pk"))
    found = queries.cells(page)
    periods = sorted({cell.sheet.period for cells in found.values() for cell in cells}, reverse=True)[:PERIODS]
    context = {
        "bar": bar,
        "page": page,
        "periods": periods,
        "rows": list(_lines(page, found, periods)),
        "can_edit": user.has_hub_perm(EDIT),
    }
    return render_page(request, "reconciliation/scorecard.html", context)


def _lines(page: Any, found: dict[int, list[Cell]], periods: list[str]) -> Iterator[dict[str, Any]]:
    for one in page:
        by_period = {cell.sheet.period: cell for cell in found[one.pk]}
        run = queries.last_run(one)
        yield {
            "reconciliation": one,
            "cells": [(period, by_period.get(period)) for period in periods],
            "run": run,
        }


@requires(SEE)
@require_safe
def reconciliation(request: HttpRequest, slug: str) -> HttpResponse:
    """One reconciliation: its newest comparison, control totals, periods, and the comparisons before."""
    found = find(request, slug)
    context = {"reconciliation": found, **_standing(request, found)}
    context |= {
        "definition": definition_of(found),
        "schedule": in_words(found.cron) if found.cron else "",
        "history": events_of(found, "Reconciliation")[:8],
    }
    return render_page(request, "reconciliation/detail.html", context, partial="reconciliation/_live.html")


def _standing(request: HttpRequest, found: Reconciliation) -> dict[str, Any]:
    run, done = queries.last_run(found), queries.last_done(found)
    user = me(request)
    runs = list(found.runs.select_related("requested_by").order_by("-pk")[:RUNS])
    trend = [float(queries.percent(one.matched, one.pairs) or 0) for one in reversed(runs) if one.status == "done"]
    return {
        "run": run,
        "done": done,
        "headline": queries.headline(done),
        "labels": _labels(done),
        "totals": done.totals.order_by("-period", "currency", "legal_entity")[:200] if done else [],
        "cells": queries.cells([found])[found.pk],
        "runs": runs,
        "trend": trend,
        "can_compare": user.has_hub_perm(RESOLVE, found.domain_id),
        "can_edit": user.has_hub_perm(EDIT, found.domain_id),
    }


def _labels(run: ReconciliationRun | None) -> list[tuple[str, int]]:
    return sorted(run.labels.items(), key=lambda pair: (pair[0] != "unexplained", -pair[1])) if run else []


@requires(SEE)
@require_safe
def run_list(request: HttpRequest, slug: str, fmt: str = "") -> HttpResponseBase:
    found = find(request, slug)
    rows = found.runs.select_related("requested_by")
    if fmt:
        return export_response(rows.order_by("-pk"), RUN_COLUMNS, fmt, name=f"{slug}-comparisons")
    page = paginate(rows, request, order=("-id",))
    return render_page(request, "reconciliation/runs.html", {"reconciliation": found, "page": page})


@requires(RESOLVE)
@require_POST
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """Compare now; `accept_small` says that few records, or none, are right."""
    found = find(request, slug, RESOLVE)
    run, made = services.start(found, by=me(request), is_small_accepted=bool(request.POST.get("accept_small")))
    messages.success(request, f"{run} has begun." if made else f"{run} is under way already.")
    return redirect_to(request, found.get_absolute_url())


@requires(RESOLVE)
@require_POST
def cancel(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    found = find(request, slug, RESOLVE)
    run = get_object_or_404(found.runs.select_related("reconciliation"), pk=pk)
    if services.cancel(run, by=me(request)):
        messages.success(request, f"{run} is cancelled. The gaps of before stay as they are.")
    else:
        messages.warning(request, f"{run} had ended already.")
    return redirect_to(request, found.get_absolute_url())


@requires(EDIT)
@require_POST
def delete(request: HttpRequest, slug: str) -> HttpResponse:
    found = find(request, slug, EDIT)
    try:
        services.delete_reconciliation(found, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
        return redirect_to(request, found.get_absolute_url())
    messages.success(request, f"{found} is deleted.")
    return redirect_to(request, reverse("reconciliation:scorecard"))


def find(request: HttpRequest, slug: str, permission: str = SEE) -> Reconciliation:
    return get_object_or_404(queries.reconciliations_for(me(request), permission), slug=slug)


def me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
