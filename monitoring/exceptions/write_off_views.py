"""Write-offs on screen: what would be given up, the request, and the second person's word."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST

from hub.common import home
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.home import Need
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires
from monitoring.exceptions import act_forms, writeoffs
from monitoring.exceptions.act_views import AT_ONCE, me, token
from monitoring.exceptions.choosing import RESOLVE, SEE
from monitoring.exceptions.work import execute
from monitoring.exceptions.writeoffs import DECIDE
from monitoring.models import WriteOff

COLUMNS = [
    Column("write_off", "Write-off", "pk"),
    Column("state", "State"),
    Column("reason_code", "Why"),
    Column("reason", "Reason"),
    Column("number", "Exceptions"),
    Column("amount_firm", "Amount"),
    Column("currency", "Currency"),
    Column("unconverted", "Without a rate", lambda row: ", ".join(f"{a} {c}" for c, a in row.unconverted.items())),
    Column("approval", "Why a second person"),
    Column("requested_by", "Asked for by", "requested_by.email"),
    Column("created_at", "Asked for (UTC)"),
    Column("decided_by", "Decided by", "decided_by.email"),
    Column("decided_at", "Decided (UTC)"),
    Column("decision_note", "Note"),
]


@requires(RESOLVE)
def write_off_new(request: HttpRequest) -> HttpResponse:
    """What would be given up, and whether somebody has to agree; posted with reason and typed word, the request."""
    asked = act_forms.asked_of(request.GET)
    context: dict[str, Any] = {
        "asked": asked,
        "query": act_forms.query_of(asked),
        "reasons": WriteOff.ReasonCode.choices,
        "confirm": writeoffs.CONFIRM,
        "token": token(),
        "posted": act_forms.filled(request.POST),
    }
    try:
        choice = act_forms.choice_of(request.GET, me(request))
        if request.method == "POST":
            return _ask(request, writeoffs_choice=choice)
        context["preview"] = writeoffs.preview(choice, by=me(request))
        return render_page(request, "exceptions/writeoff_new.html", context)
    except HubError as error:
        if request.method == "POST":
            context["preview"] = writeoffs.preview(act_forms.choice_of(request.GET, me(request)), by=me(request))
        status = 409 if error.code == "CHANGED_MEANWHILE" else 422
        return render_page(request, "exceptions/writeoff_new.html", {**context, "error": error}, status=status)


def _ask(request: HttpRequest, *, writeoffs_choice: object) -> HttpResponse:
    expect = request.POST.get("expect", "")
    made = writeoffs.request(
        writeoffs_choice,  # type: ignore[arg-type]
        reason_code=request.POST.get("reason_code", ""),
        reason=request.POST.get("reason", ""),
        typed=request.POST.get("typed", ""),
        by=me(request),
        expect=int(expect) if expect.isascii() and expect.isdigit() else None,
        token=request.POST.get("token", "")[:64],
    )
    _at_once(made)
    return redirect_to(request, made.get_absolute_url())


def _at_once(made: WriteOff) -> None:
    job = made.jobs.first()
    if job and job.planned <= AT_ONCE:
        execute(job.pk, slice_seconds=1)


@requires(SEE)
def write_off_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    bar = FilterBar(
        request,
        keys={"state": "State", "reason": "Why"},
        selects=[
            Select("state", "State", WriteOff.State.choices),
            Select("reason", "Why", WriteOff.ReasonCode.choices),
        ],
        hint="Words of the reason",
    )
    rows = writeoffs.write_offs_for(me(request))
    if state := bar.get("state"):
        rows = rows.filter(state=state)
    if code := bar.get("reason"):
        rows = rows.filter(reason_code=code)
    if bar.text:
        rows = rows.filter(reason__icontains=bar.text)
    if fmt:
        return export_response(rows.order_by("-pk"), COLUMNS, fmt, name="write-offs")
    page = paginate(rows, request, order=("-id",))
    return render_page(request, "exceptions/writeoff_list.html", {"bar": bar, "page": page})


@requires(SEE)
def write_off(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(writeoffs.write_offs_for(me(request)), pk=pk)
    items = found.items.select_related("item")
    context = {
        "write_off": found,
        "page": paginate(items, request, order=("id",)),
        "job": found.jobs.first(),
        "can_decide": writeoffs.may_decide(found, me(request)),
        "can_withdraw": found.is_waiting and found.requested_by_id == me(request).pk,
    }
    return render_page(request, "exceptions/writeoff.html", context)


@requires(DECIDE)
@require_POST
def write_off_decide(request: HttpRequest, pk: int, verdict: str) -> HttpResponse:
    """The second person agrees, or declines with a reason."""
    found = get_object_or_404(writeoffs.write_offs_for(me(request), DECIDE), pk=pk)
    note = request.POST.get("reason", "")
    try:
        if verdict == "approve":
            done = writeoffs.approve(write_off=found, by=me(request), note=note)
        else:
            done = writeoffs.decline(write_off=found, by=me(request), note=note)
    except HubError as error:
        messages.error(request, str(error))
    else:
        words = f"{found}: {found.get_state_display().lower()}." if done else f"{found} was decided already."
        messages.success(request, words) if done else messages.info(request, words)
        _at_once(found)
    return redirect_to(request, found.get_absolute_url())


@requires(RESOLVE)
@require_POST
def write_off_withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(writeoffs.write_offs_for(me(request), RESOLVE), pk=pk)
    try:
        writeoffs.withdraw(write_off=found, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
    return redirect_to(request, found.get_absolute_url())


@home.needs(DECIDE)
def write_offs_to_decide(request: HttpRequest) -> list[Need]:
    """What others want to give up, and this person may agree to."""
    rows = writeoffs.write_offs_for(me(request), DECIDE).filter(state=WriteOff.State.WAITING)
    return [
        Need(
            f"Write-off of {each.number:,} {'exception' if each.number == 1 else 'exceptions'}",
            reverse("exceptions:write_off", args=[each.pk]),
            action="Decide",
            detail=f"{each.get_reason_code_display()}: {each.reason}",
            amount=each.amount_firm,
            currency=each.currency,
            state="review",
        )
        for each in rows.exclude(requested_by=me(request)).order_by("pk")[:20]
    ]
