"""The value page, one measure with the rows behind it, the hours of a month, and the forms."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from governance.histories import events_of
from governance.views import me
from hub.accounts.models import User
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.htmx import redirect_to, render_page
from hub.common.permissions import requires
from hub.common.times import period_bounds, shift_period
from monitoring.models import Measure
from monitoring.value import computing, hours, queries, services
from monitoring.value.computing import MeasureRow
from monitoring.value.forms import BaselineForm, MeasureForm
from monitoring.value.queries import EDIT, SEE, plain

SHOWN = 200
COLUMNS = [
    Column("measure", "Measure", "measure.slug"),
    Column("name", "Name", "measure.name"),
    Column("month", "Month", "latest.month"),
    Column("state", "State", lambda row: row.latest.state if row.latest else "not_computed"),
    Column("value", "Value", lambda row: plain(row.value)),
    Column("unit", "Unit", "unit"),
    Column("second", "90th percentile", lambda row: plain(row.latest.second) if row.latest else None),
    Column("rows", "Rows", "latest.rows"),
    Column("target", "Target", "measure.target"),
    Column("baseline", "Baseline", lambda row: plain(row.baseline)),
    Column("since_baseline_percent", "Since the baseline, %", lambda row: plain(row.since_baseline)),
    Column("confidence", "Confidence", lambda row: row.confidence[0]),
    Column("owner", "Owner", "measure.owner"),
    Column("note", "Note", "note"),
]
ROW_COLUMNS = [
    Column("key", "Key"),
    Column("label", "Name"),
    Column("entity", "Entity"),
    Column("project", "Project"),
    Column("cause", "Cause"),
    Column("value", "Value", lambda row: plain(row.worth)),
    Column("of", "Of", lambda row: plain(row.den)),
    Column("original", "Original amount", lambda row: plain(row.num) if row.currency else None),
    Column("currency", "Original currency"),
    Column("at", "At (UTC)"),
]


@requires(SEE)
@require_safe
def measure_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Every measure as a tile, and the hours of this month."""
    found = queries.standings(queries.measures())
    if fmt:
        return export_response(found, COLUMNS, fmt, name="measures")
    month = computing.this_month()
    context = {
        "rows": found,
        "month": month,
        "days": found[0].days if found else computing.history_days(),
        "can_edit": may_edit(me(request)),
    }
    return render_page(request, "value/list.html", {**context, **_hours(month)})


@requires(SEE)
@require_safe
def measure(request: HttpRequest, slug: str) -> HttpResponse:
    found = queries.standing(_find(slug))
    context = {
        "row": found,
        "confidence": found.confidence,
        "months": list(reversed(found.values)),
        "causes": _causes(found),
        "parameters": _parameters(found),
        "history": events_of(found.measure, "Measure")[:8],
        "can_edit": may_edit(me(request)),
    }
    return render_page(request, "value/measure.html", context)


@requires(SEE)
@require_safe
def measure_rows(request: HttpRequest, slug: str, fmt: str = "") -> HttpResponseBase:
    """What counts in a month, largest first; the sum of the rows stands beside the figure that was kept."""
    found = _find(slug)
    month, cause = request.GET.get("month", computing.this_month()), request.GET.get("cause", "")
    try:
        period_bounds(month)
    except HubError:
        raise Http404 from None
    asked = computing.ask(found, month)
    if asked is None:
        raise Http404
    if fmt:
        return export_response(computing.rows_of(asked, cause=cause), ROW_COLUMNS, fmt, name=f"{slug}-{month}")
    context: dict[str, Any] = {"measure": found, "month": month, "cause": cause, "formula": asked.formula}
    kept = found.values.filter(month=month).first()
    context |= {"kept": kept, "currency": asked.rates.currency if asked.formula.unit == "money" else ""}
    context |= _rows(asked, cause)
    return render_page(request, "value/rows.html", context)


@requires(SEE)
@require_safe
def hours_page(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Where the approved hours of a month are."""
    month = request.GET.get("month", computing.this_month())
    try:
        period_bounds(month)
    except HubError:
        raise Http404 from None
    context = _hours(month)
    if fmt:
        return export_response(_hours_rows(context["flow"]), _HOURS, fmt, name=f"hours-{month}")
    context |= {"month": month, "before": shift_period(month, -1), "after": shift_period(month, 1)}
    return render_page(request, "value/hours.html", context)


@requires(EDIT)
@require_POST
def measure_compute(request: HttpRequest, slug: str) -> HttpResponse:
    _refuse_others(request)
    found = _find(slug)
    services.recompute(found)
    messages.success(request, f"{found} is computed anew.")
    return redirect_to(request, found.get_absolute_url())


@requires(EDIT)
@require_POST
def load_shipped(request: HttpRequest) -> HttpResponse:
    _refuse_others(request)
    done = services.load_shipped(by=me(request))
    messages.success(request, done.said)
    return redirect_to(request, done.url if not done.is_applied and done.url else reverse("value:list"))


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def measure_new(request: HttpRequest) -> HttpResponse:
    return _form_page(request, None)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def measure_edit(request: HttpRequest, slug: str) -> HttpResponse:
    return _form_page(request, _find(slug))


@requires(EDIT)
@require_POST
def measure_delete(request: HttpRequest, slug: str) -> HttpResponse:
    _refuse_others(request)
    found = _find(slug)
    services.delete_measure(found, by=me(request))
    messages.success(request, f"{found} is deleted.")
    return redirect_to(request, reverse("value:list"))


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def baselines(request: HttpRequest) -> HttpResponse:
    """Baselines from a file, all of it or nothing."""
    _refuse_others(request)
    form = BaselineForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            done = services.import_baselines(form.cleaned_data["file"], by=me(request))
            messages.success(request, done.said)
            return redirect_to(request, done.url or reverse("value:list"))
        except HubError as error:
            form.add_error("file", str(error))
    return render_page(request, "value/baselines.html", {"form": form}, status=422 if form.errors else 200)


def _form_page(request: HttpRequest, found: Measure | None) -> HttpResponse:
    _refuse_others(request)
    form = MeasureForm(request.POST or None, measure=found)
    if request.method == "POST" and form.is_valid():
        document = form.document()
        try:
            done = services.save_measure(document, by=me(request))
            messages.success(request, done.said)
            here = reverse("value:measure", args=[document["slug"]])
            return redirect_to(request, here if done.is_applied else done.url or reverse("value:list"))
        except HubError as error:
            form.add_error(None, str(error))
    return render_page(request, "value/form.html", {"form": form, "measure": found}, status=422 if form.errors else 200)


def _rows(asked: computing.Asked, cause: str) -> dict[str, Any]:
    if sentence := computing.missing(asked.formula):
        return {"note": sentence, "rows": []}
    try:
        found = list(computing.rows_of(asked, cause=cause, limit=SHOWN))
        figure = computing.figure(asked)
    except (psycopg.DataError, psycopg.errors.QueryCanceled) as error:
        return {"note": f"The rows could not be read: {error.diag.message_primary or error}.", "rows": []}
    rows = [{"row": row, "url": row_url(row)} for row in found]
    return {"rows": rows, "figure": figure, "shown": len(rows), "left": max(_count(figure, cause) - len(rows), 0)}


def _count(figure: computing.Figure, cause: str) -> int:
    if not cause:
        return figure.rows
    return next((count for name, count, *_ in figure.causes if name == cause), 0)


def row_url(row: MeasureRow) -> str:
    """Where the thing is looked at; empty where it has no page."""
    try:
        if row.entity == "run":
            return reverse("sync:run_detail", args=[row.record_id])
        if row.entity in ("sync", "entity") or row.record_id is None:
            return ""
        return reverse("records:record", args=[row.entity, row.record_id])
    except NoReverseMatch:
        return ""


def _causes(found: queries.Standing) -> list[dict[str, Any]]:
    latest = found.latest
    if latest is None or found.formula is None or latest.shown is None:
        return []
    return [
        {"cause": cause, "rows": rows, "figure": _cause_figure(found, rows, total, parts)}
        for cause, rows, total, parts in latest.causes
    ]


def _cause_figure(found: queries.Standing, rows: int, total: str, parts: str) -> str:
    """A sum's part, a share of its own, or the mean of a cause: medians do not add up."""
    assert found.formula is not None
    number, whole = Decimal(total), Decimal(parts)
    if found.formula.aggregate == "share":
        number = 100 * number / whole if whole else number
    elif found.formula.aggregate == "median":
        number = number / rows
    return queries.figure_text(number, found.formula, found.currency)


def _parameters(found: queries.Standing) -> list[tuple[str, Any, str]]:
    if found.formula is None:
        return []
    return [
        (name, found.measure.parameters.get(name, default), words)
        for name, (default, words) in found.formula.parameters.items()
    ]


def _hours(month: str) -> dict[str, Any]:
    try:
        return {"flow": hours.flow(month)}
    except (psycopg.DataError, psycopg.errors.QueryCanceled):
        return {"flow": hours.HoursFlow(month), "hours_failed": "The hours of this month could not be read in time."}


_HOURS = [Column("stage", "Stage"), Column("cause", "Cause"), Column("entries", "Entries"), Column("hours", "Hours")]


def _hours_rows(flow: hours.HoursFlow) -> list[dict[str, Any]]:
    names = ("approved", "valid", "in_erp", "invoiced", "not_invoiced")
    stages = [{"stage": name, "cause": "", "entries": None, "hours": getattr(flow, name)} for name in names]
    stuck = [
        {"stage": f"stuck before {one.stage}", "cause": one.cause, "entries": one.entries, "hours": one.hours}
        for one in flow.stuck
    ]
    return [*stages, *stuck]


def may_edit(user: User) -> bool:
    """A measure counts for the firm, so changing one needs the permission for all domains."""
    return user.has_hub_perm(EDIT) and user.domain_ids_for(EDIT) is None


def _refuse_others(request: HttpRequest) -> None:
    if not may_edit(me(request)):
        raise PermissionDenied(f"A measure counts for the whole firm: changing it needs {EDIT} for all domains.")


def _find(slug: str) -> Measure:
    return get_object_or_404(Measure, slug=slug)
