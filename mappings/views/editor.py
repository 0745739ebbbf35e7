"""The editor's page, its parts that refresh by themselves, and reading samples."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from hub.common.htmx import wants_fragment
from hub.common.permissions import requires
from mappings import samples
from mappings.views.access import find_mapping
from mappings.views.parts import editor_of, editor_page, page_context, work_answer
from mappings.views.state import state_of


@requires("mappings.view")
@require_safe
def editor(request: HttpRequest, slug: str) -> HttpResponse:
    """Target fields with their rules; `?field=` opens the inspector, `?sample=`, `?show=`, `?q=`, `?panel=` as in State."""
    return editor_page(request, find_mapping(request, slug))


@requires("mappings.view")
@require_safe
def rows(request: HttpRequest, slug: str) -> HttpResponse:
    """The rows alone, while somebody types in the search field."""
    mapping = find_mapping(request, slug)
    state = state_of(request)
    if not wants_fragment(request):
        return redirect(state.url(mapping))
    context = page_context(request, editor_of(request, mapping, state), state)
    response = render(request, "mappings/_rows.html", context)
    response["HX-Push-Url"] = state.url(mapping)
    return response


@requires("mappings.edit")
@require_POST
def read_samples(request: HttpRequest, slug: str) -> HttpResponse:
    """Read a few real records now; they are kept for an hour, for this person only."""
    mapping = find_mapping(request, slug, "mappings.edit")
    found = samples.read_samples(mapping, request.user)
    return work_answer(request, mapping, conflict=found.sentence, said="Sample records are read.")
