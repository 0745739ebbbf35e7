"""Systems of record by form: the entities, one rule, and putting an entity's drafts in force."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from governance.models import Entity, OwnershipRule
from governance.ownership import phrases, services
from governance.ownership.coverage import Coverage
from governance.ownership.definitions import coverage_of, ground_of
from governance.ownership.forms import RuleForm
from governance.ownership.queries import rules_for
from governance.queries import entities_for, find_entity, search_entities
from governance.views import me
from hub.accounts.queries import domains_for
from hub.common.errors import ConfigError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.governed import Put
from hub.common.htmx import redirect_to, render_page
from hub.common.permissions import requires

SEE, EDIT = "contracts.view", "contracts.edit"
Status = OwnershipRule.Status
COLUMNS = [
    Column("entity", "Entity", "entity.slug"),
    Column("rule", "Rule", "slug"),
    Column("status", "Status"),
    Column("group", "Group"),
    Column("fields", "Fields", phrases.what),
    Column("decide", "Decided by"),
    Column("systems", "Systems", lambda row: ", ".join(row.systems)),
    Column("condition", "Condition", phrases.condition),
    Column("from_date", "First day"),
    Column("to_date", "Last day"),
    Column("policy", "Other values"),
    Column("note", "Why"),
]


@dataclass(slots=True)
class Row:
    """An entity with what its rules say together."""

    entity: Entity
    active: list[OwnershipRule]
    drafts: int
    coverage: Coverage

    @property
    def owners(self) -> str:
        return ", ".join(dict.fromkeys(slug for rule in self.active for slug in rule.systems))


@requires(SEE)
def ownership_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Every entity by domain: who owns it, and whether its rules cover each field once."""
    domains = [(domain.slug, domain.name) for domain in domains_for(me(request), SEE)]
    bar = FilterBar(request, keys={"domain": "Domain"}, selects=[Select("domain", "Domain", domains)])
    found = search_entities(entities_for(me(request), SEE), bar.text)
    if domain := bar.get("domain"):
        found = found.filter(domain__slug=domain)
    if fmt:
        rules = rules_for(me(request)).filter(entity__in=found).order_by("entity__slug", "slug")
        return export_response(rules, COLUMNS, fmt, name="systems-of-record")
    rows = _rows(list(found.order_by("domain__order", "load_order", "slug")))
    context = {"rows": rows, "bar": bar, "is_governed": any(row.active for row in rows)}
    return render_page(request, "governance/ownership_list.html", context)


def _rows(entities: list[Entity]) -> list[Row]:
    rules: dict[int, list[OwnershipRule]] = {}
    for rule in OwnershipRule.objects.filter(entity__in=entities).exclude(status=Status.RETIRED).order_by("slug"):
        rules.setdefault(rule.entity_id, []).append(rule)
    rows = []
    for entity in entities:
        given = rules.get(entity.pk, [])
        active = [rule for rule in given if rule.status == Status.ACTIVE]
        coverage = coverage_of(ground_of(entity), active) if active else Coverage()
        rows.append(Row(entity, active, len(given) - len(active), coverage))
    return rows


# One rule ---------------------------------------------------------------------------------------------------


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def rule_new(request: HttpRequest, slug: str) -> HttpResponse:
    """A new rule is a draft; ?field= chooses a field, ?replaces= a rule in force that it is to replace."""
    entity = find_entity(me(request), slug, EDIT)
    replaces = rules_for(me(request), EDIT).filter(entity=entity, slug=request.GET.get("replaces", "")).first()
    ground = ground_of(entity)
    initial = RuleForm(entity, ground, replaces).initial if replaces else {}
    if field := request.GET.get("field"):
        initial["fields_named"] = [field]
    form = RuleForm(entity, ground, None, request.POST or None, initial=initial)
    if replaces:
        for place, system in enumerate(replaces.systems[: len(form.places)]):
            form.initial.setdefault(f"system_{place}", system)
    if request.method == "POST" and form.is_valid():
        document = {**form.document, **({"replaces": replaces.slug} if replaces else {})}
        if _saved(request, form, document):
            return redirect_to(request, reverse("sync:ownership_matrix", args=[entity.slug]))
    context = {"form": form, "entity": entity, "replaces": replaces}
    return render_page(request, "governance/ownership_rule.html", context, status=422 if form.errors else 200)


@requires(GET=SEE, POST=EDIT)
@require_http_methods(["GET", "POST"])
def rule_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """One rule. A draft is saved as it is; a change to a rule in force is checked with all the others."""
    rule = _find(request, slug, EDIT if request.method == "POST" else SEE)
    form = RuleForm(rule.entity, ground_of(rule.entity), rule, request.POST or None)
    if request.method == "POST" and form.is_valid() and _saved(request, form, form.document):
        return redirect_to(request, reverse("sync:ownership_matrix", args=[rule.entity.slug]))
    context = {
        "form": form,
        "entity": rule.entity,
        "rule": rule,
        "when": phrases.when(rule),
        "who": phrases.who(rule),
        "can_edit": me(request).has_hub_perm(EDIT, rule.entity.domain_id) and rule.status != Status.RETIRED,
    }
    return render_page(request, "governance/ownership_rule.html", context, status=422 if form.errors else 200)


def _saved(request: HttpRequest, form: RuleForm, document: dict[str, object]) -> bool:
    try:
        _tell(request, services.save(document=document, by=me(request), reason=str(document.get("note") or "")))
    except ConfigError as error:
        form.add_error(None, str(error))
        return False
    return True


def _find(request: HttpRequest, slug: str, permission: str) -> OwnershipRule:
    return get_object_or_404(rules_for(me(request), permission), slug=slug)


def _tell(request: HttpRequest, done: Put) -> None:
    messages.success(request, done.said)


# Of an entity -----------------------------------------------------------------------------------------------


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def activate(request: HttpRequest, slug: str) -> HttpResponse:
    """The drafts of an entity, what they would leave uncovered or doubly claimed, and the button."""
    entity = find_entity(me(request), slug, EDIT)
    drafts = list(OwnershipRule.objects.filter(entity=entity, status=Status.DRAFT).select_related("replaces"))
    problem: ConfigError | None = None
    if request.method == "POST":
        try:
            _tell(request, services.activate(entity=entity, by=me(request), reason=request.POST.get("reason", "")))
            return redirect_to(request, reverse("sync:ownership_matrix", args=[entity.slug]))
        except ConfigError as error:
            problem = error
    ending = {draft.replaces_id for draft in drafts}
    staying = [r for r in OwnershipRule.objects.filter(entity=entity, status=Status.ACTIVE) if r.pk not in ending]
    context = {
        "entity": entity,
        "drafts": [(draft, phrases.who(draft), phrases.what(draft), phrases.when(draft)) for draft in drafts],
        "staying": len(staying),
        "coverage": coverage_of(ground_of(entity), [*staying, *drafts]),
        "problem": problem,
    }
    return render_page(request, "governance/ownership_activate.html", context, status=422 if problem else 200)


@requires(EDIT)
@require_POST
def rule_retire(request: HttpRequest, slug: str) -> HttpResponse:
    rule = _find(request, slug, EDIT)
    try:
        _tell(request, services.retire(rule=rule, by=me(request), reason=request.POST.get("reason", "")))
    except ConfigError as error:
        messages.error(request, str(error))
        return redirect_to(request, rule.get_absolute_url())
    return redirect_to(request, reverse("sync:ownership_matrix", args=[rule.entity.slug]))


@requires(EDIT)
@require_POST
def rule_remove(request: HttpRequest, slug: str) -> HttpResponse:
    rule = _find(request, slug, EDIT)
    try:
        services.remove_draft(rule=rule, by=me(request))
        messages.success(request, "The draft is gone.")
    except ConfigError as error:
        messages.error(request, str(error))
    return redirect_to(request, reverse("sync:ownership_matrix", args=[rule.entity.slug]))


@requires(EDIT)
@require_POST
def release(request: HttpRequest, slug: str) -> HttpResponse:
    """Any system may set any field again."""
    entity = find_entity(me(request), slug, EDIT)
    _tell(request, services.release(entity=entity, by=me(request), reason=request.POST.get("reason", "")))
    return redirect_to(request, reverse("sync:ownership_matrix", args=[entity.slug]))
