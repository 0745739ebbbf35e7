"""Match rules: which records of two systems are the same, entity by entity."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from governance.match_rules import queries, services
from governance.match_rules.forms import COMPARE_WORDS, EDIT, RuleForm, compared_of, rows_of
from governance.models import Entity, MatchRule
from governance.queries import entities_for
from hub.accounts.models import User
from hub.common.errors import ConfigError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to
from hub.common.lists import paginate
from hub.common.permissions import requires

SEE = "contracts.view"
COLUMNS = [
    Column("slug", "Short name"),
    Column("entity", "Entity", "entity.slug"),
    Column("name", "Name"),
    Column("position", "Position"),
    Column("fields", "Compared", lambda row: ", ".join(one["field"] for one in row.fields)),
    Column("outcome", "When it agrees"),
    Column("is_active", "In force"),
]


@requires(SEE)
def match_rule_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    entities = list(entities_for(_me(request), SEE).values_list("slug", "name"))
    bar = FilterBar(
        request, keys={"entity": "Entity"}, selects=[Select("entity", "Entity", entities)], hint="Name of a rule"
    )
    rows = queries.rules_for(_me(request))
    if bar.get("entity"):
        rows = rows.filter(entity__slug=bar.get("entity"))
    if bar.text:
        rows = rows.filter(name__icontains=bar.text)
    if fmt:
        return export_response(rows.order_by("entity__slug", "position", "slug"), COLUMNS, fmt, name="match-rules")
    page = paginate(rows, request, order=("entity__slug", "position", "slug"))
    context = {"bar": bar, "page": page, "can_edit": _me(request).has_hub_perm(EDIT), "words": COMPARE_WORDS}
    return render(request, "governance/match_rule_list.html", context)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def match_rule_new(request: HttpRequest) -> HttpResponse:
    """First the entity, then its fields."""
    slug = request.POST.get("entity") or request.GET.get("entity") or ""
    return _page(request, None, entities_for(_me(request), EDIT).filter(slug=slug).first())


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def match_rule_edit(request: HttpRequest, slug: str) -> HttpResponse:
    rule = get_object_or_404(queries.rules_for(_me(request), EDIT), slug=slug)
    return _page(request, rule, rule.entity)


def _page(request: HttpRequest, rule: MatchRule | None, entity: Entity | None) -> HttpResponse:
    contract = queries.contract_fields(entity) if entity else []
    asked: dict[str, Any] = {"user": _me(request), "rule": rule}
    if request.method == "POST" and "redraw" not in request.POST:
        rows, form = rows_of(contract, data=request.POST), RuleForm(request.POST, **asked)
        compared = compared_of(rows)
        if form.is_valid() and compared is not None and _saved(request, form, rule, compared):
            return redirect_to(request, reverse("governance:match_rule_list"))
    else:
        rows, form = (
            rows_of(contract, compared=rule.fields if rule else ()),
            RuleForm(initial=_initial(rule, entity), **asked),
        )
    context = {"form": form, "rows": rows, "rule": rule, "entity": entity}
    return render(request, "governance/match_rule_form.html", context, status=422 if form.is_bound else 200)


def _initial(rule: MatchRule | None, entity: Entity | None) -> dict[str, Any]:
    if rule is None:
        return {"entity": entity.slug if entity else ""}
    return {name: getattr(rule, name) for name in ("name", "outcome", "position", "is_active")}


def _saved(request: HttpRequest, form: RuleForm, rule: MatchRule | None, compared: list[dict[str, Any]]) -> bool:
    """Put the rule; what the service refuses becomes an error of the form."""
    if not compared:
        form.add_error(None, "Name at least one field to compare.")
        return False
    values = dict(form.cleaned_data)
    reason = values.pop("reason")
    if rule is not None:
        values |= {"slug": rule.slug, "entity": rule.entity}
    try:
        done = services.put(services.document_of(fields=compared, **values), by=_me(request), reason=reason)
    except ConfigError as error:
        form.add_error(None, str(error))
        return False
    said = f"{values['name']} is saved; runs that begin from now on use it." if done.is_applied else done.said
    messages.success(request, said)
    return True


def _me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
