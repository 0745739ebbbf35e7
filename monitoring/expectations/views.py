"""What is due, soon late and late: the list with money and deadline, and one expectation with its clock and evidence."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_safe

from governance.models import ServiceLevel
from governance.service_levels.queries import levels_for
from hub.accounts.models import User
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import render_page
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.records.models import CanonicalRecord
from monitoring.expectations import queries
from monitoring.expectations.evidence import events_of
from monitoring.expectations.queries import SEE, TABS
from monitoring.models import Expectation

COLUMNS = [
    Column("id", "Id", "pk"),
    Column("service_level", "Service level", "service_level.slug"),
    Column("entity", "Entity", "entity.slug"),
    Column("key", "Record"),
    Column("system", "System", "system.slug"),
    Column("state", "State"),
    Column("opened_at", "Began (UTC)"),
    Column("warn_at", "Warning (UTC)"),
    Column("due_at", "Due (UTC)"),
    Column("arrived_at", "Arrived (UTC)"),
    Column("breached_at", "Found late (UTC)"),
    Column("client", "Client"),
    Column("project", "Project"),
    Column("period", "Period"),
    Column("legal_entity", "Legal entity"),
    Column("amount", "Amount", "own_amount"),
    Column("currency", "Currency"),
    Column("amount_firm", "Amount, firm's currency", "firm_amount"),
    Column("note", "Note"),
]
KEYS = {
    "state": "State",
    "level": "Service level",
    "domain": "Domain",
    "client": "Client",
    "project": "Project",
    "period": "Period",
    "legal_entity": "Legal entity",
}
SORTS = {"due": ("due_at", "pk"), "amount": ("-worth", "pk")}


@requires(SEE)
@require_safe
def expectation_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """What is expected, the nearest deadline first."""
    user = me(request)
    levels = [(level.slug, level.name) for level in levels_for(user).order_by("name")]
    bar = FilterBar(
        request, keys=KEYS, selects=[Select("level", "Service level", levels)], hint="client: project: or a key"
    )
    mine = queries.expectations_for(user)
    narrowed = _narrowed(mine, bar)
    rows = _in_tab(narrowed, bar.get("state"))
    if fmt:
        return export_response(rows.order_by("due_at", "pk"), COLUMNS, fmt, name="expectations")
    order = SORTS.get(request.GET.get("sort", ""), SORTS["due"])
    page = paginate(_with_worth(rows) if order[0] == "-worth" else rows, request, order=order)
    totals = queries.totals(narrowed)
    turns = queries.turns(page.rows)
    context = {
        "bar": bar,
        "page": page,
        "rows": [(row, turns.get(row.pk)) for row in page],
        "tabs": _tabs(request, bar.get("state"), totals),
        "totals": totals,
        "firm_currency": queries.firm_currency(),
        "has_levels": ServiceLevel.objects.exists(),
        "sort_url": _sort_url(request),
        "is_good": not bar.is_active and not page.rows,
    }
    return render_page(request, "expectations/list.html", context)


def _narrowed(rows: QuerySet[Expectation], bar: FilterBar) -> QuerySet[Expectation]:
    asked = {
        "service_level__slug": bar.get("level"),
        "domain__slug": bar.get("domain"),
        **{name: bar.get(name) for name in ("client", "project", "period", "legal_entity")},
    }
    return queries.search(rows.filter(**{key: value for key, value in asked.items() if value}), bar.text)


def _in_tab(rows: QuerySet[Expectation], tab: str) -> QuerySet[Expectation]:
    states = TABS[tab][1] if tab in TABS else [tab] if tab in Expectation.State.values else Expectation.UNFINISHED
    return rows.filter(state__in=states)


def _with_worth(rows: QuerySet[Expectation]) -> QuerySet[Expectation]:
    """Sorted by amount, what has none comes last; it is not shown as 0."""
    return rows.annotate(worth=Coalesce("amount_firm", Value(Decimal(0))))


def _tabs(
    request: HttpRequest, current: str, totals: dict[str, queries.Total]
) -> list[tuple[str, str, bool, int | None]]:
    found: list[tuple[str, str, bool, int | None]] = []
    for name, (word, states) in TABS.items():
        params = request.GET.copy()
        for gone in ("after", "before", "state"):
            params.pop(gone, None)
        if name:
            params["state"] = name
        is_counted = set(states) <= set(Expectation.UNFINISHED)
        number = sum(totals[state].number for state in states if state in totals) if is_counted else None
        found.append((word, f"?{params.urlencode()}", current == name, number))
    return found


def _sort_url(request: HttpRequest) -> str:
    """The list by amount, or by deadline again."""
    params = request.GET.copy()
    for gone in ("after", "before"):
        params.pop(gone, None)
    params["sort"] = "due" if request.GET.get("sort") == "amount" else "amount"
    return f"?{params.urlencode()}"


@requires(SEE)
@require_safe
def expectation(request: HttpRequest, pk: int) -> HttpResponse:
    """One expectation: the clock, whose turn it is, and what shows it."""
    row = get_object_or_404(queries.expectations_for(me(request)), pk=pk)
    can_see_records = me(request).has_hub_perm("ledger.view", row.domain_id)
    context: dict[str, Any] = {
        "row": row,
        "turn": queries.turns([row]).get(row.pk),
        "record": _record(row) if can_see_records else None,
        "events": events_of(row),
        "others": _others(request, row),
        "can_see_records": can_see_records,
        "firm_currency": queries.firm_currency(),
    }
    return render_page(request, "expectations/detail.html", context)


def _record(row: Expectation) -> CanonicalRecord | None:
    rows = CanonicalRecord.objects.select_related("entity")
    return rows.filter(pk=row.record_id).first() if row.record_id else None


def _others(request: HttpRequest, row: Expectation) -> list[Expectation]:
    """What else is or was expected of the same record or sync."""
    rows = queries.expectations_for(me(request)).exclude(pk=row.pk)
    same = rows.filter(record_id=row.record_id) if row.record_id else rows.filter(
        service_level=row.service_level_id, subject_id=row.subject_id
    )  # fmt: skip
    return list(same.order_by("-opened_at", "-pk")[:10])


def list_url(**asked: str) -> str:
    """The address of the list, filtered."""
    words = "&".join(f"{key}={value}" for key, value in asked.items())
    return f"{reverse('expectations:expectation_list')}?{words}"


def me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
