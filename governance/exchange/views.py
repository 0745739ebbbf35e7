"""Contracts as files: downloads, and the import that shows what it would change before it changes anything."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from governance import queries
from governance.diff import compare
from governance.exchange import exporting, importing
from governance.exchange.exporting import Export
from governance.exchange.forms import ImportForm
from governance.exchange.importing import Proposal
from governance.views import asked_version, me
from hub.common.errors import ConfigError
from hub.common.htmx import redirect_to, render_page
from hub.common.permissions import requires

# Differences and fields beyond these are counted, not listed.
SHOWN = 200


@requires("contracts.view")
def contract_file(request: HttpRequest, slug: str, format_: str) -> HttpResponse:
    """One version in a standard's format: ?version=2, else the one in force."""
    version = asked_version(request, queries.find_entity(me(request), slug))
    if version is None:
        raise Http404
    return download(exporting.export_version(version, format_))


@requires("contracts.view")
def events_file(request: HttpRequest) -> HttpResponse:
    """The events of every contract in one's domains."""
    return download(exporting.export_events(queries.contracts_for(me(request))))


def download(made: Export) -> HttpResponse:
    response = HttpResponse(made.text, content_type=f"{made.media_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{made.name}"'
    return response


@requires("contracts.edit")
@require_http_methods(["GET", "POST"])
def contract_import(request: HttpRequest) -> HttpResponse:
    """First what the file would change and break; only then, on a second press, a new version."""
    form = ImportForm(me(request), request.POST or None, request.FILES or None)
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        proposal = _proposal(request, form)
        if proposal and "apply" in request.POST and (done := _accepted(request, form, proposal)):
            return done
        context |= _comparison(form, proposal) if proposal else {}
    return render_page(request, "governance/contract_import.html", context, status=422 if form.errors else 200)


def _proposal(request: HttpRequest, form: ImportForm) -> Proposal | None:
    given = form.cleaned_data
    domain = given["domain"].slug if given["domain"] else ""
    try:
        proposal = importing.propose(
            given["content"], format_=given["format"], where=form.where, name=given["name"].strip(), domain=domain
        )
    except ConfigError as error:
        form.add_error(None, str(error))
        return None
    if not me(request).has_hub_perm("contracts.edit", proposal.domain):
        raise PermissionDenied
    return proposal


def _accepted(request: HttpRequest, form: ImportForm, proposal: Proposal) -> HttpResponse | None:
    given = form.cleaned_data
    try:
        put = importing.accept(
            proposal,
            by=me(request),
            seen=given["seen"],
            is_breaking_accepted=given["is_breaking_accepted"],
            where=form.where,
        )
    except ConfigError as error:
        form.add_error(None, str(error))
        return None
    messages.success(request, put.said)
    return (
        redirect(put.url)
        if put.url
        else redirect_to(request, reverse("governance:contract_versions", args=[proposal.slug]))
    )


def _comparison(form: ImportForm, proposal: Proposal) -> dict[str, Any]:
    active = proposal.active
    diffs = compare(active.schema, proposal.schema) if active else []
    return {
        "proposal": proposal,
        "verdict": proposal.verdict,
        "before": active.number if active else 0,
        "after": active.number + 1 if active else 1,
        "diffs": diffs[:SHOWN],
        "diff_count": len(diffs),
        "field_names": list(proposal.schema["properties"])[:SHOWN],
        "field_count": len(proposal.schema["properties"]),
        "text": form.cleaned_data["content"].decode("utf-8-sig"),
        "given": form.cleaned_data,
    }
