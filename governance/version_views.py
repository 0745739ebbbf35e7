"""One version of a contract: its state, what it breaks and for whom, its consumers, and the buttons of its next steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from governance import breaches, consumers, deprecation, lifecycle, queries
from governance.models import Contract, ContractBreach, ContractVersion, Entity
from governance.version_forms import ProposalForm, StepForm
from governance.views import contract_page, me
from hub.common.errors import ConfigError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires

EDIT, DECIDE = "contracts.edit", "approvals.decide"
Status = ContractVersion.Status
# act → (permission, what does it, which words of the form it takes, what is said afterwards)
Do = Callable[..., Any]
ACTS: dict[str, tuple[str, Do, tuple[str, ...], str]] = {
    "submit": (EDIT, lifecycle.submit, ("reason",), "is in review"),
    "abandon": (EDIT, lifecycle.abandon, ("reason",), "is given up"),
    "approve": (DECIDE, lifecycle.approve, ("reason",), "is approved"),
    "send_back": (DECIDE, lifecycle.send_back, ("reason",), "is a draft again"),
    "activate": (EDIT, lifecycle.activate, ("accepted_break",), "is in force"),
    "sunset": (EDIT, deprecation.announce_sunset, ("sunset_date", "reason"), "has a sunset; its consumers are told"),
    "retire": (EDIT, deprecation.retire, ("reason",), "is retired"),
    "acknowledge": (EDIT, deprecation.acknowledge, ("kind", "name"), "has one more consumer that knows"),
}


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def version_new(request: HttpRequest, slug: str) -> HttpResponse:
    """Propose the next version of a contract as a whole."""
    entity = queries.find_entity(me(request), slug, EDIT)
    contract = _contract(entity)
    start = {"schema": ProposalForm.text_of(queries.active_version(contract))}
    form = ProposalForm(request.POST or None, initial=start)
    if request.method == "POST" and form.is_valid():
        try:
            made = lifecycle.propose(contract=contract, by=me(request), **form.cleaned_data)
        except ConfigError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Version {made.number} is a draft.")
            return redirect_to(request, _url(made))
    context = {"form": form, "entity": entity}
    return render_page(request, "governance/version_new.html", context, status=422 if form.errors else 200)


@requires("contracts.view")
def version_detail(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """What the version says and breaks, who uses it, and what may be done with it."""
    entity = queries.find_entity(me(request), slug)
    return _page(request, entity, _version(entity, number))


@requires("contracts.view")
@require_POST
def version_act(request: HttpRequest, slug: str, number: int, act: str) -> HttpResponse:
    """Take one step, with its words."""
    entity = queries.find_entity(me(request), slug)
    version = _version(entity, number)
    permission, do, names, said = _known(act)
    if not me(request).has_hub_perm(permission, entity.domain_id):
        raise PermissionDenied
    form = StepForm(request.POST)
    if not form.is_valid() or (act == "sunset" and not form.cleaned_data["sunset_date"]):
        problem = ConfigError("Choose the day of the sunset.", where=version.ref)
        return _page(request, entity, version, problem=problem, status=422)
    try:
        do(version, by=me(request), **form.words(*names))
    except ConfigError as error:
        return _page(request, entity, _version(entity, number), problem=error, status=422)
    messages.success(request, f"Version {number} {said}.")
    return redirect_to(request, _url(version))


def _known(act: str) -> tuple[str, Do, tuple[str, ...], str]:
    if act not in ACTS:
        raise Http404
    return ACTS[act]


def _page(
    request: HttpRequest,
    entity: Entity,
    version: ContractVersion,
    *,
    problem: ConfigError | None = None,
    status: int = 200,
) -> HttpResponse:
    verdict = lifecycle.verdict_of(version.contract, version.schema) if _is_ahead(version) else None
    can_edit = me(request).has_hub_perm(EDIT, entity.domain_id)
    context = {
        "asked": version,
        "problem": problem,
        "verdict": verdict,
        "effective": consumers.effective(verdict, consumers.of(entity)) if verdict else None,
        "before": getattr(queries.active_version(version.contract), "number", ""),
        "after": version.number,
        "standings": [] if _is_ahead(version) else deprecation.standings(version),
        "obstacle": deprecation.why_not_retired(version) if version.status == Status.DEPRECATED else "",
        "successor": lifecycle.successor_of(version),
        "can_decide": me(request).has_hub_perm(DECIDE, entity.domain_id),
        "is_mine": version.created_by_id == me(request).pk,
        "breach_count": version.breaches.count() if can_edit else None,
    }
    return contract_page(request, "governance/contract_version.html", entity, "versions", context, status=status)


def _is_ahead(version: ContractVersion) -> bool:
    return version.status in (Status.DRAFT, Status.IN_REVIEW, Status.APPROVED)


def _contract(entity: Entity) -> Contract:
    found = queries.contract_of(entity)
    if found is None:
        raise Http404
    return found


def _version(entity: Entity, number: int) -> ContractVersion:
    found = _contract(entity).versions.select_related("created_by", "contract__entity__domain")
    version = found.filter(number=number).first()
    if version is None:
        raise Http404
    return version


def _url(version: ContractVersion) -> str:
    return reverse("governance:version_detail", args=[version.contract.entity.slug, version.number])


# Breaches ---------------------------------------------------------------------------------------------------

COLUMNS = [
    Column("at", "At (UTC)"),
    Column("contract", "Contract", "version.contract.slug"),
    Column("version", "Version", "version.number"),
    Column("sync", "Sync"),
    Column("run", "Run", "run_id"),
    Column("external_id", "Record"),
    Column("field", "Field"),
    Column("rule", "Rule"),
    Column("value", "Value"),
    Column("sentence", "What is wrong"),
    Column("action", "What was done"),
    Column("is_at_source", "At the source"),
]
KEYS = {"contract": "Contract", "field": "Field", "rule": "Rule", "action": "Done", "sync": "Sync", "run": "Run"}


@requires("contracts.view")
def breach_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Records that broke their contract, and what was done with them."""
    selects = [Select("action", "Done", ContractBreach.Action.choices)]
    bar = FilterBar(request, keys=KEYS, selects=selects, hint="contract:project field:budget run:12")
    rows = breaches.breaches_for(me(request))
    for key, column in (("contract", "version__contract__slug"), ("field", "field"), ("rule", "rule")):
        if value := bar.get(key):
            rows = rows.filter(**{column: value})
    for key in ("action", "sync"):
        if value := bar.get(key):
            rows = rows.filter(**{key: value})
    if run := bar.get("run"):
        rows = rows.filter(run_id=int(run)) if run.isdecimal() and len(run) < 19 else rows.none()
    if bar.text:
        rows = rows.filter(external_id__startswith=bar.text)
    if fmt:
        return export_response(rows.order_by("pk"), COLUMNS, fmt, name="contract_breaches")
    return render_page(request, "governance/breach_list.html", {"bar": bar, "page": paginate(rows, request)})
