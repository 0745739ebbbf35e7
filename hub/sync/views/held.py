"""Records that may not pass: quarantined, waiting for a parent, held. Try again, or discard with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from governance.models import ContractVersion
from hub.common import facts
from hub.common.errors import HubError
from hub.common.exports import CHUNK, Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to, safe_next
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.sync import payloads, queries, totals, trouble
from hub.sync.keys import HeldKey
from hub.sync.models import Duplicate, HeldRecord, Sync
from hub.sync.states import HeldState
from hub.sync.views.common import asked_of, find_held, may_in, me, tell
from mappings.models import MappingVersion

STATES = [(state.name.lower(), state.label) for state in HeldState]
COLUMNS = [
    Column("sync", "Sync", "sync.slug"),
    Column("external_id", "External id"),
    Column("state", "State", lambda held: HeldState(held.state).label),
    Column("field", "Field"),
    Column("error_code", "Error code"),
    Column("error", "Error", "shown_error"),
    Column("missing_key", "Waits for"),
    Column("amount", "Amount", lambda row: totals.exact(row.amount)),
    Column("currency", "Currency"),
    Column("first_at", "Held since (UTC)"),
    Column("last_at", "Last seen (UTC)"),
]


# The list --------------------------------------------------------------------------------------------------
@requires("ledger.view")
def held_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    bar = _bar(request)
    rows = _filtered(request, bar)
    if fmt:
        return export_response(_exported(rows), COLUMNS, fmt, name="held-records")
    page = paginate(rows, request, order=("-last_at", "-sync_id", "-external_id"))
    context = {
        "bar": bar,
        "page": page,
        "rows": list(payloads.with_shown_error(page)),
        "number": rows.count(),
        "amounts": totals.amounts(rows),
        "tabs": totals.tabs(me(request), "held"),
        "can_replay": me(request).has_hub_perm("ledger.replay"),
        "query": urlencode({"leg": "in", **asked_of(bar)}),
    }
    return render(request, "sync/held_list.html", context)


def _bar(request: HttpRequest) -> FilterBar:
    syncs = queries.syncs_for(me(request), "ledger.view").filter(mapping__direction="in").order_by("name")
    return FilterBar(
        request,
        keys={"sync": "Sync", "state": "State", "field": "Field", "code": "Error code"},
        selects=[Select("sync", "Sync", list(syncs.values_list("slug", "name"))), Select("state", "State", STATES)],
        hint="External id, or words of the error",
    )


def _filtered(request: HttpRequest, bar: FilterBar) -> QuerySet[HeldRecord]:
    """The rows that the address asks for, among those that the person may see."""
    rows = HeldRecord.objects.select_related("sync__mapping__entity", "sync__mapping__stream__connection__system")
    seen = queries.sync_ids_for(me(request), "ledger.view")
    if seen is not None:
        rows = rows.filter(sync_id__in=seen)
    if slug := bar.get("sync"):
        rows = rows.filter(sync_id__in=list(Sync.objects.filter(slug=slug).values_list("pk", flat=True)))
    if state := {word: value for value, word in ((s.value, s.name.lower()) for s in HeldState)}.get(bar.get("state")):
        rows = rows.filter(state=state)
    if field := bar.get("field"):
        rows = rows.filter(field=field)
    if code := bar.get("code"):
        rows = rows.filter(error_code=code)
    if bar.text:
        exact = rows.filter(external_id=bar.text)
        rows = exact if exact.exists() else rows.filter(error_detail__icontains=bar.text)
    return rows


def _exported(rows: QuerySet[HeldRecord]) -> Iterable[HeldRecord]:
    return payloads.with_shown_error(rows.order_by("-last_at").iterator(chunk_size=CHUNK))


# One record ------------------------------------------------------------------------------------------------
@requires("ledger.view")
@never_cache
def held_detail(request: HttpRequest, key: HeldKey) -> HttpResponse:
    held = find_held(request, key, "ledger.view")
    return render(request, "sync/held_detail.html", _detail(request, held, revealed=False))


@requires("payloads.reveal")
@never_cache
@require_POST
def held_reveal(request: HttpRequest, key: HeldKey) -> HttpResponse:
    held = find_held(request, key, "payloads.reveal")
    facts.publish("payload_revealed", held=held, fields=["payload"], by=me(request))
    return render(request, "sync/held_detail.html", _detail(request, held, revealed=True))


def _detail(request: HttpRequest, held: HeldRecord, *, revealed: bool) -> dict[str, Any]:
    mapping = held.sync.mapping.versions.filter(status=MappingVersion.Status.ACTIVE).first()
    contract = ContractVersion.objects.filter(
        contract__entity=held.sync.entity, status=ContractVersion.Status.ACTIVE
    ).first()
    masked = payloads.masked_paths(held.body, held.sync, mapping=mapping, contract=contract)
    secret = payloads.secret_by_sync([held.sync])[held.sync_id]
    return {
        "held": held,
        "sync": held.sync,
        "detail": held.error_detail if revealed else payloads.masked_sentence(held.error_detail, secret),
        "masked": frozenset() if revealed else masked,
        "revealed": revealed,
        "missing": totals.entity_name(held.missing_entity_id),
        "duplicate": Duplicate.objects.filter(
            sync=held.sync, external_id=held.external_id, status=Duplicate.Status.OPEN
        ).first(),
        "why_not_tried": trouble.why_not_tried(held),
        "can_replay": may_in(request, "ledger.replay", held.sync),
        "can_reveal": may_in(request, "payloads.reveal", held.sync),
    }


# Decisions -------------------------------------------------------------------------------------------------
@requires("ledger.replay")
@require_POST
def held_retry(request: HttpRequest, key: HeldKey) -> HttpResponse:
    held = find_held(request, key, "ledger.replay")
    try:
        done = trouble.retry_held(held=held, by=me(request))
    except HubError as error:
        tell(request, error)
        return redirect_to(request, safe_next(request, reverse("sync:held_detail", args=[key])))
    _say(request, done)
    return redirect_to(request, safe_next(request, reverse("sync:held_list")))


def _say(request: HttpRequest, done: bool) -> None:
    if not done:
        messages.info(request, "Nothing was left to try again.")
        return
    messages.success(
        request, "1 record is tried again; what passes leaves this list. A paused sync does so when it is resumed."
    )


@requires("ledger.replay")
@require_POST
def held_discard(request: HttpRequest, key: HeldKey) -> HttpResponse:
    held = find_held(request, key, "ledger.replay")
    try:
        done = trouble.discard_held(held=held, reason=request.POST.get("reason", ""), by=me(request))
    except HubError as error:
        tell(request, error)
        return redirect_to(request, reverse("sync:held_detail", args=[key]))
    if done:
        messages.success(request, f"{held.external_id} is discarded; the reason stands in the ledger.")
    else:
        messages.info(request, "Nothing was left to discard.")
    return redirect_to(request, reverse("sync:held_list"))
