"""Billing rules: the list, one with its table and an example to try, its versions, and the form."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from governance.billing import services
from governance.billing.analysis import faults
from governance.billing.forms import BillingRuleForm, example_of
from governance.billing.grid import Grid, grid_from, grid_of
from governance.billing.queries import EDIT, SEE, rules_for, search
from governance.billing.starters import EMPTY, STARTERS
from governance.billing.table import POLICIES, parse_table, read_table
from governance.models import BillingRule, BillingRuleVersion
from governance.views import me
from hub.accounts.queries import domains_for
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires

PURPOSES = BillingRule.Purpose.choices
COLUMNS = [
    Column("slug", "Short name"),
    Column("name", "Billing rule"),
    Column("purpose", "Decides about"),
    Column("domain", "Domain", "domain.slug"),
    Column("active_version", "Active version", lambda rule: getattr(_active(rule), "number", None)),
    Column("newest_version", "Newest version", lambda rule: rule.newest_first[0].number if rule.newest_first else None),
    Column(
        "changed_at", "Last change (UTC)", lambda rule: rule.newest_first[0].created_at if rule.newest_first else None
    ),
]


@requires(SEE)
@require_safe
def billing_rule_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    user = me(request)
    domains = [(domain.slug, domain.name) for domain in domains_for(user, SEE)]
    bar = FilterBar(
        request,
        keys={"purpose": "Decides about", "domain": "Domain"},
        selects=[Select("purpose", "Decides about", PURPOSES), Select("domain", "Domain", domains)],
    )
    rows = search(rules_for(user), bar.text)
    if purpose := bar.get("purpose"):
        rows = rows.filter(purpose=purpose)
    if domain := bar.get("domain"):
        rows = rows.filter(domain__slug=domain)
    if fmt:
        return export_response(list(rows), COLUMNS, fmt, name="billing-rules")
    page = paginate(rows, request, order=("name", "pk"))
    found = [{"rule": rule, "active": _active(rule), "newest": next(iter(_versions(rule)), None)} for rule in page]
    context = {"bar": bar, "page": page, "rows": found, "can_edit": user.has_hub_perm(EDIT)}
    return render_page(request, "billing/list.html", context)


@requires(SEE)
@require_safe
def billing_rule(request: HttpRequest, slug: str) -> HttpResponse:
    """The table in force, or with `?version=` another one; `?try-<input>=` tries an example on it."""
    rule = _find(request, slug)
    version = _asked(rule, request.GET.get("version", ""))
    table = parse_table(version.table) if version else None
    context = {
        "rule": rule,
        "version": version,
        "active": _active(rule),
        "table": table,
        "policy": POLICIES[table.policy] if table else "",
        "faults": faults(table) if table else [],
        "example": example_of(table, request.GET) if table else None,
        "versions": _versions(rule),
        "can_edit": me(request).has_hub_perm(EDIT, rule.domain_id),
    }
    return render_page(request, "billing/detail.html", context)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def billing_rule_new(request: HttpRequest) -> HttpResponse:
    """`?start=milestone`, threshold or rate begins with a table that works."""
    start = request.GET.get("start", "")
    initial = {"purpose": start} if start in STARTERS else {"purpose": BillingRule.Purpose.OTHER}
    return _form_page(request, None, grid_of(STARTERS.get(start, EMPTY)), initial)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def billing_rule_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Begins with the newest version, or with the one that `?version=` names: that is how one is brought back."""
    rule = _find(request, slug, EDIT)
    version = _asked(rule, request.GET.get("version", "")) if "version" in request.GET else _newest(rule)
    newest = _newest(rule)
    initial = {
        "name": rule.name,
        "purpose": rule.purpose,
        "domain": rule.domain.slug,
        "description": rule.description,
        "seen": newest.number if newest else None,
    }
    return _form_page(request, rule, grid_of(version.table if version else EMPTY), initial)


def _form_page(request: HttpRequest, rule: BillingRule | None, grid: Grid, initial: dict[str, Any]) -> HttpResponse:
    context: dict[str, Any] = {"rule": rule, "starters": list(BillingRule.Purpose.choices)[:3]}
    if request.method == "GET":
        form = BillingRuleForm(me(request), rule=rule, initial=initial)
        return render_page(request, "billing/form.html", context | {"form": form, "grid": grid, **_checked(grid, {})})
    grid, do = grid_from(request.POST), request.POST.get("do", "")
    if do not in ("draft", "activate"):
        # Only redrawn, or tried: what is missing elsewhere is no error yet.
        form = BillingRuleForm(me(request), rule=rule, initial=request.POST.dict())
        return render_page(
            request, "billing/form.html", context | {"form": form, "grid": grid, **_checked(grid, request.POST)}
        )
    form = BillingRuleForm(me(request), request.POST, rule=rule)
    if form.is_valid() and (answer := _save(request, form, grid, do)):
        return answer
    context |= {"form": form, "grid": grid, **_checked(grid, request.POST)}
    return render_page(request, "billing/form.html", context, status=422)


def _checked(grid: Grid, data: Any) -> dict[str, Any]:
    """What is wrong with the table so far, and the example tried on it."""
    table, problems = read_table(grid.table())
    if table is None:
        return {"problems": [sentence for _, sentence in problems]}
    try:
        return {"faults": faults(table), "example": example_of(table, data)}
    except HubError as error:
        return {"problems": [str(error)]}


def _save(request: HttpRequest, form: BillingRuleForm, grid: Grid, do: str) -> HttpResponse | None:
    document = {**form.head(), "table": grid.table()}
    given = {"by": me(request), "note": form.cleaned_data["note"], "seen": form.cleaned_data["seen"]}
    here = reverse("governance:billing_rule", args=[document["slug"]])
    try:
        if do == "draft":
            version = services.save_draft(document, **given)
            messages.success(request, f"Version {version.number} is kept as a draft. It decides nothing yet.")
            return redirect_to(request, f"{here}?version={version.number}")
        done = services.activate(document, **given)
    except HubError as error:
        form.add_error(None, str(error))
        return None
    messages.success(request, done.said)
    return redirect_to(request, here if done.is_applied else done.url or reverse("governance:billing_rule_list"))


def _find(request: HttpRequest, slug: str, permission: str = SEE) -> BillingRule:
    return get_object_or_404(rules_for(me(request), permission), slug=slug)


def _versions(rule: Any) -> list[BillingRuleVersion]:
    return list(rule.newest_first)


def _active(rule: BillingRule) -> BillingRuleVersion | None:
    return next((v for v in _versions(rule) if v.status == BillingRuleVersion.Status.ACTIVE), None)


def _newest(rule: BillingRule) -> BillingRuleVersion | None:
    return next(iter(_versions(rule)), None)


def _asked(rule: BillingRule, number: str) -> BillingRuleVersion | None:
    if not number:
        return _active(rule) or _newest(rule)
    found = next((version for version in _versions(rule) if str(version.number) == number), None)
    if found is None:
        raise Http404
    return found
