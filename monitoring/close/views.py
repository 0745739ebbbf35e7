"""Periods on screen: the calendar, one with its history, the forms, and files."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from governance.histories import events_of
from governance.views import me
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.governed import Put
from hub.common.htmx import redirect_to, render_page
from hub.common.permissions import requires
from monitoring.close import queries, services
from monitoring.close.books import Book, book_of, books, legal_entities
from monitoring.close.forms import ImportForm, PeriodForm, YearForm
from monitoring.close.scope import EDIT, SEE
from monitoring.models import Period


def _of_plan(name: str) -> Any:
    return lambda book: getattr(book.config, name) if book.config else None


COLUMNS = [
    Column("slug", "slug", _of_plan("slug")),
    Column("legal_entity", "legal_entity"),
    Column("period", "period"),
    Column("start_date", "start_date"),
    Column("end_date", "end_date"),
    Column("close_date", "close_date", _of_plan("close_date")),
    Column("close_time", "close_time", _of_plan("close_time")),
    Column("time_zone", "time_zone", _of_plan("time_zone")),
    Column("calendar", "calendar", lambda book: book.config.calendar.slug if book.config and book.config.calendar else None),
    Column("status", "status", lambda book: book.config.status if book.config else book.status),
    Column("is_frozen", "is_frozen", lambda book: "yes" if book.is_frozen else "no"),
    Column("late_policy", "late_policy"),
    Column("note", "note", _of_plan("note")),
    Column("source", "source"),
]  # fmt: skip


@requires(SEE)
@require_safe
def period_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Every legal entity with its periods; the file can be changed and brought back."""
    found = books()
    if fmt:
        return export_response(found, COLUMNS, fmt, name="periods")
    months, lanes = queries.calendar(found)
    soonest = queries.next_to_close()
    context = {
        "months": months,
        "lanes": lanes,
        "total": len(found),
        "soonest": soonest,
        "left": queries.countdown(soonest) if soonest else "",
        "can_edit": queries.may_edit(me(request)),
    }
    return render_page(request, "close/period_list.html", context)


@requires(SEE)
@require_safe
def period(request: HttpRequest, slug: str) -> HttpResponse:
    found = _find(slug)
    book = book_of(found.legal_entity, found.period)
    context = {
        "period": found,
        "book": book,
        "left": queries.countdown(book) if book else "",
        "business_left": queries.business_left(book) if book else None,
        "history": events_of(found, "Period")[:12],
        "can_edit": queries.may_edit(me(request)),
    }
    return render_page(request, "close/period.html", context)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def period_new(request: HttpRequest) -> HttpResponse:
    return _form_page(request, None)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def period_edit(request: HttpRequest, slug: str) -> HttpResponse:
    return _form_page(request, _find(slug))


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def period_year(request: HttpRequest) -> HttpResponse:
    """The months of a year for several legal entities: shown first, then made."""
    _refuse_others(request)
    form = YearForm(request.POST or None)
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        try:
            context["documents"] = services.year_documents(form.year())
            if request.POST.get("do") == "save":
                done = services.save_periods(context["documents"], by=me(request))
                return _answer(request, done, reverse("close:period_list"))
        except HubError as error:
            form.add_error(None, str(error))
    return render_page(request, "close/period_year.html", context, status=422 if form.errors else 200)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def period_import(request: HttpRequest) -> HttpResponse:
    """A CSV file of periods, all of it or nothing."""
    _refuse_others(request)
    form = ImportForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            done = services.save_periods(form.cleaned_data["file"], by=me(request), reason="Brought in from a file")
            return _answer(request, done, reverse("close:period_list"))
        except HubError as error:
            form.add_error("file", str(error))
    context = {"form": form, "columns": services.COLUMNS}
    return render_page(request, "close/period_import.html", context, status=422 if form.errors else 200)


@requires(EDIT)
@require_POST
def period_freeze(request: HttpRequest, slug: str) -> HttpResponse:
    _refuse_others(request)
    found = _find(slug)
    frozen = request.POST.get("frozen") == "yes"
    try:
        done = services.freeze(found, frozen=frozen, by=me(request), reason=request.POST.get("reason", ""))
    except HubError as error:
        messages.error(request, str(error))
        return redirect_to(request, found.get_absolute_url())
    said = f"{found} is frozen." if frozen else f"{found} takes postings again."
    return _answer(request, done, found.get_absolute_url(), said)


@requires(EDIT)
@require_POST
def period_delete(request: HttpRequest, slug: str) -> HttpResponse:
    _refuse_others(request)
    found = _find(slug)
    services.delete_period(found, by=me(request))
    messages.success(request, f"{found} is no longer planned.")
    return redirect_to(request, reverse("close:period_list"))


def _form_page(request: HttpRequest, found: Period | None) -> HttpResponse:
    _refuse_others(request)
    form = PeriodForm(request.POST or None, plan=found)
    if request.method == "POST" and form.is_valid():
        document = form.document()
        try:
            done = services.save_period(document, by=me(request))
            return _answer(request, done, reverse("close:period", args=[document["slug"]]))
        except HubError as error:
            form.add_error(None, str(error))
    book: Book | None = book_of(found.legal_entity, found.period) if found else None
    context = {"form": form, "period": found, "book": book, "codes": legal_entities()}
    return render_page(request, "close/period_form.html", context, status=422 if form.errors else 200)


def _answer(request: HttpRequest, done: Put, here: str, said: str = "") -> HttpResponse:
    """Back to the page, or to where the reviewers discuss what was asked for."""
    messages.success(request, said if said and done.is_applied else done.said)
    return redirect_to(request, here if done.is_applied else done.url or reverse("close:period_list"))


def _find(slug: str) -> Period:
    return get_object_or_404(Period.objects.select_related("calendar"), slug=slug)


def _refuse_others(request: HttpRequest) -> None:
    if not queries.may_edit(me(request)):
        raise PermissionDenied(f"A period counts for the whole firm: changing it needs {EDIT} for all domains.")
