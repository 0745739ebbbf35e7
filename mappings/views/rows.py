"""One row of the editor: its sources, its inspector, its preview, and saving it."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from hub.common.errors import HubError
from hub.common.htmx import wants_fragment
from hub.common.permissions import requires
from mappings import drafts
from mappings.chains import changed_steps
from mappings.drafts import ChangedMeanwhile
from mappings.editor import Editor, row_id
from mappings.forms import first_rule
from mappings.models import Mapping
from mappings.paths import parse_path
from mappings.rules import FieldRule, dump_rules, parse_rules
from mappings.views.access import find_mapping
from mappings.views.parts import (
    editor_of,
    inspector_context,
    page_context,
    preview_context,
    row_answer,
    row_form,
    work_answer,
)
from mappings.views.state import state_of


def _target_of(request: HttpRequest) -> str:
    """The target that a request names, in the form or in the address; BadRequest when it is no path."""
    path = request.POST.get("target") or request.GET.get("field") or ""
    try:
        parse_path(path)
    except HubError as error:
        raise BadRequest(str(error)) from None
    return path


@requires("mappings.view")
@require_safe
def inspect(request: HttpRequest, slug: str) -> HttpResponse:
    """The inspector of the field `?field=`."""
    mapping = find_mapping(request, slug)
    state = state_of(request)
    if not wants_fragment(request):
        return redirect(state.url(mapping))
    path = _target_of(request)
    editor = editor_of(request, mapping, state)
    context = page_context(request, editor, state) | {"inspector": inspector_context(editor, path), "focus": True}
    response = render(request, "mappings/_inspector.html", context)
    response["HX-Push-Url"] = state.url(mapping)
    return response


@requires("mappings.view")
@require_safe
def sources(request: HttpRequest, slug: str) -> HttpResponse:
    """The list behind a source input: likely fields first, `?source=` narrows it."""
    mapping = find_mapping(request, slug)
    editor = editor_of(request, mapping, state_of(request))
    path = _target_of(request)
    typed = request.GET.get("source", "").strip()
    rule = editor.rule(path)
    found = editor.sources_for(editor.sides.target(path), "" if rule and typed == rule.source else typed)
    listed = [(each, editor.sample_value(each.source)) for each in found]
    context = {"path": path, "id": row_id(path), "has_rule": rule is not None, "found": listed, "typed": typed}
    return render(request, "mappings/_sources.html", context)


@requires("mappings.edit")
@require_POST
def set_source(request: HttpRequest, slug: str) -> HttpResponse:
    """Read the field from another source; the rest of its rule stays. Without a source the field is not mapped."""
    mapping = find_mapping(request, slug, "mappings.edit")
    path, source = _target_of(request), request.POST.get("source", "").strip()
    editor = editor_of(request, mapping, state_of(request))
    rule = editor.rule(path)
    if not source:
        return _remove(request, mapping, path)
    suggested = next((each.rule for each in editor.suggestions if (each.target, each.source) == (path, source)), None)
    base = rule or suggested or first_rule(editor.sides.target(path))
    return _save(request, mapping, editor, replace(base, source=source), f"{path} is read from {source}.")


@requires("mappings.edit")
@require_POST
def save(request: HttpRequest, slug: str) -> HttpResponse:
    """The whole rule, as the inspector's form says it."""
    mapping = find_mapping(request, slug, "mappings.edit")
    path = _target_of(request)
    editor = editor_of(request, mapping, state_of(request))
    form = row_form(editor, path, request)
    rule = form.to_rule()
    if rule is None:
        return _inspector_again(request, mapping, path, status=422)
    return _save(request, mapping, editor, rule, f"{path} is saved.")


@requires("mappings.edit")
@require_POST
def shape(request: HttpRequest, slug: str) -> HttpResponse:
    """The form again after another kind was chosen or the chain changed (`op`, see `changed_steps`); nothing is saved."""
    mapping = find_mapping(request, slug, "mappings.edit")
    return _inspector_again(request, mapping, _target_of(request))


def _inspector_again(request: HttpRequest, mapping: Mapping, path: str, status: int = 200) -> HttpResponse:
    state = state_of(request)
    editor = editor_of(request, mapping, state)
    form = row_form(editor, path, request)
    op = request.POST.get("op", "")
    form.steps = changed_steps(form.steps, f"add-{request.POST.get('add', '')}" if op == "add" else op)
    inspector = inspector_context(editor, path, form, is_saved=False)
    if status == 200:
        form.forgive()
    context = page_context(request, editor, state) | {"inspector": inspector}
    if not wants_fragment(request):
        return render(request, "mappings/editor.html", context, status=status)
    return render(request, "mappings/_inspector.html", context, status=status)


@requires("mappings.edit")
@require_POST
def remove(request: HttpRequest, slug: str) -> HttpResponse:
    """Do not map the field."""
    mapping = find_mapping(request, slug, "mappings.edit")
    return _remove(request, mapping, _target_of(request))


@requires("mappings.edit")
@require_POST
def fix(request: HttpRequest, slug: str) -> HttpResponse:
    """Do what the button beside a problem says."""
    mapping = find_mapping(request, slug, "mappings.edit")
    path, code = _target_of(request), request.POST.get("code", "")
    editor = editor_of(request, mapping, state_of(request))
    fixes = (each.quick_fix for each in editor.problems if (each.target, each.code) == (path, code))
    found = next((each for each in fixes if each), None)
    if found is None:
        return work_answer(request, mapping, conflict="This problem is not there any more.", status=409)
    return _save(request, mapping, editor, found.rule, f"{path}: {found.label}.", whole=True)


@requires("mappings.view")
@require_POST
def preview(request: HttpRequest, slug: str) -> HttpResponse:
    """What the rule in the form makes of the samples; nothing is saved."""
    started = time.perf_counter()
    mapping = find_mapping(request, slug)
    editor = editor_of(request, mapping, state_of(request))
    target = editor.sides.target(_target_of(request))
    form = row_form(editor, target.path, request)
    context = {
        "trial": preview_context(editor, target, form.to_rule()),
        "form": form,
        "editor": editor,
        "can_edit": True,
    }
    context["milliseconds"] = round((time.perf_counter() - started) * 1000)
    return render(request, "mappings/_preview.html", context, status=422 if form.errors else 200)


# ---------------------------------------------------------------------------------------------------------------------


def _save(
    request: HttpRequest, mapping: Mapping, editor: Editor, rule: FieldRule, said: str, *, whole: bool = False
) -> HttpResponse:
    answer = partial(work_answer, request, mapping) if whole else partial(row_answer, request, mapping, rule.target)
    seen = request.POST.get("seen", "")
    try:
        parse_rules(dump_rules([rule]))
        drafts.save_rule(mapping=mapping, rule=rule, seen=seen, by=request.user, order=editor.order)
    except ChangedMeanwhile as error:
        return answer(conflict=str(error), status=409)
    except HubError as error:
        return answer(conflict=str(error), status=422)
    return answer(said=said)


def _remove(request: HttpRequest, mapping: Mapping, path: str) -> HttpResponse:
    try:
        drafts.remove_rule(mapping=mapping, target=path, seen=request.POST.get("seen", ""), by=request.user)
    except ChangedMeanwhile as error:
        return row_answer(request, mapping, path, conflict=str(error), status=409)
    return row_answer(request, mapping, path, said=f"{path} is not mapped.")
