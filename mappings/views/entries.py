"""Entries of a value map: one at a time in the table, or a file at once with a preview first."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hub.common.errors import HubError
from hub.common.htmx import render_page, wants_fragment
from hub.common.permissions import requires
from hub.common.times import business_today
from mappings import entries
from mappings.drafts import ChangedMeanwhile
from mappings.models import ValueMap, ValueMapEntry
from mappings.services import entry_problems
from mappings.value_map_csv import read_table
from mappings.value_map_forms import EntryForm, TableForm
from mappings.views.access import find_value_map
from mappings.views.value_maps import entry_form, value_map_page


def _find(request: HttpRequest, slug: str, pk: int) -> tuple[ValueMap, ValueMapEntry]:
    value_map = find_value_map(request, slug, "valuemaps.edit")
    return value_map, get_object_or_404(value_map.entries.select_related("value_map"), pk=pk)


@requires("valuemaps.edit")
@require_POST
def entry_add(request: HttpRequest, slug: str) -> HttpResponse:
    value_map = find_value_map(request, slug, "valuemaps.edit")
    form = EntryForm(request.POST, form_id="entry-new")
    if form.is_valid():
        try:
            row = entries.add_entry(value_map=value_map, entry=form.entry(), by=request.user)
        except HubError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{row} is added.")
            return redirect("mappings:value_map", slug)
    return value_map_page(request, value_map, new=form, status=422)


@requires(GET="valuemaps.edit", POST="valuemaps.edit")
@require_http_methods(["GET", "POST"])
def entry_edit(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One row of the table as a form (GET), and saving it."""
    value_map, row = _find(request, slug, pk)
    if request.method == "GET":
        return _row(request, value_map, row, entry_form(row))
    form = EntryForm(request.POST, form_id=f"entry-{pk}")
    if form.is_valid():
        try:
            seen = request.POST.get("seen", "")
            row = entries.save_entry(row=row, entry=form.entry(), seen=seen, by=request.user)
        except ChangedMeanwhile as error:
            return _row(request, value_map, row, None, said=str(error), status=409)
        except HubError as error:
            form.add_error(None, str(error))
        else:
            return _row(request, value_map, row, None, said=f"{row} is saved.")
    return _row(request, value_map, row, form, status=422)


@requires("valuemaps.edit")
@require_safe
def entry_row(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One row of the table as it is: what Cancel asks for."""
    value_map, row = _find(request, slug, pk)
    return _row(request, value_map, row, None)


def _row(
    request: HttpRequest,
    value_map: ValueMap,
    row: ValueMapEntry,
    form: EntryForm | None,
    *,
    said: str = "",
    status: int = 200,
) -> HttpResponse:
    if said:
        (messages.error if status == 409 else messages.success)(request, said)
    if not wants_fragment(request):
        if form is not None:
            return value_map_page(request, value_map, editing=(row.pk, form), status=status)
        return redirect("mappings:value_map", value_map.slug)
    context: dict[str, Any] = {
        "entry": row,
        "value_map": value_map,
        "opened": form,
        "today": business_today(),
        "can_edit": True,
    }
    context["mark"] = entries.entry_mark(row)
    template = "mappings/_entry_form.html" if form is not None else "mappings/_entry.html"
    return render_page(request, template, context, partial=template, status=status)


@requires("valuemaps.edit")
@require_POST
def entry_remove(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    _, row = _find(request, slug, pk)
    try:
        entries.remove_entry(row=row, seen=request.POST.get("seen", ""), by=request.user)
    except HubError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{row} is removed.")
    return redirect("mappings:value_map", slug)


@requires("valuemaps.edit")
@require_http_methods(["GET", "POST"])
def table_import(request: HttpRequest, slug: str) -> HttpResponse:
    """First what the file would change and what is wrong with it, line by line; with `apply`, the change itself."""
    value_map = find_value_map(request, slug, "valuemaps.edit")
    form = TableForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {"value_map": value_map, "form": form}
    if request.method == "POST" and form.is_valid():
        context |= _look(value_map, form)
        if "apply" in request.POST and not context["problems"]:
            try:
                changed = _apply(request, value_map, form, context["entries"])
            except HubError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{changed} {'entry' if changed == 1 else 'entries'} changed.")
                return redirect("mappings:value_map", slug)
    wrong = bool(form.errors or context.get("problems"))
    return render(request, "mappings/value_map_import.html", context, status=422 if wrong else 200)


def _look(value_map: ValueMap, form: TableForm) -> dict[str, Any]:
    """What the file says: its entries, its problems by line, and the plan when there are none."""
    reading = read_table(form.cleaned_data["text"])
    remove_others = form.cleaned_data["remove_others"]
    problems = list(reading.problems)
    if not problems:
        table = entries.merged(value_map, reading.entries, remove_others=remove_others)
        problems = [(0, sentence) for _, sentence in entry_problems(table)]
    return {
        "entries": reading.entries,
        "problems": problems,
        "plan": None if problems else entries.plan_table(value_map, reading.entries, remove_others=remove_others),
        "text": form.cleaned_data["text"],
        "remove_others": remove_others,
    }


def _apply(request: HttpRequest, value_map: ValueMap, form: TableForm, table: Any) -> int:
    return entries.apply_table(
        value_map=value_map,
        entries=table,
        remove_others=form.cleaned_data["remove_others"],
        by=request.user,
        seen_revision=form.cleaned_data["seen"],
    )
