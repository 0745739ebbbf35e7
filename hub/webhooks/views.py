"""The address that systems call, and the pages about it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import InterfaceError, OperationalError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to
from hub.common.lists import paginate
from hub.common.permissions import public, requires
from hub.sync.views.common import may_in, me, tell
from hub.webhooks import handshakes, queries, receiving, services
from hub.webhooks.forms import EndpointForm, SecretForm
from hub.webhooks.models import Endpoint, Message

RETRY_AFTER_SECONDS = 10
SHOWN = 50
STATES = [("on", "Takes messages"), ("off", "Off")]

COLUMNS = [
    Column("slug", "Short name", "endpoint.slug"),
    Column("name", "Webhook", "endpoint.name"),
    Column("sync", "Sync", "endpoint.sync.slug"),
    Column("scheme", "Proof", lambda row: row.endpoint.get_scheme_display()),
    Column("is_active", "Takes messages", "endpoint.is_active"),
    Column("last_at", "Last message (UTC)"),
    Column("recent", "Messages of 24 h"),
    Column("waiting", "Waiting"),
    Column("rejected", "Rejected"),
]


# What systems call -----------------------------------------------------------------------------------------
@public
@csrf_exempt
@require_http_methods(["GET", "POST", "OPTIONS"])
def receive(request: HttpRequest, path: str) -> HttpResponse:
    """Answer 202 once the message is committed, whether it is new or known; an error says what the sender must change."""
    if handshakes.is_question(request) and (answer := receiving.greet(request, path)):
        return answer
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    try:
        taken = receiving.receive(request, path)
    except handshakes.Greeted as question:
        return JsonResponse(question.answer)
    except receiving.Answered as refusal:
        return JsonResponse({"status": "refused", "detail": refusal.sentence}, status=refusal.status)
    except (OperationalError, InterfaceError):
        answered = {"status": "unavailable", "detail": "The message is not stored. Send it again."}
        return JsonResponse(answered, status=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    return handshakes.accepted(taken.endpoint, "accepted" if taken.is_new else "known")


# The list --------------------------------------------------------------------------------------------------
@requires("syncs.view")
def endpoint_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    rows = queries.endpoints_for(me(request), "syncs.view")
    bar = FilterBar(request, keys={"state": "State", "sync": "Sync"}, selects=[Select("state", "State", STATES)])
    found = _filtered(rows, bar)
    if fmt:
        return export_response(queries.endpoint_rows(found.order_by("name")), COLUMNS, fmt, name="webhooks")
    page = paginate(found, request, order=("name",))
    can_edit = me(request).has_hub_perm("syncs.edit")
    context = {"page": page, "rows": queries.endpoint_rows(page), "bar": bar, "can_edit": can_edit}
    return render(request, "webhooks/endpoint_list.html", context)


def _filtered(rows: QuerySet[Endpoint], bar: FilterBar) -> QuerySet[Endpoint]:
    if state := bar.get("state"):
        rows = rows.filter(is_active=state == "on")
    if sync := bar.get("sync"):
        rows = rows.filter(sync__slug=sync)
    return rows.filter(name__icontains=bar.text) if bar.text else rows


# One webhook -----------------------------------------------------------------------------------------------
@requires("syncs.view")
@never_cache
def endpoint_detail(request: HttpRequest, slug: str) -> HttpResponse:
    endpoint = _find(request, slug, "syncs.view")
    return render(request, "webhooks/endpoint_detail.html", _frame(request, endpoint))


def _frame(request: HttpRequest, endpoint: Endpoint, **more: Any) -> dict[str, Any]:
    """What the page of a webhook shows; its address only to those who may edit it, its messages as the ledger's."""
    can_edit = may_in(request, "syncs.edit", endpoint.sync)
    can_see = may_in(request, "ledger.view", endpoint.sync)
    shown = endpoint.messages.defer("body", "headers").order_by("-pk")[:SHOWN] if can_see else []
    return {
        "endpoint": endpoint,
        "row": queries.endpoint_rows([endpoint])[0],
        "address": request.build_absolute_uri(reverse("webhooks:receive", args=[endpoint.path])) if can_edit else "",
        "messages_shown": shown,
        "can_edit": can_edit,
        "can_see": can_see,
        "secret_form": SecretForm(scheme=endpoint.scheme),
        **more,
    }


def _find(request: HttpRequest, slug: str, permission: str) -> Endpoint:
    return get_object_or_404(queries.endpoints_for(me(request), permission), slug=slug)


@requires("ledger.view")
@never_cache
def message_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    endpoint = _find(request, slug, "ledger.view")
    message = get_object_or_404(endpoint.messages, pk=pk)
    body = queries.body_of(message)
    context = {
        "endpoint": endpoint,
        "message": message,
        "body": body,
        "masked": queries.masked_in(endpoint, body),
        "can_retry": may_in(request, "ledger.replay", endpoint.sync),
    }
    return render(request, "webhooks/message_detail.html", context)


# Editing ---------------------------------------------------------------------------------------------------
@requires("syncs.edit")
@require_http_methods(["GET", "POST"])
@never_cache
def endpoint_new(request: HttpRequest) -> HttpResponse:
    """A new webhook; its secret is shown in the answer to the form and never again."""
    form = EndpointForm(request.POST or None, user=me(request), initial={"sync": request.GET.get("sync", "")})
    if request.method == "POST" and form.is_valid():
        made = services.save_endpoint(endpoint=form.instance, by=me(request), secret=form.cleaned_data["secret"])
        return _with_secret(request, form.instance.slug, made)
    status = 422 if request.method == "POST" else 200
    return render(request, "webhooks/endpoint_form.html", {"form": form}, status=status)


def _with_secret(request: HttpRequest, slug: str, secret: str) -> HttpResponse:
    """The page of the webhook with its secret on it, this once."""
    endpoint = _find(request, slug, "syncs.edit")
    return render(request, "webhooks/endpoint_detail.html", _frame(request, endpoint, secret=secret))


@requires("syncs.edit")
@require_http_methods(["GET", "POST"])
@never_cache
def endpoint_settings(request: HttpRequest, slug: str) -> HttpResponse:
    endpoint = _find(request, slug, "syncs.edit")
    form = EndpointForm(request.POST or None, user=me(request), instance=endpoint)
    if request.method == "POST" and form.is_valid():
        made = services.save_endpoint(endpoint=form.instance, by=me(request))
        if made:
            return _with_secret(request, slug, made)
        messages.success(request, f"{endpoint.name} is saved.")
        return redirect_to(request, reverse("webhooks:endpoint_detail", args=[slug]))
    status = 422 if request.method == "POST" else 200
    shown = _find(request, slug, "syncs.edit")
    return render(request, "webhooks/endpoint_form.html", {"form": form, "endpoint": shown}, status=status)


# Actions ---------------------------------------------------------------------------------------------------
@requires("syncs.edit")
@require_POST
@never_cache
def endpoint_rotate(request: HttpRequest, slug: str) -> HttpResponse:
    """A new secret beside the one until now; shown in this answer only."""
    endpoint = _find(request, slug, "syncs.edit")
    form = SecretForm(request.POST, scheme=endpoint.scheme)
    if not form.is_valid():
        context = _frame(request, endpoint, secret_form=form)
        return render(request, "webhooks/endpoint_detail.html", context, status=422)
    made = services.rotate_secret(endpoint=endpoint, by=me(request), secret=form.cleaned_data["secret"])
    return _with_secret(request, slug, made)


@requires("syncs.edit")
@require_POST
def endpoint_drop(request: HttpRequest, slug: str) -> HttpResponse:
    """The older secret is not accepted any more."""
    services.drop_previous(endpoint=_find(request, slug, "syncs.edit"), by=me(request))
    messages.success(request, "Only the newest secret is accepted now.")
    return redirect_to(request, reverse("webhooks:endpoint_detail", args=[slug]))


@requires("syncs.run")
@require_POST
def endpoint_test(request: HttpRequest, slug: str) -> HttpResponse:
    """A signed message through the same door; no record changes."""
    try:
        services.send_test(endpoint=_find(request, slug, "syncs.run"))
    except HubError as error:
        tell(request, error)
    else:
        messages.success(request, "The test message was signed, proven and stored. No record was changed.")
    return redirect_to(request, reverse("webhooks:endpoint_detail", args=[slug]))


@requires("ledger.replay")
@require_POST
def message_retry(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """A rejected message once more, with the settings of now."""
    message = get_object_or_404(Message, pk=pk, endpoint=_find(request, slug, "ledger.replay"))
    if services.try_again(message=message, by=me(request)):
        messages.success(request, "The message waits for its run.")
    return redirect_to(request, reverse("webhooks:message_detail", args=[slug, pk]))
