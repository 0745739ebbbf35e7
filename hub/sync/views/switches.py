"""Stopping everything, and purging what is queued for a sync or a connection."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from connectors.models import Connection
from hub.accounts.models import User
from hub.common.errors import HubError
from hub.common.htmx import redirect_to
from hub.common.permissions import requires
from hub.sync import gate, purge, queries, services
from hub.sync.models import Standstill, Sync
from hub.sync.views.common import find_sync, me, tell


def may_stop_everything(user: User) -> bool:
    """Everything concerns every domain."""
    return user.domain_ids_for("syncs.run") is None


@requires(GET="syncs.view", POST="syncs.run")
@require_http_methods(["GET", "POST"])
def standstill(request: HttpRequest) -> HttpResponse:
    """Pause or resume everything (`paused` is 1 or 0), with a reason."""
    if request.method == "POST":
        return _turn(request)
    context = {
        "standstill": Standstill.objects.select_related("by").filter(is_paused=True).first(),
        "turns": Standstill.history.select_related("history_user", "by").order_by("-history_id")[:20],
        "can_stop": may_stop_everything(me(request)),
    }
    return render(request, "sync/standstill.html", context)


def _turn(request: HttpRequest) -> HttpResponse:
    if not may_stop_everything(me(request)):
        raise PermissionDenied("Pausing everything takes a role for all domains.")
    is_paused = request.POST.get("paused") == "1"
    try:
        services.set_standstill(is_paused=is_paused, reason=request.POST.get("reason", ""), by=me(request))
    except HubError as error:
        tell(request, error)
    else:
        messages.success(request, "Everything is paused." if is_paused else "Everything is at work again.")
    return redirect_to(request, reverse("sync:standstill"))


# Purging ---------------------------------------------------------------------------------------------------
@requires("ledger.replay")
@require_http_methods(["GET", "POST"])
def sync_purge(request: HttpRequest, slug: str) -> HttpResponse:
    """What a purge of this sync's queue would discard; discard it."""
    sync = find_sync(request, slug, "ledger.replay")
    back = reverse("sync:sync_detail", args=[slug])
    return _purge(request, Sync.objects.filter(pk=sync.pk), str(sync), back)


@requires("ledger.replay")
@require_http_methods(["GET", "POST"])
def connection_purge(request: HttpRequest, slug: str) -> HttpResponse:
    """The same for all syncs that deliver to a connection; a person who may not decide about each of them is refused."""
    syncs = Sync.objects.filter(mapping__stream__connection__slug=slug, mapping__direction="out")
    mine = queries.syncs_for(me(request), "ledger.replay").filter(pk__in=syncs.values("pk"))
    if not mine.exists() or mine.count() != syncs.count():
        raise Http404
    name = Connection.objects.get(slug=slug).name
    return _purge(request, syncs, name, reverse("sync:sync_list"))


def _purge(request: HttpRequest, syncs: QuerySet[Sync], name: str, back: str) -> HttpResponse:
    if request.method == "POST":
        try:
            done = purge.purge(syncs, reason=request.POST.get("reason", ""), by=me(request))
        except HubError as error:
            tell(request, error)
            return redirect_to(request, request.path)
        messages.success(request, f"Discarded: {done.number:,}. The reason stands in the ledger.")
        return redirect_to(request, back)
    return render(request, "sync/purge.html", {"name": name, "back": back, **_preview(syncs)})


def _preview(syncs: QuerySet[Sync]) -> dict[str, Any]:
    reasons = [gate.why_shut(pk) for pk in syncs.order_by().values_list("pk", flat=True)]
    is_paused = all(reason is not None and reason.why in gate.BY_PEOPLE for reason in reasons)
    return {"plan": purge.plan(syncs), "is_paused": is_paused}
