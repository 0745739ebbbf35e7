"""Reading entities and contracts: the list by domain, and the tabs of one contract."""

from __future__ import annotations

import re
from typing import Any

import orjson
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse

from governance import consumers, lifecycle, queries
from governance.diff import compare
from governance.exchange.json_schema import to_json_schema
from governance.models import Contract, ContractVersion, Entity
from governance.rulesets.judging import of_contract
from governance.schemas import markers_of, rules_of
from governance.terms.queries import terms_by_field
from hub.accounts.models import User
from hub.accounts.queries import domains_for
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import render_page
from hub.common.lists import paginate
from hub.common.permissions import requires

COMPARE = re.compile(r"(\d{1,6})\.\.(\d{1,6})")
MODES = [(value, label.partition(":")[0]) for value, label in Contract.Mode.choices]
COLUMNS = [
    Column("entity", "Entity", "slug"),
    Column("name", "Name"),
    Column("domain", "Domain", "domain.slug"),
    Column("fields", "Fields", lambda entity: len(queries.fields_for(entity))),
    Column("version", "Version", lambda entity: getattr(_active(entity), "number", None)),
    Column("mode", "Unknown fields", lambda entity: getattr(queries.contract_of(entity), "mode", None)),
    Column("changed_at", "Last change (UTC)", lambda entity: getattr(_active(entity), "created_at", None)),
]


@requires("contracts.view")
def contract_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Every entity with the version of its contract that is in force, by domain."""
    user = me(request)
    domains = [(domain.slug, domain.name) for domain in domains_for(user, "contracts.view")]
    bar = FilterBar(
        request,
        keys={"domain": "Domain", "mode": "Unknown fields"},
        selects=[Select("domain", "Domain", domains), Select("mode", "Unknown fields", MODES)],
    )
    rows = queries.search_entities(queries.entities_for(user), bar.text)
    if domain := bar.get("domain"):
        rows = rows.filter(domain__slug=domain)
    if mode := bar.get("mode"):
        rows = rows.filter(contract__mode=mode)
    if fmt:
        return export_response(list(rows), COLUMNS, fmt, name="contracts")
    page = paginate(rows, request, order=("domain__order", "load_order", "slug"), page_size=100)
    context = {"page": page, "rows": [_row(entity) for entity in page], "bar": bar, "domain_count": len(domains)}
    return render_page(request, "governance/contract_list.html", context)


def _row(entity: Entity) -> dict[str, Any]:
    fields, contract = queries.fields_for(entity), queries.contract_of(entity)
    return {
        "entity": entity,
        "version": queries.active_version(contract),
        "field_count": len(fields),
        "key": ", ".join(field.name for field in fields if field.is_key),
        "mode": dict(MODES)[contract.mode] if contract else "",
    }


@requires("contracts.view")
def contract_fields(request: HttpRequest, slug: str) -> HttpResponse:
    """What a record of the entity holds, field by field."""
    entity = queries.find_entity(me(request), slug)
    version = _active(entity)
    bound = terms_by_field(me(request), entity.slug)
    context = {
        "fields": [(field, bound.get(field.name, [])) for field in queries.fields_for(entity)],
        "rules": rules_of(version.schema) if version else [],
        "failing": of_contract(version.contract, version.schema) if version else [],
        "refs": set(queries.entities_for(me(request)).values_list("slug", flat=True)),
    }
    return contract_page(request, "governance/contract_fields.html", entity, "fields", context)


@requires("contracts.view")
def contract_versions(request: HttpRequest, slug: str) -> HttpResponse:
    """All versions, and with ?compare=1..2 how two of them differ."""
    entity = queries.find_entity(me(request), slug)
    contract = queries.contract_of(entity)
    versions = list(contract.versions.select_related("created_by")) if contract else []
    asked = request.GET.get("compare", "")
    if request.GET.keys() >= {"from", "to"}:
        asked = f"{request.GET['from']}..{request.GET['to']}"
    context = {"versions": versions, **_comparison(asked, versions)}
    return contract_page(request, "governance/contract_versions.html", entity, "versions", context)


def _comparison(asked: str, versions: list[ContractVersion]) -> dict[str, Any]:
    numbers = {version.number: version for version in versions}
    found = COMPARE.fullmatch(asked)
    if not found:
        wrong = f"“{asked}” names no two versions. Write them as 1..2." if asked else ""
        newest = versions[0].number if versions else 1
        return {"problem": wrong, "before": max(newest - 1, 1), "after": newest}
    before, after = int(found[1]), int(found[2])
    if missing := [number for number in (before, after) if number not in numbers]:
        return {"problem": f"There is no version {missing[0]}.", "before": before, "after": after}
    old, new = numbers[before], numbers[after]
    verdict = lifecycle.compared(old, new)
    real = consumers.effective(verdict, consumers.of(new.contract.entity))
    diffs = compare(old.schema, new.schema)
    return {"compared": True, "diffs": diffs, "verdict": verdict, "effective": real, "before": before, "after": after}


@requires("contracts.view")
def contract_schema(request: HttpRequest, slug: str) -> HttpResponse:
    """The contract as JSON Schema, for developers."""
    entity = queries.find_entity(me(request), slug)
    context = {"asked": asked_version(request, entity)}
    return contract_page(request, "governance/contract_schema.html", entity, "schema", context)


@requires("contracts.view")
def schema_file(request: HttpRequest, slug: str) -> HttpResponse:
    """The same as a file; formats of our own are written out as patterns, so that any validator can use it."""
    entity = queries.find_entity(me(request), slug)
    version = asked_version(request, entity)
    if version is None:
        raise Http404
    body = orjson.dumps(to_json_schema(version.schema, slug), option=orjson.OPT_INDENT_2)
    response = HttpResponse(body, content_type="application/schema+json")
    response["Content-Disposition"] = f'attachment; filename="{slug}.v{version.number}.schema.json"'
    return response


def asked_version(request: HttpRequest, entity: Entity) -> ContractVersion | None:
    """The version that ?version= names, else the one in force."""
    asked, contract = request.GET.get("version", ""), queries.contract_of(entity)
    if not asked:
        return queries.active_version(contract)
    found = contract.versions.filter(number=int(asked)).first() if contract and asked.isdecimal() else None
    if found is None:
        raise Http404
    return found


@requires("contracts.view")
def contract_history(request: HttpRequest, slug: str) -> HttpResponse:
    """Who changed what."""
    entity = queries.find_entity(me(request), slug)
    context = {"events": queries.history(entity)}
    return contract_page(request, "governance/contract_history.html", entity, "history", context)


# The frame of all tabs --------------------------------------------------------------------------------------


def contract_page(
    request: HttpRequest, template: str, entity: Entity, tab: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """A tab of one contract; `can_edit` is whether this person may change contracts of its domain."""
    version = _active(entity)
    frame = {
        "entity": entity,
        "contract": queries.contract_of(entity),
        "version": version,
        "key": ", ".join(markers_of(version.schema).key) if version else "",
        "owner": version.schema.get("x-owner", "") if version else "",
        "can_edit": me(request).has_hub_perm("contracts.edit", entity.domain_id),
        "tabs": _tabs(entity, tab),
    }
    return render_page(request, template, frame | context, status=status)


def _tabs(entity: Entity, current: str) -> list[tuple[str, str, bool, int | None]]:
    contract = queries.contract_of(entity)
    counts = {"fields": len(queries.fields_for(entity)), "versions": contract.versions.count() if contract else 0}
    return [
        (word, reverse(f"governance:contract_{name}", args=[entity.slug]), name == current, counts.get(name))
        for name, word in (
            ("fields", "Fields"),
            ("versions", "Versions"),
            ("schema", "JSON Schema"),
            ("history", "History"),
        )
    ]


def _active(entity: Entity) -> ContractVersion | None:
    return queries.active_version(queries.contract_of(entity))


def me(request: HttpRequest) -> User:
    """The person of a view that only people with an account reach."""
    assert isinstance(request.user, User)
    return request.user
