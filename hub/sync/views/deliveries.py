"""Deliveries in trouble: send again, discard, or say what the target holds when an answer was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from hub.common.errors import HubError
from hub.common.exports import CHUNK, Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to, safe_next
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.sync import ledger_search, payloads, poison, queries, totals, trouble
from hub.sync.keys import DeliveryKey
from hub.sync.models import Batch, Delivery, Sync, Transaction
from hub.sync.retry import Ladder
from hub.sync.states import DeliveryState
from hub.sync.views.common import asked_of, find_delivery, may_in, me, tell
from hub.sync.views.ledger import versions_of

COLUMNS = [
    Column("sync", "Sync", "sync.slug"),
    Column("key", "Key", "record.key"),
    Column(
        "state", "State", lambda d: "Will retry" if d.state == DeliveryState.PENDING else DeliveryState(d.state).label
    ),
    Column("version", "Version"),
    Column("attempts", "Attempts"),
    Column("failing_since", "Failing since (UTC)"),
    Column("acts_at", "Next attempt (UTC)"),
    Column("target_ref", "Target id"),
    Column("error_code", "Error code"),
    Column("error", "Error", "shown_error"),
    Column("missing_key", "Waits for"),
    Column("amount", "Amount", lambda row: totals.exact(row.record.amount)),
    Column("currency", "Currency", "record.currency"),
]


# The list --------------------------------------------------------------------------------------------------
@requires("ledger.view")
def delivery_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    bar = _bar(request)
    rows = _filtered(request, bar)
    if fmt:
        return export_response(_exported(rows), COLUMNS, fmt, name="deliveries-in-trouble")
    page = paginate(rows, request, order=("-next_at", "-sync_id", "-record_id"))
    context = {
        "bar": bar,
        "page": page,
        "rows": list(payloads.with_shown_error(page)),
        "number": rows.count(),
        "amounts": totals.amounts(rows, prefix="record__"),
        "tabs": totals.tabs(me(request), "deliveries"),
        "can_replay": me(request).has_hub_perm("ledger.replay"),
        "query": urlencode({"leg": "out", **asked_of(bar)}),
    }
    return render(request, "sync/delivery_list.html", context)


def _bar(request: HttpRequest) -> FilterBar:
    syncs = queries.syncs_for(me(request), "ledger.view").filter(mapping__direction="out").order_by("name")
    return FilterBar(
        request,
        keys={"sync": "Sync", "state": "State", "code": "Error code"},
        selects=[
            Select("sync", "Sync", list(syncs.values_list("slug", "name"))),
            Select("state", "State", trouble.STATE_CHOICES),
        ],
        hint="Key or any id, or words of the error",
    )


def _filtered(request: HttpRequest, bar: FilterBar) -> QuerySet[Delivery]:
    """Deliveries in trouble that the address asks for, among those that the person may see."""
    rows = Delivery.objects.filter(trouble.IN_TROUBLE).select_related(
        "sync__mapping__entity", "sync__mapping__stream__connection__system", "record"
    )
    seen = queries.sync_ids_for(me(request), "ledger.view")
    outbound = Sync.objects.filter(mapping__direction="out").values_list("pk", flat=True)
    rows = rows.filter(sync_id__in=[pk for pk in outbound if seen is None or pk in seen])
    if slug := bar.get("sync"):
        rows = rows.filter(sync_id__in=list(Sync.objects.filter(slug=slug).values_list("pk", flat=True)))
    if code := bar.get("code"):
        rows = rows.filter(error_code=code)
    if state := bar.get("state"):
        rows = rows.filter(trouble.in_state(state))
    if bar.text:
        records = ledger_search.record_ids(bar.text)
        rows = rows.filter(record_id__in=records) if records else rows.filter(_words(bar.text))
    return rows


def _words(text: str) -> Q:
    return Q(target_ref=text) | Q(error_detail__icontains=text)


def _exported(rows: QuerySet[Delivery]) -> Iterable[Delivery]:
    return payloads.with_shown_error(rows.order_by("-next_at").iterator(chunk_size=CHUNK))


# One delivery ----------------------------------------------------------------------------------------------
@requires("ledger.view")
def delivery_detail(request: HttpRequest, key: DeliveryKey) -> HttpResponse:
    """What happened so far, what the hub does next, and what a person may decide."""
    delivery = find_delivery(request, key, "ledger.view")
    rows = Transaction.objects.filter(record_id=delivery.record_id, sync_id=delivery.sync_id).order_by("-pk")
    secret = payloads.secret_by_sync([delivery.sync])[delivery.sync_id]
    ladder = Ladder.of(delivery.sync)
    context = {
        "delivery": delivery,
        "sync": delivery.sync,
        "detail": payloads.masked_sentence(delivery.error_detail, secret),
        "rows": [(row, payloads.masked_sentence(row.error_detail, secret)) for row in rows[:20]],
        "is_unsure": delivery.state == DeliveryState.UNSURE,
        "is_open": delivery.state in trouble.STOPPED
        or (delivery.state == DeliveryState.PENDING and delivery.failing_since is not None),
        "missing": totals.entity_name(delivery.missing_entity_id),
        "ladder": ladder,
        "ends_at": ladder.ends_at(delivery),
        "is_dead": delivery.state == DeliveryState.DEAD,
        "crashes": poison.crashes_of(delivery),
        "can_replay": may_in(request, "ledger.replay", delivery.sync),
        **_sent(rows.exclude(batch_id=0).first(), delivery.sync),
    }
    return render(request, "sync/delivery_detail.html", context)


def _sent(row: Transaction | None, sync: Sync) -> dict[str, Any]:
    """What the last attempt sent, with what is masked in it; its transaction's page can reveal that."""
    payload = payloads.payload_of(row) if row else None
    if row is None or not payload:
        return {"sent": None}
    batch = Batch.objects.filter(pk=row.batch_id).defer("payload").first()
    mapping, contract = versions_of(batch)
    masked = frozenset(payloads.masked_paths(payload, sync, mapping=mapping, contract=contract))
    return {"sent": payload, "sent_by": row, "masked": masked}


# Decisions -------------------------------------------------------------------------------------------------
@requires("ledger.replay")
@require_POST
def delivery_retry(request: HttpRequest, key: DeliveryKey) -> HttpResponse:
    delivery = find_delivery(request, key, "ledger.replay")
    rows = Delivery.objects.filter(sync_id=delivery.sync_id, record_id=delivery.record_id)
    _say(request, trouble.retry_deliveries(rows, by=me(request)))
    return redirect_to(request, safe_next(request, reverse("sync:delivery_detail", args=[key])))


def _say(request: HttpRequest, number: int) -> None:
    if not number:
        messages.info(request, "Nothing was left to send again.")
        return
    messages.success(
        request, "1 delivery is due now, with all attempts before it. A paused sync sends when it is resumed."
    )


@requires("ledger.replay")
@require_POST
def delivery_discard(request: HttpRequest, key: DeliveryKey) -> HttpResponse:
    delivery = find_delivery(request, key, "ledger.replay")
    return _decide(
        request, key, lambda: trouble.discard_delivery(
            delivery=delivery, reason=request.POST.get("reason", ""), by=me(request)
        ),
        f"The delivery of {delivery.record.key} is discarded; the reason stands in the ledger.",
    )  # fmt: skip


@requires("ledger.replay")
@require_POST
def delivery_confirm(request: HttpRequest, key: DeliveryKey) -> HttpResponse:
    """It is there."""
    delivery = find_delivery(request, key, "ledger.replay")
    return _decide(
        request, key, lambda: trouble.confirm_delivery(
            delivery=delivery, ref=request.POST.get("ref", ""), by=me(request)
        ),
        f"{delivery.record.key} counts as delivered.",
    )  # fmt: skip


@requires("ledger.replay")
@require_POST
def delivery_resend(request: HttpRequest, key: DeliveryKey) -> HttpResponse:
    """It is not there."""
    delivery = find_delivery(request, key, "ledger.replay")
    return _decide(
        request, key, lambda: trouble.resend_unsure(delivery=delivery, by=me(request)),
        f"{delivery.record.key} is sent again.",
    )  # fmt: skip


def _decide(request: HttpRequest, key: DeliveryKey, act: Callable[[], bool], done: str) -> HttpResponse:
    """Carry out a decision; one that somebody else has taken already changes nothing."""
    try:
        if act():
            messages.success(request, done)
        else:
            messages.info(request, "This delivery was settled already; nothing was changed.")
    except HubError as error:
        tell(request, error)
    return redirect_to(request, safe_next(request, reverse("sync:delivery_detail", args=[key])))
