"""Reads of expectations: what a person may see, what it is worth, and whose turn it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Q, QuerySet, Sum
from django.urls import reverse

from governance.models import Firm
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.sync.models import Delivery, Sync
from hub.sync.states import DeliveryState
from monitoring.models import Expectation

SEE = "monitor.view"
State = Expectation.State
# The word of a tab -> the states that it shows.
TABS: dict[str, tuple[str, Sequence[str]]] = {
    "": ("Unfinished", Expectation.UNFINISHED),
    "late": ("Late", (State.BREACHED,)),
    "warned": ("Soon late", (State.WARNED,)),
    "due": ("Due", (State.OPEN,)),
    "arrived_late": ("Arrived late", (State.MET_LATE,)),
    "met": ("In time", (State.MET,)),
    "cancelled": ("Not asked any more", (State.CANCELLED,)),
}


def expectations_for(user: User) -> QuerySet[Expectation]:
    # A handful of each for any number of rows: joined, they would be carried through every sort.
    rows = Expectation.objects.prefetch_related("service_level__calendar", "entity", "system", "domain")
    return scope_to_domains(rows, user, SEE)


@dataclass(frozen=True, slots=True)
class Total:
    """How many, what they are worth in the firm's currency, and how many have an amount for which there is no rate."""

    number: int = 0
    amount: Decimal | None = None
    unconverted: int = 0


def totals(rows: QuerySet[Expectation]) -> dict[str, Total]:
    """By state, of what is unfinished: one statement over one index."""
    found = rows.filter(state__in=Expectation.UNFINISHED).prefetch_related(None).order_by().values_list("state")
    counted = found.annotate(
        number=Count("pk"),
        worth=Sum("amount_firm"),
        unconverted=Count("pk", filter=Q(amount__isnull=False, amount_firm__isnull=True)),
    )
    return {state: Total(number, worth, unconverted) for state, number, worth, unconverted in counted}


def firm_currency() -> str:
    firm = Firm.objects.first()
    return firm.currency if firm else ""


def search(rows: QuerySet[Expectation], text: str) -> QuerySet[Expectation]:
    """By the beginning of the key, or a whole client or project."""
    return rows.filter(Q(key__startswith=text) | Q(client=text) | Q(project=text)) if text else rows


# Whose turn it is ---------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Turn:
    """Who has to act, and why it has not arrived; `state` is a word of hub.common.states."""

    who: str
    why: str
    state: str
    url: str = ""


_TURNS: dict[int, tuple[str, str, str]] = {
    DeliveryState.PENDING: ("The hub", "The delivery is queued.", "queued"),
    DeliveryState.UNSURE: ("Operations", "The target's answer was lost: look there whether it arrived.", "unsure"),
    DeliveryState.WAITING: (
        "The owner of what is missing",
        "A record that it refers to is not at the target yet.",
        "waiting",
    ),
    DeliveryState.HELD: ("Operations", "The target refused it.", "held"),
    DeliveryState.DEAD: ("Operations", "It was tried as often as is allowed.", "dead"),
    DeliveryState.DISCARDED: (
        "The owner of the sync",
        "The delivery was discarded, or the sync leaves it out.",
        "muted",
    ),
    DeliveryState.DELIVERED: ("The hub", "An older version has arrived.", "delivered"),
}
_WORST = (
    DeliveryState.DEAD,
    DeliveryState.HELD,
    DeliveryState.UNSURE,
    DeliveryState.WAITING,
    DeliveryState.DISCARDED,
    DeliveryState.PENDING,
    DeliveryState.DELIVERED,
)  # fmt: skip


def turns(rows: Sequence[Expectation]) -> dict[int, Turn]:
    """Of the unfinished rows of one page, by their ids; two statements for all of them."""
    open_rows = [row for row in rows if row.state in Expectation.UNFINISHED]
    deliveries = _deliveries(open_rows)
    syncs = Sync.objects.in_bulk([row.subject_id for row in open_rows if row.record_id is None])
    return {
        row.pk: _of_record(row, deliveries.get(row.pk, [])) if row.record_id else _of_sync(row, syncs)
        for row in open_rows
    }


def _deliveries(rows: Sequence[Expectation]) -> Mapping[int, list[Delivery]]:
    ids = [row.record_id for row in rows if row.record_id]
    if not ids:
        return {}
    # By their key, which begins with the sync: there is no index of deliveries by record alone.
    outs = Sync.objects.filter(mapping__direction="out", mapping__entity__in={row.entity_id for row in rows})
    found = Delivery.objects.filter(sync__in=list(outs.values_list("pk", flat=True)), record__in=ids)
    found = found.select_related("sync__mapping__stream__connection")
    by_record: dict[int, list[Delivery]] = {}
    for delivery in found:
        by_record.setdefault(delivery.record_id, []).append(delivery)
    return {row.pk: [d for d in by_record.get(row.record_id or 0, []) if _is_at(d, row)] for row in rows}


def _is_at(delivery: Delivery, row: Expectation) -> bool:
    return row.system_id in (None, delivery.sync.stream.connection.system_id)


def _of_record(row: Expectation, deliveries: list[Delivery]) -> Turn:
    open_ones = [d for d in deliveries if (d.delivered_version or 0) < (row.version or 0)]
    if not open_ones:
        owner = row.service_level.owner or "The owner of the service level"
        return Turn(owner, "Nothing failed: no delivery was ever queued for it.", "none")
    delivery = min(open_ones, key=lambda each: _WORST.index(DeliveryState(each.state)))
    who, why, state = _TURNS[delivery.state]
    if delivery.state == DeliveryState.PENDING and delivery.attempts:
        why, state = f"The hub tries again; {delivery.attempts} tries so far.", "retrying"
    if delivery.missing_key and delivery.state == DeliveryState.WAITING:
        why = f"{delivery.missing_key} is not at the target yet."
    return Turn(who, why, state, reverse("sync:delivery_list") + f"?q={row.key}" if state != "queued" else "")


def _of_sync(row: Expectation, syncs: Mapping[int, Sync]) -> Turn:
    sync = syncs.get(row.subject_id)
    if sync is None:
        return Turn("The owner of the service level", "The sync is not there any more.", "muted")
    url = reverse("sync:sync_detail", args=[sync.slug])
    if sync.is_paused:
        who, why = str(sync.paused_by or "The owner of the sync"), sync.pause_reason or "no reason given"
        return Turn(who, f"Paused: {why}", "paused", url)
    return Turn("Operations", "No clean run has come since.", "stale", url)
