"""First loads: their list, the wizard's three steps (choose, read, decide and approve), and one record with its candidates."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.htmx import redirect_to, render_page, safe_next, wants_fragment
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.sync import totals
from hub.sync.adopt import judging, masks, queries, services
from hub.sync.adopt.forms import AcceptForm, DecisionForm, StartForm, contract_fields
from hub.sync.models import Adoption, StagedRecord
from hub.sync.views.common import may_in, me, tell

SEE, RUN, APPROVE = "ledger.view", "syncs.run", "approvals.decide"
COLUMNS = [
    Column("id", "First load", "pk"),
    Column("target", "Delivers to", "target.slug"),
    Column("source", "Matched with", lambda row: row.source.slug if row.source else "hub"),
    Column("status", "State"),
    Column("read_source", "Read at the source"),
    Column("read_target", "Read at the target"),
    Column("created_at", "Begun (UTC)"),
    Column("approved_at", "Approved (UTC)"),
    Column("approved_by", "Approved by", lambda row: str(row.approved_by or "")),
    Column("finished_at", "Finished (UTC)"),
]
LINE_COLUMNS = [
    Column("key", "Key"),
    Column("label", "Name"),
    Column("external_id", "External id"),
    Column("verdict", "Verdict"),
    Column("decision", "Decision"),
    Column("score", "Score"),
    Column("partner_key", "Key at the target", lambda row: row.partner.key if row.partner else None),
    Column("partner", "Id at the target", lambda row: row.partner.external_id if row.partner else None),
    Column("amount", "Amount", lambda row: totals.exact(row.amount)),
    Column("currency", "Currency"),
    Column("why", "Why"),
    Column("differences", "Differences", lambda row: "; ".join(map(_in_words, row.differences))),
]


def _in_words(one: dict[str, Any]) -> str:
    return f"{one['field']}: {one['there']!r} there, {one['here']!r} here, {one['wins']} wins"


def find_adoption(request: HttpRequest, pk: int, permission: str) -> Adoption:
    return get_object_or_404(queries.adoptions_for(me(request), permission), pk=pk)


# The list, and the first step ----------------------------------------------------------------------------------
@requires(SEE)
def adoption_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    rows = queries.adoptions_for(me(request), SEE)
    if fmt:
        return export_response(rows.order_by("-pk"), COLUMNS, fmt, name="first-loads")
    context = {"page": paginate(rows, request, order=("-id",)), "can_run": me(request).has_hub_perm(RUN)}
    return render(request, "sync/adoption_list.html", context)


@requires(RUN)
@require_http_methods(["GET", "POST"])
def adoption_new(request: HttpRequest) -> HttpResponse:
    initial = {name: request.GET[name] for name in ("target", "source") if request.GET.get(name)}
    form = StartForm(request.POST or None, user=me(request), initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            adoption = services.start(**form.cleaned_data, by=me(request))
        except HubError as error:
            form.add_error(None, str(error))
        else:
            return redirect_to(request, reverse("sync:adoption", args=[adoption.pk]))
    return render(request, "sync/adoption_new.html", {"form": form}, status=422 if form.errors else 200)


# One first load ------------------------------------------------------------------------------------------------
@requires(SEE)
@never_cache
def adoption_detail(request: HttpRequest, pk: int, fmt: str = "") -> HttpResponseBase:
    """`?group=maybe` chooses the lines; while it reads and matches, its progress."""
    adoption = find_adoption(request, pk, SEE)
    groups = queries.summary(adoption)
    chosen = _chosen(request, groups)
    rows = queries.of_group(adoption, chosen.name).defer("record", "partner__record")
    if fmt:
        lines = masks.shown(rows.order_by("pk"), adoption, me(request))
        return export_response(lines, LINE_COLUMNS, fmt, name=f"first-load-{pk}-{chosen.name}")
    page = paginate(rows, request, order=("-score", "id"))
    page.rows[:] = masks.shown(page.rows, adoption, me(request))
    context = _frame(request, adoption, groups) | {
        "group": chosen,
        "page": page,
        "tabs": _tabs(adoption, groups, chosen),
    }
    response = render_page(request, "sync/adoption.html", context, partial="sync/_adoption_live.html")
    if wants_fragment(request) and not context["is_working"]:
        response["HX-Refresh"] = "true"
    return response


def _chosen(request: HttpRequest, groups: list[queries.Group]) -> queries.Group:
    """The group that is asked for; else the first that wants a person, else the first that has records."""
    asked = next((group for group in groups if group.name == request.GET.get("group")), None)
    maybe = next(group for group in groups if group.name == "maybe")
    return asked or next((group for group in (maybe, *groups) if group.number), maybe)


def _tabs(
    adoption: Adoption, groups: list[queries.Group], chosen: queries.Group
) -> list[tuple[str, str, bool, int | None]]:
    url = reverse("sync:adoption", args=[adoption.pk])
    shown = [group for group in groups if group.number or group.name in ("maybe", "create", chosen.name)]
    return [(group.word, f"{url}?group={group.name}", group is chosen, group.number) for group in shown]


def _frame(request: HttpRequest, adoption: Adoption, groups: list[queries.Group]) -> dict[str, Any]:
    """What every part of the page needs: its state, the counts and which buttons the person may press."""
    counts = {group.name: group for group in groups}
    is_decidable = adoption.status in services.DECIDABLE
    to_do = sum(counts[name].number - counts[name].applied for name in ("linked", "conflict", "create"))
    may_run, may_approve = may_in(request, RUN, adoption.target), may_in(request, APPROVE, adoption.target)
    return {
        "adoption": adoption,
        "counts": counts,
        "to_do": to_do,
        "is_working": adoption.status in Adoption.WORKING and not adoption.is_halted,
        "has_result": adoption.status not in ("waiting", "reading", "matching", "abandoned"),
        "can_decide": is_decidable and may_run,
        "can_approve": is_decidable and bool(to_do or adoption.status == "review") and may_approve,
        "can_abandon": adoption.is_open and adoption.approved_at is None and may_run,
        "can_resume": adoption.is_halted and may_run,
        "accept_at": adoption.rules.get("maybe_at", 75) + 10,
    }


@requires(SEE)
@never_cache
def adoption_record(request: HttpRequest, pk: int, row: int) -> HttpResponse:
    """A source record beside its candidates, field by field."""
    adoption = find_adoption(request, pk, SEE)
    found = get_object_or_404(StagedRecord.objects.select_related("partner", "decided_by"), adoption=adoption, pk=row)
    found.adoption = adoption
    near, twins = queries.near(found), queries.twins(found)
    masks.shown([found, *(one for _, one, _ in near), *(one for _, one in twins)], adoption, me(request))
    is_open = found.side == 1 and found.applied_at is None and found.verdict not in ("known", "refused")
    context = {
        "adoption": adoption,
        "row": found,
        "near": near,
        "twins": twins,
        "fields": _side_by_side(found, [one for _, one, _ in near] or [one for _, one in twins]),
        "can_decide": is_open and adoption.status in services.DECIDABLE and may_in(request, RUN, adoption.target),
    }
    return render(request, "sync/adoption_record.html", context)


def _side_by_side(row: StagedRecord, others: list[StagedRecord]) -> list[tuple[str, Any, list[tuple[Any, bool]]]]:
    """(contract field, its value, [(value of another record, whether it differs)])"""
    names = dict.fromkeys(field.name for field in contract_fields(row.adoption.entity))
    return [
        (name, row.body.get(name), [(one.body.get(name), one.body.get(name) != row.body.get(name)) for one in others])
        for name in names
        if any(one.body.get(name) not in judging.EMPTY for one in (row, *others))
    ]


# Acts ------------------------------------------------------------------------------------------------------------
@requires(RUN)
@require_POST
def adoption_decide(request: HttpRequest, pk: int, row: int) -> HttpResponse:
    adoption = find_adoption(request, pk, RUN)
    found = get_object_or_404(StagedRecord, adoption=adoption, pk=row)
    form = DecisionForm(request.POST)
    try:
        if not form.is_valid():
            messages.error(request, "Choose whether it is the same, new or left out.")
        else:
            chosen = form.cleaned_data
            services.decide(row=found, decision=chosen["decision"], partner_id=chosen["partner"], by=me(request))
            messages.success(request, f"{found}: {dict(form.fields['decision'].choices)[chosen['decision']].lower()}.")  # type: ignore[attr-defined]
    except HubError as error:
        tell(request, error)
        return redirect_to(request, reverse("sync:adoption_record", args=[pk, row]))
    return redirect_to(request, safe_next(request, f"{reverse('sync:adoption', args=[pk])}?group=maybe"))


@requires(RUN)
@require_POST
def adoption_accept(request: HttpRequest, pk: int) -> HttpResponse:
    adoption, form = find_adoption(request, pk, RUN), AcceptForm(request.POST)
    if form.is_valid():
        number = services.accept(adoption=adoption, at_least=form.cleaned_data["at_least"], by=me(request))
        messages.success(request, f"{number:,} records are linked to their best candidate.")
    else:
        messages.error(request, "Say from which score on, 1 to 100.")
    return redirect_to(request, f"{reverse('sync:adoption', args=[pk])}?group=maybe")


@requires(APPROVE)
@require_POST
def adoption_approve(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(
        request, find_adoption(request, pk, APPROVE), services.approve, "It links now, then releases what is new."
    )


@requires(RUN)
@require_POST
def adoption_abandon(request: HttpRequest, pk: int) -> HttpResponse:
    done = "It is abandoned. Nothing was written at either system."
    return _act(request, find_adoption(request, pk, RUN), services.abandon, done)


@requires(RUN)
@require_POST
def adoption_resume(request: HttpRequest, pk: int) -> HttpResponse:
    return _act(request, find_adoption(request, pk, RUN), services.resume, "It goes on.")


def _act(request: HttpRequest, adoption: Adoption, act: Any, done: str) -> HttpResponse:
    try:
        act(adoption=adoption, by=me(request))
    except HubError as error:
        tell(request, error)
    else:
        messages.success(request, done)
    return redirect_to(request, reverse("sync:adoption", args=[adoption.pk]))
