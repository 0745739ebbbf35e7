"""How much is in trouble: numbers, and amounts that are never added across currencies."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.urls import reverse

from governance.models import Entity
from hub.accounts.models import User
from hub.common.money import decimal_text
from hub.sync import queries
from hub.sync.models import Delivery, HeldRecord
from hub.sync.states import HeldState
from hub.sync.trouble import IN_TROUBLE

Amounts = list[tuple[str, Decimal]]


def held_for(user: User, permission: str = "ledger.view") -> QuerySet[HeldRecord]:
    """Held records that the person may see and that nobody has released."""
    seen = queries.sync_ids_for(user, permission)
    rows = HeldRecord.objects.exclude(state=HeldState.RELEASED)
    return rows if seen is None else rows.filter(sync_id__in=seen)


def deliveries_for(user: User, permission: str = "ledger.view") -> QuerySet[Delivery]:
    seen = queries.sync_ids_for(user, permission)
    rows = Delivery.objects.filter(IN_TROUBLE)
    return rows if seen is None else rows.filter(sync_id__in=seen)


def amounts(rows: QuerySet[Any], *, prefix: str = "") -> Amounts:
    """(currency, sum), largest first; amounts without a currency are left out, because nobody could read them."""
    found = rows.order_by().filter(**{f"{prefix}amount__isnull": False, f"{prefix}currency__isnull": False})
    sums = found.values_list(f"{prefix}currency").annotate(total=Sum(f"{prefix}amount"))
    return sorted(sums, key=lambda pair: -abs(pair[1]))


def number_and_amounts(rows: QuerySet[Any]) -> tuple[int, Amounts]:
    """How many, and `amounts` of them, from one look at the rows."""
    sums = list(rows.order_by().values_list("currency").annotate(number=Count("*"), total=Sum("amount")))
    known = [(currency, total) for currency, _, total in sums if currency is not None and total is not None]
    return sum(number for _, number, _ in sums), sorted(known, key=lambda pair: -abs(pair[1]))


def exact(value: Decimal | None) -> str | None:
    """An amount as plain digits, without the zeros that only its column's scale adds."""
    if value is None:
        return None
    text = decimal_text(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def by_state(rows: QuerySet[Any]) -> list[tuple[int, int]]:
    """(state, number)"""
    return list(rows.order_by().values_list("state").annotate(number=Count("state")))


def tabs(user: User, current: str) -> list[tuple[str, str, bool, int | None]]:
    """The lists of trouble, for components/tabs.html."""
    held, deliveries = held_for(user).count(), deliveries_for(user).count()
    return [
        ("Dead letters", reverse("sync:dead_letter_list"), current == "letters", held + deliveries),
        ("Held records", reverse("sync:held_list"), current == "held", held),
        ("Deliveries in trouble", reverse("sync:delivery_list"), current == "deliveries", deliveries),
        ("Replays", reverse("sync:replay_list"), current == "replays", None),
    ]


def entity_name(entity_id: int | None) -> str:
    return Entity.objects.filter(pk=entity_id).values_list("name", flat=True).first() or "" if entity_id else ""
