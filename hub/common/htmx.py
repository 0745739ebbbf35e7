"""One view, two answers: the whole page for a visit, the fragment alone when htmx asks for it."""

from __future__ import annotations

from typing import Any

from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails


class HtmxRequest(HttpRequest):
    """A request as it leaves the middleware: `htmx` is truthy when htmx sent it."""

    htmx: HtmxDetails


def wants_fragment(request: HttpRequest) -> bool:
    """True when htmx asked for a part of the page; boosted links and history restores want the whole."""
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def render_page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any] | None = None,
    *,
    partial: str = "",
    status: int = 200,
) -> HttpResponse:
    """Render `template`, or `partial` with the same context when htmx asks; pending messages travel with a fragment."""
    if partial and wants_fragment(request):
        body = render_to_string(partial, context, request) + _toasts(request)
        response = HttpResponse(body, status=status)
    else:
        response = render(request, template, context, status=status)
    patch_vary_headers(response, ("HX-Request",))
    return response


def _toasts(request: HttpRequest) -> str:
    messages = get_messages(request)
    return render_to_string("components/toasts.html", {"messages": messages, "oob": True}) if len(messages) else ""


def redirect_to(request: HttpRequest, url: str) -> HttpResponse:
    """Send the browser to `url`; htmx would swap a plain redirect's page into its target, so it gets its own header."""
    return HttpResponseClientRedirect(url) if getattr(request, "htmx", None) else HttpResponseRedirect(url)


def safe_next(request: HttpRequest, default: str = "/") -> str:
    """The page to return to (`next` of the form or the URL), if it is one of ours."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if target and ours else default
