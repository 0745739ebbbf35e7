"""Versions: going live, discarding, undoing, comparing, restoring, and the mapping as a document."""

from __future__ import annotations

import yaml
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hub.common import registry
from hub.common.errors import HubError
from hub.common.htmx import redirect_to
from hub.common.permissions import requires
from mappings import drafts, services
from mappings.forms import ActivateForm
from mappings.models import MappingVersion
from mappings.phrasing import Difference, differences, summary
from mappings.rules import parse_rules
from mappings.views.access import find_mapping, may_edit
from mappings.views.parts import editor_of
from mappings.views.state import state_of


@requires("mappings.edit")
@require_http_methods(["GET", "POST"])
def activate(request: HttpRequest, slug: str) -> HttpResponse:
    """What going live would change, in words; then do it."""
    mapping = find_mapping(request, slug, "mappings.edit")
    editor = editor_of(request, mapping, state_of(request))
    if editor.draft is None:
        messages.info(request, "There is no draft. Change a field first.")
        return redirect("mappings:editor", slug)
    form = ActivateForm(request.POST or None, initial={"seen": editor.mark})
    if request.method == "POST" and form.is_valid():
        try:
            blocking = editor.severities["error"]
            version = drafts.publish(mapping=mapping, errors=blocking, by=request.user, **form.cleaned_data)
        except HubError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Version {version.number} is live. Runs that start now use it.")
            return redirect("mappings:editor", slug)
    context = {"form": form, "editor": editor, "mapping": mapping, "summary": summary(editor.changes)}
    return render(request, "mappings/activate.html", context, status=422 if form.is_bound else 200)


@requires("mappings.edit")
@require_POST
def undo(request: HttpRequest, slug: str) -> HttpResponse:
    """Take back the change whose number the form carries, if it is still the newest."""
    mapping = find_mapping(request, slug, "mappings.edit")
    edit = request.POST.get("edit", "")
    try:
        undone = drafts.undo(mapping=mapping, edit=int(edit) if edit.isdigit() else 0, by=request.user)
    except HubError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"Taken back: {undone.summary}.")
    return redirect_to(request, state_of(request).url(mapping))


@requires("mappings.edit")
@require_POST
def discard(request: HttpRequest, slug: str) -> HttpResponse:
    """Throw the draft away; what is live stays."""
    mapping = find_mapping(request, slug, "mappings.edit")
    services.discard_draft(mapping=mapping)
    messages.success(request, "The draft is discarded.")
    return redirect("mappings:editor", slug)


@requires("mappings.view")
@require_safe
def versions(request: HttpRequest, slug: str) -> HttpResponse:
    """All versions, newest first; `?from=3&to=5` compares two in words."""
    mapping = find_mapping(request, slug)
    found = list(mapping.versions.select_related("created_by"))
    numbers = {version.number: version for version in found}
    before, after = (numbers.get(_number(request, name)) for name in ("from", "to"))
    draft = next((version for version in found if version.status == "draft"), None)
    changes = _compared(before, after) if before and after else None
    context = {
        "mapping": mapping,
        "versions": found,
        "before": before,
        "chosen_from": before.number if before else found[1].number if len(found) > 1 else 0,
        "chosen_to": after.number if after else found[0].number if found else 0,
        "after": after,
        "changes": changes,
        "summary": summary(changes or []),
        "can_edit": may_edit(request, mapping),
        "draft": draft,
        "edits": draft.edits.select_related("made_by") if draft else [],
    }
    return render(request, "mappings/versions.html", context)


def _number(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _compared(before: MappingVersion, after: MappingVersion) -> list[Difference]:
    return differences(parse_rules(before.rules), parse_rules(after.rules))


@requires("mappings.edit")
@require_POST
def restore(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Make an earlier version's rules the draft's; undo takes it back."""
    mapping = find_mapping(request, slug, "mappings.edit")
    try:
        drafts.restore_version(mapping=mapping, number=number, by=request.user)
    except HubError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"The draft now has the rules of version {number}.")
    return redirect("mappings:editor", slug)


@requires("mappings.view")
@require_safe
def document(request: HttpRequest, slug: str, fmt: str = "") -> HttpResponse:
    """The mapping as a configuration document: the live rules, and beside them the draft's. `.yaml` is a download."""
    mapping = find_mapping(request, slug)
    text = _to_yaml(registry.kind("Mapping").dump(slug) or {})
    if fmt:
        response = HttpResponse(text, content_type="application/yaml; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{slug}.yaml"'
        return response
    draft = mapping.versions.filter(status="draft").first()
    context = {"mapping": mapping, "text": text, "draft": draft, "draft_text": _draft_yaml(draft)}
    return render(request, "mappings/document.html", context)


def _draft_yaml(draft: MappingVersion | None) -> str:
    return _to_yaml({"rules": draft.rules}) if draft else ""


def _to_yaml(document: dict[str, object]) -> str:
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120))
