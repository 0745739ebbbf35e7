"""Acts on one exception, acts on many, and the jobs that carry them out. Each view makes one call."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from governance.models import Firm
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.common import home
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.home import Need
from hub.common.htmx import redirect_to, render_page, safe_next
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.sync.models import Replay, Sync
from hub.sync.payloads import masked_sentence, secret_by_sync
from monitoring.exceptions import act_forms, acts, jobs, work
from monitoring.exceptions.acts import Conflict
from monitoring.exceptions.choosing import RESOLVE, SEE
from monitoring.exceptions.doing import DOINGS
from monitoring.models import ExceptionItem, ExceptionJob, ExceptionJobItem, Mention

Action, Status = ExceptionJob.Action, ExceptionJobItem.Status
STATUS_CHOICES = [(status.name.lower(), str(status.label)) for status in Status]
# So many are done before the answer, so that a few clicks need no waiting.
AT_ONCE = 200
NO_RATE = Q(amount__isnull=False, amount_firm__isnull=True)
COLUMNS = [
    Column("job", "Job", "pk"),
    Column("action", "Act"),
    Column("state", "State"),
    Column("planned", "Planned"),
    Column("reason", "Reason"),
    Column("requested_by", "Asked for by", "requested_by.email"),
    Column("created_at", "Started (UTC)"),
    Column("finished_at", "Ended (UTC)"),
    Column("error", "Error"),
]
ITEM_COLUMNS = [
    Column("exception", "Exception", "item_id"),
    Column("title", "What", "item.title"),
    Column("status", "Result", lambda row: row.get_status_display()),
    Column("note", "Why", "shown"),
    Column("client", "Client", "item.client"),
    Column("amount", "Amount", "item.amount"),
    Column("currency", "Currency", "item.currency"),
    Column("amount_firm", "Amount in the firm's currency", "item.amount_firm"),
    Column("transaction", "Ledger", "transaction_id"),
]


def me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


# One ---------------------------------------------------------------------------------------------------------
@requires(RESOLVE)
@require_POST
def item_act(request: HttpRequest, pk: int, action: str) -> HttpResponse:
    """One act on one exception as it was seen in `version`; 409 with both sides when somebody was faster."""
    item = find_item(request, pk, RESOLVE)
    version = request.POST.get("version", "")
    given = {**act_forms.filled(request.POST), "time_zone": me(request).time_zone}
    try:
        acts.act(
            item=item,
            action=action,
            given=given,
            by=me(request),
            version=int(version) if version.isascii() and version.isdigit() and action != Action.COMMENT else None,
        )
    except Conflict as conflict:
        context = {"conflict": conflict, "item": conflict.item, "verb": DOINGS[action].word}
        return render_page(request, "exceptions/conflict.html", context, status=409)
    except HubError as error:
        messages.error(request, str(error))
    return redirect_to(request, safe_next(request, item.get_absolute_url()))


def find_item(request: HttpRequest, pk: int, permission: str) -> ExceptionItem:
    rows = scope_to_domains(ExceptionItem.objects.select_related("group", "assignee"), me(request), permission)
    return get_object_or_404(rows, pk=pk)


# Many --------------------------------------------------------------------------------------------------------
@requires(RESOLVE)
def bulk(request: HttpRequest) -> HttpResponse:
    """Posted by a list: leads to the page of what is chosen, with everything that can be done about it."""
    if request.method == "POST":
        asked = act_forms.asked_of_list(request.POST)
        if not asked and not request.POST.get("all"):
            messages.info(request, "Tick some rows first.")
            return redirect_to(request, safe_next(request, reverse("exceptions:list")))
        return redirect_to(request, f"{reverse('exceptions:bulk')}?{act_forms.query_of(asked)}")
    asked = act_forms.asked_of(request.GET)
    context: dict[str, Any] = {"asked": asked, "query": act_forms.query_of(asked), "token": token()}
    try:
        rows = act_forms.choice_of(request.GET, me(request)).rows(me(request))
    except HubError as error:
        return render_page(request, "exceptions/bulk.html", {**context, "error": error}, status=422)
    sums = rows.aggregate(number=Count("pk"), total=Sum("amount_firm"), unconverted=Count("pk", filter=NO_RATE))
    context |= {"sums": sums, "currency": firm_currency(), "people": act_forms.people()}
    context |= {"causes": act_forms.causes(), "rows": rows.order_by("-rank", "-pk")[:20]}
    return render_page(request, "exceptions/bulk.html", context)


@requires(RESOLVE)
@require_POST
def bulk_act(request: HttpRequest, action: str) -> HttpResponse:
    """The act on what is ticked, or on all that a filter matches, as a job."""
    expect = request.POST.get("expect", "")
    given = {**act_forms.filled(request.POST), "time_zone": me(request).time_zone}
    try:
        job, made = jobs.start(
            act_forms.choice_of(request.POST, me(request)),
            action,
            given,
            by=me(request),
            reason=request.POST.get("reason", ""),
            token=request.POST.get("token", "")[:64],
            expect=int(expect) if expect.isascii() and expect.isdigit() else None,
        )
    except HubError as error:
        messages.error(request, str(error))
        return redirect_to(request, safe_next(request, reverse("exceptions:job_list")))
    return to_job(request, job, made)


def to_job(request: HttpRequest, job: ExceptionJob | None, made: bool) -> HttpResponse:
    if job is None:
        messages.info(request, "Nothing was left to do.")
        return redirect_to(request, safe_next(request, reverse("exceptions:job_list")))
    if not made:
        messages.info(request, f"{job} is for this already; nothing was started twice.")
    elif job.planned <= AT_ONCE:
        work.execute(job.pk, slice_seconds=1)
    return redirect_to(request, reverse("exceptions:job", args=[job.pk]))


# Jobs --------------------------------------------------------------------------------------------------------
@requires(SEE)
def job_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    bar = FilterBar(
        request,
        keys={"state": "State", "action": "Act"},
        selects=[Select("state", "State", ExceptionJob.State.choices), Select("action", "Act", Action.choices)],
        hint="Number of a job",
    )
    rows = jobs.jobs_for(me(request), SEE)
    for name in bar.keys:
        if value := bar.get(name):
            rows = rows.filter(**{name: value})
    if bar.text.isascii() and bar.text.isdigit():
        rows = rows.filter(pk=int(bar.text[:18]))
    if fmt:
        return export_response(rows.order_by("-pk"), COLUMNS, fmt, name="exception-jobs")
    page = paginate(rows, request, order=("-id",))
    context = {"bar": bar, "page": page, "rows": [(job, jobs.numbers(job)) for job in page]}
    return render_page(request, "exceptions/job_list.html", context)


@requires(SEE)
def job(request: HttpRequest, pk: int, fmt: str = "") -> HttpResponseBase:
    found = _find(request, pk, SEE)
    bar = FilterBar(
        request, keys={"status": "Result"}, selects=[Select("status", "Result", STATUS_CHOICES)], hint="Title"
    )
    items = found.items.select_related("item")
    if (status := bar.get("status").upper()) in Status.__members__:
        items = items.filter(status=Status[status])
    if bar.text:
        items = items.filter(item__title__icontains=bar.text)
    if fmt:
        rows = _shown(list(items.order_by("pk")))
        return export_response(rows, ITEM_COLUMNS, fmt, name=f"exception-job-{pk}")
    page = paginate(items, request, order=("id",))
    _shown(page.rows)
    can_act = me(request).has_hub_perm(RESOLVE) or bool(me(request).domain_ids_for(RESOLVE))
    context = {
        **_live(found),
        "bar": bar,
        "page": page,
        "can_cancel": can_act and found.is_open and found.action != Action.WRITE_OFF,
        "can_undo": can_act and jobs.may_undo(found),
        "can_retry": can_act and found.action == Action.RETRY and not found.is_open,
        "replay": Replay.objects.filter(pk=found.replay_id or 0).first(),
    }
    return render_page(request, "exceptions/job.html", context)


def _shown(rows: list[ExceptionJobItem]) -> list[ExceptionJobItem]:
    """Each with the sentence as it may be shown: what the contract masks is left out."""
    syncs = Sync.objects.filter(pk__in={row.item.sync_id for row in rows if row.item.sync_id})
    secret = secret_by_sync(syncs)
    for row in rows:
        row.shown = masked_sentence(row.note, secret.get(row.item.sync_id or 0, ()))  # type: ignore[attr-defined]
    return rows


@requires(SEE)
def job_live(request: HttpRequest, pk: int) -> HttpResponse:
    """The part that changes while the job is open; the whole page once it has ended."""
    found = _find(request, pk, SEE)
    response = render(request, "exceptions/_job_live.html", _live(found))
    if not found.is_open:
        response["HX-Refresh"] = "true"
    return response


def _live(found: ExceptionJob) -> dict[str, Any]:
    numbers = jobs.numbers(found)
    under_way = numbers["planned"] + numbers["under_way"]
    return {"job": found, "numbers": numbers, "under_way": under_way, "ended": found.planned - under_way}


def _find(request: HttpRequest, pk: int, permission: str) -> ExceptionJob:
    return get_object_or_404(jobs.jobs_for(me(request), permission), pk=pk)


@requires(RESOLVE)
@require_POST
def job_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    found = _find(request, pk, RESOLVE)
    if jobs.cancel(job=found, by=me(request)):
        messages.success(request, f"{found} is cancelled. What was sent already goes its way.")
    else:
        messages.info(request, f"{found} had ended already.")
    return redirect_to(request, found.get_absolute_url())


@requires(RESOLVE)
@require_POST
def job_undo(request: HttpRequest, pk: int) -> HttpResponse:
    found = _find(request, pk, RESOLVE)
    try:
        undone = jobs.undo(job=found, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
        return redirect_to(request, found.get_absolute_url())
    return to_job(request, undone, made=True)


@requires(RESOLVE)
@require_POST
def job_retry_failed(request: HttpRequest, pk: int) -> HttpResponse:
    found = _find(request, pk, RESOLVE)
    try:
        again, made = jobs.retry_failed(job=found, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
        return redirect_to(request, found.get_absolute_url())
    return to_job(request, again, made)


def firm_currency() -> str:
    return Firm.objects.values_list("currency", flat=True).first() or ""


def token() -> str:
    return uuid.uuid4().hex


@home.needs(SEE)
def mentioned(request: HttpRequest) -> list[Need]:
    """Comments that name the person and that they have not opened yet."""
    rows = Mention.objects.filter(person=me(request), seen_at__isnull=True).select_related("event__item", "event__by")
    seen = scope_to_domains(rows, me(request), SEE, "event__item__domain").order_by("-pk")[:20]
    return [
        Need(
            f"{each.event.by or 'Somebody'} asks you about {each.event.item.title}",
            each.event.item.get_absolute_url(),
            detail=each.event.text[:200],
            client=each.event.item.client_name or each.event.item.client,
            due_at=each.event.item.due_at,
        )
        for each in seen
    ]
