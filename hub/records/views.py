"""Looking at canonical records: by entity, one of them, and what is masked for those who may reveal it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from governance.queries import entities_for, find_entity
from hub.accounts.models import User
from hub.common import search
from hub.common.display import NOTHING
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar
from hub.common.htmx import render_page
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.common.search import Hit
from hub.records import queries, services
from hub.records.models import CanonicalRecord
from hub.records.queries import COUNTED, REVEAL, SEE
from hub.records.reading import Described, plain_amount, show, title_of

WORDS = {"legal_entity": "Legal entity", "customer": "Customer", "project": "Project", "period": "Period"}
_ENTITY_COLUMNS = [
    Column("entity", "Entity", "slug"),
    Column("name", "Name"),
    Column("domain", "Domain", "domain.slug"),
]


@requires(SEE)
def entity_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """The entities whose records this person may see; with ?q= the records known under that id or key."""
    entities = list(entities_for(_me(request), SEE).order_by("domain__order", "load_order", "slug"))
    counts = queries.counts([entity.pk for entity in entities])
    if fmt:
        columns = [*_ENTITY_COLUMNS, Column("records", "Records", lambda entity: counts[entity.pk])]
        return export_response(entities, columns, fmt, name="records")
    bar = FilterBar(request, keys={}, hint="Whole id at any system, or the beginning of a key")
    rows = [(entity, _capped(counts[entity.pk])) for entity in entities]
    context = {"rows": rows, "bar": bar, "found": queries.search(_me(request), bar.text, 50) if bar.text else []}
    return render_page(request, "records/entity_list.html", context)


@requires(SEE)
def record_list(request: HttpRequest, slug: str, fmt: str = "") -> HttpResponseBase:
    """Records of one entity in the order of their keys."""
    entity = find_entity(_me(request), slug, SEE)
    described = Described(entity)
    keys = {name: WORDS[name] for name in described.columns}
    hint = " ".join([*(f"{name}:" for name in keys), "or the beginning of a key"])
    bar = FilterBar(request, keys=keys, hint=hint)
    rows = queries.with_key_from(queries.records_of(entity), bar.text)
    rows = rows.filter(**{name: bar.get(name) for name in keys if bar.get(name)})
    if fmt:
        slim = rows.defer("body", "hash").order_by("key")
        return export_response(slim, _columns(described), fmt, name=entity.slug)
    page = paginate(rows, request, order=("key",))
    context = {
        "entity": entity,
        "bar": bar,
        "page": page,
        "rows": [_row(record, described) for record in page],
        "columns": keys.values(),
        "has_amount": bool(described.markers.amount),
        "number": "" if bar.is_active else _capped(queries.counts([entity.pk])[entity.pk], " record"),
    }
    return render_page(request, "records/record_list.html", context)


def _row(record: CanonicalRecord, described: Described) -> dict[str, Any]:
    cells = [(WORDS[name], getattr(record, name) or NOTHING) for name in described.columns]
    amount = plain_amount(record)
    return {"record": record, "title": title_of(record, described), "cells": cells, "amount": amount}


def _columns(described: Described) -> list[Column]:
    money = (
        [Column("amount", "Amount", plain_amount), Column("currency", "Currency")] if described.markers.amount else []
    )
    return [
        Column("key", "Key"),
        *(Column(name, WORDS[name]) for name in described.columns),
        *money,
        Column("version", "Version"),
        Column("updated_at", "Updated (UTC)"),
    ]


def _capped(number: int, word: str = "") -> str:
    shown = f"{COUNTED:,} or more" if number >= COUNTED else f"{number:,}"
    return f"{shown}{word}{'s' if word and number != 1 else ''}"


@requires(SEE)
@never_cache
def record_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One record: every field, who supplied it, and where else the record is known."""
    return _record_page(request, queries.find_record(_me(request), slug, pk=pk))


@requires(REVEAL)
@never_cache
@require_POST
def record_reveal(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The same page with nothing masked; that it was asked for is kept."""
    record = queries.find_record(_me(request), slug, REVEAL, pk=pk)
    services.reveal(record, Described(record.entity).masked(record.body), by=_me(request))
    return _record_page(request, record, revealed=True)


def _record_page(request: HttpRequest, record: CanonicalRecord, *, revealed: bool = False) -> HttpResponse:
    described = Described(record.entity)
    secret = described.masked(record.body)
    context = {
        "record": record,
        "entity": record.entity,
        "title": title_of(record, described),
        "fields": show(record, described, revealed=revealed),
        "body": {name: record.body[name] for name in _in_order(record, described)},
        "masked": [] if revealed else sorted(secret),
        "revealed": revealed,
        "may_reveal": _me(request).has_hub_perm(REVEAL, record.entity.domain_id),
        "facts": [(WORDS[name], getattr(record, name)) for name in described.columns if getattr(record, name)],
        "links": queries.links_of(record),
        "reveals": record.reveals.select_related("by")[:20],
    }
    return render_page(request, "records/record.html", context)


def _in_order(record: CanonicalRecord, described: Described) -> list[str]:
    """The fields of the body as the contract lists them; the store keeps them in no order of use to people."""
    return [*(name for name in described.fields if name in record.body), *(set(record.body) - set(described.fields))]


@search.provider(order=30)
def find_records(q: str, user: Any) -> list[Hit]:
    """Records by key, or by the id that any system knows them under."""
    if not user.has_hub_perm(SEE):
        return []
    return [_hit(record) for record in queries.search(user, q)]


def _hit(record: CanonicalRecord) -> Hit:
    return Hit(record.key, record.get_absolute_url(), "Records", subtitle=record.entity.name, icon="cube")


def _me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
