"""Stopped values: the list, one of them side by side with what the hub holds, and what a person decides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from governance.models import Entity
from hub.accounts.queries import scope_to_domains
from hub.common.errors import HubError
from hub.common.exports import CHUNK, Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.sync import totals
from hub.sync.models import BlockedValue, Sync
from hub.sync.ownership import deciding
from hub.sync.ownership.queries import DECIDE, SEE, Shown, blocked_for, shown
from hub.sync.views.common import me, tell

State = BlockedValue.State
STATES = [(state.name.lower(), state.label) for state in State]
COLUMNS = [
    Column("entity", "Entity", "row.entity.slug"),
    Column("key", "Record", "row.record.key"),
    Column("field", "Field", "row.field"),
    Column("system", "System", "row.system.slug"),
    Column("offered", "Offered", lambda one: _text(one.offered)),
    Column("kept", "Kept", lambda one: _text(one.kept)),
    Column("rule", "Rule", "row.rule"),
    Column("policy", "Policy", "row.policy"),
    Column("state", "State", lambda one: one.row.get_state_display()),
    Column("note", "Note", "row.note"),
    Column("run", "Run", "row.run_id"),
    Column("amount", "Amount", lambda one: totals.exact(one.row.amount)),
    Column("currency", "Currency", "row.currency"),
    Column("times", "Times", "row.times"),
    Column("first_at", "First (UTC)", "row.first_at"),
    Column("last_at", "Last (UTC)", "row.last_at"),
    Column("decided_by", "Decided by", "row.decided_by"),
    Column("reason", "Reason", "row.reason"),
]


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


@requires(SEE)
@never_cache
def blocked_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Values that systems offered and may not set, the newest first."""
    bar = _bar(request)
    rows = _filtered(request, bar)
    if fmt:
        found: Iterable[Shown] = shown(rows.order_by("-last_at", "-pk").iterator(chunk_size=CHUNK))
        return export_response(found, COLUMNS, fmt, name="stopped-values")
    page = paginate(rows, request, order=("-last_at", "-id"))
    context = {"bar": bar, "page": page, "rows": list(shown(page)), "amounts": _amounts(rows)}
    return render(request, "sync/blocked_list.html", {**context, "number": rows.count()})


def _bar(request: HttpRequest) -> FilterBar:
    entities = scope_to_domains(Entity.objects.all(), me(request), SEE).filter(ownership_rules__isnull=False)
    keys = {"entity": "Entity", "state": "State", "field": "Field", "system": "System", "rule": "Rule", "run": "Run"}
    return FilterBar(
        request,
        keys=keys,
        selects=[
            Select("entity", "Entity", list(entities.distinct().order_by("name").values_list("slug", "name"))),
            Select("state", "State", STATES),
        ],
        hint="field: system: rule: or a key",
    )


def _filtered(request: HttpRequest, bar: FilterBar) -> QuerySet[BlockedValue]:
    rows = blocked_for(me(request))
    words = {"entity": "entity__slug", "field": "field", "system": "system__slug", "rule": "rule"}
    rows = rows.filter(**{column: bar.get(word) for word, column in words.items() if bar.get(word)})
    if state := {s.name.lower(): s for s in State}.get(bar.get("state")):
        rows = rows.filter(state=state)
    run = bar.get("run")
    if run.isascii() and run.isdigit() and len(run) <= 18:
        rows = rows.filter(run_id=int(run))
    return rows.filter(record__key=bar.text) if bar.text else rows


def _amounts(rows: QuerySet[BlockedValue]) -> totals.Amounts:
    """Each record counts once, however many of its fields were stopped."""
    once = rows.order_by("record_id", "-last_at").distinct("record_id").values("pk")
    return totals.amounts(BlockedValue.objects.filter(pk__in=once))


@requires(SEE)
@never_cache
def blocked_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One stopped value beside what the hub holds."""
    found = get_object_or_404(blocked_for(me(request)), pk=pk)
    may_decide = me(request).has_hub_perm(DECIDE, found.entity.domain_id)
    context = {
        "blocked": found,
        "one": next(iter(shown([found]))),
        "sync": Sync.objects.filter(pk=found.sync_id).first(),
        "can_decide": may_decide and found.state in deciding.DECIDABLE,
    }
    return render(request, "sync/blocked_detail.html", context)


@requires(DECIDE)
@require_POST
def blocked_accept(request: HttpRequest, pk: int) -> HttpResponse:
    return _decide(request, pk, "accept")


@requires(DECIDE)
@require_POST
def blocked_keep(request: HttpRequest, pk: int) -> HttpResponse:
    return _decide(request, pk, "keep")


def _decide(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    found = get_object_or_404(blocked_for(me(request), DECIDE), pk=pk)
    reason = request.POST.get("reason", "")
    try:
        if verb == "accept":
            deciding.accept(blocked=found, by=me(request), reason=reason)
            messages.success(request, f"{found.field} of {found.record.key} is what {found.system} said.")
        else:
            deciding.keep(blocked=found, by=me(request), reason=reason)
            messages.success(request, f"{found.field} of {found.record.key} stays as it is.")
    except HubError as error:
        tell(request, error)
    return redirect_to(request, reverse("sync:blocked_detail", args=[pk]))
