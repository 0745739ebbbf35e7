"""Merges: their list, one with what it changed, making one from a record's page, and undoing it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.records.models import CanonicalRecord
from hub.records.queries import find_record
from hub.sync.duplicates import consequences
from hub.sync.removals import merges
from hub.sync.removals.queries import merges_for
from hub.sync.views.common import me, tell

STATES = [("in_force", "In force"), ("undone", "Undone")]
COLUMNS = [
    Column("merge", "Merge", "pk"),
    Column("entity", "Entity", "entity.slug"),
    Column("loser", "Merged", "loser.key"),
    Column("winner", "Into", "winner.key"),
    Column("run", "Said by run", "run_id"),
    Column("by", "By"),
    Column("reason", "Reason"),
    Column("at", "At (UTC)"),
    Column("undone_at", "Undone at (UTC)"),
]


@requires("ledger.view")
def merge_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    bar = FilterBar(
        request, keys={"entity": "Entity", "state": "State"}, selects=[Select("state", "State", STATES)], hint="A key"
    )
    rows = merges_for(me(request), "ledger.view")
    if bar.get("state"):
        rows = rows.filter(undone_at__isnull=bar.get("state") == "in_force")
    if entity := bar.get("entity"):
        rows = rows.filter(entity__slug=entity)
    if bar.text:
        rows = rows.filter(loser__key=bar.text) | rows.filter(winner__key=bar.text)
    if fmt:
        return export_response(rows.order_by("-pk"), COLUMNS, fmt, name="merges")
    return render(request, "sync/merge_list.html", {"bar": bar, "page": paginate(rows, request, order=("-id",))})


@requires("ledger.view")
def merge_detail(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(merges_for(me(request), "ledger.view"), pk=pk)
    ids = [record_id for record_id, _ in found.children]
    context = {
        "merge": found,
        "children": CanonicalRecord.objects.filter(pk__in=ids[:100]).select_related("entity").defer("body"),
        "number": len(ids),
        "targets": consequences.of_undo(found) if found.in_force else [],
        "can_undo": found.in_force and me(request).has_hub_perm("ledger.replay", found.entity.domain_id),
    }
    return render(request, "sync/merge_detail.html", context)


class MergeForm(forms.Form):
    """The record that stays, by its key, and why."""

    winner = forms.CharField(label="Merge into", help_text="The key of the record that stays.", max_length=500)
    reason = forms.CharField(label="Why are these two one?", widget=forms.Textarea(attrs={"rows": 2}), max_length=500)

    def __init__(self, *args: Any, loser: CanonicalRecord, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.loser = loser

    def clean_winner(self) -> CanonicalRecord:
        key = self.cleaned_data["winner"].strip()
        found = CanonicalRecord.objects.filter(entity=self.loser.entity_id, key=key).first()
        if found is None:
            raise forms.ValidationError(f"There is no {self.loser.entity.name} {key!r}.")
        if sentence := merges.why_not(self.loser, found):
            raise forms.ValidationError(sentence)
        return found


@requires("ledger.replay")
@require_http_methods(["GET", "POST"])
def merge_new(request: HttpRequest, slug: str, record: int) -> HttpResponse:
    loser = find_record(me(request), slug, "ledger.replay", pk=record)
    form = MergeForm(request.POST or None, loser=loser)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        made = merges.merge(loser=loser, winner=values["winner"], reason=values["reason"], by=me(request))
        messages.success(request, f"{loser.key} is now {made.winner.key}.")
        return redirect_to(request, made.get_absolute_url())
    status = 422 if form.is_bound else 200
    context = {"form": form, "record": loser, "targets": consequences.of_merge(loser)}
    return render(request, "sync/merge_new.html", context, status=status)


@requires("ledger.replay")
@require_POST
def merge_undo(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(merges_for(me(request), "ledger.replay"), pk=pk)
    try:
        merges.undo(merge=found, reason=request.POST.get("reason", ""), by=me(request))
    except HubError as error:
        tell(request, error)
    else:
        messages.success(request, f"{found.loser.key} and {found.winner.key} are two records again.")
    return redirect_to(request, reverse("sync:merge_detail", args=[pk]))
