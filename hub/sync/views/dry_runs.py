"""Dry runs: of a sync, and of a mapping's draft before it is activated. Asking is harmless, so the address holds everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.cache import never_cache

from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.htmx import render_page
from hub.common.permissions import requires
from hub.sync import dry_run as service
from hub.sync import links
from hub.sync.dry_result import ORDER, WORDS, DryRun
from hub.sync.forms import DryRunForm, mappings_for
from hub.sync.models import Sync
from hub.sync.views.common import find_sync, may_in, me
from hub.sync.views.syncs import frame
from mappings.models import Mapping, MappingVersion

COLUMNS = [
    Column("would", "Would", "word"),
    Column("key", "Key"),
    Column("external_id", "External id"),
    Column("label", "Name"),
    Column("sentence", "Why"),
    Column("twin", "Likely double"),
    Column(
        "changes",
        "Changes",
        lambda row: "; ".join(f"{c.field}: {_text(c.before)} → {_text(c.after)}" for c in row.changes),
    ),
]


def _text(value: Any) -> str:
    return "nothing" if value is None else str(value)


@requires("syncs.run")
@never_cache
def sync_dry_run(request: HttpRequest, slug: str, fmt: str = "") -> HttpResponseBase:
    """`?sample=50` or `?ids=…` tries; without either only the form is shown."""
    sync = find_sync(request, slug, "syncs.run")
    form = DryRunForm(request.GET if "sample" in request.GET or fmt else None)
    result, error = _result(request, sync, form, lambda **asked: service.dry_run(sync, **asked))
    if fmt:
        return _export(result, error, fmt, name=f"dry-run-{sync.slug}")
    context = frame(request, sync, "dry-run") | _context(form, result, error)
    return render_page(request, "sync/sync_dry_run.html", context, partial="sync/_dry_run.html", status=_status(form))


@requires("syncs.run")
@never_cache
def mapping_dry_run(request: HttpRequest, slug: str, fmt: str = "") -> HttpResponseBase:
    """The mapping's draft, or its active version where there is no draft."""
    mapping = get_object_or_404(_runnable(request), slug=slug)
    version = mapping.versions.filter(status__in=["draft", "active"]).order_by("-number").first()
    sync = Sync(slug=mapping.slug, name=mapping.name, mapping=mapping)
    form = DryRunForm(request.GET if "sample" in request.GET or fmt else None)
    result, error = _result(
        request,
        sync,
        form,
        lambda **asked: service.dry_run_mapping(mapping, rules=version.rules if version else [], **asked),
    )
    if fmt:
        return _export(result, error, fmt, name=f"dry-run-{mapping.slug}")
    context = _context(form, result, error) | {
        "mapping": mapping,
        "version": version,
        "is_draft": version is not None and version.status == MappingVersion.Status.DRAFT,
        "back_url": links.page_url("mapping", mapping.slug) or reverse("sync:sync_list"),
    }
    return render_page(
        request, "sync/mapping_dry_run.html", context, partial="sync/_dry_run.html", status=_status(form)
    )


def _runnable(request: HttpRequest) -> QuerySet[Mapping]:
    return mappings_for(me(request), "syncs.run")


def _result(
    request: HttpRequest, sync: Sync, form: DryRunForm, work: Callable[..., DryRun]
) -> tuple[DryRun | None, HubError | None]:
    """The result, masked for people who may not reveal payloads; or the error that stopped it."""
    if not form.is_bound or not form.is_valid():
        return None, None
    try:
        found = work(sample=form.cleaned_data["sample"], external_ids=form.external_ids)
    except HubError as error:
        return None, error
    return (found if may_in(request, "payloads.reveal", sync) else found.masked()), None


def _context(form: DryRunForm, result: DryRun | None, error: HubError | None) -> dict[str, Any]:
    rows = (
        [(would, WORDS[would], [row for row in result.rows if row.would == would]) for would in ORDER] if result else []
    )
    return {
        "form": form,
        "result": result,
        "groups": [group for group in rows if group[2]],
        "counts": result.counts if result else {},
        "error": error,
    }


def _status(form: DryRunForm) -> int:
    return 422 if form.is_bound and not form.is_valid() else 200


def _export(result: DryRun | None, error: HubError | None, fmt: str, *, name: str) -> HttpResponseBase:
    if error:
        return HttpResponse(str(error), status=422, content_type="text/plain; charset=utf-8")
    return export_response(result.rows if result else [], COLUMNS, fmt, name=name)
