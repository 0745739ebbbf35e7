"""Classifications and routing rules: lists with how they do, and their forms."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
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
from monitoring.exceptions import classify, queries, routing, services
from monitoring.exceptions.forms import ClassificationForm, RouteForm, when_text
from monitoring.exceptions.queries import EDIT, SEE, Standing
from monitoring.exceptions.showing import firm_currency
from monitoring.models import Classification, RoutingRule

CLASSIFICATIONS, ROUTING = "exceptions:classifications", "exceptions:routing"
_RULE_COLUMNS = [
    Column("slug", "Short name"),
    Column("name", "Name"),
    Column("type", "Type", "kind"),
    Column("position", "Position"),
    Column("when", "Recognised by", lambda rule: when_text(rule.when)),
    Column("grouped_by", "Grouped by", lambda rule: ", ".join(rule.facts)),
    Column("sla_hours", "Business hours"),
    Column("calendar", "Calendar"),
    Column("shipped", "Shipped", "is_shipped"),
    Column("in_use", "In use", "is_active"),
]
_ROUTE_COLUMNS = [
    Column("slug", "Short name"),
    Column("name", "Name"),
    Column("position", "Position"),
    Column("cause", "Cause"),
    Column("domain", "Domain", "domain.slug"),
    Column("entity", "Entity", "entity.slug"),
    Column("system", "System", "system.slug"),
    Column("client", "Client"),
    Column("legal_entity", "Legal entity"),
    Column("amount_from", "Amount from"),
    Column("team", "Team"),
    Column("person", "Person"),
    Column("in_use", "In use", "is_active"),
]


# Classifications ----------------------------------------------------------------------------------------------
@requires(SEE)
@require_safe
def classification_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    rules = classify.all_rules()
    if fmt:
        return export_response(rules, _RULE_COLUMNS, fmt, name="exception-classifications")
    standings, numbers = queries.standings(), queries.open_by_cause()
    rows = [{"rule": r, "standing": standings.get(r.slug, Standing()), "open": numbers.get(r.slug, 0)} for r in rules]
    total = Standing(sum(s.items for s in standings.values()), sum(s.stood for s in standings.values()))
    context = {
        "rows": rows,
        "total": total,
        "unknown": numbers.get(classify.OTHER, 0),
        "can_edit": queries.may_edit(me(request)),
    }
    return render_page(request, "exceptions/classifications.html", context)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def classification_new(request: HttpRequest) -> HttpResponse:
    return _classification_page(request, None)


@requires(GET=SEE, POST=EDIT)
@require_http_methods(["GET", "POST"])
def classification(request: HttpRequest, slug: str) -> HttpResponse:
    rule = next((rule for rule in classify.all_rules() if rule.slug == slug), None)
    if rule is None:
        raise Http404
    return _classification_page(request, rule)


def _classification_page(request: HttpRequest, rule: classify.Rule | None) -> HttpResponse:
    can_edit = queries.may_edit(me(request))
    if not can_edit and (request.method == "POST" or rule is None):
        raise _denied()
    form = ClassificationForm(request.POST or None, rule=rule)
    if request.method == "POST" and form.is_valid():
        answer = _saved(request, form, services.save_classification, "exceptions:classification")
        if answer:
            return answer
    own = queries.own_classification(rule.slug) if rule else None
    context = {
        "form": form,
        "rule": rule,
        "own": own,
        "calendar": classify.calendar_of(rule.calendar) if rule else None,
        "standing": queries.standings().get(rule.slug, Standing()) if rule else None,
        "history": events_of(own, "Classification")[:8] if own else [],
        "can_edit": can_edit,
    }
    return render_page(request, "exceptions/classification.html", context, status=422 if form.errors else 200)


@requires(EDIT)
@require_POST
def classification_delete(request: HttpRequest, slug: str) -> HttpResponse:
    row = get_object_or_404(Classification, slug=slug)
    return _deleted(request, row, services.delete_classification, CLASSIFICATIONS)


# Routing ------------------------------------------------------------------------------------------------------
@requires(SEE)
@require_safe
def route_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    rows = queries.routing_rows()
    if fmt:
        return export_response(list(rows), _ROUTE_COLUMNS, fmt, name="exception-routing")
    names = classify.names()
    taken = routing.taken(list(rows))
    found = [
        {"rule": row, "cause": names.get(row.cause, row.cause), "taken": taken.get(row.slug, (0, 0))} for row in rows
    ]
    context = {"rows": found, "currency": firm_currency(), "can_edit": queries.may_edit(me(request))}
    return render_page(request, "exceptions/routing.html", context)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def route_new(request: HttpRequest) -> HttpResponse:
    return _route_page(request, None)


@requires(GET=SEE, POST=EDIT)
@require_http_methods(["GET", "POST"])
def route(request: HttpRequest, slug: str) -> HttpResponse:
    return _route_page(request, get_object_or_404(queries.routing_rows(), slug=slug))


def _route_page(request: HttpRequest, row: RoutingRule | None) -> HttpResponse:
    """`preview` as the button shows what the rule would do now; nothing of it is kept."""
    can_edit = queries.may_edit(me(request))
    if not can_edit and (request.method == "POST" or row is None):
        raise _denied()
    form = RouteForm(request.POST or None, row=row)
    shown = routing.preview(row) if row else None
    if request.method == "POST" and form.is_valid():
        if "preview" in request.POST:
            shown = routing.preview(form.rule())
        elif answer := _saved(request, form, services.save_route, "exceptions:route"):
            return answer
    context = {
        "form": form,
        "row": row,
        "preview": shown,
        "currency": firm_currency(),
        "history": events_of(row, "Rule")[:8] if row else [],
        "can_edit": can_edit,
    }
    partial = "exceptions/_preview.html" if "preview" in request.POST else ""
    return render_page(request, "exceptions/route.html", context, partial=partial, status=422 if form.errors else 200)


@requires(EDIT)
@require_POST
def route_delete(request: HttpRequest, slug: str) -> HttpResponse:
    row = get_object_or_404(RoutingRule, slug=slug)
    return _deleted(request, row, services.delete_route, ROUTING)


# Both ---------------------------------------------------------------------------------------------------------
def _saved(request: HttpRequest, form: Any, save: Any, name: str) -> HttpResponse | None:
    document = form.document()
    try:
        done: Put = save(document, by=me(request))
    except HubError as error:
        form.add_error(None, str(error))
        return None
    messages.success(request, done.said)
    return redirect_to(request, done.url or reverse(name, args=[document["slug"]]))


def _deleted(request: HttpRequest, row: Any, delete: Any, back: str) -> HttpResponse:
    if not queries.may_edit(me(request)):
        raise _denied()
    try:
        delete(row, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
        return redirect_to(request, row.get_absolute_url())
    messages.success(request, f"{row} is deleted.")
    return redirect_to(request, reverse(back))


def _denied() -> PermissionDenied:
    return PermissionDenied(
        f"Classifications and routing count for the whole firm: changing them needs {EDIT} for all domains."
    )
