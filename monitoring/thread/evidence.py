"""What proves a leg: the ledger row, the versions that it was made with, the ids at systems, and what waits for a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import Q
from django.urls import NoReverseMatch, reverse

from governance.models import ContractVersion
from hub.records.models import CanonicalRecord, Crosswalk
from hub.sync import payloads
from hub.sync.keys import DeliveryKey, held_key
from hub.sync.models import Batch, Delivery, HeldRecord, Transaction
from hub.sync.states import DeliveryState, HeldState, Outcome
from mappings.models import MappingVersion
from monitoring.models import ExceptionItem
from monitoring.service_levels.observing import ARRIVED
from monitoring.thread.shapes import IdAt, Problem

IDS = 4
PROBLEMS = 200
READ = [Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED]


# The ledger ----------------------------------------------------------------------------------------------------
def row_of(number: int | None) -> Transaction | None:
    return Transaction.objects.filter(pk=number).first() if number else None


def arrival(record_id: int, sync_ids: Sequence[int], cause_id: int | None = None) -> Transaction | None:
    """The newest row that tells that the record came to rest at the target; that of one cause where it is named."""
    rows = Transaction.objects.filter(record_id=record_id, sync_id__in=sync_ids, outcome__in=ARRIVED)
    rows = rows.filter(correlation_id=cause_id) if cause_id else rows
    return rows.order_by("-pk").first()


def first_reading(record_id: int, sync_ids: Sequence[int]) -> Transaction | None:
    """The row with which the hub first saw the record."""
    rows = Transaction.objects.filter(record_id=record_id, outcome__in=READ)
    return rows.filter(sync_id__in=sync_ids).order_by("pk").first() or rows.order_by("pk").first()


def newest(record_id: int, sync_ids: Sequence[int]) -> Transaction | None:
    return Transaction.objects.filter(record_id=record_id, sync_id__in=sync_ids).order_by("-pk").first()


def versions_of(rows: Iterable[Transaction]) -> dict[int, list[str]]:
    """ledger row → the versions of mapping and contract that its batch was made with; three queries for all rows."""
    batch_of = {row.pk: row.batch_id for row in rows if row.batch_id}
    batches = (
        Batch.objects.filter(pk__in=set(batch_of.values())).defer("payload", "unchanged_ids", "sent_ids").in_bulk()
    )
    mappings = MappingVersion.objects.select_related("mapping").defer("rules")
    mapping = mappings.in_bulk({b.mapping_version_id for b in batches.values() if b.mapping_version_id})
    contracts = ContractVersion.objects.select_related("contract").defer("schema")
    contract = contracts.in_bulk({b.contract_version_id for b in batches.values() if b.contract_version_id})
    found = {}
    for number, batch_id in batch_of.items():
        if batch := batches.get(batch_id):
            made = (mapping.get(batch.mapping_version_id or 0), contract.get(batch.contract_version_id or 0))
            found[number] = [str(version) for version in made if version]
    return found


# Ids -------------------------------------------------------------------------------------------------------------
def ids_at(records: Sequence[CanonicalRecord], categories: Iterable[str]) -> dict[int, list[IdAt]]:
    """record → how systems of these categories (any, where none is named) call it."""
    wanted = set(categories)
    links = Crosswalk.objects.filter(record__in=[record.pk for record in records], gone_at=None, merge_id=None)
    found: dict[int, list[IdAt]] = {}
    for link in links.select_related("stream__connection__system").order_by("stream_id", "external_id"):
        system = link.stream.connection.system
        if not wanted or system.category in wanted:
            here = found.setdefault(link.record_id, [])
            if len(here) < IDS and not any(
                one.system == system.name and one.external_id == link.external_id for one in here
            ):
                here.append(IdAt(system.name, link.external_id, link.url))
    return found


# What waits for a person -----------------------------------------------------------------------------------------
def exceptions_of(project: str, record_ids: Iterable[int]) -> list[ExceptionItem]:
    rows = ExceptionItem.objects.filter(Q(project=project) | Q(record_id__in=list(record_ids)))
    rows = rows.filter(state__in=ExceptionItem.UNSETTLED).select_related("assignee", "group")
    return list(rows.order_by("-rank", "-pk")[:PROBLEMS])


def problem_of(item: ExceptionItem) -> Problem:
    turn = str(item.assignee or item.team or "")
    return Problem(item.title, _address("exceptions:item", item.pk), turn or "Nobody has taken it yet", item.detail)


def delivery_problem(delivery: Delivery) -> Problem:
    """A delivery that does not go on by itself, in words that mask what is not for everybody."""
    row = next(iter(payloads.with_shown_error([delivery])))
    where = reverse("sync:delivery_detail", args=[DeliveryKey(delivery.sync_id, delivery.record_id)])
    word = DeliveryState(delivery.state).label
    return Problem(f"{delivery.record.key}: {word}", where, turn_of(delivery), row.shown_error)


def turn_of(delivery: Delivery) -> str:
    """Whose turn it is."""
    system = delivery.sync.stream.connection.system.name
    match DeliveryState(delivery.state):
        case DeliveryState.PENDING:
            return f"The hub, which sends it to {system}" if not delivery.attempts else "The hub, which tries again"
        case DeliveryState.WAITING:
            return f"The hub, as soon as {delivery.missing_key or 'what it refers to'} is in {system}"
        case DeliveryState.UNSURE:
            return f"The hub asks {system}" if delivery.acts_at else f"A person who looks in {system}"
        case DeliveryState.DEAD | DeliveryState.HELD:
            return "A person who corrects it and sends it again"
        case _:
            return ""


def deliveries_of(record_ids: Iterable[int], sync_ids: Sequence[int]) -> list[Delivery]:
    rows = Delivery.objects.filter(record_id__in=list(record_ids), sync_id__in=sync_ids)
    return list(rows.select_related("sync__mapping__entity", "sync__mapping__stream__connection__system", "record"))


def held_as(keys: Sequence[str], sync_ids: Sequence[int]) -> list[HeldRecord]:
    """Records that were not taken in and that their source calls by one of these keys."""
    rows = HeldRecord.objects.filter(external_id__in=keys, sync_id__in=sync_ids).exclude(state=HeldState.RELEASED)
    return list(rows.select_related("sync__mapping__entity", "sync__mapping__stream__connection__system")[:PROBLEMS])


def waiting_for(anchor: CanonicalRecord) -> list[HeldRecord]:
    """Records that wait at the gate because this one is missing something, or was not here when they came."""
    rows = HeldRecord.objects.filter(
        state=HeldState.WAITING, missing_entity_id=anchor.entity_id, missing_key=anchor.key
    )
    return list(rows.select_related("sync__mapping__entity", "sync__mapping__stream__connection__system")[:PROBLEMS])


def held_problem(held: HeldRecord) -> Problem:
    row = next(iter(payloads.with_shown_error([held])))
    turn = "The hub, when what it refers to arrives" if held.state == HeldState.WAITING else "A person who corrects it"
    title = f"{held.external_id}: {HeldState(held.state).label.lower()} when it came"
    return Problem(title, reverse("sync:held_detail", args=[held_key(held)]), turn, row.shown_error)


def _address(name: str, *args: object) -> str:
    """ "" where this hub does not have the page."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


def latest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment), default=None)
