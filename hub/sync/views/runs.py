"""Runs: their list, and one run with its progress, its account and what did not pass."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to
from hub.common.lists import paginate
from hub.common.moments import SINCE_CHOICES, moment
from hub.common.permissions import requires
from hub.sync import queries, run_pages, services
from hub.sync.models import Duplicate, Run, Transaction
from hub.sync.states import TROUBLED, RunStatus
from hub.sync.views import removals
from hub.sync.views.common import find_run, find_sync, may_in, me, tell
from hub.sync.views.ledger import with_syncs

SHOWN = 20
COLUMNS = [
    Column("run", "Run", "pk"),
    Column("sync", "Sync", "sync.slug"),
    Column("status", "Status"),
    Column("trigger", "Started by"),
    Column("created_at", "Asked for (UTC)"),
    Column("started_at", "Started (UTC)"),
    Column("finished_at", "Finished (UTC)"),
    Column("seconds", "Seconds", queries.elapsed_seconds),
    *(Column(name, name.capitalize()) for name in ("read", "created", "updated", "unchanged")),
    *(Column(name, name.capitalize()) for name in ("rejected", "waiting", "failed")),
    Column("error_code", "Error code"),
    Column("error", "Error"),
]


# The list --------------------------------------------------------------------------------------------------
@requires("syncs.view")
def run_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    syncs = queries.syncs_for(me(request), "syncs.view").order_by("name")
    bar = FilterBar(
        request,
        keys={"sync": "Sync", "status": "Status", "trigger": "Started by", "since": "Since", "until": "Until"},
        selects=[
            Select("sync", "Sync", list(syncs.values_list("slug", "name"))),
            Select("status", "Status", RunStatus.choices),
            Select("trigger", "Started by", Run.Trigger.choices),
            Select("since", "Since", SINCE_CHOICES),
        ],
        hint="Run number, or since:2026-11-03",
    )
    rows = _filtered(queries.runs_for(me(request), "syncs.view"), bar)
    if fmt:
        return export_response(rows.order_by("-pk"), COLUMNS, fmt, name="runs")
    context = {"page": paginate(rows, request, order=("-id",)), "bar": bar, "has_syncs": syncs.exists()}
    return render(request, "sync/run_list.html", context)


def _filtered(rows: QuerySet[Run], bar: FilterBar) -> QuerySet[Run]:
    if slug := bar.get("sync"):
        rows = rows.filter(sync__slug=slug)
    if status := bar.get("status"):
        rows = rows.filter(status=status)
    if trigger := bar.get("trigger"):
        rows = rows.filter(trigger=trigger)
    if since := moment(bar.get("since")):
        rows = rows.filter(created_at__gte=since)
    if until := moment(bar.get("until"), end_of_day=True):
        rows = rows.filter(created_at__lt=until)
    if bar.text:
        number = bar.text.lower().removeprefix("run").strip(" #")
        rows = rows.filter(pk=int(number)) if _is_number(number) else rows.filter(sync__name__icontains=bar.text)
    return rows


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


# One run ---------------------------------------------------------------------------------------------------
@requires("syncs.view")
def run_detail(request: HttpRequest, pk: int) -> HttpResponse:
    run = find_run(request, pk, "syncs.view")
    context = _live(request, run) | _detail(request, run) | removals.of_run(request, run)
    context["duplicates"] = Duplicate.objects.filter(run_id=run.pk, status=Duplicate.Status.OPEN).count()
    return render(request, "sync/run_detail.html", context)


@requires("syncs.view")
def run_live(request: HttpRequest, pk: int) -> HttpResponse:
    """The part that changes while the run is active: 304 while it has not; the whole page once it has ended."""
    run = find_run(request, pk, "syncs.view")
    context = _live(request, run)
    etag = context["progress"].etag
    if run.is_active and request.headers.get("If-None-Match") == etag:
        response = HttpResponse(status=304)
    else:
        response = render(request, "sync/_run_live.html", context)
    response["ETag"], response["Cache-Control"] = etag, "private, no-cache"
    if not run.is_active:
        response["HX-Refresh"] = "true"
    return response


def _live(request: HttpRequest, run: Run) -> dict[str, Any]:
    due = queries.due_count(run.sync_id) if run.is_active and run.sync.direction == "out" else None
    sentence, is_right = run_pages.account(run)
    return {
        "run": run,
        "sync": run.sync,
        "progress": run_pages.progress_of(run, timezone.now(), due=due),
        "account": sentence,
        "is_right": is_right,
        "can_see_ledger": may_in(request, "ledger.view", run.sync),
    }


def _detail(request: HttpRequest, run: Run) -> dict[str, Any]:
    good = queries.last_good_run(run)
    number = run_pages.in_trouble(run)
    see = may_in(request, "ledger.view", run.sync)
    return {
        "elapsed": queries.elapsed_seconds(run, timezone.now()),
        "trouble": run_pages.trouble_of(run),
        "number_in_trouble": number,
        "rows": with_syncs(_rows_in_trouble(run)) if number and see else [],
        "read_words": f"{run.read:,}",
        "trouble_url": f"{reverse('sync:transaction_list')}?run={run.pk}&outcome=trouble" if see else "",
        "good": good,
        "comparison": queries.compare(run, good) if good else [],
        "can_run": may_in(request, "syncs.run", run.sync),
        "can_replay": may_in(request, "ledger.replay", run.sync),
        "is_newest": not Run.objects.filter(sync=run.sync_id, pk__gt=run.pk).exists(),
    }


def _rows_in_trouble(run: Run) -> list[Transaction]:
    return list(Transaction.objects.filter(run_id=run.pk, outcome__in=TROUBLED).order_by("pk")[:SHOWN])


@requires("syncs.run")
@require_POST
def run_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop at the next page; what is stored stays."""
    run = find_run(request, pk, "syncs.run")
    if services.cancel_run(run=run, by=me(request), note=request.POST.get("reason", "")):
        messages.success(request, f"Run {run.pk} is cancelled. What it had stored stays.")
    else:
        messages.info(request, f"Run {run.pk} had ended already.")
    return redirect_to(request, reverse("sync:run_detail", args=[run.pk]))


@requires("syncs.run")
@require_POST
def run_again(request: HttpRequest, pk: int) -> HttpResponse:
    """A new run of the same sync, with today's versions."""
    run = find_run(request, pk, "syncs.run")
    sync = find_sync(request, run.sync.slug, "syncs.run")
    try:
        again, made = services.start_run(sync=sync, by=me(request))
    except HubError as error:
        tell(request, error)
        return redirect_to(request, reverse("sync:run_detail", args=[run.pk]))
    if not made:
        messages.info(request, f"Run {again.pk} was under way already.")
    return redirect_to(request, reverse("sync:run_detail", args=[again.pk]))
