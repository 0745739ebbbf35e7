"""Pages of event types, and of what has happened in the firm."""

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
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.common.registry import kind
from hub.events.event_types import queries, services
from hub.events.event_types.forms import EventTypeForm
from hub.events.event_types.queries import EDIT, SEE
from hub.events.models import Event, EventType
from hub.sync.views.common import me

COLUMNS = [
    Column("slug", "Short name"),
    Column("name", "Event"),
    Column("title", "Title"),
    Column("entity", "About", "entity.slug"),
    Column("when", "When", queries.words_of),
    Column("version", "Version"),
    Column("owner", "Owner"),
    Column("is_active", "In use"),
]
FACT_COLUMNS = [
    Column("sequence", "Sequence", "pk"),
    Column("id", "Id", str),
    Column("type", "Event"),
    Column("version", "Version"),
    Column("subject", "About"),
    Column("at", "Happened (UTC)"),
    Column("changed", "Changed", lambda row: " ".join(row.data.get("changed") or ())),
]
SHOWN = 10


@requires(SEE)
@require_safe
def event_type_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    bar = FilterBar(request, keys={}, hint="Name or title")
    rows = queries.event_types_for(me(request))
    for word in bar.text.split():
        rows = rows.filter(name__icontains=word) | rows.filter(title__icontains=word)
    if fmt:
        return export_response(list(rows), COLUMNS, fmt, name="event-types")
    page = paginate(rows, request, order=("name", "pk"))
    traffic = queries.traffic([row.name for row in page])
    found = [
        {
            "type": row,
            "words": queries.words_of(row),
            "traffic": traffic[row.name],
            "told": queries.subscribers(row).count(),
        }
        for row in page
    ]
    context = {"bar": bar, "page": page, "rows": found, "can_edit": bool(queries.entities_for(me(request)))}
    return render_page(request, "events/event_type_list.html", context)


@requires(SEE)
@require_safe
def event_type(request: HttpRequest, slug: str) -> HttpResponse:
    """One event type: when it happens, what it says, who is told, what happened last."""
    found = _find(request, slug)
    users = [each for each in kind(services.KIND).impact(found.slug) if each[0] != "Subscription"]
    context = {
        "type": found,
        "words": queries.words_of(found),
        "traffic": queries.traffic([found.name])[found.name],
        "standing": queries.standing(found),
        "schema": queries.schema_of(found),
        "subscribers": queries.subscribers(found),
        "users": users,
        "facts": Event.objects.filter(type=found.name).order_by("-pk")[:SHOWN],
        "history": events_of(found, "Event type")[:8],
        "can_edit": queries.may_edit(me(request), found),
    }
    return render_page(request, "events/event_type.html", context)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def event_type_new(request: HttpRequest) -> HttpResponse:
    return _form_page(request, None)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def event_type_edit(request: HttpRequest, slug: str) -> HttpResponse:
    return _form_page(request, _find(request, slug, EDIT))


@requires(EDIT)
@require_POST
def event_type_delete(request: HttpRequest, slug: str) -> HttpResponse:
    found = _find(request, slug, EDIT)
    try:
        services.delete_event_type(found, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
        return redirect_to(request, found.get_absolute_url())
    messages.success(request, f"{found} is deleted. What has happened stays.")
    return redirect_to(request, reverse("events:event_type_list"))


def _form_page(request: HttpRequest, found: EventType | None) -> HttpResponse:
    form = EventTypeForm(request.POST or None, user=me(request), found=found)
    if request.method == "POST" and form.is_valid() and (answer := _save(request, form)):
        return answer
    context = {"form": form, "type": found}
    return render_page(request, "events/event_type_form.html", context, status=422 if form.errors else 200)


def _save(request: HttpRequest, form: EventTypeForm) -> HttpResponse | None:
    if not queries.entities_for(me(request)).filter(pk=form.cleaned_data["entity"].pk).exists():
        raise PermissionDenied("The entity belongs to a domain in which you may not change events.")
    document: dict[str, Any] = form.document()
    if problems := kind(services.KIND).validate({"kind": services.KIND, **document}):
        for problem in problems:
            form.add_error(problem.path if problem.path in form.fields else None, problem.sentence)
        return None
    try:
        done = services.save_event_type(document, by=me(request))
    except HubError as error:
        form.add_error(None, str(error))
        return None
    messages.success(request, done.said)
    here = reverse("events:event_type", args=[document["slug"]])
    return redirect_to(request, here if done.is_applied else done.url or reverse("events:event_type_list"))


def _find(request: HttpRequest, slug: str, permission: str = SEE) -> EventType:
    return get_object_or_404(queries.event_types_for(me(request), permission), slug=slug)


# What has happened -----------------------------------------------------------------------------------------
@requires(SEE)
@require_safe
def fact_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """The events of the firm, newest first."""
    known = list(queries.event_types_for(me(request)).values_list("name", "title"))
    bar = FilterBar(
        request,
        keys={"type": "Event"},
        selects=[Select("type", "Event", known)],
        hint="The beginning of what it is about",
    )
    chosen = [bar.get("type")] if bar.get("type") else None
    rows = queries.events_for(me(request), types=chosen, subject=bar.text)
    if fmt:
        return export_response(rows.order_by("-pk").iterator(), FACT_COLUMNS, fmt, name="events")
    page = paginate(rows, request)
    return render_page(request, "events/fact_list.html", {"bar": bar, "page": page, "has_types": bool(known)})


@requires(SEE)
@require_safe
def fact(request: HttpRequest, pk: int) -> HttpResponse:
    """One event: what it says, and every attempt to tell it to every subscriber."""
    found = get_object_or_404(queries.events_for(me(request)), pk=pk)
    mine = get_object_or_404(queries.event_types_for(me(request)), name=found.type)
    notifications = found.notifications.select_related("subscription").prefetch_related("tries").order_by("pk")
    context = {"event": found, "type": mine, "told": queries.told(found), "notifications": notifications}
    return render_page(request, "events/fact.html", context)
