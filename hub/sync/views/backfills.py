"""Backfills of a sync: plan one, start it, see how far it is, stop it and let it go on."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from hub.common.errors import HubError
from hub.common.htmx import redirect_to
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.sync import backfills, queries
from hub.sync.backfills import Asked, BackfillPlan
from hub.sync.models import Backfill, Sync
from hub.sync.views.common import find_sync, may_in, me, tell
from hub.sync.views.syncs import frame

MAX_FILE_BYTES = 10 * 1024 * 1024
NAMED = 200
ACTS = {
    "pause": (backfills.pause, "It stops at its next page and remembers where."),
    "resume": (backfills.resume, "It goes on after its last page."),
    "cancel": (backfills.cancel, "It is cancelled; what was stored stays."),
}


class BackfillForm(forms.Form):
    """A window or keys; a file comes before what is pasted."""

    from_value = forms.CharField(
        label="From", required=False, max_length=200, help_text="As the source writes its cursor."
    )
    to_value = forms.CharField(
        label="To", required=False, max_length=200, help_text="A date is that whole day; empty is now."
    )
    keys = forms.CharField(
        label="Or keys", required=False, widget=forms.Textarea(attrs={"rows": 3, "class": "mono"}),
        help_text="Ids at the source, one a line.",
    )  # fmt: skip
    file = forms.FileField(label="Or a CSV file with keys", required=False, help_text="Its first column counts.")
    per_second = forms.FloatField(
        label="Requests a second", required=False, min_value=backfills.SLOWEST, max_value=backfills.FASTEST,
        help_text="Empty takes a fifth of what the system lets pass.",
    )  # fmt: skip
    reason = forms.CharField(label="Why", required=False, max_length=500)

    def clean_file(self) -> str:
        found = self.cleaned_data["file"]
        if found is None:
            return ""
        if found.size > MAX_FILE_BYTES:
            raise forms.ValidationError("The file is larger than 10 MB.")
        try:
            return str(found.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise forms.ValidationError("The file is not text in UTF-8.") from None

    def asked(self, sync: Sync) -> Asked:
        said = self.cleaned_data
        lines = (said["file"] or said["keys"]).splitlines()
        keys = backfills.keys_in(lines, header="|".join(sync.stream.key_fields))
        return Asked(said["from_value"], said["to_value"], keys, said["per_second"] or 0.0, said["reason"])


@requires(GET="syncs.view", POST="syncs.run")
@require_http_methods(["GET", "POST"])
def backfill_list(request: HttpRequest, slug: str) -> HttpResponse:
    """The backfills of a sync; a form plans the next one, or starts it."""
    sync = find_sync(request, slug, "syncs.run" if request.method == "POST" else "syncs.view")
    form, planned = BackfillForm(request.POST or None, request.FILES or None), None
    if request.method == "POST" and form.is_valid():
        try:
            if "start" in request.POST:
                made = backfills.start(sync, form.asked(sync), by=me(request))
                return redirect_to(request, reverse("sync:backfill_detail", args=[slug, made.pk]))
            planned = backfills.plan(sync, form.asked(sync))
        except HubError as error:
            form.add_error(None, str(error))
    status = 422 if request.method == "POST" and not form.is_valid() else 200
    return render(request, "sync/sync_backfills.html", _page(request, sync, form, planned), status=status)


def _page(request: HttpRequest, sync: Sync, form: BackfillForm, planned: BackfillPlan | None) -> dict[str, Any]:
    rows = queries.backfills_for(me(request), "syncs.view").filter(sync=sync)
    return frame(request, sync, "backfills") | {"form": form, "plan": planned, "page": paginate(rows, request)}


@requires("syncs.view")
def backfill_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """How far it is, and which keys the source does not have."""
    backfill = _find(request, slug, pk, "syncs.view")
    context = frame(request, backfill.sync, "backfills") | {
        "backfill": backfill,
        "run": backfill.run,
        "not_passed": backfill.run.rejected + backfill.run.waiting,
        "expected_words": f"{backfill.expected or 0:,}",
        "missing": backfill.not_found[:NAMED] if backfill.is_complete else [],
        "may_act": may_in(request, "syncs.run", backfill.sync),
    }
    return render(request, "sync/backfill_detail.html", context)


def _find(request: HttpRequest, slug: str, pk: int, permission: str) -> Backfill:
    return get_object_or_404(queries.backfills_for(me(request), permission), pk=pk, sync__slug=slug)


@requires("syncs.run")
@require_POST
def backfill_act(request: HttpRequest, slug: str, pk: int, act: str) -> HttpResponse:
    """Pause, resume or cancel."""
    if act not in ACTS:
        raise Http404
    do, words = ACTS[act]
    try:
        if do(_find(request, slug, pk, "syncs.run"), by=me(request)):
            messages.success(request, words)
    except HubError as error:
        tell(request, error)
    return redirect_to(request, reverse("sync:backfill_detail", args=[slug, pk]))
