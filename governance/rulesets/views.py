"""Rulesets on screen: which contract fails what, and the rules themselves."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from governance.exchange.exporting import to_yaml
from governance.models import Ruleset
from governance.rulesets import queries, services
from governance.rulesets.forms import EXAMPLE, RulesetForm
from governance.rulesets.queries import Failing
from governance.rulesets.rules import CHECKS
from governance.views import me
from hub.accounts.queries import domains_for
from hub.common.errors import ConfigError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to, render_page
from hub.common.permissions import requires
from hub.common.registry import kind

SHOWN = 200
SEVERITIES = [("error", "Error"), ("warning", "Warning")]
COLUMNS = [
    Column("contract", "Contract", "contract.slug"),
    Column("domain", "Domain", "domain"),
    Column("ruleset", "Ruleset", "finding.ruleset.slug"),
    Column("rule", "Rule", "finding.rule"),
    Column("severity", "Severity", "finding.severity"),
    Column("sentence", "What is missing", "finding.sentence"),
]


@requires("contracts.view")
def ruleset_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Every ruleset, and below it what contracts in one's domains fail; the file holds the latter."""
    user, rulesets = me(request), list(Ruleset.objects.all())
    bar = FilterBar(
        request,
        keys={"ruleset": "Ruleset", "severity": "Weight", "domain": "Domain"},
        selects=[
            Select("ruleset", "Ruleset", [(row.slug, row.name) for row in rulesets]),
            Select("severity", "Weight", SEVERITIES),
            Select("domain", "Domain", [(d.slug, d.name) for d in domains_for(user, "contracts.view")]),
        ],
    )
    found = queries.failing(user, rulesets)
    shown = [each for each in found if _is_asked_for(each, bar)]
    if fmt:
        return export_response(shown, COLUMNS, fmt, name="rulesets")
    context = {
        "rulesets": queries.judged(user, rulesets, found),
        "rows": shown[:SHOWN],
        "total": len(shown),
        "bar": bar,
        "can_edit": queries.may_edit(user),
    }
    return render_page(request, "governance/ruleset_list.html", context)


def _is_asked_for(each: Failing, bar: FilterBar) -> bool:
    finding = each.finding
    told = {"ruleset": finding.ruleset.slug, "severity": finding.severity, "domain": each.domain}
    text = bar.text.lower()
    words = f"{each.contract.slug} {each.contract.name} {finding.sentence}".lower()
    return all(not bar.get(key) or bar.get(key) == value for key, value in told.items()) and text in words


@requires("contracts.view")
@require_http_methods(["GET", "POST"])
def ruleset(request: HttpRequest, slug: str) -> HttpResponse:
    """The rules, to read and to change."""
    found = get_object_or_404(Ruleset, slug=slug)
    document = {name: value for name, value in (kind("Ruleset").dump(slug) or {}).items() if name != "kind"}
    form = RulesetForm(slug, request.POST or None, initial={"text": to_yaml(document)})
    if response := _saved(request, form):
        return response
    failing = [each for each in queries.failing(me(request), [found]) if each.finding.ruleset == found]
    context = {"ruleset": found, "failing": failing[:SHOWN], "total": len(failing)}
    return _form_page(request, form, context)


@requires("contracts.edit")
@require_http_methods(["GET", "POST"])
def ruleset_new(request: HttpRequest) -> HttpResponse:
    form = RulesetForm("", request.POST or None, initial={"text": EXAMPLE})
    return _saved(request, form) or _form_page(request, form, {})


def _saved(request: HttpRequest, form: RulesetForm) -> HttpResponse | None:
    """The answer to a form that was saved; None where there is a page to show."""
    if request.method != "POST":
        return None
    if not queries.may_edit(me(request)):
        raise PermissionDenied
    if not form.is_valid():
        return None
    if not form.slug and Ruleset.objects.filter(slug=form.document["slug"]).exists():
        form.add_error("text", f"There is already a ruleset called “{form.document['slug']}”.")
        return None
    try:
        put = services.save_ruleset(form.document, by=me(request))
    except ConfigError as error:
        form.add_error("text", str(error))
        return None
    messages.success(request, put.said)
    if put.url:
        return redirect(put.url)
    return redirect_to(request, reverse("governance:ruleset", args=[form.document["slug"]]))


def _form_page(request: HttpRequest, form: RulesetForm, context: dict[str, Any]) -> HttpResponse:
    frame = {"form": form, "can_edit": queries.may_edit(me(request)), "checks": CHECKS.values()}
    return render_page(request, "governance/ruleset_form.html", frame | context, status=422 if form.errors else 200)
