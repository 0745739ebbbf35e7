"""Possible duplicates: their list, and one beside the records that it may be, with the decision."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from hub.common import facts
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.records.reading import Described
from hub.sync import queries as syncs
from hub.sync import totals
from hub.sync.duplicates import consequences, queries, services, sides
from hub.sync.duplicates.forms import KEYS, DecisionForm
from hub.sync.models import Duplicate
from hub.sync.views.common import may_in, me, tell

STATES = [("open", "Open"), ("decided", "Decided"), ("done", "Taken in"), ("gone", "No longer held")]
SORTS = {"": ("-score", "id"), "age": ("first_at", "id")}
SAID = {
    "link": "{key} is linked to {record}; a worker takes it in.",
    "merge": "{key} is merged into {record}; a worker takes it in.",
    "new": "{key} is new; a worker takes it in.",
}
COLUMNS = [
    Column("duplicate", "Duplicate", "pk"),
    Column("entity", "Entity", "sync.entity.slug"),
    Column("key", "Record", "key"),
    Column("external_id", "External id"),
    Column("sync", "Sync", "sync.slug"),
    Column("may_be", "May be", "record.key"),
    Column("score", "Score"),
    Column("rule", "Rule"),
    Column("amount", "Amount", lambda row: totals.exact(row.amount)),
    Column("currency", "Currency"),
    Column("state", "State", "status"),
    Column("decision", "Decision"),
    Column("reason", "Reason"),
    Column("decided_by", "Decided by"),
    Column("first_at", "Held since (UTC)"),
]


@requires("ledger.view")
def duplicate_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    bar = _bar(request)
    rows = _filtered(request, bar)
    order = SORTS.get(request.GET.get("sort", ""), SORTS[""])
    if fmt:
        return export_response(rows.order_by(*order), COLUMNS, fmt, name="possible-duplicates")
    context = {
        "bar": bar,
        "page": paginate(rows, request, order=order),
        "number": rows.count(),
        "amounts": totals.amounts(rows),
        "has_rules": syncs.syncs_for(me(request), "ledger.view")
        .filter(mapping__entity__match_rules__is_active=True)
        .exists(),
        "tabs": _tabs(request, bar.get("state") or "open"),
        "is_by_age": order == SORTS["age"],
    }
    return render(request, "sync/duplicate_list.html", context)


def _tabs(request: HttpRequest, current: str) -> list[tuple[str, str, bool, int | None]]:
    """For components/tabs.html; only what is open is worth a count."""
    url, number = reverse("sync:duplicate_list"), queries.open_for(me(request)).count()
    return [
        (
            word,
            url if state == "open" else f"{url}?state={state}",
            state == current,
            number if state == "open" else None,
        )
        for state, word in STATES
    ]


def _bar(request: HttpRequest) -> FilterBar:
    inbound = syncs.syncs_for(me(request), "ledger.view").filter(mapping__direction="in")
    names = list(inbound.order_by("name").values_list("slug", "name"))
    return FilterBar(
        request,
        keys={"entity": "Entity", "sync": "Sync", "state": "State", "run": "Run"},
        selects=[Select("sync", "Sync", names)],
        hint="A key or an external id",
    )


def _filtered(request: HttpRequest, bar: FilterBar) -> QuerySet[Duplicate]:
    rows = queries.duplicates_for(me(request), "ledger.view").filter(status=bar.get("state") or "open")
    if slug := bar.get("sync"):
        rows = rows.filter(sync__slug=slug)
    if entity := bar.get("entity"):
        rows = rows.filter(sync__mapping__entity__slug=entity)
    if (run := bar.get("run")).isdecimal():
        rows = rows.filter(run_id=int(run[:18]))
    if bar.text:
        rows = rows.filter(Q(key=bar.text) | Q(external_id=bar.text) | Q(record__key=bar.text))
    return rows


# One of them -----------------------------------------------------------------------------------------------
@requires("ledger.view")
@never_cache
def duplicate_detail(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(queries.duplicates_for(me(request), "ledger.view"), pk=pk)
    return _page(request, found)


@requires("payloads.reveal")
@never_cache
@require_POST
def duplicate_reveal(request: HttpRequest, pk: int) -> HttpResponse:
    """The same page with nothing masked; that it was asked for is kept."""
    found = get_object_or_404(queries.duplicates_for(me(request), "payloads.reveal"), pk=pk)
    facts.publish("payload_revealed", held=found, fields=["body"], by=me(request))
    return _page(request, found, revealed=True)


@requires("ledger.replay")
@require_http_methods(["POST"])
def duplicate_decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep the decision, then show the next one."""
    found = get_object_or_404(queries.duplicates_for(me(request), "ledger.replay"), pk=pk)
    form = DecisionForm(request.POST, candidates=queries.candidates_of(found))
    if not form.is_valid():
        return _page(request, found, form=form)
    values = form.cleaned_data
    try:
        services.decide(
            duplicate=found,
            decision=values["decision"],
            record=values["record"],
            reason=values["reason"],
            by=me(request),
        )
    except HubError as error:
        tell(request, error)
        return redirect_to(request, found.get_absolute_url())
    messages.success(request, SAID[values["decision"]].format(key=found.key, record=values["record"]))
    following = queries.next_after(me(request), found)
    return redirect_to(request, following.get_absolute_url() if following else reverse("sync:duplicate_list"))


def _page(
    request: HttpRequest, found: Duplicate, *, form: DecisionForm | None = None, revealed: bool = False
) -> HttpResponse:
    candidates = queries.candidates_of(found)
    described = Described(found.sync.entity)
    rows = sides.rows_of(found, candidates, described, revealed=revealed)
    is_masked = any(described.masked(body) for body in (found.body, *(one.body for one in candidates)))
    by_id = {one["record"]: one for one in found.candidates}
    waiting = queries.waiting_for(found)
    context: dict[str, Any] = {
        "duplicate": found,
        "sync": found.sync,
        "held": queries.held_of(found),
        "rows": rows,
        "candidates": [(one, by_id[one.pk]) for one in candidates],
        "form": form or DecisionForm(candidates=candidates, initial=_initial(found, candidates)),
        "choices": _choices(found, candidates),
        "waiting": waiting.count(),
        "waiting_amounts": totals.amounts(waiting),
        "can_decide": found.is_open and may_in(request, "ledger.replay", found.sync),
        "can_reveal": is_masked and not revealed and may_in(request, "payloads.reveal", found.sync),
        "revealed": revealed,
        "following": queries.next_after(me(request), found),
    }
    return render(request, "sync/duplicate_detail.html", context, status=422 if form else 200)


def _initial(found: Duplicate, candidates: list[Any]) -> dict[str, Any]:
    return {"decision": "link", "record": candidates[0].pk} if candidates else {"decision": "new"}


def _choices(found: Duplicate, candidates: list[Any]) -> list[tuple[str, str, str, list[str]]]:
    """(decision, its words, its key, what follows)"""
    said = consequences.of_decisions(found)
    shown = [choice for choice in Duplicate.Decision if candidates or choice == Duplicate.Decision.NEW]
    return [(choice.value, str(choice.label), KEYS[choice], said[choice.value]) for choice in shown]
