"""All mappings, and making one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.contrib import messages
from django.db.models import Count, Max, Prefetch, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors.models import System
from governance.models import ContractVersion, Entity
from governance.schemas import Schema
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.common.usage import users_of
from mappings import services
from mappings.forms import MappingNameForm, NewMappingForm
from mappings.models import Mapping, MappingVersion, ValueMap
from mappings.queries import history_of_mapping, known_value_maps, mappings_for
from mappings.rules import parse_rules
from mappings.sides import NO_SCHEMA, sides_of
from mappings.validate import Coverage, coverage, problems
from mappings.views.access import find_mapping, may_edit, me

STATES = (("live", "Live"), ("draft", "With a draft"), ("never", "Never live"))


@dataclass(frozen=True, slots=True)
class Line:
    """One mapping in the list: its versions, and what can be said of the newest rules without any record."""

    mapping: Mapping
    live: MappingVersion | None
    draft: MappingVersion | None
    coverage: Coverage
    errors: int
    warnings: int


COLUMNS = [
    Column("slug", "Mapping", "mapping.slug"),
    Column("name", "Name", "mapping.name"),
    Column("direction", "Direction", "mapping.direction"),
    Column("system", "System", "mapping.stream.connection.system.name"),
    Column("stream", "Stream", "mapping.stream.slug"),
    Column("entity", "Entity", "mapping.entity.slug"),
    Column("live", "Live version", "live.number"),
    Column("draft", "Draft version", "draft.number"),
    Column("required_mapped", "Required fields mapped", "coverage.required_mapped"),
    Column("required_total", "Required fields", "coverage.required_total"),
    Column("optional_mapped", "Optional fields mapped", "coverage.optional_mapped"),
    Column("optional_total", "Optional fields", "coverage.optional_total"),
    Column("errors", "Problems that block"),
    Column("warnings", "Warnings"),
    Column("changed_at", "Last change (UTC)", "mapping.changed_at"),
]


@requires("mappings.view")
@require_safe
def mapping_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Every mapping of the domains that this person sees."""
    bar = _filter_bar(request)
    rows = _filtered(mappings_for(request.user), bar)
    if fmt:
        return export_response(_lines(rows), COLUMNS, fmt, name="mappings")
    page = paginate(rows, request, order=("name", "id"))
    can_edit = me(request).has_hub_perm("mappings.edit")
    context = {"bar": bar, "page": page, "lines": _lines(page.rows), "can_edit": can_edit}
    return render(request, "mappings/list.html", context)


def _filter_bar(request: HttpRequest) -> FilterBar:
    return FilterBar(
        request,
        keys={"direction": "Direction", "system": "System", "entity": "Entity", "state": "State"},
        selects=[
            Select("direction", "Direction", [("in", "In"), ("out", "Out")]),
            Select("system", "System", list(System.objects.values_list("slug", "name"))),
            Select("entity", "Entity", list(Entity.objects.order_by("name").values_list("slug", "name"))),
            Select("state", "State", STATES),
        ],
        hint="Name, stream or connection",
    )


def _filtered(rows: QuerySet[Mapping], bar: FilterBar) -> QuerySet[Mapping]:
    versions = MappingVersion.objects.exclude(status=MappingVersion.Status.SUPERSEDED)
    rows = rows.annotate(changed_at=Max("versions__updated_at")).prefetch_related(
        Prefetch("versions", queryset=versions, to_attr="open_versions")
    )
    for name, field in (
        ("direction", "direction"),
        ("system", "stream__connection__system__slug"),
        ("entity", "entity__slug"),
    ):
        if value := bar.get(name):
            rows = rows.filter(**{field: value})
    match bar.get("state"):
        case "live":
            rows = rows.filter(versions__status="active")
        case "draft":
            rows = rows.filter(versions__status="draft")
        case "never":
            rows = rows.exclude(versions__status="active")
    for word in bar.text.split():
        rows = rows.filter(
            Q(name__icontains=word)
            | Q(slug__icontains=word)
            | Q(stream__name__icontains=word)
            | Q(stream__label__icontains=word)
            | Q(stream__connection__name__icontains=word)
        )
    return rows


def _lines(rows: Iterable[Any]) -> list[Line]:
    mappings = list(rows)
    entities = {mapping.entity_id for mapping in mappings}
    contracts = ContractVersion.objects.filter(status="active", contract__entity__in=entities).select_related(
        "contract"
    )
    schemas = {version.contract.entity_id: version for version in contracts}
    tables = tuple(ValueMap.objects.aggregate(Count("pk"), Sum("revision")).values())
    return [_line(mapping, schemas.get(mapping.entity_id), tables) for mapping in mappings]


def _line(mapping: Any, contract: ContractVersion | None, tables: tuple[Any, ...]) -> Line:
    versions = {version.status: version for version in mapping.open_versions}
    draft, live = versions.get("draft"), versions.get("active")
    shown = draft or live
    key = (shown.pk, shown.updated_at) if shown else (0, None)
    found = _health(_Of(mapping, shown, contract, (*key, *tables, mapping.stream.discovered_at)))
    return Line(mapping, live, draft, *found)


@dataclass(frozen=True, slots=True)
class _Of:
    """What the health of a mapping depends on: its version, its contract, its stream, and the value maps as they are."""

    mapping: Mapping
    version: MappingVersion | None
    contract: ContractVersion | None
    key: tuple[Any, ...]


@lru_cache(maxsize=1024)
def _health(of: _Of) -> tuple[Coverage, int, int]:
    """(coverage, errors, warnings) without looking at any record; computed once for each state of a mapping."""
    schema: Schema = of.contract.schema if of.contract else NO_SCHEMA
    sides = sides_of(of.mapping, schema=schema)
    try:
        rules = parse_rules(of.version.rules) if of.version else ()
    except HubError:
        return coverage((), sides.schema), 1, 0
    found = problems(
        rules,
        source_fields=sides.sources,
        target_schema=sides.schema,
        sample_records=[],
        value_maps=known_value_maps(rules),
        time_zone=of.mapping.stream.connection.time_zone,
        direction="in" if of.mapping.direction == "in" else "out",
        entity=of.mapping.entity.slug,
    )
    errors = sum(problem.severity == "error" for problem in found)
    return coverage(rules, sides.schema), errors, len(found) - errors


@requires(GET="mappings.view", POST="mappings.edit")
@require_http_methods(["GET", "POST"])
def mapping_settings(request: HttpRequest, slug: str) -> HttpResponse:
    """Its name, what happened to it, and deleting it."""
    permission = "mappings.edit" if request.method == "POST" else "mappings.view"
    mapping = find_mapping(request, slug, permission)
    form = MappingNameForm(request.POST or None, initial={"name": mapping.name})
    if request.method == "POST" and form.is_valid():
        services.rename_mapping(mapping=mapping, by=request.user, **form.cleaned_data)
        messages.success(request, "The name is saved.")
        return redirect("mappings:settings", slug)
    context = {
        "mapping": mapping,
        "form": form,
        "can_edit": may_edit(request, mapping),
        "users": users_of(mapping),
        "history": history_of_mapping(mapping),
    }
    return render(request, "mappings/settings.html", context, status=422 if form.is_bound else 200)


@requires("mappings.edit")
@require_POST
def mapping_delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Delete a mapping that no sync uses."""
    mapping = find_mapping(request, slug, "mappings.edit")
    try:
        services.delete_mapping(mapping=mapping, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
        return redirect("mappings:settings", slug)
    messages.success(request, f"{mapping.name} is deleted.")
    return redirect("mappings:mapping_list")


@requires("mappings.edit")
@require_http_methods(["GET", "POST"])
def mapping_new(request: HttpRequest) -> HttpResponse:
    """Choose what the mapping joins; the editor opens with an empty draft."""
    form = NewMappingForm(me(request), request.POST or None, initial=request.GET.dict())
    if request.method == "POST" and form.is_valid():
        mapping = services.create_mapping(**form.values(), by=request.user)
        messages.success(request, "The draft is made. Choose a source for each field, or look at the suggestions.")
        return redirect("mappings:editor", mapping.slug)
    return render(request, "mappings/new.html", {"form": form}, status=422 if form.is_bound else 200)
