"""Spreadsheets on screen: choose, download the template, upload, look at what would happen, confirm, see what did."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from governance.queries import entities_for
from hub.common.errors import HubError
from hub.common.permissions import requires
from hub.common.xlsx import KIND
from hub.spreadsheets import queries, services, sheets
from hub.spreadsheets.forms import UploadForm
from hub.spreadsheets.models import Upload
from hub.sync.dry_result import WORDS
from hub.sync.models import Run
from hub.sync.views.common import may_in, me, tell

SHOWN = 20
SHOWN_REFUSED = 200


@requires("syncs.view")
def upload_list(request: HttpRequest) -> HttpResponse:
    uploads = queries.uploads_for(me(request)).exclude(state=Upload.State.DISCARDED)[:SHOWN]
    choices = queries.choices_for(me(request))
    context = {
        "ready": [choice for choice in choices if choice.sync],
        "others": [choice for choice in choices if not choice.sync],
        "uploads": uploads,
        "can_set_up": _can_set_up(request),
    }
    return render(request, "spreadsheets/upload_list.html", context)


def _can_set_up(request: HttpRequest) -> bool:
    return all(me(request).has_hub_perm(name) for name in ("syncs.edit", "mappings.edit", "connections.edit"))


@requires("syncs.edit")
@require_POST
def source_new(request: HttpRequest) -> HttpResponse:
    entity = get_object_or_404(entities_for(me(request), "syncs.edit"), slug=request.POST.get("entity", ""))
    if not _can_set_up(request):
        return render(request, "403.html", status=403)
    try:
        plan = services.open_source(entity=entity, by=me(request))
    except HubError as error:
        tell(request, error)
        return redirect("spreadsheets:upload_list")
    if plan.held:
        messages.info(request, plan.held.said)
        return redirect(plan.held.url or "spreadsheets:upload_list")
    messages.success(request, f"{entity.name} can be filled by spreadsheet now.")
    return redirect("spreadsheets:upload_new", slug=f"sheet-{entity.slug.replace('_', '-')}")


@requires("syncs.view")
def template(request: HttpRequest, slug: str) -> HttpResponse:
    entity = get_object_or_404(entities_for(me(request), "syncs.view"), slug=slug)
    try:
        return _download(sheets.template(entity), f"{entity.slug}-template")
    except HubError as error:
        tell(request, error)
        return redirect("spreadsheets:upload_list")


def _download(data: bytes, name: str) -> HttpResponse:
    response = HttpResponse(data, content_type=KIND)
    response["Content-Disposition"] = f'attachment; filename="{name}.xlsx"'
    response["Cache-Control"] = "no-store"
    return response


@requires("syncs.run")
@never_cache
def upload_new(request: HttpRequest, slug: str) -> HttpResponse:
    sync = get_object_or_404(queries.sources_for(me(request), "syncs.run"), slug=slug)
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            found, is_new = services.upload(
                sync=sync, name=file.name, data=file.read(), by=me(request), decimal=form.cleaned_data["decimal"]
            )
        except HubError as error:
            form.add_error("file", str(error))
        else:
            if not is_new:
                messages.info(request, same_file(found))
            return redirect("spreadsheets:upload_detail", pk=found.pk)
    try:
        fields = sheets.columns_of(sync.entity)
    except HubError as error:
        tell(request, error)
        return redirect("spreadsheets:upload_list")
    context = {"sync": sync, "form": form, "fields": fields}
    return render(request, "spreadsheets/upload_new.html", context, status=400 if form.errors else 200)


def same_file(found: Upload) -> str:
    """The sentence for a file that was the last one uploaded already."""
    who = f" by {found.uploaded_by}" if found.uploaded_by else ""
    when = f"{found.created_at:%Y-%m-%d %H:%M} UTC"
    return f"This is the file that was uploaded on {when}{who}; nothing was done again."


@requires("syncs.view")
@never_cache
def upload_detail(request: HttpRequest, pk: int) -> HttpResponse:
    upload = get_object_or_404(queries.uploads_for(me(request)), pk=pk)
    refused = queries.refused_of(upload, for_user=me(request))
    runs = Run.objects.filter(sync=upload.sync, pk__in=upload.run_ids).order_by("pk")
    pending = Run.objects.filter(sync=upload.sync).exclude(pk__in=upload.run_ids).order_by("-pk").first()
    context = {
        "upload": upload,
        "plan": _plan(upload),
        "refused": refused[:SHOWN_REFUSED],
        "refused_count": len(refused),
        "titles": {field.name: field.title for field in sheets.columns_of(upload.sync.entity)},
        "outcomes": queries.outcomes_of(upload),
        "runs": runs,
        "pending": pending if upload.state == Upload.State.CONFIRMED else None,
        "can_run": may_in(request, "syncs.run", upload.sync),
        "has_pages": upload.pages.exists(),
    }
    return render(request, "spreadsheets/upload_detail.html", context)


def _plan(upload: Upload) -> list[tuple[str, str, int, list[dict[str, Any]]]]:
    """(would, word, number, rows shown) in the order of the words."""
    counts = upload.preview.get("counts", {})
    rows = upload.preview.get("rows", [])
    words = {**WORDS, "skip": "Unchanged"}
    return [
        (would, words[would], counts[would], [r for r in rows if r["would"] == would])
        for would in words
        if would in counts
    ]


@requires("syncs.view")
def refused(request: HttpRequest, pk: int) -> HttpResponse:
    upload = get_object_or_404(queries.uploads_for(me(request)), pk=pk)
    rows = queries.refused_of(upload, for_user=me(request))
    return _download(queries.refused_workbook(upload, rows), f"{upload.sync.entity.slug}-refused-{upload.pk}")


@requires("syncs.run")
@require_POST
def confirm(request: HttpRequest, pk: int) -> HttpResponse:
    upload = get_object_or_404(queries.uploads_for(me(request), "syncs.run"), pk=pk)
    try:
        run = services.confirm(upload=upload, by=me(request))
    except HubError as error:
        tell(request, error)
    else:
        messages.success(request, f"Run {run.pk} takes the rows in.")
    return redirect("spreadsheets:upload_detail", pk=pk)


@requires("syncs.run")
@require_POST
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    upload = get_object_or_404(queries.uploads_for(me(request), "syncs.run"), pk=pk)
    try:
        services.discard(upload=upload, by=me(request))
    except HubError as error:
        tell(request, error)
        return redirect("spreadsheets:upload_detail", pk=pk)
    messages.success(request, f"{upload.file_name} is discarded; nothing of it was taken in.")
    return redirect("spreadsheets:upload_list")
