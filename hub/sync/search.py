"""What Ctrl K finds here: records that did not pass and deliveries by their ids, runs, transactions, syncs by name.

Canonical records are found by hub.records. Every look-up is by equality on an index, so that its time does not depend on
how much the hub holds.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse

from hub.common import search
from hub.common.search import Hit
from hub.records.models import Crosswalk
from hub.sync import queries
from hub.sync.keys import held_key
from hub.sync.models import Delivery, HeldRecord, Run, Sync, Transaction
from hub.sync.states import DeliveryState, HeldState, Outcome

EACH = 5
MIN_LENGTH = 2
_RUN = re.compile(r"(?:run\s*#?|#)\s*(\d{1,18})", re.IGNORECASE)
_TRANSACTION = re.compile(r"t-(\d{1,18})", re.IGNORECASE)


@search.provider(order=12)
def find_trouble(q: str, user: Any) -> Iterable[Hit]:
    """Records that did not pass, by their source's id; deliveries, by their target's id."""
    if len(q) < MIN_LENGTH or not user.has_hub_perm("ledger.view"):
        return []
    seen = queries.sync_ids_for(user, "ledger.view")
    held = HeldRecord.objects.filter(external_id=q).select_related("sync")
    sent = _sent_as(q)
    if seen is not None:
        held, sent = held.filter(sync_id__in=seen), sent.filter(sync_id__in=seen)
    return [*map(_held_hit, held[:EACH]), *map(_delivery_hit, sent[:EACH])]


def _sent_as(ref: str) -> QuerySet[Delivery]:
    """Deliveries to a target that calls the record so: the crosswalk knows the record, the sync's stream the delivery."""
    out_syncs = defaultdict(list)
    for sync_id, stream_id in Sync.objects.filter(mapping__direction="out").values_list("pk", "mapping__stream_id"):
        out_syncs[stream_id].append(sync_id)
    links = Crosswalk.objects.filter(stream_id__in=list(out_syncs), external_id=ref).values_list(
        "stream_id", "record_id"
    )
    wanted = Q(pk__in=[])
    for stream_id, record_id in links[:EACH]:
        wanted |= Q(sync_id__in=out_syncs[stream_id], record_id=record_id)
    return Delivery.objects.filter(wanted).select_related("sync", "record")


def _held_hit(held: HeldRecord) -> Hit:
    state = HeldState(held.state).label
    url = reverse("sync:held_detail", args=[held_key(held)])
    return Hit(held.external_id, url, "Held records", f"{state} in {held.sync.name}", icon="ban")


def _delivery_hit(delivery: Delivery) -> Hit:
    state = DeliveryState(delivery.state).label
    url = reverse("sync:delivery_detail", args=[f"{delivery.sync_id}-{delivery.record_id}"])
    title = f"{delivery.record.key} as {delivery.target_ref or delivery.record.key}"
    return Hit(title, url, "Deliveries", f"{state} by {delivery.sync.name}", icon="send")


@search.provider(order=14)
def find_numbers(q: str, user: Any) -> Iterable[Hit]:
    """`run 12`, `#12`, `T-123`."""
    if match := _RUN.fullmatch(q):
        return _runs(int(match[1]), user)
    if match := _TRANSACTION.fullmatch(q):
        return _transactions(int(match[1]), user)
    return []


def _runs(number: int, user: Any) -> list[Hit]:
    if not user.has_hub_perm("syncs.view"):
        return []
    runs: Iterable[Run] = queries.runs_for(user, "syncs.view").filter(pk=number)
    url = reverse("sync:run_detail", args=[number])
    return [
        Hit(f"Run {number}", url, "Runs", f"{run.sync.name}, {run.get_status_display()}", "player-play") for run in runs
    ]


def _transactions(number: int, user: Any) -> list[Hit]:
    if not user.has_hub_perm("ledger.view"):
        return []
    row = Transaction.objects.filter(pk=number).first()
    seen = queries.sync_ids_for(user, "ledger.view")
    if row is None or (seen is not None and row.sync_id not in seen):
        return []
    subtitle = f"{row.key or row.external_id or ''} · {Outcome(row.outcome).label}".strip(" ·")
    return [Hit(f"T-{number}", reverse("sync:transaction_detail", args=[number]), "Transactions", subtitle, "list")]


@search.provider(order=16)
def find_syncs(q: str, user: Any) -> Iterable[Hit]:
    if not q or not user.has_hub_perm("syncs.view"):
        return []
    found = queries.syncs_for(user, "syncs.view").filter(name__icontains=q).order_by("name")[:EACH]
    return [
        Hit(sync.name, reverse("sync:sync_detail", args=[sync.slug]), "Syncs", queries.trigger_words(sync), "timeline")
        for sync in found
    ]
