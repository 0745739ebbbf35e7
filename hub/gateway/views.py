"""Pages of the gateway: what is served, to whom, and how much."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from governance.histories import events_of
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.common.registry import kind
from hub.gateway import definition, openapi, queries, services
from hub.gateway.forms import FORMS, ConsumerForm, RelationFormSet, TokenForm, relation_rows, relations_of
from hub.gateway.kinds import KINDS
from hub.gateway.known import Served
from hub.gateway.models import Api, Consumer, ConsumerToken, Layer, State, Traffic
from hub.gateway.queries import EDIT, SEE
from hub.sync.views.common import me

STATES = {"draft": "draft", "active": "active", "deprecated": "warn", "retired": "disabled"}
COLUMNS = [
    Column("slug", "Short name"),
    Column("layer", "Layer"),
    Column("name", "Name"),
    Column("address", "Address"),
    Column("version", "Version"),
    Column("state", "State"),
    Column("owner", "Owner"),
    Column("sunset_on", "Served until"),
]
CONSUMER_COLUMNS = [
    Column("slug", "Short name"),
    Column("name", "Consumer"),
    Column("owner", "Owner"),
    Column("contact", "Contact"),
    Column("per_minute", "Requests a minute"),
    Column("grants", "May", lambda row: " ".join(sorted(row.grants))),
    Column("is_active", "May call"),
]
SHOWN = 20


# APIs ------------------------------------------------------------------------------------------------------
@requires(SEE)
@require_safe
def api_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    bar = FilterBar(
        request, keys={"layer": "Layer", "state": "State"}, hint="Name or path",
        selects=[Select("layer", "Layer", [(each.value, each.value.capitalize()) for each in Layer]),
                 Select("state", "State", State.choices)],
    )  # fmt: skip
    rows = queries.apis_for(me(request))
    for name in ("layer", "state"):
        if bar.get(name):
            rows = rows.filter(**{name: bar.get(name)})
    for word in bar.text.split():
        rows = rows.filter(name__icontains=word) | rows.filter(path__icontains=word)
    if fmt:
        return export_response(list(rows), COLUMNS, fmt, name="apis")
    page = paginate(rows, request, order=("layer", "path", "-version"))
    traffic = queries.traffic_by("api_id", Traffic.objects.filter(api__in=[row.pk for row in page]))
    found = [{"api": row, "state": STATES[row.state], "traffic": traffic.get(row.pk)} for row in page]
    context = {"bar": bar, "page": page, "rows": found, "can_edit": me(request).has_hub_perm(EDIT), "layers": Layer}
    return render_page(request, "gateway/api_list.html", context)


@requires(SEE)
@require_safe
def api(request: HttpRequest, slug: str) -> HttpResponse:
    """One version: how it is called, what it gives, who may, and how much is asked."""
    found = get_object_or_404(queries.apis_for(me(request)), slug=slug)
    by_consumer = queries.traffic_by("consumer_id", Traffic.objects.filter(api=found))
    allowed = queries.granted(found)
    versions = Api.objects.filter(layer=found.layer, path=found.path).order_by("-version")
    by_version = queries.traffic_by("api_id", Traffic.objects.filter(api__in=versions))
    context = {
        "api": found,
        "state": STATES[found.state],
        "operations": definition.operations(found.layer, found.definition),
        "example": example(request, found),
        "consumers": [(each, by_consumer.get(each.pk)) for each in allowed],
        "versions": [(each, STATES[each.state], by_version.get(each.pk)) for each in versions],
        "fields": sorted(Served(found).projection.names) if found.layer != Layer.PROCESS else [],
        "relations": found.definition.get("relations") or {},
        "values": found.definition.get("values") or {},
        "history": events_of(found, "API")[:8],
        "can_edit": queries.may_edit(me(request), found.domain_id),
    }
    return render_page(request, "gateway/api.html", context)


def example(request: HttpRequest, found: Api) -> str:
    """A first call, to be copied."""
    rest = {Layer.SYSTEM: "", Layer.PROCESS: "", Layer.EXPERIENCE: "KEY/"}[Layer(found.layer)]
    address = request.build_absolute_uri(found.address + rest)
    if found.layer == Layer.PROCESS:
        return (
            f"curl -X POST {address} -H 'Authorization: Bearer TOKEN' -H 'Idempotency-Key: order-17' \\\n"
            "  -H 'Content-Type: application/json' -d '{\"key\": \"KEY\"}'"
        )
    return f"curl {address} -H 'Authorization: Bearer TOKEN'"


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def api_new(request: HttpRequest, layer: str) -> HttpResponse:
    if layer not in Layer.values:
        raise Http404
    return _api_form(request, layer, None)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def api_edit(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(queries.apis_for(me(request), EDIT), slug=slug)
    return _api_form(request, found.layer, found)


def _api_form(request: HttpRequest, layer: str, found: Api | None) -> HttpResponse:
    form = FORMS[layer](request.POST or None, user=me(request), found=found)
    related = (
        RelationFormSet(request.POST or None, initial=relation_rows(found), prefix="r")
        if layer == "experience"
        else None
    )
    is_valid = request.method == "POST" and form.is_valid() and (related is None or related.is_valid())
    if is_valid:
        document = form.document()
        if related is not None and (relations := relations_of(related)):
            document["relations"] = relations
        if answer := _save(
            request, form, KINDS[Layer(layer)], document, lambda: services.save_api(layer, document, by=me(request))
        ):
            return answer
    context = {"form": form, "related": related, "api": found, "layer": Layer(layer)}
    return render_page(request, "gateway/api_form.html", context, status=422 if form.errors else 200)


def _save(request: HttpRequest, form: Any, name: str, document: dict[str, Any], act: Any) -> HttpResponse | None:
    if problems := kind(name).validate({"kind": name, **document}):
        for problem in problems:
            form.add_error(problem.path if problem.path in form.fields else None, f"{problem.path}: {problem.sentence}")
        return None
    try:
        done = act()
    except HubError as error:
        form.add_error(None, str(error))
        return None
    messages.success(request, done.said)
    page, back = ("consumer", "consumer_list") if name == "Consumer" else ("api", "api_list")
    here = reverse(f"gateway:{page}", args=[document["slug"]])
    return redirect_to(request, here if done.is_applied else done.url or reverse(f"gateway:{back}"))


@requires(EDIT)
@require_POST
def api_delete(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(queries.apis_for(me(request), EDIT), slug=slug)
    return _delete(request, found, lambda: services.delete_api(found, by=me(request)), "api_list")


def _delete(request: HttpRequest, found: Any, act: Any, back: str) -> HttpResponse:
    try:
        act()
    except HubError as error:
        messages.error(request, str(error))
        return redirect_to(request, getattr(error, "url", "") or found.get_absolute_url())
    messages.success(request, f"{found} is deleted.")
    return redirect_to(request, reverse(f"gateway:{back}"))


@requires(SEE)
@require_safe
def openapi_document(request: HttpRequest, layer: str) -> HttpResponse:
    """OpenAPI 3.1 of what the person may see of a layer."""
    if layer not in Layer.values:
        raise Http404
    return JsonResponse(openapi.document(layer, queries.apis_for(me(request))))


# Consumers -------------------------------------------------------------------------------------------------
@requires(SEE)
@require_safe
def consumer_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    bar = FilterBar(request, keys={}, hint="Name or owner")
    rows = queries.consumers_for(me(request))
    for word in bar.text.split():
        rows = rows.filter(name__icontains=word) | rows.filter(owner__icontains=word)
    if fmt:
        return export_response(list(rows), CONSUMER_COLUMNS, fmt, name="consumers")
    page = paginate(rows, request, order=("name", "pk"))
    traffic = queries.traffic_by("consumer_id", Traffic.objects.filter(consumer__in=[row.pk for row in page]))
    found = [{"consumer": row, "traffic": traffic.get(row.pk)} for row in page]
    context = {"bar": bar, "page": page, "rows": found, "can_edit": me(request).has_hub_perm(EDIT)}
    return render_page(request, "gateway/consumer_list.html", context)


@requires(SEE)
@require_safe
@never_cache
def consumer(request: HttpRequest, slug: str, token: str = "") -> HttpResponse:
    found = get_object_or_404(queries.consumers_for(me(request)), slug=slug)
    return _consumer_page(request, found)


def _consumer_page(request: HttpRequest, found: Consumer, token: str = "") -> HttpResponse:
    """`token` is shown this once."""
    traffic = queries.traffic_by("api_id", Traffic.objects.filter(consumer=found))
    apis = {api.pk: api for api in Api.objects.filter(pk__in=traffic)}
    context = {
        "consumer": found,
        "token": token,
        "tokens": found.tokens.select_related("made_by"),
        "token_form": TokenForm(),
        "grants": sorted(found.grants.items()),
        "traffic": [(apis[pk], row) for pk, row in traffic.items() if pk in apis],
        "history": events_of(found, "Consumer")[:8],
        "can_edit": queries.may_edit(me(request), found.domain_id),
        "now": timezone.now(),
    }
    return render_page(request, "gateway/consumer.html", context)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def consumer_new(request: HttpRequest) -> HttpResponse:
    return _consumer_form(request, None)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def consumer_edit(request: HttpRequest, slug: str) -> HttpResponse:
    return _consumer_form(request, _own(request, slug))


def _own(request: HttpRequest, slug: str) -> Consumer:
    found = get_object_or_404(queries.consumers_for(me(request), EDIT), slug=slug)
    if not queries.may_edit(me(request), found.domain_id):
        raise Http404
    return found


def _consumer_form(request: HttpRequest, found: Consumer | None) -> HttpResponse:
    form = ConsumerForm(request.POST or None, user=me(request), found=found)
    if request.method == "POST" and form.is_valid():
        domain = form.cleaned_data["domain"]
        if not queries.may_edit(me(request), domain.pk if domain else None):
            form.add_error("domain", "Choose one of your domains.")
        elif answer := _save(
            request, form, "Consumer", form.document(), lambda: services.save_consumer(form.document(), by=me(request))
        ):
            return answer
    context = {"form": form, "consumer": found}
    return render_page(request, "gateway/consumer_form.html", context, status=422 if form.errors else 200)


@requires(EDIT)
@require_POST
def consumer_delete(request: HttpRequest, slug: str) -> HttpResponse:
    found = _own(request, slug)
    return _delete(request, found, lambda: services.delete_consumer(found, by=me(request)), "consumer_list")


@requires(EDIT)
@require_POST
@never_cache
def token_new(request: HttpRequest, slug: str) -> HttpResponse:
    found, form = _own(request, slug), TokenForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Days are a number from 1 to 3650.")
        return redirect_to(request, found.get_absolute_url())
    days = form.cleaned_data["days"]
    expires = timezone.now() + timedelta(days=days) if days else None
    return _consumer_page(request, found, services.issue_token(found, by=me(request), expires_at=expires))


@requires(EDIT)
@require_POST
def token_revoke(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    found = _own(request, slug)
    services.revoke_token(get_object_or_404(ConsumerToken, consumer=found, pk=pk), by=me(request))
    messages.success(request, "Revoked. It opens nothing any more.")
    return redirect_to(request, found.get_absolute_url())
