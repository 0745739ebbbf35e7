"""Alerts: the list with what is wrong first, one with its history, and what people do about it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST, require_safe

from hub.accounts.queries import domains_for
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to, render_page, safe_next
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.sync.totals import exact
from monitoring.alerts import queries, services, telling
from monitoring.alerts.forms import MuteForm
from monitoring.alerts.queries import EDIT, SEE
from monitoring.alerts.views.common import check_edit, find_alert, may_edit, me, tabs
from monitoring.models import AlertMute, AlertNotice

STATES = [("active", "Active"), ("critical", "Critical"), ("warning", "Warning"), ("ok", "In order"), ("all", "All")]
SHOWS = [("acknowledged", "Acknowledged"), ("muted", "Muted"), ("explained", "Explained by another")]
COLUMNS = [
    Column("rule", "Rule", "rule.slug"),
    Column("subject", "Subject"),
    Column("name", "Name"),
    Column("state", "State"),
    Column("since", "Since (UTC)"),
    Column("words", "What is wrong"),
    Column("value", "Measure", lambda alert: exact(alert.value)),
    Column("records", "Records"),
    Column("amount_firm", "At risk", lambda alert: exact(alert.amount_firm)),
    Column("domain", "Domain", "domain.slug"),
    Column("cause", "Explained by", lambda alert: alert.cause_id),
    Column("acknowledged_at", "Acknowledged (UTC)"),
    Column("acknowledged_by", "By", lambda alert: str(alert.acknowledged_by or "")),
]
CHANGE_COLUMNS = [
    Column("at", "At (UTC)"),
    Column("rule", "Rule", "alert.rule.slug"),
    Column("name", "Name", "alert.name"),
    Column("before", "Before"),
    Column("after", "After"),
    Column("words", "Words"),
    Column("records", "Records"),
    Column("amount_firm", "At risk", lambda change: exact(change.amount_firm)),
    Column("is_told", "Told"),
    Column("untold_why", "Why nobody was told"),
]


@requires(SEE)
@require_safe
def alert_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """What is not in order, the worst and the newest first; what another alert explains only on request."""
    bar = _bar(request)
    rows = _filtered(queries.with_mutes(queries.alerts_for(me(request))), bar)
    rank = Case(
        When(state="critical", then=Value(2)),
        When(state="warning", then=Value(1)),
        default=Value(0),
        output_field=IntegerField(),
    )
    rows = rows.annotate(rank=rank)
    if fmt:
        return export_response(rows.order_by("-rank", "-since", "-pk"), COLUMNS, fmt, name="alerts")
    context = {
        "bar": bar,
        "page": paginate(rows, request, order=("-rank", "-since", "-pk")),
        "tabs": tabs(request, "Alerts"),
        "currency": telling.firm_currency(),
        "checked_at": queries.last_look(),
        "can_edit": me(request).has_hub_perm(EDIT),
        "nobody": not telling.routes().exists(),
    }
    return render_page(request, "alerts/list.html", context, partial="alerts/_rows.html")


def _bar(request: HttpRequest) -> FilterBar:
    domains = [(domain.slug, domain.name) for domain in domains_for(me(request), SEE)]
    rules = [(rule.slug, rule.name) for rule in queries.rules_for(me(request))]
    return FilterBar(
        request,
        keys={"state": "State", "show": "Show", "rule": "Rule", "domain": "Domain"},
        selects=[
            Select("state", "State", STATES),
            Select("show", "Only", SHOWS),
            Select("rule", "Rule", rules),
            Select("domain", "Domain", domains),
        ],
    )


def _filtered(rows: QuerySet[Any], bar: FilterBar) -> QuerySet[Any]:
    state, show = bar.get("state") or "active", bar.get("show")
    if state == "active":
        rows = rows.exclude(state="ok")
    elif state != "all":
        rows = rows.filter(state=state)
    if show == "muted":
        rows = rows.filter(is_muted=True)
    elif show == "acknowledged":
        rows = rows.filter(acknowledged_at__isnull=False)
    rows = rows.filter(cause__isnull=show != "explained")
    if rule := bar.get("rule"):
        rows = rows.filter(rule__slug=rule)
    if domain := bar.get("domain"):
        rows = rows.filter(domain__slug=domain)
    return queries.search(rows, bar.text)


@requires(SEE)
@require_safe
def alert(request: HttpRequest, pk: int) -> HttpResponse:
    """One alert: what is wrong, what hangs on it, whom it was told, and its history."""
    found = find_alert(request, pk)
    changes = list(found.changes.prefetch_related("notices__route")[:50])
    context = {
        "alert": found,
        "changes": changes,
        "effects": queries.alerts_for(me(request)).filter(cause=found).exclude(state="ok")[:50],
        "mutes": queries.mutes_in_force(found.rule, found.subject),
        "currency": telling.firm_currency(),
        "condition": queries.condition_of(found.rule),
        "form": MuteForm(),
        "can_edit": may_edit(request, found.domain),
    }
    return render_page(request, "alerts/alert.html", context)


@requires(EDIT)
@require_POST
def acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    found = find_alert(request, pk, EDIT)
    if services.acknowledge(found, by=me(request)):
        messages.success(request, f"You look after {found.name}.")
    else:
        messages.info(request, "It is over, or somebody looks after it already.")
    return redirect_to(request, safe_next(request, found.get_absolute_url()))


@requires(EDIT)
@require_POST
def mute(request: HttpRequest, pk: int) -> HttpResponse:
    """Mute this subject of the rule; a rule as a whole is muted on its own page."""
    found = find_alert(request, pk, EDIT)
    form = MuteForm(request.POST)
    if not form.is_valid():
        messages.error(request, "A mute needs a reason and an end.")
        return redirect_to(request, found.get_absolute_url())
    try:
        services.mute(
            rule=found.rule,
            subject=found.subject,
            until=form.until(),
            reason=form.cleaned_data["reason"],
            by=me(request),
        )
        messages.success(request, f"Nobody is told of {found.name} until the mute ends.")
    except HubError as error:
        messages.error(request, str(error))
    return redirect_to(request, found.get_absolute_url())


@requires(SEE)
@require_safe
def change_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Every change of a state, newest first, and whether somebody was told."""
    bar = FilterBar(request, keys={}, hint="Rule or subject")
    rows = queries.changes_for(me(request))
    for word in bar.text.split():
        rows = rows.filter(alert__name__icontains=word) | rows.filter(alert__rule__name__icontains=word)
    if fmt:
        return export_response(rows.order_by("-pk"), CHANGE_COLUMNS, fmt, name="alert-history")
    page = paginate(rows.prefetch_related("notices"), request, order=("-pk",))
    context = {"bar": bar, "page": page, "tabs": tabs(request, "History"), "currency": telling.firm_currency()}
    return render_page(request, "alerts/changes.html", context)


@requires(SEE)
@require_safe
def notice_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """What was sent, what waits, and what did not arrive."""
    bar = FilterBar(
        request,
        keys={"state": "State", "route": "Route"},
        selects=[
            Select("state", "State", AlertNotice.State.choices),
            Select("route", "Route", [(route.slug, route.name) for route in queries.routes_for(me(request))]),
        ],
    )
    rows = queries.notices_for(me(request))
    if state := bar.get("state"):
        rows = rows.filter(state=state)
    if route := bar.get("route"):
        rows = rows.filter(route__slug=route)
    if fmt:
        return export_response(rows.order_by("-pk"), NOTICE_COLUMNS, fmt, name="alert-notices")
    page = paginate(rows, request, order=("-pk",))
    context = {"bar": bar, "page": page, "tabs": tabs(request, "Notices"), "can_edit": me(request).has_hub_perm(EDIT)}
    return render_page(request, "alerts/notices.html", context)


NOTICE_COLUMNS = [
    Column("at", "Written (UTC)"),
    Column("route", "Route", "route.slug"),
    Column("channel", "Channel"),
    Column("rule", "Rule", "change.alert.rule.slug"),
    Column("name", "Name", "change.alert.name"),
    Column("after", "State told", "change.after"),
    Column("state", "State"),
    Column("attempts", "Attempts"),
    Column("due_at", "Due (UTC)"),
    Column("done_at", "Done (UTC)"),
    Column("error", "Error"),
]


@requires(EDIT)
@require_POST
def send_again(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(queries.notices_for(me(request), EDIT), pk=pk)
    if services.send_again(found, by=me(request)):
        messages.success(request, "It is sent again.")
    else:
        messages.info(request, "It is on its way already.")
    return redirect_to(request, safe_next(request))


@requires(SEE)
@require_safe
def mute_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Mutes in force first, then the ended ones: who, why, until when."""
    bar = FilterBar(request, keys={}, hint="")
    rows = queries.mutes_for(me(request))
    if fmt:
        return export_response(rows.order_by("-pk"), MUTE_COLUMNS, fmt, name="alert-mutes")
    in_force = list(rows.filter(queries.in_force()).order_by("until_at")[:200])
    page = paginate(rows.exclude(queries.in_force()), request, order=("-pk",))
    context = {
        "bar": bar,
        "in_force": in_force,
        "page": page,
        "tabs": tabs(request, "Mutes"),
        "can_edit": me(request).has_hub_perm(EDIT),
    }
    return render_page(request, "alerts/mutes.html", context)


MUTE_COLUMNS = [
    Column("rule", "Rule", "rule.slug"),
    Column("subject", "Subject"),
    Column("reason", "Reason"),
    Column("by", "By", lambda mute: str(mute.by or "")),
    Column("at", "Since (UTC)"),
    Column("until_at", "Until (UTC)"),
    Column("ended_at", "Ended (UTC)"),
]


@requires(EDIT)
@require_POST
def unmute(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(
        AlertMute.objects.select_related("rule__domain"), pk=pk, rule__in=queries.rules_for(me(request))
    )
    check_edit(request, found.rule.domain if found.rule else None)
    services.unmute(found, by=me(request))
    messages.success(request, "The mute has ended; what still holds is told within a minute.")
    return redirect_to(request, safe_next(request))
