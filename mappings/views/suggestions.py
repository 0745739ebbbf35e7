"""Suggestions: looked at in one table, accepted one by one or all the sure ones. Nothing is applied without a click."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from hub.common.permissions import requires
from mappings import drafts
from mappings.suggest import PRESELECT
from mappings.views.access import find_mapping, may_edit
from mappings.views.parts import editor_of
from mappings.views.state import state_of


@requires(GET="mappings.view", POST="mappings.edit")
@require_http_methods(["GET", "POST"])
def suggestions(request: HttpRequest, slug: str) -> HttpResponse:
    """The review table; a POST accepts the ticked targets, or with `sure` those of 0.90 and more."""
    if request.method == "POST":
        return _accept(request, slug)
    mapping = find_mapping(request, slug)
    editor = editor_of(request, mapping, state_of(request))
    lines = [(each, each.score >= PRESELECT, editor.sample_value(each.source)) for each in editor.suggestions]
    context = {"editor": editor, "mapping": mapping, "lines": lines, "can_edit": may_edit(request, mapping)}
    return render(request, "mappings/suggestions.html", context)


def _accept(request: HttpRequest, slug: str) -> HttpResponse:
    mapping = find_mapping(request, slug, "mappings.edit")
    editor = editor_of(request, mapping, state_of(request))
    ticked = set(request.POST.getlist("target"))
    # What was seen counts: a suggestion that names another source by now is not what was accepted.
    wanted = editor.sure_suggestions if "sure" in request.POST else editor.suggestions
    chosen = [each.rule for each in wanted if "sure" in request.POST or f"{each.target}={each.source}" in ticked]
    if not chosen:
        messages.warning(request, "No suggestion was ticked.")
        return redirect("mappings:suggestions", mapping.slug)
    added = drafts.add_rules(mapping=mapping, rules=chosen, by=request.user, order=editor.order)
    messages.success(
        request, f"{len(added)} {'field is' if len(added) == 1 else 'fields are'} mapped. Undo takes it back."
    )
    return redirect("mappings:editor", mapping.slug)
