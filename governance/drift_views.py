"""Drifts on screen: what changed at a source, what that breaks, and the decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST

from governance import drift
from governance.changes import drifts as reviewed
from governance.models import Drift
from governance.views import me
from hub.common.errors import ConfigError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires

COLUMNS = [
    Column("drift", "Drift", "pk"),
    Column("stream", "Object", "stream.slug"),
    Column("connection", "Connection", "stream.connection.slug"),
    Column("status", "State"),
    Column("is_breaking", "Breaking"),
    Column("broken_paths", "Broken paths"),
    Column("seen_in", "Seen in"),
    Column("times", "Times"),
    Column("first_at", "First (UTC)"),
    Column("last_at", "Last (UTC)"),
    Column("reason", "Reason"),
]
KEYS = {"status": "State", "stream": "Object"}


@requires("connections.view")
def drift_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Sources whose records do not look as they did."""
    bar = FilterBar(request, keys=KEYS, selects=[Select("status", "State", Drift.Status.choices)])
    rows = drift.drifts_for(me(request))
    if status := bar.get("status"):
        rows = rows.filter(status=status)
    if stream := bar.get("stream"):
        rows = rows.filter(stream__slug=stream)
    if bar.text:
        rows = rows.filter(stream__slug__icontains=bar.text)
    if fmt:
        return export_response(rows, COLUMNS, fmt, name="drifts")
    return render_page(request, "governance/drift_list.html", {"bar": bar, "page": paginate(rows, request)})


@requires("connections.view")
def drift_detail(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, get_object_or_404(drift.drifts_for(me(request)), pk=pk))


def _page(request: HttpRequest, found: Drift, *, problem: ConfigError | None = None, status: int = 200) -> HttpResponse:
    can_edit = drift.drifts_for(me(request), "connections.edit").filter(pk=found.pk).exists()
    context = {"drift": found, "can_edit": can_edit, "problem": problem, "changes": list(_changes(found))}
    return render_page(request, "governance/drift_detail.html", context, status=status)


def _changes(found: Drift) -> Iterator[tuple[dict[str, Any], str, str]]:
    """(change, the field as it is recorded, as it was seen); what was recorded before a decision is not kept."""
    recorded = _fields(found.stream.fields if found.status == Drift.Status.OPEN else ())
    seen = _fields(found.proposed)
    for change in found.verdict.get("changes", ()):
        yield change, recorded.get(change["path"], ""), seen.get(change["path"], "")


def _fields(shape: Iterable[dict[str, Any]]) -> dict[str, str]:
    """path → "string, required"."""
    return {each["path"]: f"{each['type']}{', required' if each.get('required') else ''}" for each in shape}


@requires("connections.edit")
@require_POST
def drift_decide(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Accept the new shape, or dismiss it with a reason."""
    found = get_object_or_404(drift.drifts_for(me(request), "connections.edit"), pk=pk)
    decide = {"accept": reviewed.accept, "dismiss": drift.dismiss}.get(act)
    if decide is None:
        raise Http404
    try:
        decide(found, by=me(request), reason=request.POST.get("reason", ""))
    except ConfigError as error:
        return _page(request, get_object_or_404(Drift, pk=pk), problem=error, status=422)
    messages.success(request, f"The drift is {found.get_status_display().lower()}. Syncs that it had stopped go on.")
    return redirect_to(request, reverse("governance:drift_detail", args=[pk]))
