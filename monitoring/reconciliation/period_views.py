"""The matching screen of one period: both sides with what nobody has matched, and what is done about it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

from django.contrib import messages
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Abs
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from hub.common.display import money
from hub.common.errors import ConfigError, HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import KeysetPage, paginate
from hub.common.permissions import requires
from monitoring.models import Reconciliation, ReconciliationGap, ReconciliationMatch, ReconciliationPeriod
from monitoring.reconciliation import acts, choosing, queries, showing
from monitoring.reconciliation.acts import Conflict
from monitoring.reconciliation.choosing import Chosen, of_form
from monitoring.reconciliation.queries import RESOLVE, REVIEW, SEE
from monitoring.reconciliation.results import short
from monitoring.reconciliation.views import find, me
from monitoring.reconciliation.work import definition_of

TABS = {
    "unmatched": "Unmatched",
    "suggested": "Suggested",
    "matched": "Matched",
    "explained": "Explained",
    "carried": "Carry forward",
}
# "Select all" of the suggestions from this score on.
SURE = Decimal("0.95")
State = ReconciliationGap.State
COLUMNS = [
    Column("key", "Key"),
    Column("kind", "Gap"),
    Column("label", "Label"),
    Column("state", "State"),
    Column("period", "Period"),
    Column("legal_entity", "Legal entity"),
    Column("client", "Client"),
    Column("project", "Project"),
    Column("currency", "Currency"),
    Column("left_id", "Left id"),
    Column("right_id", "Right id"),
    Column("left_amount", "Left amount"),
    Column("right_amount", "Right amount"),
    Column("difference", "Difference"),
    Column("fields", "Differs in", lambda gap: ", ".join(gap.fields)),
    Column("note", "Why"),
    Column("reason", "Reason"),
    Column("opened_at", "Since"),
]


class _Asked:
    """A request as one of two tables sees it: `?left_after=` is the left one's `after`."""

    def __init__(self, request: HttpRequest, side: str) -> None:
        self.GET = QueryDict(mutable=True)
        for name in ("after", "before"):
            if value := request.GET.get(f"{side}_{name}"):
                self.GET[name] = value


def _bar(request: HttpRequest) -> FilterBar:
    keys = {"key": "Key", "project": "Project", "client": "Client", "currency": "Currency"}
    return FilterBar(request, keys=keys, hint="Key, project or client")


def _asked(bar: FilterBar) -> dict[str, str]:
    return {name: bar.get(name) for name in choosing.NAMES}


@requires(SEE)
@require_safe
def period(request: HttpRequest, slug: str, period: str, fmt: str = "") -> HttpResponseBase:
    found, sheet = _find(request, slug, period)
    tab = request.GET.get("view", "unmatched")
    tab = tab if tab in TABS else "unmatched"
    bar = _bar(request)
    if fmt:
        rows = choosing.filtered(_gaps_of(found, period, tab if "view" in request.GET else ""), _asked(bar), bar.text)
        return export_response(rows.order_by("pk"), COLUMNS, fmt, name=f"{slug}-{period}")
    context = {**_head(request, found, sheet, tab), "bar": bar, "q": bar.text}
    context |= _tab(request, found, sheet, tab, bar, context["alike"])
    return render_page(request, "reconciliation/period.html", context)


def _gaps_of(found: Reconciliation, period: str, tab: str) -> QuerySet[ReconciliationGap]:
    rows = found.gaps.filter(period=period).exclude(state=State.GONE)
    tests = {
        "unmatched": queries.UNEXPLAINED & Q(match__isnull=True),
        "suggested": Q(match__state=ReconciliationMatch.State.SUGGESTED),
        "matched": Q(state=State.MATCHED),
        "explained": queries.EXPLAINED,
        "carried": Q(state=State.CARRIED),
    }
    return rows.filter(tests[tab]) if tab else rows


def _head(request: HttpRequest, found: Reconciliation, sheet: ReconciliationPeriod, tab: str) -> dict[str, Any]:
    user, here = me(request), sheet.period
    alike = queries.groups(found, here)
    counts = queries.tab_counts(found, here, alike)
    address = reverse("reconciliation:period", args=[found.slug, here])
    totals = queries.totals_of(found, here)
    lines = queries.bridge(alike)
    return {
        "reconciliation": found,
        "sheet": sheet,
        "definition": definition_of(found),
        "run": queries.last_done(found),
        "tab": tab,
        "tabs": [(word, f"{address}?view={name}", name == tab, counts[name]) for name, word in TABS.items()],
        "counts": counts,
        "totals": totals,
        "bridge": _bridge(totals, lines),
        "unexplained": _unexplained(lines),
        "others": _others(request, found, here),
        "can_resolve": user.has_hub_perm(RESOLVE, found.domain_id),
        "can_review": user.has_hub_perm(REVIEW, found.domain_id) and sheet.prepared_by_id != user.pk,
        "reasons": acts.REASONS,
        "alike": alike,
        "has_changed": bool(sheet.signed) and acts.figures(found, here) != sheet.signed,
    }


def _unexplained(lines: list[queries.Line]) -> list[str]:
    """ "GBP 1,236.00 unexplained", one for each currency."""
    found = [line for line in lines if line.label == "unexplained"]
    return [f"{line.currency} {money(short(line.amount), line.currency)} unexplained".strip() for line in found]


def _bridge(totals: list[Any], lines: list[queries.Line]) -> list[dict[str, Any]]:
    """From the left total to the right one, currency by currency; what is left over lies within the tolerances."""
    found = []
    for currency in sorted({row.currency for row in totals} | {line.currency for line in lines}):
        mine = [row for row in totals if row.currency == currency]
        left, right = sum((r.left_amount for r in mine), Decimal(0)), sum((r.right_amount for r in mine), Decimal(0))
        some = [line for line in lines if line.currency == currency]
        rest = right - left - sum((line.amount for line in some), Decimal(0))
        counts = sum(r.left_count for r in mine), sum(r.right_count for r in mine), sum(r.matched for r in mine)
        found.append(
            {"currency": currency, "left": left, "right": right, "lines": some, "rest": rest, "counts": counts}
        )
    return found


def _others(request: HttpRequest, found: Reconciliation, period: str) -> list[queries.Cell]:
    """The other reconciliations of the period."""
    every = list(queries.reconciliations_for(me(request)).order_by("name")[:12])
    cells = queries.cells(every, period=period)
    return [cell for one in every for cell in cells[one.pk]]


def _tab(
    request: HttpRequest,
    found: Reconciliation,
    sheet: ReconciliationPeriod,
    tab: str,
    bar: FilterBar,
    alike: list[queries.Group],
) -> dict[str, Any]:
    if tab in ("suggested", "matched"):
        state = ReconciliationMatch.State.SUGGESTED if tab == "suggested" else ReconciliationMatch.State.CONFIRMED
        rows = (
            found.matches.filter(period=sheet.period, state=state).prefetch_related("gaps").select_related("decided_by")
        )
        return {"matches": paginate(rows, request, order=("-id",)), "sure": SURE}
    if tab == "unmatched":
        rows_of = {side: _half(request, found, sheet, side, bar, alike) for side in choosing.SIDES}
        return {"halves": [rows_of["left"], rows_of["right"]], "pairs": rows_of["pair"]}
    gaps = choosing.filtered(_gaps_of(found, sheet.period, tab), _asked(bar), bar.text).select_related("decided_by")
    page = paginate(gaps, request, order=("-id",))
    return {"page": page, "rows": showing.rows(list(page))}


def _half(
    request: HttpRequest,
    found: Reconciliation,
    sheet: ReconciliationPeriod,
    side: str,
    bar: FilterBar,
    alike: list[queries.Group],
) -> dict[str, Any]:
    rows = choosing.unmatched(found, sheet.period).filter(kind=choosing.SIDES[side])
    rows = choosing.filtered(rows, _asked(bar), bar.text)
    size = Abs(queries.gap_amount())
    page: KeysetPage[ReconciliationGap] = paginate(
        rows.annotate(size=size),
        cast(HttpRequest, _Asked(request, side)),
        order=("-size", "-id"),
    )
    definition = definition_of(found)
    label = {"left": definition.left.label, "right": definition.right.label, "pair": ""}[side]
    return {
        "side": side,
        "label": label,
        "page": page,
        "rows": showing.rows(list(page), definition),
        **(_counted(rows, side) if bar.is_active else _known(alike, side)),
    }


def _counted(rows: QuerySet[ReconciliationGap], side: str) -> dict[str, Any]:
    """Number and sums of what the filter shows."""
    value = queries.gap_amount() if side == "pair" else f"{side}_amount"
    found = list(rows.order_by().values_list("currency").annotate(number=Count("pk"), amount=Sum(value)))
    sums = [(currency, amount) for currency, _, amount in found if amount is not None]
    return {"number": sum(number for _, number, _ in found), "sums": sums}


def _known(alike: list[queries.Group], side: str) -> dict[str, Any]:
    """The same of everything, which the page knows already."""
    mine = [one for one in alike if one.is_unmatched and one.kind == choosing.SIDES[side]]
    sums: dict[str, Decimal] = {}
    for one in mine:
        value = one.amount if side == "pair" else one.left if side == "left" else one.right
        sums[one.currency] = sums.get(one.currency, Decimal(0)) + value
    return {"number": sum(one.number for one in mine), "sums": list(sums.items())}


# Acts ------------------------------------------------------------------------------------------------------
def _chosen(request: HttpRequest) -> tuple[Chosen, Chosen, Chosen]:
    asked = {name: request.POST.get(name, "") for name in choosing.NAMES}
    text = request.POST.get("q", "")
    left, right, pair = (of_form(side, request.POST, asked, text) for side in ("left", "right", "pair"))
    return left, right, pair


@requires(SEE)
@require_POST
def selection(request: HttpRequest, slug: str, period: str) -> HttpResponse:
    """The sums of what is ticked: a part of the sticky bar."""
    found, sheet = _find(request, slug, period)
    left, right, pair = _chosen(request)
    definition = definition_of(found)
    context = {
        "balance": choosing.balance(found, period, definition, left, right),
        "pairs": pair.rows(found, period).count(),
        "definition": definition,
        "reconciliation": found,
        "sheet": sheet,
    }
    return render_page(request, "reconciliation/_selected.html", context)


@requires(RESOLVE)
@require_POST
def act(request: HttpRequest, slug: str, period: str) -> HttpResponse:
    """One of the buttons of the sticky bar; what somebody else has changed meanwhile is told with 409."""
    found, _ = _find(request, slug, period, RESOLVE)
    try:
        messages.success(request, _act(request, found, period))
    except Conflict as error:
        return _refused(request, found, period, error, 409)
    except HubError as error:
        return _refused(request, found, period, error, 422)
    return redirect_to(request, _back(request, slug, period))


def _act(request: HttpRequest, found: Reconciliation, period: str) -> str:
    left, right, pair = _chosen(request)
    verb, by = request.POST.get("do", ""), me(request)
    reason = request.POST.get("other") or request.POST.get("reason", "")
    comment, expect = request.POST.get("comment", ""), request.POST.get("expect", "")
    seen = int(expect) if expect.isascii() and expect.isdigit() else None
    if verb == "match":
        made = acts.match(found, period, left, right, reason=reason, comment=comment, by=by, expect=seen)
        return f"{made.left_count + made.right_count:,} lines are matched."
    if verb == "raise":
        return f"{acts.raise_exceptions(found, period, (left, right, pair), by=by):,} lines are before people as exceptions."
    if verb in ("explain", "carry"):
        state = State.EXPLAINED if verb == "explain" else State.CARRIED
        number = acts.settle(found, period, (left, right, pair), state, reason=reason, comment=comment, by=by)
        return f"{number:,} lines are {'explained' if verb == 'explain' else 'carried forward'}."
    raise ConfigError(f"There is no act {verb!r}.", where="do")


def _refused(request: HttpRequest, found: Reconciliation, period: str, error: HubError, status: int) -> HttpResponse:
    """The page as it is now, with the sentence."""
    messages.error(request, str(error))
    sheet = get_object_or_404(found.sheets, period=period)
    bar = _bar(request)
    context = {**_head(request, found, sheet, "unmatched"), "bar": bar, "q": bar.text}
    context |= _tab(request, found, sheet, "unmatched", bar, context["alike"])
    return render_page(request, "reconciliation/period.html", context, status=status)


@requires(RESOLVE)
@require_POST
def decide(request: HttpRequest, slug: str, period: str, pk: int) -> HttpResponse:
    """Confirm or discard a suggestion, or undo a match."""
    found, _ = _find(request, slug, period, RESOLVE)
    match = get_object_or_404(found.matches.select_related("reconciliation"), pk=pk, period=period)
    verbs: dict[str, Any] = {"confirm": acts.confirm, "discard": acts.discard, "unmatch": acts.unmatch}
    return _done(request, slug, period, lambda: verbs[request.POST.get("do", "")](match, by=me(request)))


@requires(RESOLVE)
@require_POST
def confirm_all(request: HttpRequest, slug: str, period: str) -> HttpResponse:
    """Every suggestion that is nearly sure."""
    found, _ = _find(request, slug, period, RESOLVE)
    return _done(request, slug, period, lambda: acts.confirm_all(found, period, least=SURE, by=me(request)))


@requires(RESOLVE)
@require_POST
def reopen_line(request: HttpRequest, slug: str, period: str, pk: int) -> HttpResponse:
    found, _ = _find(request, slug, period, RESOLVE)
    gap = get_object_or_404(found.gaps.select_related("reconciliation"), pk=pk, period=period)
    return _done(request, slug, period, lambda: acts.reopen(gap, by=me(request)))


@requires(RESOLVE)
@require_POST
def sign(request: HttpRequest, slug: str, period: str) -> HttpResponse:
    """Prepare, close or open again; reviewing has a permission of its own."""
    found, _ = _find(request, slug, period, RESOLVE)
    by, words = me(request), request.POST.get("reason", "")
    verbs: dict[str, Any] = {
        "prepare": lambda: acts.prepare(found, period, note=words, by=by),
        "close": lambda: acts.close(found, period, by=by),
        "open": lambda: acts.open_again(found, period, reason=words, by=by),
    }
    return _done(request, slug, period, verbs.get(request.POST.get("do", "")))


@requires(REVIEW)
@require_POST
def review(request: HttpRequest, slug: str, period: str) -> HttpResponse:
    found, _ = _find(request, slug, period, REVIEW)
    return _done(request, slug, period, lambda: acts.review(found, period, by=me(request)))


def _done(request: HttpRequest, slug: str, period: str, do: Any) -> HttpResponse:
    try:
        if do is None:
            raise ConfigError("There is no such act.", where="do")
        do()
    except KeyError:
        messages.error(request, "There is no such act.")
    except HubError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Done.")
    return redirect_to(request, _back(request, slug, period))


def _back(request: HttpRequest, slug: str, period: str) -> str:
    tab = request.POST.get("tab", "")
    return reverse("reconciliation:period", args=[slug, period]) + (f"?view={tab}" if tab in TABS else "")


# Signing off -----------------------------------------------------------------------------------------------
@requires(SEE)
@require_safe
def pack(request: HttpRequest, slug: str, period: str) -> HttpResponse:
    """The sign-off pack: a page for the printer, with totals, bridge, matches and every decision."""
    found, sheet = _find(request, slug, period)
    context = _head(request, found, sheet, "unmatched")
    gaps = found.gaps.filter(period=period).exclude(state=State.GONE).select_related("decided_by", "match")
    context |= {
        "gaps": gaps.order_by("label", "key")[:5_000],
        "matches": found.matches.filter(period=period, state="confirmed")
        .select_related("decided_by")
        .order_by("pk")[:5_000],
    }
    return render_page(request, "reconciliation/pack.html", context)


def _find(
    request: HttpRequest, slug: str, period: str, permission: str = SEE
) -> tuple[Reconciliation, ReconciliationPeriod]:
    found = find(request, slug, permission)
    sheet = found.sheets.select_related("prepared_by", "reviewed_by", "run").filter(period=period).first()
    if sheet is None:
        raise Http404("Nothing was compared for this period.")
    sheet.reconciliation = found
    return found, sheet
