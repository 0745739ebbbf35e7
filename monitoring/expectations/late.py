"""Late records as exceptions: those that nothing failed of, so that no other part of the hub puts them before people."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from hub.sync.models import Delivery
from hub.sync.states import DeliveryState
from monitoring.exceptions.intake import Found, origin
from monitoring.models import Expectation

FAILED = (DeliveryState.UNSURE, DeliveryState.WAITING, DeliveryState.HELD, DeliveryState.DEAD)


def late_unfailed() -> QuerySet[Expectation]:
    """Late, and no delivery of the record waits for a person for another reason."""
    # One set, built once: deliveries have no index by record alone.
    failed = Delivery.objects.filter(state__in=FAILED).values("record_id")
    return Expectation.objects.filter(state=Expectation.State.BREACHED).exclude(record_id__in=failed)


@origin("late")
def late() -> Iterable[Found]:
    """What is late at this moment, the earliest deadline first."""
    rows = late_unfailed().prefetch_related("service_level", "entity", "system").order_by("due_at", "pk")
    for row in rows.iterator(chunk_size=5_000):
        yield found(row)


def found(row: Expectation) -> Found:
    level = row.service_level
    where = str(row.system) if row.system else "every system"
    what = f"{row.entity} {row.key}" if row.entity else row.key
    return Found(
        key=str(row.pk),
        title=f"{what} is not at {where}" if row.record_id else f"{row.key} was not read in time",
        detail=f"{level}: due {row.due_at:%Y-%m-%d %H:%M} UTC, nothing has arrived.",
        error_code="LATE",
        facts={"service_level": level.slug, **({"client": row.client} if row.client else {})},
        entity_id=row.entity_id,
        domain_id=row.domain_id,
        sync_id=row.sync_id,
        record_id=row.record_id,
        transaction_id=row.cause_id if row.record_id else None,
        client=row.client,
        project=row.project,
        period=row.period,
        legal_entity=row.legal_entity,
        amount=row.amount,
        currency=row.currency,
        due_at=row.due_at,
        since=row.breached_at,
    )
