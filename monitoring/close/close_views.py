"""The closes on screen: all that run, one with what stands in its way, the lists behind its rows, the pack, the signatures."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from governance.views import me
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.common.xlsx import KIND
from monitoring.close import pack, queries, signing
from monitoring.close.books import book_of, legal_entities
from monitoring.close.listings import NO_CURRENCY, Listing, find
from monitoring.close.readiness import Readiness, as_data, readiness, running_and_nowhere
from monitoring.close.scope import EDIT, SEE, Scope, bare_scope, scope_of, unplaced


@requires(SEE)
@require_safe
def close_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """The closes that somebody works on, soonest first, and what belongs to none."""
    *found, lost = running_and_nowhere(me(request))
    if fmt == "json":
        return JsonResponse([as_data(one) for one in found], safe=False)
    if fmt:
        rows = [{"close": str(one.book), **_flat(each)} for one in found for each in one.rows]
        return export_response(rows, _WITH_CLOSE, "csv", name="closes")
    names = legal_entities()
    rows = [
        {
            "close": one,
            "left": queries.countdown(one.book, one.at) if one.book else "",
            "name": names.get(one.scope.legal_entity, ("", ""))[0],
            "signed": signing.signatures(one),
        }
        for one in found
    ]
    context = {"rows": rows, "lost": lost if lost.rows else None, "can_edit": queries.may_edit(me(request))}
    return render_page(request, "close/close_list.html", context)


@requires(SEE)
@require_safe
def close(request: HttpRequest, legal_entity: str, period: str, fmt: str = "") -> HttpResponseBase:
    """One close: what stands in its way, ranked by amount, and the signatures below it."""
    found = _readiness(request, legal_entity, period)
    name = f"close-{legal_entity}-{period}"
    if fmt == "json":
        return JsonResponse(as_data(found))
    if fmt == "csv":
        return export_response(found.rows, pack.ROW_COLUMNS, "csv", name=name)
    if fmt == "xlsx":
        response = HttpResponse(pack.as_workbook(found), content_type=KIND)
        response["Content-Disposition"] = f'attachment; filename="{name}.xlsx"'
        response["Cache-Control"] = "no-store"
        return response
    return render_page(request, "close/close.html", _context(request, found))


@requires(SEE)
@require_safe
def close_pack(request: HttpRequest, legal_entity: str, period: str) -> HttpResponse:
    """The same, laid out for paper."""
    found = _readiness(request, legal_entity, period)
    return render_page(request, "close/pack.html", {**_context(request, found), "decisions": pack.decisions(found)})


@requires(SEE)
@require_safe
def close_entries(
    request: HttpRequest, legal_entity: str, period: str, listing: str, fmt: str = ""
) -> HttpResponseBase:
    """The records behind one row of a close."""
    book = book_of(legal_entity, period)
    scope = scope_of(book, me(request)) if book else _bare(legal_entity, period, request)
    return _entries(request, scope, listing, fmt)


@requires(SEE)
@require_safe
def unplaced_entries(request: HttpRequest, listing: str, fmt: str = "") -> HttpResponseBase:
    """The records that belong to no close."""
    return _entries(request, unplaced(me(request)), listing, fmt)


@requires(EDIT)
@require_POST
def close_sign(request: HttpRequest, legal_entity: str, period: str) -> HttpResponse:
    _refuse_others(request)
    here = reverse("close:close", args=[legal_entity, period])
    try:
        made = signing.sign(
            _readiness(request, legal_entity, period), by=me(request), note=request.POST.get("note", "")
        )
        messages.success(request, f"{made.get_step_display()} by you.")
    except HubError as error:
        messages.error(request, str(error))
    return redirect_to(request, here)


@requires(EDIT)
@require_POST
def close_withdraw(request: HttpRequest, legal_entity: str, period: str) -> HttpResponse:
    _refuse_others(request)
    here = reverse("close:close", args=[legal_entity, period])
    try:
        signing.withdraw(legal_entity, period, by=me(request), reason=request.POST.get("reason", ""))
        messages.success(request, "The signatures are withdrawn.")
    except HubError as error:
        messages.error(request, str(error))
    return redirect_to(request, here)


def _context(request: HttpRequest, found: Readiness) -> dict[str, Any]:
    signed = signing.signatures(found)
    can_edit = queries.may_edit(me(request))
    book = found.book
    return {
        "close": found,
        "book": book,
        "entity": legal_entities().get(found.scope.legal_entity, (found.scope.legal_entity, ""))[0],
        "left": queries.countdown(book, found.at) if book else "",
        "business_left": queries.business_left(book, found.at) if book else None,
        "signed": signed,
        "steps": [("Prepared", signed.prepared), ("Reviewed", signed.reviewed)],
        "why_not_sign": signing.why_not_sign(found, me(request)) if can_edit else "",
        "can_edit": can_edit,
        "firm_currency": found.rates.currency,
    }


def _readiness(request: HttpRequest, legal_entity: str, period: str) -> Readiness:
    book = book_of(legal_entity, period)
    if book is None:
        return readiness(_bare(legal_entity, period, request))
    return readiness(scope_of(book, me(request)), book)


def _bare(legal_entity: str, period: str, request: HttpRequest) -> Scope:
    """A period that nobody planned is shown where the legal entity is known."""
    if legal_entity not in legal_entities():
        raise Http404
    try:
        return bare_scope(legal_entity, period, me(request))
    except HubError:
        raise Http404 from None


def _entries(request: HttpRequest, scope: Scope, slug: str, fmt: str) -> HttpResponseBase:
    listing = find(slug)
    if listing is None:
        raise Http404
    part, currency = request.GET.get("part", ""), request.GET.get("currency", "")
    rows = listing.filtered(scope, part=part, currency=currency)
    if fmt:
        ordered = rows.order_by(*listing.order).iterator(chunk_size=2_000)
        return export_response((listing.entry(row) for row in ordered), pack.ENTRY_COLUMNS, fmt, name=slug)
    page = paginate(rows, request, order=listing.order)
    context = {
        "scope": scope,
        "listing": listing,
        "page": page,
        "entries": [listing.entry(row) for row in page],
        "figures": [row for row in listing.figures([scope])[0] if _asked(row, listing, part, currency)],
    }
    return render_page(request, "close/entries.html", context)


def _asked(row: Any, listing: Listing, part: str, currency: str) -> bool:
    wanted = "" if currency == NO_CURRENCY else currency
    return (not currency or row.currency == wanted) and (not part or row.key.startswith(f"{listing.slug}-{part}"))


def _flat(each: Any) -> dict[str, Any]:
    return {column.key: column.of(each) for column in pack.ROW_COLUMNS}


_WITH_CLOSE = [Column("close", "Close"), *(Column(c.key, c.label) for c in pack.ROW_COLUMNS)]


def _refuse_others(request: HttpRequest) -> None:
    if not queries.may_edit(me(request)):
        raise PermissionDenied(f"A close is signed for the whole firm: it needs {EDIT} for all domains.")
