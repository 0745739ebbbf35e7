"""Making and changing a sync, and its schedules with a preview of when they fire."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from hub.common.errors import HubError
from hub.common.htmx import redirect_to, render_page
from hub.common.permissions import requires
from hub.sync import configure, scheduling
from hub.sync.forms import ConditionForm, ScheduleForm, SyncForm, condition_rows, conditions_from, mappings_for
from hub.sync.models import Schedule, Sync
from hub.sync.previews import Preview, preview
from hub.sync.views.common import find_sync, me
from hub.sync.views.syncs import frame
from mappings.models import Mapping


# The sync --------------------------------------------------------------------------------------------------
@requires("syncs.edit")
@require_http_methods(["GET", "POST"])
def sync_new(request: HttpRequest) -> HttpResponse:
    """A new sync; choosing the mapping redraws what depends on it. `redraw` in the form only draws, it checks nothing."""
    mapping = _mapping(request)
    if request.method == "POST" and "redraw" not in request.POST:
        return _save(request, Sync(), mapping)
    initial = {name: request.POST.get(name) for name in SyncForm.Meta.fields if name in request.POST}
    form = SyncForm(user=me(request), mapping=mapping, initial=initial | {"mapping": mapping.slug if mapping else ""})
    return _form_page(request, form, Sync(), mapping, _drawn(request, mapping, {}))


@requires(GET="syncs.view", POST="syncs.edit")
@require_http_methods(["GET", "POST"])
def sync_settings(request: HttpRequest, slug: str) -> HttpResponse:
    """Settings of a sync and its schedules; people who may not edit read them."""
    sync = find_sync(request, slug, "syncs.edit" if request.method == "POST" else "syncs.view")
    if request.method == "POST" and "redraw" not in request.POST:
        return _save(request, sync, sync.mapping)
    initial = {name: request.POST.get(name) for name in SyncForm.Meta.fields if name in request.POST}
    form = SyncForm(user=me(request), mapping=sync.mapping, instance=sync, initial=initial)
    return _form_page(request, form, sync, sync.mapping, _drawn(request, sync.mapping, sync.only_when))


def _mapping(request: HttpRequest) -> Mapping | None:
    slug = request.POST.get("mapping") or request.GET.get("mapping") or ""
    return mappings_for(me(request)).filter(slug=slug).first() if slug else None


def _drawn(request: HttpRequest, mapping: Mapping | None, stored: dict[str, list[Any]]) -> list[ConditionForm]:
    """The rows of conditions to draw: there is always an empty one to begin with, and one more when it is asked for."""
    sent = request.POST if request.method == "POST" else None
    rows = condition_rows(mapping, data=sent, only_when=stored, extra=int(request.POST.get("redraw") == "add"))
    return rows or condition_rows(mapping, extra=1)


def _save(request: HttpRequest, sync: Sync, mapping: Mapping | None) -> HttpResponse:
    is_new = sync.pk is None
    rows = condition_rows(mapping, data=request.POST)
    form = SyncForm(request.POST, user=me(request), mapping=mapping, instance=sync)
    conditions = conditions_from(rows)
    form.only_when = conditions or {}
    if conditions is None or not form.is_valid():
        return _form_page(request, form, sync, mapping, rows, status=422)
    configure.save_sync(sync=form.instance, by=me(request))
    messages.success(request, f"{sync.name} is saved.")
    page = "sync:sync_detail" if is_new else "sync:sync_settings"
    return redirect_to(request, reverse(page, args=[sync.slug]))


def _form_page(
    request: HttpRequest, form: SyncForm, sync: Sync, mapping: Mapping | None, rows: list[Any], *, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "mapping": mapping, "conditions": rows, "is_new": sync.pk is None}
    if sync.pk is None:
        return render_page(request, "sync/sync_new.html", context, partial="sync/_sync_form.html", status=status)
    stored = Sync.objects.select_related("mapping__entity__domain", "mapping__stream__connection__system", "after")
    context |= frame(request, stored.get(pk=sync.pk), "settings")
    context |= {"schedules": _schedules(sync), "schedule_form": ScheduleForm(initial={"time_zone": _zone(request)})}
    return render_page(request, "sync/sync_settings.html", context, partial="sync/_sync_form.html", status=status)


def _zone(request: HttpRequest) -> str:
    return me(request).time_zone


# Schedules -------------------------------------------------------------------------------------------------
def _schedules(sync: Sync) -> list[tuple[Schedule, Preview]]:
    return [(schedule, preview(schedule.cron, schedule.time_zone)) for schedule in sync.schedules.all()]


@requires("syncs.view")
def schedule_preview(request: HttpRequest) -> HttpResponse:
    """The preview for what stands in a schedule form."""
    found = preview(request.GET.get("cron", "").strip()[:120], request.GET.get("time_zone", "UTC"))
    return render(request, "sync/_schedule_preview.html", {"preview": found})


@requires("syncs.edit")
@require_POST
def schedule_new(request: HttpRequest, slug: str) -> HttpResponse:
    sync = find_sync(request, slug, "syncs.edit")
    return _save_schedule(request, sync, Schedule(sync=sync))


@requires("syncs.edit")
@require_http_methods(["GET", "POST"])
def schedule_edit(request: HttpRequest, slug: str, schedule: str) -> HttpResponse:
    sync = find_sync(request, slug, "syncs.edit")
    found = get_object_or_404(sync.schedules, slug=schedule)
    if request.method == "POST":
        return _save_schedule(request, sync, found)
    return _schedule_page(request, sync, ScheduleForm(instance=found), found)


def _save_schedule(request: HttpRequest, sync: Sync, schedule: Schedule) -> HttpResponse:
    form = ScheduleForm(request.POST, instance=schedule)
    if not form.is_valid():
        return _schedule_page(request, sync, form, schedule, status=422)
    configure.save_schedule(schedule=form.instance, by=me(request))
    messages.success(request, f"{scheduling.in_words(schedule.cron)} ({schedule.time_zone}): saved.")
    return redirect_to(request, reverse("sync:sync_settings", args=[sync.slug]))


def _schedule_page(
    request: HttpRequest, sync: Sync, form: ScheduleForm, schedule: Schedule, *, status: int = 200
) -> HttpResponse:
    cron = form["cron"].value() or ""
    context = {"sync": sync, "form": form, "schedule": schedule, "preview": preview(cron, form["time_zone"].value())}
    return render(request, "sync/schedule_form.html", context, status=status)


@requires("syncs.edit")
@require_POST
def schedule_delete(request: HttpRequest, slug: str, schedule: str) -> HttpResponse:
    sync = find_sync(request, slug, "syncs.edit")
    found = get_object_or_404(sync.schedules, slug=schedule)
    try:
        configure.delete_schedule(schedule=found, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The schedule is deleted.")
    return redirect_to(request, reverse("sync:sync_settings", args=[sync.slug]))
