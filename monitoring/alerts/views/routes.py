"""Routes: who is told, with a preview, a test notice, and the form."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from governance.histories import events_of
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.common.wire import parse_url
from hub.sync.totals import exact
from monitoring.alerts import queries, services, telling
from monitoring.alerts.forms import RouteForm, WhoForm
from monitoring.alerts.queries import EDIT, SEE
from monitoring.alerts.routing import Matter
from monitoring.alerts.views.common import find_route, may_edit, me, tabs
from monitoring.models import AlertNotice, AlertRoute


def webhook_host(route: AlertRoute) -> str:
    """The receiver without its path, which may be a key to it."""
    return parse_url(route.webhook).url.host.decode() if route.webhook else ""


COLUMNS = [
    Column("position", "Position"),
    Column("slug", "Short name"),
    Column("name", "Route"),
    Column("domain", "Domain", "domain.slug"),
    Column("system", "System", "system.slug"),
    Column("rule", "Rule", "rule.slug"),
    Column("level", "From level"),
    Column("amount_from", "From amount", lambda route: exact(route.amount_from)),
    Column("channels", "Channels", lambda route: ", ".join(route.channels)),
    Column("mail", "Mail to", lambda route: ", ".join(route.mail)),
    Column("webhook", "Webhook", webhook_host),
    Column("digest", "When"),
    Column("calendar", "Quiet outside of", "calendar.slug"),
    Column("goes_on", "Goes on"),
]


@requires(SEE)
@require_safe
def route_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """The routes in their order, and for an alert as it might be who would be told."""
    bar = FilterBar(request, keys={}, hint="Name")
    rows = queries.routes_for(me(request)).filter(name__icontains=bar.text)
    if fmt:
        return export_response(list(rows.order_by("position", "name")), COLUMNS, fmt, name="alert-routes")
    page = paginate(rows, request, order=("position", "name", "pk"), page_size=100)
    context = {
        "bar": bar,
        "page": page,
        "rows": [{"route": route, "host": webhook_host(route)} for route in page],
        "tabs": tabs(request, "Routes"),
        "currency": telling.firm_currency(),
        "can_edit": me(request).has_hub_perm(EDIT),
        **_who(request),
    }
    return render_page(request, "alerts/routes.html", context, partial="alerts/_who.html")


def _who(request: HttpRequest) -> dict[str, Any]:
    """The preview, as far as it is asked for in the address."""
    is_asked = "level" in request.GET
    form = WhoForm(me(request), request.GET if is_asked else None)
    if not is_asked or not form.is_valid():
        return {"who": form, "told": []}
    data = form.cleaned_data
    ids = {name: data[name].pk if data[name] else None for name in ("domain", "system")}
    rule_id = data["rule"].pk if data["rule"] else 0
    matter = Matter(rule_id, data["level"] or "critical", ids["domain"], ids["system"], data["amount"])
    told = queries.who(matter, now=timezone.now(), routes=list(queries.routes_for(me(request))))
    return {"who": form, "told": told, "asked": matter}


@requires(SEE)
@require_safe
def route(request: HttpRequest, slug: str) -> HttpResponse:
    found = find_route(request, slug)
    context = {
        "route": found,
        "host": webhook_host(found),
        "has_secret": bool(found.secrets.get("webhook")),
        "notices": AlertNotice.objects.filter(route=found).select_related("change__alert__rule").order_by("-pk")[:20],
        "history": events_of(found, "Route")[:8],
        "currency": telling.firm_currency(),
        "can_edit": may_edit(request, found.domain),
    }
    return render_page(request, "alerts/route.html", context)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def route_new(request: HttpRequest) -> HttpResponse:
    return _form_page(request, None)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def route_edit(request: HttpRequest, slug: str) -> HttpResponse:
    return _form_page(request, find_route(request, slug, EDIT))


@requires(EDIT)
@require_POST
def route_delete(request: HttpRequest, slug: str) -> HttpResponse:
    found = find_route(request, slug, EDIT)
    services.delete_route(found, by=me(request))
    messages.success(request, f"{found} is deleted.")
    return redirect_to(request, reverse("alerts:route_list"))


@requires(EDIT)
@require_POST
def route_test(request: HttpRequest, slug: str) -> HttpResponse:
    """A test notice to every channel; its outcome appears on the page of the route."""
    found = find_route(request, slug, EDIT)
    try:
        made = services.test_fire(found, by=me(request))
        messages.success(
            request, f"A test goes to {', '.join(notice.get_channel_display().lower() for notice in made)}."
        )
    except HubError as error:
        messages.error(request, str(error))
    return redirect_to(request, found.get_absolute_url())


def _form_page(request: HttpRequest, found: AlertRoute | None) -> HttpResponse:
    form = RouteForm(me(request), request.POST or None, found=found)
    if request.method == "POST" and form.is_valid() and (answer := _save(request, form)):
        return answer
    context = {"form": form, "route": found, "currency": telling.firm_currency()}
    return render_page(request, "alerts/route_form.html", context, status=422 if form.errors else 200)


def _save(request: HttpRequest, form: RouteForm) -> HttpResponse | None:
    document = form.document()
    try:
        done = services.save_route(document, by=me(request))
    except HubError as error:
        form.add_error(None, str(error))
        return None
    messages.success(request, done.said)
    here = reverse("alerts:route", args=[document["slug"]])
    return redirect_to(request, here if done.is_applied else done.url or reverse("alerts:route_list"))
