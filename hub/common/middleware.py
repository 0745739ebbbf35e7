"""Stand between the URL and the view: permission, time zone, and where an anonymous visitor is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.utils import timezone
from rest_framework.views import APIView

from hub.common.acts import Act, tell
from hub.common.governed import Held
from hub.common.htmx import redirect_to
from hub.common.permissions import (
    SIGNED_IN,
    class_of,
    declaration_of,
    is_allowed,
    needed_for,
)

GetResponse = Callable[[HttpRequest], HttpResponse]


class HubMiddleware:
    """Enforces what views declare and shows times in the person's own zone; stands after the authentication middleware.

    API views are left to `HasHubPermission`, because tokens are read there.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(_zone_of(request.user)):
            return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> HttpResponse | None:
        if _is_api(view):
            return None
        needed = needed_for(declaration_of(view), request.method)
        if is_allowed(request.user, needed):
            return None
        if not request.user.is_authenticated:
            return redirect_to(request, _sign_in_url(request))
        raise PermissionDenied(_refusal(needed))

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """An edit that waits for its reviewers leads to where they discuss it."""
        if not isinstance(error, Held):
            return None
        messages.success(request, error.put.said)
        return redirect_to(request, error.put.url)


def tell_of_exports(get_response: GetResponse) -> GetResponse:
    """A list that leaves the hub as a file is an act, whichever page it comes from."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        is_file = response.headers.get("Content-Disposition", "").startswith("attachment")
        if is_file and response.status_code == 200 and request.user.is_authenticated:
            query = request.META.get("QUERY_STRING", "")
            tell(Act("list.exported", "Page", request.path, by=request.user, details={"filter": query[:500]}))
        return response

    return respond


def _is_api(view: Callable[..., Any]) -> bool:
    view_class = class_of(view)
    return view_class is not None and issubclass(view_class, APIView)


def _sign_in_url(request: HttpRequest) -> str:
    """The sign-in page, leading back here; a form's target cannot be visited again, so that leads home."""
    back = request.get_full_path() if request.method == "GET" and not getattr(request, "htmx", None) else ""
    query = f"?{urlencode({'next': back})}" if back not in ("", "/") else ""
    return resolve_url(settings.LOGIN_URL) + query


def _refusal(needed: str | None) -> str:
    if needed is None or needed == SIGNED_IN:
        return "This address does not take that kind of request."
    return f"This needs the permission {needed}, which none of your roles includes."


def _zone_of(user: Any) -> ZoneInfo | None:
    name = getattr(user, "time_zone", "")
    return ZoneInfo(name) if name else None
