"""Engagements: the list and its search, one thread, and the rows behind a figure of a leg."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.text import slugify
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from hub.accounts.models import User
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.records.models import CanonicalRecord
from hub.records.reading import Described, plain_amount, title_of
from monitoring.thread import explaining, finding, queries, services
from monitoring.thread.anchors import record_of
from monitoring.thread.data import as_data
from monitoring.thread.declaration import LegSpec, engagement
from monitoring.thread.wiring import SEE

COLUMNS = [
    Column("key", "Engagement"),
    Column("name", "Name", "shown_name"),
    Column("customer", "Customer"),
    Column("legal_entity", "Legal entity"),
    Column("status", "Status", "body.status"),
    Column("amount", "Amount", plain_amount),
    Column("currency", "Currency"),
    Column("updated_at", "Changed (UTC)"),
]
ROW_COLUMNS = [
    Column("key", "Key"), Column("state", "State", "bucket"), Column("amount", "Amount"), Column("currency", "Currency"),
    Column("quantity", "Quantity"), Column("happened", "Happened", "at_source"), Column("arrived_at", "Arrived (UTC)"),
    Column("updated_at", "Changed (UTC)"),
]  # fmt: skip
PAGE = 100
TABS = (("", "All"), ("done", "Done"), ("missing", "Missing"))


@requires(SEE)
@require_safe
def thread_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """All engagements; an id of any system leads to its thread at once."""
    user = _me(request)
    bar = FilterBar(request, keys={"customer": "Customer"}, hint="Any system's id, or the beginning of a key")
    found = finding.find(user, bar.text) if bar.text else []
    if len(found) == 1 and not fmt:
        return redirect_to(request, found[0].url)
    rows = queries.engagements_for(user)
    rows = rows.filter(pk__in=[one.anchor.pk for one in found]) if bar.text else rows
    rows = rows.filter(customer=bar.get("customer")) if bar.get("customer") else rows
    if fmt:
        return export_response(map(_named, rows.order_by("key").iterator(2000)), COLUMNS, fmt, name="engagements")
    page = paginate(rows, request, order=("key",))
    context = {"bar": bar, "page": page, "rows": [_named(row) for row in page]}
    return render_page(request, "thread/list.html", context)


def _named(row: CanonicalRecord) -> CanonicalRecord:
    row.shown_name = row.body.get("name") or ""  # type: ignore[attr-defined]
    return row


@requires(SEE)
@require_safe
@never_cache
def thread(request: HttpRequest, entity: str, key: str) -> HttpResponse:
    """One engagement, from any of its records; a choice where the record belongs to several."""
    anchors = queries.find_engagements(_me(request), entity, key)
    if len(anchors) != 1:
        return _choice(request, entity, key, anchors)
    if (entity, key) != (anchors[0].entity.slug, anchors[0].key):
        return redirect_to(request, finding.thread_url(anchors[0]))
    found = queries.thread_of(_me(request), anchors[0])
    services.note_visit(_me(request), anchors[0])
    return render_page(request, "thread/thread.html", {"thread": found, **_money(found)})


def _money(found: Any) -> dict[str, Any]:
    """The figures above the drawing, by currency."""
    contract, invoice, posted = found.leg("contract"), found.leg("invoice"), found.leg("posted")
    missing: dict[str, Any] = {}
    for leg in found.red:
        for currency, amount in leg.missing_amounts.items():
            missing[currency] = missing.get(currency, 0) + amount
    return {"contract": contract, "invoice": invoice, "posted": posted, "missing": missing}


def _choice(request: HttpRequest, entity: str, key: str, anchors: list[CanonicalRecord]) -> HttpResponse:
    record = record_of(_me(request), entity, key)
    if record is None:
        raise Http404
    seen = queries.engagements_for(_me(request)).filter(pk__in=[anchor.pk for anchor in anchors])
    context = {
        "record": record,
        "title": title_of(record, Described(record.entity)),
        "rows": [_named(row) for row in seen.order_by("key")],
    }
    return render_page(request, "thread/choice.html", context)


@requires(SEE)
@require_safe
def leg_list(request: HttpRequest, entity: str, key: str, slug: str, fmt: str = "") -> HttpResponseBase:
    """The records behind a figure of a leg; `?state=missing` for those that are not there."""
    anchor, leg = _leg(request, entity, key, slug)
    state = request.GET.get("state", "")
    if fmt:
        every = queries.all_leg_rows(_me(request), anchor, leg, state)
        return export_response(every, ROW_COLUMNS, fmt, name=f"{anchor.key}-{leg.slug}")
    after = request.GET.get("after", "")
    rows = queries.leg_rows(
        _me(request), anchor, leg, state, after=int(after) if after.isdigit() else 0, limit=PAGE + 1
    )
    here = reverse("thread:leg", args=[entity, key, slug])
    context = {
        "anchor": anchor, "leg": leg, "rows": rows[:PAGE], "state": state, "here": here,
        "next": rows[PAGE - 1]["id"] if len(rows) > PAGE else None,
        "tabs": [(word, f"{here}?state={name}", name == state, None) for name, word in TABS] if leg.reaches else [],
    }  # fmt: skip
    return render_page(request, "thread/leg.html", context)


@requires(SEE)
@require_safe
@never_cache
def bundle(request: HttpRequest, entity: str, key: str) -> HttpResponse:
    """The thread as a file: what the page says, without anything that is masked."""
    anchors = queries.find_engagements(_me(request), entity, key)
    if len(anchors) != 1:
        raise Http404
    response = JsonResponse(as_data(queries.thread_of(_me(request), anchors[0])), json_dumps_params={"indent": 2})
    response["Content-Disposition"] = f'attachment; filename="thread-{slugify(anchors[0].key)}.json"'
    return response


@requires(SEE)
@require_safe
@never_cache
def explain(request: HttpRequest, entity: str, key: str) -> HttpResponse:
    """Where a record comes from: payloads, versions with their approvers, edits, and the audit that holds them."""
    return render_page(request, "thread/explain.html", {"pack": explaining.explain(_me(request), entity, key)})


@requires(SEE)
@require_safe
@never_cache
def evidence(request: HttpRequest, entity: str, key: str, fmt: str) -> HttpResponse:
    """The same as a file with its hash, print-ready or as JSON; that it was taken is kept."""
    if fmt not in ("json", "html"):
        raise Http404
    pack = services.take_evidence(_me(request), entity, key)
    if fmt == "html":
        return render_page(request, "thread/evidence.html", {"pack": pack})
    response = HttpResponse(orjson.dumps(pack, option=orjson.OPT_INDENT_2), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="evidence-{slugify(key) or entity}.json"'
    return response


def _leg(request: HttpRequest, entity: str, key: str, slug: str) -> tuple[CanonicalRecord, LegSpec]:
    leg = next((one for one in engagement().legs if one.slug == slug), None)
    anchors = queries.find_engagements(_me(request), entity, key)
    if leg is None or len(anchors) != 1 or entity != engagement().anchor:
        raise Http404
    return anchors[0], leg


def _me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
