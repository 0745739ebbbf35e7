"""The editor's page and its parts, from one context; and the one answer that every change of a row gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from hub.common.display import MASK
from hub.common.display import mask as mask_record
from hub.common.htmx import render_page, wants_fragment
from mappings.drafts import row_mark
from mappings.editor import Editor, Row, row_id
from mappings.forms import RuleForm, choices
from mappings.models import Mapping
from mappings.phrasing import conversion_groups, describe
from mappings.preview import Outcome, Refusal, output, try_rule
from mappings.reading import reads
from mappings.rules import FieldRule
from mappings.sides import Target
from mappings.views.access import may_edit, me
from mappings.views.state import State, filter_links, panel_links, sample_links, state_of


def editor_of(request: HttpRequest, mapping: Mapping, state: State) -> Editor:
    return Editor(mapping, me(request), sample=state.sample, free=[state.field] if state.field else ())


def page_context(request: HttpRequest, editor: Editor, state: State) -> dict[str, Any]:
    """Everything that the editor's templates read."""
    return {
        "editor": editor,
        "mapping": editor.mapping,
        "state": state,
        "can_edit": may_edit(request, editor.mapping),
        "filters": filter_links(editor, state),
        "sample_links": sample_links(editor, state),
        "panels": panel_links(editor, state),
        "is_inbound": editor.mapping.direction == Mapping.Direction.IN,
        "page_url": state.url(editor.mapping),
        "closed_url": state.url(editor.mapping, field=""),
        "groups": groups_of(editor, editor.filtered(state.show, state.q)),
        "problem_rows": [
            (each, row_id(each.target), row_mark(editor.rule(each.target)))
            for each in (editor.problems if state.panel == "problems" else ())
        ],
        "conversions": conversion_groups(),
        **_panel_context(editor, state),
    }


@dataclass(frozen=True, slots=True)
class Group:
    word: str
    rows: list[Row]


def groups_of(editor: Editor, rows: list[Row]) -> list[Group]:
    """Required fields first, then optional ones, then those that only the rules name; each in the target's order."""
    cover = editor.coverage
    words = {
        "required": f"Required · {cover.required_mapped} of {cover.required_total} mapped",
        "optional": f"Optional · {cover.optional_mapped} of {cover.optional_total} mapped",
        "free": "Not listed by the target",
    }
    found: dict[str, list[Row]] = {name: [] for name in words}
    for row in rows:
        found["free" if row.target.is_free else "required" if row.target.field.is_required else "optional"].append(row)
    return [Group(words[name], members) for name, members in found.items() if members]


def _panel_context(editor: Editor, state: State) -> dict[str, Any]:
    if state.panel != "output" or not editor.samples.records:
        return {}
    mapped, sentences = output(editor.rules, editor.samples.bodies[editor.chosen], editor.setting)
    hidden = frozenset(rule.target for rule in editor.rules if editor.is_masked(rule))
    said = [sentence for sentence in sentences if not any(sentence_is_of(sentence, target) for target in hidden)]
    return {"output": mask_record(mapped, hidden), "output_errors": said, "mask": MASK}


def sentence_is_of(sentence: str, target: str) -> bool:
    """Whether an error speaks of a field; those of masked fields may quote their values."""
    return target in sentence


def inspector_context(
    editor: Editor, path: str, form: RuleForm | None = None, *, is_saved: bool = True
) -> dict[str, Any]:
    """The inspector of one field; with a form that was sent, as that form says."""
    row = editor.row(path)
    form = form or RuleForm(row.target, rule=row.rule, lists=choices(row.rule))
    trial = form.to_rule() if form.is_bound else row.rule
    return {
        "row": row,
        "form": form,
        "is_saved": is_saved,
        "trial": preview_context(editor, row.target, trial, is_saved=is_saved),
        "row_edits": [edit for edit in editor.edits if path in edit.targets][:5],
        "words": describe(row.rule) if row.rule else "",
    }


def preview_context(
    editor: Editor, target: Target, rule: FieldRule | None, *, is_saved: bool = False
) -> dict[str, Any]:
    """One rule over the samples: (label, outcome) pairs, or why it cannot be tried."""
    found: tuple[Outcome, ...] | Refusal = ()
    if rule is not None:
        masked = editor.is_masked(rule)
        found = try_rule(rule, editor.samples.bodies, editor.setting, field=target.field, masked=masked)
    refused = found if isinstance(found, Refusal) else None
    outcomes = () if isinstance(found, Refusal) else found
    return {
        "refusal": refused,
        "outcomes": list(zip(editor.samples.records, outcomes, strict=False)),
        "is_saved": is_saved,
        "has_rule": rule is not None,
        "reads_many": rule is not None and rule.kind in ("template", "expression") and len(reads(rule, ())) > 1,
    }


def editor_page(request: HttpRequest, mapping: Mapping) -> HttpResponse:
    """The whole page, or for htmx what stands beside the inspector."""
    state = state_of(request)
    editor = editor_of(request, mapping, state)
    context = page_context(request, editor, state)
    if state.field:
        context["inspector"] = inspector_context(editor, state.field)
    return render_page(request, "mappings/editor.html", context, partial="mappings/_work.html")


def row_answer(
    request: HttpRequest, mapping: Mapping, path: str, *, conflict: str = "", said: str = "", status: int = 200
) -> HttpResponse:
    """After a change of a row: the row, the counts and the problems for htmx; a page with a message for a plain form."""
    state = state_of(request)
    if not wants_fragment(request):
        return _back(request, mapping, conflict, said)
    editor = editor_of(request, mapping, state)
    context = page_context(request, editor, state)
    context |= {"row": editor.row(path), "conflict": conflict, "said": said, "oob": True}
    from_inspector = "kind" in request.POST
    if from_inspector or request.POST.get("inspected") == path:
        context["inspector"] = inspector_context(editor, path)
    template = f"mappings/{'_saved_from_inspector' if from_inspector else '_saved'}.html"
    return render_page(request, template, context, partial=template, status=status)


def work_answer(
    request: HttpRequest, mapping: Mapping, *, conflict: str = "", said: str = "", status: int = 200
) -> HttpResponse:
    """After a button that does not stand in a row: all rows, and the inspector when it is open."""
    state = state_of(request)
    if not wants_fragment(request):
        return _back(request, mapping, conflict, said)
    editor = editor_of(request, mapping, state)
    context = page_context(request, editor, state) | {"conflict": conflict, "said": said}
    if inspected := request.POST.get("inspected"):
        context["inspector"] = inspector_context(editor, inspected)
    template = "mappings/_work_answer.html"
    return render_page(request, template, context, partial=template, status=status)


def _back(request: HttpRequest, mapping: Mapping, conflict: str, said: str) -> HttpResponse:
    if conflict or said:
        (messages.error if conflict else messages.success)(request, conflict or said)
    return redirect(state_of(request).url(mapping))


def row_form(editor: Editor, path: str, request: HttpRequest) -> RuleForm:
    """The rule as it was sent, with the lists it may choose from."""
    rule = editor.rule(path)
    return RuleForm(editor.sides.target(path), request.POST, rule=rule, lists=choices(rule))
