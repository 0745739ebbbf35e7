"""Value maps: the list, one map with its entries, its settings, its history."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hub.accounts.models import Domain
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.common.times import business_today
from mappings import entries
from mappings.models import ValueMap, ValueMapEntry
from mappings.queries import history_of_value_map, users_of_value_maps, value_maps_for
from mappings.value_map_csv import COLUMNS as ENTRY_COLUMNS
from mappings.value_map_forms import EntryForm, ValueMapForm
from mappings.views.access import find_value_map, may_edit_values, me

VALUE_MAP_COLUMNS = [
    Column("slug", "Value map"),
    Column("name", "Name"),
    Column("domain", "Domain", "domain.slug"),
    Column("entries", "Entries", "entry_count"),
    Column("on_unmapped", "Unlisted values"),
    Column("default", "Default"),
    Column("revision", "Revision"),
    Column("used_by", "Used by mappings", lambda row: len(row.users)),
    Column("updated_at", "Last change (UTC)"),
]
PERIODS = (("now", "Valid today"), ("future", "Valid later"), ("past", "No longer valid"))


@requires("valuemaps.view")
@require_safe
def value_map_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Every value map of the domains that this person sees."""
    domains = list(Domain.objects.values_list("slug", "name"))
    bar = FilterBar(
        request,
        keys={"domain": "Domain", "unlisted": "Unlisted values"},
        selects=[Select("domain", "Domain", domains), Select("unlisted", "Unlisted values", ValueMap.Unmapped.choices)],
        hint="Name, or a value in it",
    )
    rows = _filtered(value_maps_for(request.user), bar)
    if fmt:
        return export_response(_with_users(list(rows)), VALUE_MAP_COLUMNS, fmt, name="value-maps")
    page = paginate(rows, request, order=("name", "id"))
    _with_users(page.rows)
    can_edit = me(request).has_hub_perm("valuemaps.edit")
    return render(request, "mappings/value_maps.html", {"bar": bar, "page": page, "can_edit": can_edit})


def _filtered(rows: QuerySet[ValueMap], bar: FilterBar) -> QuerySet[ValueMap]:
    if domain := bar.get("domain"):
        rows = rows.filter(domain__slug=domain)
    if unlisted := bar.get("unlisted"):
        rows = rows.filter(on_unmapped=unlisted)
    for word in bar.text.split():
        holds = ValueMapEntry.objects.filter(Q(source__icontains=word) | Q(target__icontains=word))
        rows = rows.filter(Q(name__icontains=word) | Q(slug__icontains=word) | Q(pk__in=holds.values("value_map")))
    return rows.annotate(entry_count=Count("entries"))


def _with_users(rows: list[Any]) -> list[Any]:
    users = users_of_value_maps()
    for row in rows:
        row.users = users.get(row.slug, [])
    return rows


@requires("valuemaps.edit")
@require_http_methods(["GET", "POST"])
def value_map_new(request: HttpRequest) -> HttpResponse:
    form = ValueMapForm(me(request), request.POST or None)
    if request.method == "POST" and form.is_valid():
        slug = slugify(form.cleaned_data["name"])[:80]
        value_map = entries.create_value_map(slug=slug, by=request.user, **form.values())
        messages.success(request, "The value map is made. Add its entries, or import them from a file.")
        return redirect("mappings:value_map", value_map.slug)
    return render(request, "mappings/value_map_form.html", {"form": form}, status=422 if form.is_bound else 200)


@requires("valuemaps.view")
@require_safe
def value_map(request: HttpRequest, slug: str) -> HttpResponse:
    """The entries; `?q=` finds a value, `?period=` those valid today, later or no longer, `?edit=` opens one."""
    return value_map_page(request, find_value_map(request, slug))


def value_map_page(
    request: HttpRequest,
    found: ValueMap,
    *,
    new: EntryForm | None = None,
    editing: tuple[int, EntryForm] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page; `new` and `editing` are forms that were sent and need another look."""
    bar = FilterBar(
        request, keys={"period": "Valid"}, selects=[Select("period", "Valid", PERIODS)], hint="Source or target value"
    )
    today = business_today()
    page = paginate(_entries(found, bar, today), request, order=("source", "id"), page_size=100)
    opened = editing or _opened(request, page.rows)
    context = {
        "value_map": found,
        "bar": bar,
        "page": page,
        "today": today,
        "new": new or EntryForm(form_id="entry-new"),
        "opened_pk": opened[0] if opened else None,
        "opened": opened[1] if opened else None,
        "mark": next((entries.entry_mark(row) for row in page if opened and row.pk == opened[0]), ""),
        "users": users_of_value_maps().get(found.slug, []),
        "can_edit": may_edit_values(request, found),
        "history": history_of_value_map(found)[:8],
        "entry_count": found.entries.count(),
    }
    return render(request, "mappings/value_map.html", context, status=status)


def _entries(found: ValueMap, bar: FilterBar, today: date) -> QuerySet[ValueMapEntry]:
    rows = found.entries.all()
    if bar.text:
        rows = rows.filter(Q(source__icontains=bar.text) | Q(target__icontains=bar.text))
    starts = Q(valid_from__isnull=True) | Q(valid_from__lte=today)
    lasts = Q(valid_to__isnull=True) | Q(valid_to__gte=today)
    match bar.get("period"):
        case "now":
            return rows.filter(starts & lasts)
        case "future":
            return rows.filter(valid_from__gt=today)
        case "past":
            return rows.filter(valid_to__lt=today)
    return rows


def _opened(request: HttpRequest, rows: list[ValueMapEntry]) -> tuple[int, EntryForm] | None:
    """The entry that `?edit=` names, as a form."""
    row = next((row for row in rows if str(row.pk) == request.GET.get("edit")), None)
    return (row.pk, entry_form(row)) if row else None


def entry_form(row: ValueMapEntry) -> EntryForm:
    names = ("source", "target", "valid_from", "valid_to")
    return EntryForm(form_id=f"entry-{row.pk}", initial={name: getattr(row, name) for name in names})


@requires("valuemaps.edit")
@require_http_methods(["GET", "POST"])
def value_map_edit(request: HttpRequest, slug: str) -> HttpResponse:
    found = find_value_map(request, slug, "valuemaps.edit")
    form = ValueMapForm(me(request), request.POST or None, instance=find_value_map(request, slug, "valuemaps.edit"))
    if request.method == "POST" and form.is_valid():
        entries.save_value_map(value_map=found, by=request.user, **form.values())
        messages.success(request, "The settings are saved.")
        return redirect("mappings:value_map", slug)
    context = {"form": form, "value_map": found}
    return render(request, "mappings/value_map_form.html", context, status=422 if form.is_bound else 200)


@requires("valuemaps.edit")
@require_POST
def value_map_delete(request: HttpRequest, slug: str) -> HttpResponse:
    found = find_value_map(request, slug, "valuemaps.edit")
    try:
        entries.delete_value_map(value_map=found, by=request.user)
    except HubError as error:
        messages.error(request, str(error))
        return redirect("mappings:value_map", slug)
    messages.success(request, f"{found.name} is deleted.")
    return redirect("mappings:value_map_list")


@requires("valuemaps.view")
@require_safe
def value_map_export(request: HttpRequest, slug: str, fmt: str) -> HttpResponseBase:
    """The entries as a file that the import takes back."""
    found = find_value_map(request, slug)
    return export_response(found.entries.order_by("source", "valid_from"), ENTRY_COLUMNS, fmt, name=slug)


@requires("valuemaps.view")
@require_safe
def value_map_history(request: HttpRequest, slug: str) -> HttpResponse:
    """Every change of the map and its entries, with who made it."""
    found = find_value_map(request, slug)
    context = {"value_map": found, "history": history_of_value_map(found)[:500]}
    return render(request, "mappings/value_map_history.html", context)
