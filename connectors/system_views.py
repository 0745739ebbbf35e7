"""Systems: the applications of the firm, the unit of ownership. And the page that explains declarations."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connectors import queries, services
from connectors.declaration_help import sections
from connectors.examples import EXAMPLES
from connectors.forms import SystemForm
from connectors.models import System
from connectors.views import me
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import render_page
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.common.usage import users_of

COLUMNS = [
    Column("slug", "Short name"),
    Column("name", "Name"),
    Column("category", "Category"),
    Column("description", "Description"),
    Column("connections", "Connections", "connection_count"),
]


@requires("connections.view")
@require_GET
def system_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """The firm's systems with the number of accounts at each."""
    selects = [Select("category", "Category", System.Category.choices)]
    bar = FilterBar(request, keys={"category": "Category"}, selects=selects)
    rows = queries.systems_for(me(request))
    if category := bar.get("category"):
        rows = rows.filter(category=category)
    if bar.text:
        rows = rows.filter(name__icontains=bar.text)
    if fmt:
        return export_response(rows.order_by("name", "pk"), COLUMNS, fmt, name="systems")
    page = paginate(rows, request, order=("name",))
    return render_page(request, "connectors/system_list.html", {"page": page, "bar": bar})


@requires("connections.view")
@require_GET
def system_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """One system, the accounts at it that this person may see, and its history."""
    found = get_object_or_404(queries.systems_for(me(request)), slug=slug)
    mine = queries.connections_for(me(request)).filter(system=found).order_by("name")
    context = {
        "system": found,
        "connections": [(each, queries.health(each)) for each in mine],
        "can_edit": queries.systems_for(me(request), queries.EDIT).filter(pk=found.pk).exists(),
        "users": users_of(found),
        "versions": queries.history(found, limit=20),
    }
    return render_page(request, "connectors/system_detail.html", context)


@requires("connections.edit")
@require_http_methods(["GET", "POST"])
def system_new(request: HttpRequest) -> HttpResponse:
    return _form_page(request, SystemForm(request.POST or None))


@requires("connections.edit")
@require_http_methods(["GET", "POST"])
def system_edit(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(queries.systems_for(me(request), queries.EDIT), slug=slug)
    return _form_page(request, SystemForm(request.POST or None, instance=found))


def _form_page(request: HttpRequest, form: SystemForm) -> HttpResponse:
    if form.is_bound and form.is_valid():
        saved = form.instance
        services.save_system(saved, by=me(request))
        messages.success(request, f"{saved} is saved.")
        return redirect("connectors:system_detail", slug=saved.slug)
    title = System.objects.get(pk=form.instance.pk).name if form.instance.pk else ""
    context = {"form": form, "system": form.instance if form.instance.pk else None, "title": title}
    return render_page(request, "connectors/system_form.html", context, status=422 if form.is_bound else 200)


@requires("connections.edit")
@require_POST
def system_delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Remove a system that has no connections and owns nothing."""
    found = get_object_or_404(queries.systems_for(me(request), queries.EDIT), slug=slug)
    try:
        services.remove_system(found, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
        return redirect("connectors:system_detail", slug=slug)
    messages.success(request, f"The system {found} is removed.")
    return redirect("connectors:system_list")


@requires("connections.view")
@require_GET
def declarations(request: HttpRequest) -> HttpResponse:
    """Every option with which a system can be described, from the schema that checks them."""
    context = {"sections": sections(), "example": EXAMPLES["rest"]}
    return render_page(request, "connectors/declarations.html", context)
