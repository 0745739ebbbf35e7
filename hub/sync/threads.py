"""The way of one record: the inbound transaction that started it, every delivery that it caused, and what is still open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from governance.models import Entity, OwnershipRule
from hub.sync.models import Delivery, Sync, Transaction
from hub.sync.states import DeliveryState, Outcome
from hub.sync.trouble import STOPPED

MOST = 200


@dataclass(frozen=True, slots=True)
class Hop:
    """One ledger row of the thread; `after` is the time since the first one."""

    row: Transaction
    sync: Sync | None
    after: timedelta
    is_this: bool

    @property
    def system(self) -> str:
        return self.sync.stream.connection.system.name if self.sync else "a sync that is gone"


def thread_of(row: Transaction, sync_ids: Sequence[int] | None) -> list[Hop]:
    """Rows with the same correlation id that the person may see, in time order."""
    rows = same_thing(row).filter(correlation_id=row.correlation_id)
    if sync_ids is not None:
        rows = rows.filter(sync_id__in=list(sync_ids))
    found = list(rows.order_by("pk")[:MOST])
    syncs = syncs_of(found)
    return [Hop(r, syncs.get(r.sync_id), r.at - found[0].at, r.pk == row.pk) for r in found]


def same_thing(row: Transaction) -> QuerySet[Transaction]:
    """All ledger rows of the record; of a rejected one, all rows under its id from this sync."""
    if row.record_id is not None:
        return Transaction.objects.filter(record_id=row.record_id)
    if row.external_id is None:
        return Transaction.objects.filter(pk=row.pk)
    return Transaction.objects.filter(record_id__isnull=True, external_id=row.external_id, sync_id=row.sync_id)


def others_of(row: Transaction, sync_ids: Sequence[int] | None, *, limit: int = 10) -> list[Transaction]:
    """What else happened to the record, newest first."""
    rows = same_thing(row).exclude(correlation_id=row.correlation_id)
    if sync_ids is not None:
        rows = rows.filter(sync_id__in=list(sync_ids))
    return list(rows.order_by("-pk")[:limit])


def syncs_of(rows: Sequence[Transaction]) -> dict[int, Sync]:
    ids = {row.sync_id for row in rows}
    found = Sync.objects.filter(pk__in=ids).select_related("mapping__entity", "mapping__stream__connection__system")
    return {sync.pk: sync for sync in found}


def open_deliveries(row: Transaction, sync_ids: Sequence[int] | None) -> list[Delivery]:
    """Deliveries of the record that have not ended well yet."""
    if row.record_id is None:
        return []
    rows = Delivery.objects.filter(record_id=row.record_id).filter(
        Q(state__in=STOPPED) | Q(state=DeliveryState.PENDING)
    )
    if sync_ids is not None:
        rows = rows.filter(sync_id__in=list(sync_ids))
    return list(rows.select_related("sync__mapping__stream__connection__system", "record").order_by("sync_id"))


def rules_at(entity: Entity, at: datetime) -> list[OwnershipRule]:
    """The systems of record of an entity as they were in force at an instant."""
    rows = OwnershipRule.history.as_of(at).filter(entity_id=entity.pk, status=OwnershipRule.Status.ACTIVE)
    return sorted(rows, key=lambda rule: str(rule.slug))


# In words --------------------------------------------------------------------------------------------------
_IN = {
    Outcome.CREATED: "{name} came from {system} for the first time and was created as {entity}.",
    Outcome.UPDATED: "{name} came from {system} and changed {fields}.",
    Outcome.UNCHANGED: "{name} came from {system} and said nothing new; its id there is now known.",
    Outcome.ECHO: "{name} came back from {system} as the hub had written it.",
    Outcome.REFUSED: "{name} came from {system}; the hub kept its own value of {refused}.",
    Outcome.QUARANTINED: "{name} came from {system} and breaks the contract of {entity}. It is kept until it is corrected.",
    Outcome.WAITING: "{name} came from {system} before a record that it refers to. It waits.",
    Outcome.HELD: "{name} from {system} waited too long and is now an exception.",
    Outcome.DISCARDED: "{name} from {system} was discarded by a person.",
}
_OUT = {
    Outcome.CREATED: "{name} was created in {system}.",
    Outcome.UPDATED: "{name} was updated in {system}.",
    Outcome.UNCHANGED: "{name} was not sent: {system} already holds this.",
    Outcome.QUARANTINED: "{name} could not be mapped for {system}, or {system} refused its content. It is held.",
    Outcome.WAITING: "{name} waits for a record that {system} does not have yet.",
    Outcome.HELD: "{name} is held before {system}.",
    Outcome.RETRYING: "{name} did not reach {system}; the hub tries again.",
    Outcome.UNSURE: "{name} was sent to {system}, and the answer was lost: it may or may not be there.",
    Outcome.DEAD: "{name} was refused by {system} for good, or its attempts are used up.",
    Outcome.DISCARDED: "The delivery of {name} to {system} was discarded by a person.",
}


def sentence(row: Transaction, sync: Sync | None) -> str:
    """What happened, for somebody who does not know the ledger."""
    name = row.key or row.external_id or "A record"
    if sync is None:
        return f"{name}: {Outcome(row.outcome).label.lower()}, by a sync that is gone."
    words = (_IN if sync.direction == "in" else _OUT).get(Outcome(row.outcome), "{name}: " + Outcome(row.outcome).label)
    return words.format(
        name=name,
        system=sync.stream.connection.system.name,
        entity=sync.entity.name,
        fields=_list(row.changed) or "nothing",
        refused=_list(row.refused),
    )


def _list(names: Sequence[str] | None) -> str:
    names = list(names or ())
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else "".join(names)
