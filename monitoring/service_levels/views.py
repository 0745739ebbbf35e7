"""Service levels: the list with what is attained, one of them, and the form with its sentence and its back-test."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from governance.histories import events_of
from governance.models import ServiceLevel
from governance.service_levels import services
from governance.service_levels.forms import ServiceLevelForm
from governance.service_levels.queries import EDIT, SEE, levels_for, said_of, search
from governance.service_levels.words import details, sentence
from hub.accounts.models import User
from hub.accounts.queries import domains_for
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires
from monitoring.service_levels.backtest import DAYS, MOST_DAYS, backtest, notes
from monitoring.service_levels.exclusions import ExclusionForm
from monitoring.service_levels.queries import breaches, exclusions, with_links
from monitoring.service_levels.standing import FEW, burn_down, burns, months_of, standing

STATES = [("met", "Met"), ("at_risk", "At risk"), ("breached", "Breached"), ("no_data", "No data yet")]
MEASURES = [(value, label.partition(":")[0]) for value, label in ServiceLevel.MEASURES]
COLUMNS = [
    Column("slug", "Short name", "level.slug"),
    Column("name", "Service level", "level.name"),
    Column("sentence", "Promise"),
    Column("domain", "Domain", "level.domain.slug"),
    Column("owner", "Owner", "level.owner"),
    Column("window", "Window", "period.label"),
    Column("state", "State"),
    Column("attained_percent", "Attained, %", "attained"),
    Column("objective_percent", "Objective, %", "level.objective_percent"),
    Column("budget_left_percent", "Error budget left, %", "budget_left"),
    Column("met", "In time", "tally.met"),
    Column("warned", "Warned", "tally.warned"),
    Column("breached", "Breached", "tally.breached"),
    Column("running", "On the way", "tally.running"),
    Column("excluded", "Does not count", "excluded"),
]


@requires(SEE)
@require_safe
def service_level_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Every service level with its running window, from the figures of its days."""
    user = me(request)
    domains = [(domain.slug, domain.name) for domain in domains_for(user, SEE)]
    bar = FilterBar(
        request,
        keys={"state": "State", "measure": "Promise", "domain": "Domain"},
        selects=[Select("state", "State", STATES), Select("measure", "Promise", MEASURES), Select("domain", "Domain", domains)],
    )  # fmt: skip
    rows = search(levels_for(user), bar.text)
    if domain := bar.get("domain"):
        rows = rows.filter(domain__slug=domain)
    if measure := bar.get("measure"):
        rows = rows.filter(measure=measure)
    page = paginate(rows, request, order=("name", "pk"))
    asked = bar.get("state")
    found = [row for row in standing(rows.order_by("name") if fmt or asked else page) if asked in ("", row.state)]
    if fmt:
        return export_response(found, COLUMNS, fmt, name="service-levels")
    context = {"bar": bar, "page": page if not asked else None, "rows": found, "can_edit": user.has_hub_perm(EDIT)}
    return render_page(request, "service_levels/list.html", context)


@requires(SEE)
@require_safe
def service_level(request: HttpRequest, slug: str) -> HttpResponse:
    """One service level: the running window, how fast its budget burns, what broke it, and what does not count."""
    level = find(request, slug)
    (row,) = standing([level])
    context = {
        "level": level,
        "row": row,
        "months": months_of(level)[::-1],
        "burns": burns(level),
        "points": burn_down(level, row.period),
        "breaches": breaches(level, row.period),
        "exclusions": exclusions(level)[:20],
        "exclusion_form": ExclusionForm(),
        "few": FEW,
        "history": events_of(level, "Service level")[:8],
        "can_edit": me(request).has_hub_perm(EDIT, level.domain_id),
        "can_decide": me(request).has_hub_perm("approvals.decide", level.domain_id),
        "can_see_records": me(request).has_hub_perm("ledger.view", level.domain_id),
        "days": DAYS,
    }
    return render_page(request, "service_levels/detail.html", context)


@requires(SEE)
@require_safe
def service_level_backtest(request: HttpRequest, slug: str) -> HttpResponse:
    """What the saved level would have been worth in the last `?days=`, by month; a page, or the panel for htmx."""
    level = find(request, slug)
    context = {"level": level, **_tested(level, request.GET.get("days", ""))}
    return render_page(request, "service_levels/backtest.html", context, partial="service_levels/_backtest.html")


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def service_level_new(request: HttpRequest) -> HttpResponse:
    return _form_page(request, None)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def service_level_edit(request: HttpRequest, slug: str) -> HttpResponse:
    return _form_page(request, find(request, slug, EDIT))


@requires(EDIT)
@require_POST
def service_level_preview(request: HttpRequest) -> HttpResponse:
    """The sentence of what stands in the form."""
    form = ServiceLevelForm(me(request), request.POST)
    form.is_valid()
    return render_page(request, "service_levels/_sentence.html", _said(form.draft()))


@requires(EDIT)
@require_POST
def service_level_delete(request: HttpRequest, slug: str) -> HttpResponse:
    level = find(request, slug, EDIT)
    try:
        services.delete_service_level(level, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
        return redirect_to(request, level.get_absolute_url())
    messages.success(request, f"{level} is deleted.")
    return redirect_to(request, reverse("service_levels:service_level_list"))


def _form_page(request: HttpRequest, level: ServiceLevel | None) -> HttpResponse:
    form = ServiceLevelForm(me(request), request.POST or None, level=level)
    context: dict[str, Any] = {"form": form, "level": level, "days": DAYS}
    if request.method == "POST" and form.is_valid():
        if request.POST.get("do") == "backtest":
            context |= _tested(form.draft(), request.POST.get("days", ""))
        elif answer := _save(request, form):
            return answer
    context |= _said(form.draft() if form.is_bound else level)
    return render_page(request, "service_levels/form.html", context, status=422 if form.errors else 200)


def _save(request: HttpRequest, form: ServiceLevelForm) -> HttpResponse | None:
    document = form.document()
    try:
        done = services.save_service_level(document, by=me(request))
    except HubError as error:
        form.add_error(None, str(error))
        return None
    messages.success(request, done.said)
    here = reverse("service_levels:service_level", args=[document["slug"]])
    return redirect_to(request, here if done.is_applied else done.url or reverse("service_levels:service_level_list"))


def _tested(level: ServiceLevel, days: str) -> dict[str, Any]:
    number = min(int(days), MOST_DAYS) if days.isascii() and days.isdigit() and int(days) else DAYS
    try:
        found = backtest(level, days=number)
    except HubError as error:
        return {"problem": str(error), "days": number}
    return {"tested": found, "worst": with_links(found.worst), "notes": notes(found), "days": number}


def _said(level: ServiceLevel | None) -> dict[str, Any]:
    return {"sentence": sentence(said_of(level)), "details": details(said_of(level))} if level else {}


def find(request: HttpRequest, slug: str, permission: str = SEE) -> ServiceLevel:
    return get_object_or_404(levels_for(me(request), permission), slug=slug)


def me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
