"""What a sync does about records that are gone, and what a person says about a run that is suspect."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from hub.common.errors import HubError
from hub.common.htmx import redirect_to
from hub.common.permissions import requires
from hub.records.models import CanonicalRecord
from hub.sync import configure
from hub.sync.models import Crawl, Run, Sync
from hub.sync.removals import policy, services
from hub.sync.removals.forms import RemovalForm
from hub.sync.views.common import find_run, find_sync, may_in, me, tell
from hub.sync.views.syncs import frame

SHOWN = 20


@requires(GET="syncs.view", POST="syncs.edit")
@require_http_methods(["GET", "POST"])
def sync_removals(request: HttpRequest, slug: str) -> HttpResponse:
    """Settings, and what the last crawls have missed; people who may not edit read what is set."""
    sync = find_sync(request, slug, "syncs.edit" if request.method == "POST" else "syncs.view")
    form = RemovalForm(request.POST or None, instance=sync)
    if request.method != "POST":
        return _page(request, sync, form)
    if not form.is_valid():
        return _page(request, find_sync(request, slug, "syncs.edit"), form, status=422)
    configure.save_sync(sync=form.instance, by=me(request))
    messages.success(request, f"{sync.name} is saved.")
    return redirect_to(request, reverse("sync:sync_removals", args=[slug]))


def _page(request: HttpRequest, sync: Sync, form: RemovalForm, *, status: int = 200) -> HttpResponse:
    crawls = Crawl.objects.filter(run__sync=sync).select_related("run", "confirmed_by").order_by("-pk")
    context = frame(request, sync, "removals") | {
        "form": form,
        "crawls": crawls[:SHOWN] if sync.direction == "in" else [],
        "words": policy.in_words(sync) if sync.direction == "out" else "",
    }
    return render(request, "sync/sync_removals.html", context, status=status)


def of_run(request: HttpRequest, run: Run) -> dict[str, Any]:
    """What the page of a run shows of its crawl."""
    crawl = Crawl.objects.select_related("confirmed_by").filter(pk=run.pk, judged_at__isnull=False).first()
    if crawl is None or not (crawl.missing or crawl.doubts):
        return {}
    can_see = may_in(request, "ledger.view", run.sync)
    sample = CanonicalRecord.objects.filter(pk__in=crawl.sample).select_related("entity").defer("body").order_by("key")
    return {
        "crawl": crawl,
        "missed": list(sample) if can_see else [],
        "can_confirm": run.status == "suspect" and may_in(request, "ledger.replay", run.sync),
    }


@requires("ledger.replay")
@require_POST
def run_confirm(request: HttpRequest, pk: int) -> HttpResponse:
    """The source is right: what it shows is usual from now on, and what it does not show is gone."""
    run = find_run(request, pk, "ledger.replay")
    try:
        taking = services.confirm(run=run, reason=request.POST.get("reason", ""), by=me(request))
    except HubError as error:
        tell(request, error)
    else:
        more = f" Run {taking.pk} takes the missing records away." if taking else ""
        messages.success(request, f"Run {pk} is called right.{more}")
    return redirect_to(request, reverse("sync:run_detail", args=[pk]))
