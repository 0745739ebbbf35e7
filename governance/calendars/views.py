"""Business calendars: the list, one with what its hours make of some spans, and the form."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from governance.calendars import queries, services
from governance.calendars.forms import CalendarForm
from governance.calendars.queries import EDIT, SEE
from governance.histories import events_of
from governance.models import BusinessCalendar
from governance.views import me
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires

COLUMNS = [
    Column("slug", "Short name"),
    Column("name", "Calendar"),
    Column("time_zone", "Time zone"),
    Column("parent", "Inherits from", "parent.slug"),
    Column("hours", "Hours", lambda row: "; ".join(f"{days} {spans}" for days, spans in queries.hours_words(row))),
    Column("holidays", "Own holidays", lambda row: len(row.holidays)),
    Column("service_levels", "Service levels", "users"),
]


@requires(SEE)
@require_safe
def calendar_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    bar = FilterBar(request, keys={}, hint="Name or time zone")
    rows = queries.calendars(bar.text)
    if fmt:
        return export_response(list(rows), COLUMNS, fmt, name="business-calendars")
    page = paginate(rows, request, order=("name", "pk"))
    found = [{"calendar": row, "words": queries.hours_words(row)} for row in page]
    context = {"bar": bar, "page": page, "rows": found, "can_edit": queries.may_edit(me(request))}
    return render_page(request, "calendars/list.html", context)


@requires(SEE)
@require_safe
def calendar(request: HttpRequest, slug: str) -> HttpResponse:
    """One calendar: its hours in words, its next holidays, and what they make of some business hours from now."""
    found = _find(slug)
    hours = found.opening_hours
    is_open, opens_at = queries.standing(hours)
    context = {
        "calendar": found,
        "words": queries.hours_words(found),
        "holidays": queries.coming_holidays(found),
        "trials": queries.trials(hours),
        "is_open": is_open,
        "opens_at": opens_at,
        "levels": found.service_levels.order_by("name"),
        "history": events_of(found, "Calendar")[:8],
        "can_edit": queries.may_edit(me(request)),
    }
    return render_page(request, "calendars/detail.html", context)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def calendar_new(request: HttpRequest) -> HttpResponse:
    return _form_page(request, None)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def calendar_edit(request: HttpRequest, slug: str) -> HttpResponse:
    return _form_page(request, _find(slug))


@requires(EDIT)
@require_POST
def calendar_delete(request: HttpRequest, slug: str) -> HttpResponse:
    _refuse_others(request)
    found = _find(slug)
    try:
        services.delete_calendar(found, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
        return redirect_to(request, found.get_absolute_url())
    messages.success(request, f"{found} is deleted.")
    return redirect_to(request, reverse("governance:calendar_list"))


def _form_page(request: HttpRequest, found: BusinessCalendar | None) -> HttpResponse:
    _refuse_others(request)
    form = CalendarForm(request.POST or None, request.FILES or None, calendar=found)
    if request.method == "POST" and form.is_valid() and (answer := _save(request, form)):
        return answer
    context = {"form": form, "calendar": found, "words": queries.hours_words(found) if found else []}
    return render_page(request, "calendars/form.html", context, status=422 if form.errors else 200)


def _save(request: HttpRequest, form: CalendarForm) -> HttpResponse | None:
    document: dict[str, Any] = form.document()
    try:
        done = services.save_calendar(document, by=me(request))
    except HubError as error:
        form.add_error(None, str(error))
        return None
    messages.success(request, done.said)
    for sentence in form.left_out[:5]:
        messages.warning(request, sentence)
    here = reverse("governance:calendar", args=[document["slug"]])
    return redirect_to(request, here if done.is_applied else done.url or reverse("governance:calendar_list"))


def _find(slug: str) -> BusinessCalendar:
    return get_object_or_404(BusinessCalendar.objects.select_related("parent__parent"), slug=slug)


def _refuse_others(request: HttpRequest) -> None:
    if not queries.may_edit(me(request)):
        raise PermissionDenied(f"A calendar counts for the whole firm: changing it needs {EDIT} for all domains.")
