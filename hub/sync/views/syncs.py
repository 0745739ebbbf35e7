"""The list of syncs, the tabs of one, and what can be done with it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from connectors.standing import standing
from governance.models import ContractVersion
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to, safe_next
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.sync import history, payloads, queries, services
from hub.sync.models import Delivery, HeldRecord, Run, Sync, SyncState
from hub.sync.queries import SyncRow
from hub.sync.retry import Ladder
from hub.sync.states import RunStatus
from hub.sync.trouble import IN_TROUBLE
from hub.sync.views.common import find_sync, may_in, me, tell
from mappings.models import MappingVersion

DIRECTIONS = [("in", "Reads"), ("out", "Delivers")]
STATES = [*RunStatus.choices, ("paused", "Paused"), ("none", "Never run")]
SHOWN = 20

COLUMNS = [
    Column("slug", "Short name", "sync.slug"),
    Column("name", "Sync", "sync.name"),
    Column("direction", "Direction", lambda row: dict(DIRECTIONS)[row.sync.direction]),
    Column("system", "System", "sync.stream.connection.system.name"),
    Column("stream", "Stream", "sync.stream.slug"),
    Column("entity", "Entity", "sync.entity.slug"),
    Column("trigger", "Runs"),
    Column("next_at", "Next run (UTC)"),
    Column("is_paused", "Paused", "sync.is_paused"),
    Column("last_run", "Last run", lambda row: row.last_run[0] if row.last_run else None),
    Column("last_status", "Last status", lambda row: row.last_run[1] if row.last_run else None),
    Column("success", "Success of the last 30, %"),
    Column("waiting", "Waiting"),
    Column("held", "Held"),
    Column("troubled", "Deliveries in trouble"),
]


# The list --------------------------------------------------------------------------------------------------
@requires("syncs.view")
def sync_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    rows = queries.syncs_for(me(request), "syncs.view")
    bar = FilterBar(
        request,
        keys={"direction": "Direction", "state": "State", "system": "System", "entity": "Entity"},
        selects=[
            Select("direction", "Direction", DIRECTIONS),
            Select("state", "Last run", STATES),
            Select("system", "System", _systems(rows)),
        ],
    )
    found = queries.with_schedules(_filtered(rows, bar))
    if fmt:
        return export_response(queries.sync_rows(found.order_by("name")), COLUMNS, fmt, name="syncs")
    page = paginate(found, request, order=("name",))
    context = {
        "page": page,
        "rows": queries.sync_rows(page),
        "bar": bar,
        "can_edit": _may_somewhere(request),
        "standings": queries.standings_of(rows),
        "standstill": queries.standstill(),
    }
    return render(request, "sync/sync_list.html", context)


def _systems(rows: QuerySet[Sync]) -> list[tuple[str, str]]:
    path = "mapping__stream__connection__system"
    return list(rows.order_by(f"{path}__name").values_list(f"{path}__slug", f"{path}__name").distinct())


def _filtered(rows: QuerySet[Sync], bar: FilterBar) -> QuerySet[Sync]:
    if direction := bar.get("direction"):
        rows = rows.filter(mapping__direction=direction)
    if system := bar.get("system"):
        rows = rows.filter(mapping__stream__connection__system__slug=system)
    if entity := bar.get("entity"):
        rows = rows.filter(mapping__entity__slug=entity)
    if bar.text:
        rows = rows.filter(name__icontains=bar.text)
    state = bar.get("state")
    if state == "paused":
        return rows.filter(is_paused=True)
    if state == "none":
        return rows.filter(runs__isnull=True)
    return queries.whose_last_run_is(rows, state) if state else rows


def _may_somewhere(request: HttpRequest) -> bool:
    return me(request).has_hub_perm("syncs.edit")


# The tabs of one sync --------------------------------------------------------------------------------------
def frame(request: HttpRequest, sync: Sync, tab: str) -> dict[str, Any]:
    """What every tab shows: head, tabs and which buttons the person may press."""
    row = queries.sync_rows([sync])[0]
    return {
        "sync": sync,
        "row": row,
        "standing": standing(sync.stream.connection),
        "standstill": queries.standstill(),
        "can_replay": sync.direction == "out" and may_in(request, "ledger.replay", sync),
        "tab": tab,
        "tabs": _tabs(request, sync, tab, row),
        "can_run": may_in(request, "syncs.run", sync),
        "can_edit": may_in(request, "syncs.edit", sync),
        "active_run": Run.objects.filter(sync=sync, status__in=["queued", "running"])
        .exclude(trigger="backfill")
        .first(),
    }


def _tabs(request: HttpRequest, sync: Sync, tab: str, row: SyncRow) -> list[tuple[str, str, bool, int | None]]:
    names = [
        ("overview", "Overview", "sync:sync_detail", None),
        ("runs", "Runs", "sync:sync_runs", None),
        ("grid", "Grid", "sync:sync_grid", None),
        ("trouble", "Records in trouble", "sync:sync_trouble", row.waiting + row.held + row.troubled or None),
        ("dry-run", "Dry run", "sync:sync_dry_run", None),
        ("backfills", "Backfills", "sync:backfill_list", None),
        ("settings", "Settings", "sync:sync_settings", None),
        ("removals", "Removals", "sync:sync_removals", None),
        ("history", "History", "sync:sync_history", None),
    ]
    if not may_in(request, "syncs.run", sync):
        names = [name for name in names if name[0] != "dry-run"]
    if sync.direction != "in":
        names = [name for name in names if name[0] != "backfills"]
    return [(word, reverse(url, args=[sync.slug]), key == tab, number) for key, word, url, number in names]


@requires("syncs.view")
def sync_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """Overview: where records come from, what they pass, where they go, and how the last runs went."""
    sync = find_sync(request, slug, "syncs.view")
    context = frame(request, sync, "overview") | {
        "mapping_version": sync.mapping.versions.filter(status=MappingVersion.Status.ACTIVE).first(),
        "contract_version": _active_contract(sync),
        "state": SyncState.objects.filter(sync=sync).first(),
        "runs": sync.runs.select_related("requested_by").order_by("-pk")[:5],
        "due": queries.due_count(sync.pk) if sync.direction == "out" else None,
        "ladder": Ladder.of(sync),
        "followers": sync.followers.order_by("name"),
    }
    return render(request, "sync/sync_detail.html", context)


def _active_contract(sync: Sync) -> ContractVersion | None:
    active = ContractVersion.objects.filter(contract__entity=sync.entity, status=ContractVersion.Status.ACTIVE)
    return active.select_related("contract").first()


@requires("syncs.view")
def sync_runs(request: HttpRequest, slug: str) -> HttpResponse:
    sync = find_sync(request, slug, "syncs.view")
    page = paginate(sync.runs.select_related("requested_by"), request, order=("-id",))
    return render(request, "sync/sync_runs.html", frame(request, sync, "runs") | {"page": page})


@requires("syncs.view")
def sync_trouble(request: HttpRequest, slug: str) -> HttpResponse:
    """The newest records of this sync that did not pass; the full lists are linked."""
    sync = find_sync(request, slug, "syncs.view")
    can_see = may_in(request, "ledger.view", sync)
    held = HeldRecord.objects.filter(sync=sync).order_by("-last_at") if can_see else HeldRecord.objects.none()
    deliveries = _in_trouble(sync) if can_see else Delivery.objects.none()
    context = frame(request, sync, "trouble") | {
        "can_see": can_see,
        "held": list(payloads.with_shown_error(held.select_related("sync__mapping")[:SHOWN])),
        "deliveries": list(payloads.with_shown_error(deliveries.order_by("-next_at")[:SHOWN])),
    }
    return render(request, "sync/sync_trouble.html", context)


def _in_trouble(sync: Sync) -> QuerySet[Delivery]:
    return Delivery.objects.filter(IN_TROUBLE, sync=sync).select_related("sync__mapping", "record")


@requires("syncs.view")
def sync_history(request: HttpRequest, slug: str) -> HttpResponse:
    sync = find_sync(request, slug, "syncs.view")
    context = frame(request, sync, "history") | {"events": history.events_of(sync)}
    return render(request, "sync/sync_history.html", context)


# Actions ---------------------------------------------------------------------------------------------------
@requires("syncs.run")
@require_POST
def sync_run(request: HttpRequest, slug: str) -> HttpResponse:
    """Run now; a run that is under way is shown instead of a second one."""
    sync = find_sync(request, slug, "syncs.run")
    try:
        run, made = services.start_run(sync=sync, by=me(request))
    except HubError as error:
        tell(request, error)
        return redirect_to(request, safe_next(request, reverse("sync:sync_detail", args=[slug])))
    if not made:
        messages.info(request, f"Run {run.pk} was under way already.")
    return redirect_to(request, reverse("sync:run_detail", args=[run.pk]))


@requires("syncs.run")
@require_POST
def sync_pause(request: HttpRequest, slug: str) -> HttpResponse:
    """Pause or resume, as `paused` says, with a reason."""
    sync = find_sync(request, slug, "syncs.run")
    is_paused = (request.POST.get("paused") or request.GET.get("paused")) == "1"
    services.set_paused(sync=sync, is_paused=is_paused, reason=request.POST.get("reason", ""), by=me(request))
    messages.success(request, f"{sync.name} is {'paused' if is_paused else 'running again'}.")
    return redirect_to(request, safe_next(request, reverse("sync:sync_detail", args=[slug])))


@requires("syncs.run")
@require_POST
def sync_reset(request: HttpRequest, slug: str) -> HttpResponse:
    """Read everything again with the next run."""
    sync = find_sync(request, slug, "syncs.run")
    try:
        services.reset_cursor(sync=sync, by=me(request))
    except HubError as error:
        tell(request, error)
    else:
        messages.success(request, "The next run reads everything again; what is unchanged stays unchanged.")
    return redirect_to(request, reverse("sync:sync_detail", args=[slug]))
