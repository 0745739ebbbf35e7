"""The pages of a sign-in at a system: the way there, and the way back."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from connectors import queries, services, vendor_sign_in
from connectors.models import Connection
from connectors.views import find, frame, me
from hub.common.errors import HubError
from hub.common.htmx import render_page
from hub.common.permissions import SIGNED_IN, requires

TEMPLATE = "connectors/connection_sign_in.html"


@requires("connections.edit")
@never_cache
@require_GET
def sign_in(request: HttpRequest, slug: str) -> HttpResponse:
    """What is asked for at the system, the address to register there, and the link that leads there."""
    found = find(request, slug, queries.EDIT)
    if not vendor_sign_in.is_offered(found):
        raise Http404
    return _page(request, found)


@requires(SIGNED_IN)
@never_cache
@require_GET
def signed_in(request: HttpRequest) -> HttpResponse:
    """Where every system sends people back to. Whose sign-in it is, the state says."""
    try:
        entry = vendor_sign_in.take_pending(request.GET.get("state", ""), request.session)
    except HubError as error:
        messages.error(request, str(error))
        return redirect("connectors:connection_list")
    found = _connection(request, entry["connection"])
    try:
        _finish(request, found, entry)
    except HubError as error:
        return _page(request, found, error=error)
    services.check_connection(found)
    messages.success(request, f"You signed in for {found}. Its work goes on.")
    return redirect("connectors:connection_detail", slug=found.slug)


def _connection(request: HttpRequest, pk: int) -> Connection:
    found = queries.connections_for(me(request), queries.EDIT).filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def _finish(request: HttpRequest, found: Connection, entry: dict[str, str]) -> None:
    code = request.GET.get("code", "")
    if "error" in request.GET or not code:
        raise vendor_sign_in.refusal(frame(request, found, "")["offer"].label, request.GET.dict())
    vendor_sign_in.finish(found, entry, code, by=me(request))


def _page(request: HttpRequest, found: Connection, *, error: HubError | None = None) -> HttpResponse:
    context = {**frame(request, found, "sign_in"), "error": error, "status": 422 if error else 200}
    try:
        context["departure"] = vendor_sign_in.begin(found, request.session)
    except HubError as problem:
        context |= {"problem": problem, "status": 422}
    return render_page(request, TEMPLATE, context, status=context["status"])
