"""The queue: causes first, items behind them, and one item with everything that a person needs to settle it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from governance.views import me
from hub.common.errors import ConfigError
from hub.common.exports import export_response
from hub.common.filters import FilterBar, Select
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.common.xlsx import xlsx_response
from monitoring.exceptions import classify, filters, queries, ranking, showing
from monitoring.exceptions.exporting import GROUP_COLUMNS, ITEM_COLUMNS
from monitoring.exceptions.queries import RESOLVE, SEE
from monitoring.models import ExceptionGroup, ExceptionItem

HINT = "Key, id, client or words; cause: client: project: period: amount: age: due: team: assignee:"
HIDDEN = ("tab", "text", "group", "ids")
# Words that acts on "all that match" understand; with another one only rows that are ticked can be acted on.
ACTED_ON = frozenset(filters.KEYS) - {"tab", "domain", "system", "sync", "age", "due", "ids"}
_TABS_ACTED_ON = {"": {}, "mine": {"assignee": "me"}, "snoozed": {"state": "snoozed"}}


# The list ---------------------------------------------------------------------------------------------------
@requires(SEE)
@require_safe
def exception_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    bar = _bar(request)
    asked, wrong = _asked(request, bar)
    by_item = request.GET.get("view") == "items"
    chosen = _nothing() if wrong else queries.items(me(request), asked)
    groups = queries.with_figures(ExceptionGroup.objects.none()) if wrong else queries.groups(me(request), asked)
    if fmt:
        return _export(chosen if by_item else groups, fmt, by_item=by_item)
    context = _around(request, bar, asked) | {
        "wrong": wrong,
        "by_item": by_item,
        "totals": _totals(request, asked, chosen),
    }
    if by_item:
        page: Any = paginate(chosen, request, order=("-rank", "-id"))
        rows: Any = showing.item_rows(page)
    else:
        page = paginate(groups, request, order=("-weight", "-id"))
        rows = showing.group_rows(page, queries.facets(page, chosen), asked)
    template = "exceptions/items.html" if by_item else "exceptions/list.html"
    return render(request, template, {**context, "page": page, "rows": rows})


def _totals(request: HttpRequest, asked: dict[str, str], chosen: QuerySet[ExceptionItem]) -> queries.Totals:
    return queries.totals(chosen) if asked else queries.open_totals(me(request))


def _nothing() -> QuerySet[ExceptionItem]:
    return ExceptionItem.objects.none()


def _bar(request: HttpRequest) -> FilterBar:
    return FilterBar(
        request,
        keys={key: word for key, word in filters.KEYS.items() if key not in HIDDEN},
        selects=[
            Select("cause", "Cause", classify.choices()),
            Select("kind", "Type", ExceptionItem.Kind.choices),
            Select(
                "due", "Due", [("overdue", "Overdue"), ("4h", "In 4 hours"), ("1d", "In a day"), ("1w", "In a week")]
            ),
        ],
        hint=HINT,
    )


def _asked(request: HttpRequest, bar: FilterBar) -> tuple[dict[str, str], str]:
    """What the address asks for, and the sentence about it where it cannot be understood."""
    asked = {key: bar.get(key) for key in bar.keys if bar.get(key)}
    asked |= {"text": bar.text} if bar.text else {}
    if tab := request.GET.get("tab", ""):
        asked["tab"] = tab
    try:
        filters.find(asked, me(request))
    except ConfigError as error:
        return asked, str(error)
    return asked, ""


def _export(rows: QuerySet[Any], fmt: str, *, by_item: bool) -> HttpResponseBase:
    columns, name = (ITEM_COLUMNS, "exceptions") if by_item else (GROUP_COLUMNS, "exception-causes")
    ordered = rows.order_by("-rank", "-pk") if by_item else rows.order_by("-weight", "-pk")
    if fmt == "xlsx":
        return xlsx_response(ordered.iterator(chunk_size=2_000), columns, name=name)
    return export_response(ordered, columns, fmt, name=name)


def _around(request: HttpRequest, bar: FilterBar, asked: dict[str, str]) -> dict[str, Any]:
    user = me(request)
    return {
        "bar": bar,
        "asked": asked,
        "tab": asked.get("tab", ""),
        "tabs": _tabs(request, asked),
        "sweep": queries.last_sweep(),
        "can_resolve": user.has_hub_perm(RESOLVE),
        "bulk_url": _url("exceptions:bulk"),
        "taken": taken(asked),
        "can_edit": queries.may_edit(user),
        "items_url": _here(request, view="items"),
        "groups_url": _here(request, view=""),
    }


def taken(asked: dict[str, str]) -> dict[str, str] | None:
    """What "all that match" sends to the acts; None where they do not understand all of it."""
    words = {key: value for key, value in asked.items() if key != "tab"}
    tab = _TABS_ACTED_ON.get(asked.get("tab", ""))
    return None if tab is None or not words.keys() <= ACTED_ON else {**tab, **words}


def _url(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def _here(request: HttpRequest, **changes: str) -> str:
    """This list with other parameters, from its first page."""
    params = {key: str(value) for key, value in request.GET.items() if key not in ("after", "before")} | changes
    kept = {key: value for key, value in params.items() if value}
    return f"{request.path}?{urlencode(kept)}" if kept else request.path


def _tabs(request: HttpRequest, asked: dict[str, str]) -> list[tuple[str, str, bool, int | None]]:
    counts, chosen = queries.tab_counts(me(request)), asked.get("tab", "")
    view = {"view": "items"} if request.GET.get("view") == "items" else {}
    words = {"": "Open", **filters.TABS}
    found = []
    for tab, word in words.items():
        params = urlencode({**({"tab": tab} if tab else {}), **view})
        number = counts.get(tab or "open")
        found.append((word, f"{request.path}?{params}" if params else request.path, tab == chosen, number))
    return found


# One cause --------------------------------------------------------------------------------------------------
@requires(SEE)
@require_safe
def exception_group(request: HttpRequest, pk: int) -> HttpResponse:
    group = get_object_or_404(queries.groups_for(me(request)), pk=pk)
    tab = "all" if request.GET.get("tab") == "all" else ""
    asked = {"group": str(group.pk), **({"tab": tab} if tab else {})}
    chosen = queries.items(me(request), asked)
    page = paginate(chosen, request, order=("-rank", "-id"))
    facet = queries.facets([group], chosen).get(group.pk, queries.Facet())
    context = {
        "group": group,
        "item": None,
        "rule": showing.rule_of(group.cause),
        "totals": queries.totals(chosen),
        "facet": facet,
        "page": page,
        "rows": showing.item_rows(page),
        "tab": tab,
        "taken": taken(asked),
        "history": showing.group_history(group),
        "facts": showing.fact_words(group.facts),
        "can_resolve": _may_in(request, RESOLVE, group),
        "bulk_url": _url("exceptions:bulk"),
    }
    return render(request, "exceptions/group.html", context)


def _may_in(request: HttpRequest, permission: str, thing: Any) -> bool:
    user = me(request)
    return user.has_hub_perm(permission, thing.domain_id) if thing.domain_id else (
        user.has_hub_perm(permission) and user.domain_ids_for(permission) is None
    )  # fmt: skip


# One item ---------------------------------------------------------------------------------------------------
@requires(SEE)
@never_cache
@require_safe
def exception_item(request: HttpRequest, pk: int) -> HttpResponse:
    item = get_object_or_404(queries.items_for(me(request)), pk=pk)
    context = {
        "item": item,
        "group": item.group,
        "rule": showing.rule_of(item.cause),
        "said": showing.rule_of(item.classified_as) if item.classified_as != item.cause else None,
        "similar": queries.similar(item, me(request)),
        "next": queries.next_after(item, me(request)),
        "timeline": showing.timeline(item),
        "state_token": showing.STATES[item.state],
        "token": showing.token_of(item, ranking.moments()),
        "currency": showing.firm_currency(),
        "links": showing.links(item, me(request)),
        "can_resolve": _may_in(request, RESOLVE, item),
        **showing.payload(item, me(request)),
    }
    return render(request, "exceptions/item.html", context)
