"""Putting dead letters again: the plan with its choices, the jobs and how far they are, a second person's word."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.sync import queries, totals
from hub.sync.models import Replay, ReplayItem
from hub.sync.replays import jobs, letters, reads
from hub.sync.replays import plan as planning
from hub.sync.replays.plan import Wanted
from hub.sync.views.common import me, tell

CHOICES = ("action", "versions", "scope")
STATUS_CHOICES = [(status.name.lower(), str(status.label)) for status in ReplayItem.Status]
COLUMNS = [
    Column("replay", "Replay", "pk"),
    Column("action", "Action"),
    Column("filter", "Filter", "words"),
    Column("state", "State"),
    Column("planned", "Planned"),
    Column("left", "Left to a person"),
    Column("requested_by", "Asked for by", "requested_by.email"),
    Column("decided_by", "Decided by", "decided_by.email"),
    Column("created_at", "Started (UTC)"),
    Column("finished_at", "Ended (UTC)"),
]


# The plan --------------------------------------------------------------------------------------------------
@requires("ledger.replay")
def replay_plan(request: HttpRequest) -> HttpResponse:
    """What a replay of this filter would do, with the choices; nothing is done yet."""
    asked = {key: str(request.GET[key]) for key in letters.KEYS if request.GET.get(key)}
    chosen = {name: request.GET.get(name, "") for name in CHOICES}
    context: dict[str, Any] = {
        "asked": asked,
        "chosen": chosen,
        "action": Replay.Action(chosen["action"]) if chosen["action"] in Replay.Action.values else Replay.Action.RETRY,
        "versions": Replay.Versions.choices,
        "scopes": Replay.Scope.choices,
        "list_url": _url("sync:dead_letter_list", {"q" if key == "text" else key: asked[key] for key in asked}),
        "token": uuid.uuid4().hex,
    }
    try:
        context["plan"] = planning.plan(_wanted(request, request.GET), by=me(request))
    except HubError as error:
        context["error"] = error
    return render(request, "sync/replay_plan.html", context)


def _url(name: str, values: Mapping[str, str]) -> str:
    return f"{reverse(name)}?{urlencode(values)}" if values else reverse(name)


def _wanted(request: HttpRequest, given: QueryDict) -> Wanted:
    """The replay that a form asks for; a choice that does not exist is the usual one."""
    allowed = {"action": Replay.Action.values, "versions": Replay.Versions.values, "scope": Replay.Scope.values}
    chosen = {name: str(given[name]) for name, values in allowed.items() if given.get(name) in values}
    asked = {key: str(given[key]) for key in letters.KEYS if given.get(key)}
    return Wanted(letters.of(asked), queries.sync_ids_for(me(request), "ledger.replay"), **chosen)


@requires("ledger.replay")
@require_POST
def replay_start(request: HttpRequest) -> HttpResponse:
    expect = request.POST.get("expect", "")
    try:
        replay, made = jobs.go(
            _wanted(request, request.POST),
            by=me(request),
            reason=request.POST.get("reason", ""),
            token=request.POST.get("token", "")[:64],
            expect=int(expect) if expect.isascii() and expect.isdigit() else None,
        )
    except HubError as error:
        tell(request, error)
        kept = {key: str(request.POST[key]) for key in (*letters.KEYS, *CHOICES) if request.POST.get(key)}
        return redirect_to(request, _url("sync:replay_plan", kept))
    if replay is None:
        messages.info(request, "Nothing was left to put again.")
        return redirect_to(request, reverse("sync:dead_letter_list"))
    if not made:
        messages.info(request, f"{replay} is under way for this already; nothing was started twice.")
    return redirect_to(request, reverse("sync:replay_detail", args=[replay.pk]))


# The jobs --------------------------------------------------------------------------------------------------
@requires("ledger.view")
def replay_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    bar = FilterBar(
        request,
        keys={"state": "State", "action": "Action"},
        selects=[Select("state", "State", Replay.State.choices), Select("action", "Action", Replay.Action.choices)],
        hint="Number of a replay",
    )
    rows = reads.replays_for(me(request), "ledger.view")
    for name in bar.keys:
        if value := bar.get(name):
            rows = rows.filter(**{name: value})
    if bar.text.isascii() and bar.text.isdigit():
        rows = rows.filter(pk=int(bar.text[:18]))
    if fmt:
        return export_response(rows.order_by("-pk"), COLUMNS, fmt, name="replays")
    page = paginate(rows, request, order=("-id",))
    context = {
        "bar": bar,
        "page": page,
        "rows": reads.with_progress(page),
        "tabs": totals.tabs(me(request), "replays"),
    }
    return render(request, "sync/replay_list.html", context)


@requires("ledger.view")
def replay_detail(request: HttpRequest, pk: int) -> HttpResponse:
    replay = _find(request, pk, "ledger.view")
    bar = FilterBar(
        request,
        keys={"status": "Status"},
        selects=[Select("status", "Status", STATUS_CHOICES)],
        hint="Name of a record",
    )
    items = replay.items.select_related("sync")
    if (status := bar.get("status").upper()) in ReplayItem.Status.__members__:
        items = items.filter(status=ReplayItem.Status[status])
    if bar.text:
        items = items.filter(name__startswith=bar.text)
    context = {
        **_live(request, replay),
        "bar": bar,
        "page": paginate(items, request, order=("id",)),
        "amounts": replay.plan["amounts"].items(),
        "can_cancel": replay.is_open and me(request).has_hub_perm("ledger.replay"),
        "can_approve": _may_approve(request, replay),
    }
    return render(request, "sync/replay_detail.html", context)


@requires("ledger.view")
def replay_live(request: HttpRequest, pk: int) -> HttpResponse:
    """The part that changes while the job is open; the whole page once it has ended."""
    replay = _find(request, pk, "ledger.view")
    response = render(request, "sync/_replay_live.html", _live(request, replay))
    if not replay.is_open:
        response["HX-Refresh"] = "true"
    return response


def _live(request: HttpRequest, replay: Replay) -> dict[str, Any]:
    numbers = reads.numbers(replay)
    ended = sum(numbers[name] for name in ("done", "failed", "skipped"))
    under_way = sum(numbers[name] for name in ("planned", "reading", "put"))
    return {"replay": replay, "numbers": numbers, "ended": ended, "under_way": under_way}


def _may_approve(request: HttpRequest, replay: Replay) -> bool:
    waits = replay.state == Replay.State.NEEDS_APPROVAL and replay.requested_by_id != me(request).pk
    return waits and reads.replays_for(me(request), "approvals.decide").filter(pk=replay.pk).exists()


def _find(request: HttpRequest, pk: int, permission: str) -> Replay:
    return get_object_or_404(reads.replays_for(me(request), permission), pk=pk)


# Decisions -------------------------------------------------------------------------------------------------
@requires("ledger.replay")
@require_POST
def replay_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    replay = _find(request, pk, "ledger.replay")
    if jobs.cancel(replay=replay, by=me(request)):
        messages.success(request, f"{replay} is cancelled. What was put already goes its way.")
    else:
        messages.info(request, f"{replay} had ended already.")
    return redirect_to(request, reverse("sync:replay_detail", args=[pk]))


@requires("approvals.decide")
@require_POST
def replay_decline(request: HttpRequest, pk: int) -> HttpResponse:
    """The second person does not agree: nothing is put."""
    replay = _find(request, pk, "approvals.decide")
    if replay.state == Replay.State.NEEDS_APPROVAL and jobs.cancel(replay=replay, by=me(request)):
        messages.success(request, f"{replay} is declined; nothing was put.")
    else:
        messages.info(request, f"{replay} was decided already; nothing was changed.")
    return redirect_to(request, reverse("sync:replay_detail", args=[pk]))


@requires("approvals.decide")
@require_POST
def replay_approve(request: HttpRequest, pk: int) -> HttpResponse:
    replay = _find(request, pk, "approvals.decide")
    try:
        done = jobs.approve(replay=replay, by=me(request))
    except HubError as error:
        tell(request, error)
    else:
        words = f"{replay} is under way." if done else f"{replay} was decided already; nothing was changed."
        messages.success(request, words) if done else messages.info(request, words)
    return redirect_to(request, reverse("sync:replay_detail", args=[pk]))
