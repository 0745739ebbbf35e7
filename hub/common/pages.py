"""The first page, search, and what is shown instead of a page."""

from __future__ import annotations

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.html import escape

from hub.common import home as first_page
from hub.common import search as finder
from hub.common.htmx import render_page
from hub.common.permissions import signed_in
from hub.common.times import business_today


@signed_in
def home(request: HttpRequest) -> HttpResponse:
    """My work: what needs me, panels of the packages, and the first steps of a new hub."""
    needs = first_page.needs_for(request)
    context = {
        "today": business_today(getattr(request.user, "time_zone", "UTC")),
        "needs": needs,
        "needs_meta": f"{len(needs)} {'item' if len(needs) == 1 else 'items'}, soonest first" if needs else "",
        "panels": first_page.panels_for(request),
        "steps": first_page.steps_for(request),
    }
    return render(request, "home.html", context)


@signed_in
def search(request: HttpRequest) -> HttpResponse:
    """Hits for ?q=, as a page or (htmx) as the palette's list."""
    q = request.GET.get("q", "").replace("\x00", "")
    context = {"q": q, "groups": finder.find(q, request.user)}
    return render_page(request, "search.html", context, partial="components/palette_hits.html")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    reason = "" if isinstance(exception, SuspiciousOperation) else str(exception or "")
    return render(request, "400.html", {"reason": reason}, status=400)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return render(request, "403.html", {"reason": str(exception or "")}, status=403)


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return render(request, "404.html", {"path": request.path}, status=404)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form that was left open too long, or cookies that are switched off."""
    why = "This form was open too long, or cookies are switched off. Go back, reload the page and send it again."
    return render(request, "403.html", {"reason": why, "is_form": True}, status=403)


def server_error(request: HttpRequest) -> HttpResponse:
    """Uses nothing that could fail again: no database, no person, no navigation."""
    request_id = str(getattr(request, "request_id", ""))
    try:
        body: str = render_to_string("500.html", {"request_id": request_id})
    except Exception:
        body = f"<h1>Something went wrong</h1><p>The error is in the log. {escape(request_id)}</p>"
    return HttpResponse(body, status=500)
