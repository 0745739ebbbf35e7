"""Fix once, plan, retry all: one page for an exception, a cause or a choice, and the report of corrected payloads."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse

from hub.accounts.queries import scope_to_domains
from hub.common.errors import ConfigError, HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.governed import Held
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.sync.models import Sync
from hub.sync.payloads import secret_by_sync
from monitoring.exceptions import act_forms, applying, fixes, plans
from monitoring.exceptions.act_views import firm_currency, me, to_job, token
from monitoring.exceptions.choosing import RESOLVE, SEE, Choice
from monitoring.models import PayloadOverride

MASK = "•••••"


@requires(RESOLVE)
def fix(request: HttpRequest) -> HttpResponse:
    """What suits the choice of the address; posted, the plan of one fix; posted again with its mark, the fix and the retry."""
    asked = act_forms.asked_of(request.GET)
    try:
        choice = act_forms.choice_of(request.GET, me(request))
        if request.method == "POST":
            return (
                _apply(request, choice, asked) if request.POST.get("step") == "apply" else _plan(request, choice, asked)
            )
    except Held as held:
        messages.success(request, held.put.said)
        return redirect_to(request, held.put.url or reverse("exceptions:job_list"))
    except HubError as error:
        return _page(request, _choice(request), asked, error=error, status=409 if _is_late(error) else 422)
    return _page(request, choice, asked)


def _choice(request: HttpRequest) -> Choice | None:
    try:
        return act_forms.choice_of(request.GET, me(request))
    except HubError:
        return None


def _is_late(error: HubError) -> bool:
    return error.code == "CHANGED_MEANWHILE"


def _given(request: HttpRequest, choice: Choice) -> tuple[fixes.Fix, dict[str, Any]]:
    found = fixes.find(request.POST.get("fix", ""))
    items = plans.looked_at(choice, by=me(request))
    if not items:
        raise ConfigError("Nothing is left to fix.", fix="It was settled meanwhile.", code="CHANGED_MEANWHILE")
    return found, found.cleaned(items, act_forms.filled(request.POST), by=me(request))


def _plan(request: HttpRequest, choice: Choice, asked: dict[str, str]) -> HttpResponse:
    found, given = _given(request, choice)
    plan = plans.make(choice, found, given, by=me(request)) if found.retries(given) else None
    mark = plan.mark if plan else plans.mark_of(choice, found, given, by=me(request))
    return _page(request, choice, asked, plan=plan, chosen=found.slug, given=given, mark=mark, is_planned=True)


def _apply(request: HttpRequest, choice: Choice, asked: dict[str, str]) -> HttpResponse:
    found, given = _given(request, choice)
    job, made = applying.go(
        choice,
        found.slug,
        given,
        by=me(request),
        mark=request.POST.get("mark", ""),
        token=request.POST.get("token", "")[:64],
    )
    if job is None and made:
        messages.success(request, f"{found.title}: done.")
        return redirect_to(request, reverse("exceptions:job_list"))
    return to_job(request, job, made)


def _page(
    request: HttpRequest,
    choice: Choice | None,
    asked: dict[str, str],
    *,
    error: HubError | None = None,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    items = plans.looked_at(choice, by=me(request)) if choice else []
    number = choice.rows(me(request)).count() if choice else 0
    context = {
        "asked": asked,
        "query": act_forms.query_of(asked),
        "number": number,
        "items": items[:20],
        "title": act_forms.title_of(choice, number, items) if choice else "Fix",
        "back_url": act_forms.back_url(items, number),
        "offers": fixes.offers(items, by=me(request)),
        "posted": act_forms.filled(request.POST),
        "chosen": request.POST.get("fix", ""),
        "token": token(),
        "currency": firm_currency(),
        "error": error,
        **more,
    }
    return render_page(request, "exceptions/fix.html", context, status=status)


# Corrected payloads --------------------------------------------------------------------------------------------
COLUMNS = [
    Column("exception", "Exception", "item_id"),
    Column("title", "What", "item.title"),
    Column("external_id", "External id"),
    Column("changes", "Before and after", lambda row: "; ".join(f"{p}: {b} → {a}" for p, b, a in row.shown)),
    Column("reason", "Reason"),
    Column("by", "By", "by.email"),
    Column("state", "State"),
    Column("created_at", "Corrected (UTC)"),
    Column("settled_at", "Settled (UTC)"),
    Column("period", "Period", "item.period"),
    Column("amount", "Amount", "item.amount"),
    Column("currency", "Currency", "item.currency"),
    Column("transaction", "Ledger", "transaction_id"),
]


@requires(SEE)
def override_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Every payload that a person corrected in the hub, for the close binder."""
    bar = FilterBar(
        request,
        keys={"state": "State", "period": "Period"},
        selects=[Select("state", "State", PayloadOverride.State.choices)],
        hint="External id",
    )
    rows = PayloadOverride.objects.select_related("item", "by")
    rows = scope_to_domains(rows, me(request), SEE, "item__domain")
    if state := bar.get("state"):
        rows = rows.filter(state=state)
    if period := bar.get("period"):
        rows = rows.filter(item__period=period)
    if bar.text:
        rows = rows.filter(external_id=bar.text)
    if fmt:
        return export_response(_shown(list(rows.order_by("-pk"))), COLUMNS, fmt, name="corrected-payloads")
    page = paginate(rows, request, order=("-id",))
    _shown(page.rows)
    return render_page(request, "exceptions/override_list.html", {"bar": bar, "page": page})


def _shown(rows: list[PayloadOverride]) -> list[PayloadOverride]:
    """Each with (path, before, after); what a contract masks since then is masked."""
    secret = secret_by_sync(Sync.objects.filter(pk__in={row.sync_id for row in rows}))
    for row in rows:
        hidden = secret.get(row.sync_id, frozenset())
        pairs = [(p, *((MASK, MASK) if p in hidden else pair)) for p, pair in row.changes.items()]
        row.shown = pairs  # type: ignore[attr-defined]
    return rows
