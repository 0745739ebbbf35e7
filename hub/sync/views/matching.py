"""Match definitions: which fields make two records the same, entity by entity."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from governance.matching import definition as matching
from governance.models import Entity
from hub.common.exports import Column, export_response
from hub.common.htmx import redirect_to
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.sync.adopt import definitions, queries
from hub.sync.adopt.forms import DefinitionForm, compared_of, contract_fields, rows_of
from hub.sync.models import MatchDefinition
from hub.sync.views.common import me

COLUMNS = [
    Column("slug", "Short name"),
    Column("entity", "Entity", "entity.slug"),
    Column("sync", "Sync", "sync.slug"),
    Column("same_at", "Same from"),
    Column("maybe_at", "Maybe from"),
    Column("fields", "Compared", lambda row: ", ".join(one["field"] for one in row.fields)),
]


@requires("syncs.view")
def definition_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    rows = queries.definitions_for(me(request), "syncs.view")
    if fmt:
        return export_response(rows, COLUMNS, fmt, name="match-definitions")
    context = {"page": paginate(rows, request, order=("slug",)), "can_edit": me(request).has_hub_perm("syncs.edit")}
    return render(request, "sync/definition_list.html", context)


@requires("syncs.edit")
@require_http_methods(["GET", "POST"])
def definition_new(request: HttpRequest) -> HttpResponse:
    """First the entity, then its fields, filled with what would count without a definition."""
    slug = request.POST.get("entity") or request.GET.get("entity") or ""
    entity = Entity.objects.filter(slug=slug).first()
    definition = MatchDefinition()
    if entity is not None:
        found = matching.dump(matching.default_rules(definitions.schema_of(entity)))
        definition = MatchDefinition(entity=entity, fields=found["fields"])
    return _page(request, definition, entity)


@requires("syncs.edit")
@require_http_methods(["GET", "POST"])
def definition_edit(request: HttpRequest, slug: str) -> HttpResponse:
    definition = get_object_or_404(queries.definitions_for(me(request), "syncs.edit"), slug=slug)
    return _page(request, definition, definition.entity)


def _page(request: HttpRequest, definition: MatchDefinition, entity: Entity | None) -> HttpResponse:
    contract = contract_fields(entity)
    asked: dict[str, Any] = {"user": me(request), "instance": definition, "contract": contract}
    if request.method == "POST" and "redraw" not in request.POST:
        rows, form = rows_of(contract, data=request.POST), DefinitionForm(request.POST, **asked)
        form.compared = compared_of(rows) or []
        if form.is_valid():
            saved = definitions.save(definition=form.instance, by=me(request))
            messages.success(request, f"{saved} is saved; the next first load uses it.")
            return redirect_to(request, reverse("sync:definition_list"))
    else:
        rows = rows_of(contract, compared=definition.fields)
        form = DefinitionForm(initial={"entity": entity.slug if entity else ""}, **asked)
    context = {"form": form, "rows": rows, "definition": definition, "entity": entity}
    return render(request, "sync/definition_form.html", context, status=422 if form.errors else 200)
