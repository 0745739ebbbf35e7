"""Sending the hub's value back to a system that changed what it may not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from governance.ownership.compiled import EMPTY
from hub.sync import outbox
from hub.sync.models import Sync
from hub.sync.plan import Subscriber, SyncPlan, subscriber_of
from mappings.models import MappingVersion
from mappings.paths import parse_path
from mappings.reading import reads
from mappings.rules import parse_rules

if TYPE_CHECKING:
    from hub.sync.ownership.blocking import Kept

NOTHING = "The hub holds no value that could be sent back."
NO_WAY = "No sync delivers the field to {system}."
UNKNOWN_THERE = "No sync to {system} knows the record there."


@dataclass(frozen=True, slots=True)
class Way:
    """An outbound sync to the system, and the canonical fields that it sends."""

    subscriber: Subscriber
    fields: frozenset[str]


def ways_to(plan: SyncPlan) -> list[Way]:
    """Outbound syncs of the entity to the system that the plan reads, in lock order."""
    syncs = Sync.objects.filter(
        mapping__entity=plan.entity,
        mapping__direction="out",
        mapping__stream__connection__system_id=plan.connection.system_id,
    )
    return [Way(subscriber_of(sync), _sent(sync, plan.contract.markers.fields)) for sync in syncs.order_by("pk")]


def _sent(sync: Sync, names: Sequence[str]) -> frozenset[str]:
    version = sync.mapping.versions.filter(status=MappingVersion.Status.ACTIVE).first()
    rules = parse_rules(version.rules) if version else ()
    return frozenset(str(parse_path(path)[0]) for rule in rules for path in reads(rule, names))


def send_back(cursor: Any, plan: SyncPlan, kept: Sequence[Kept]) -> tuple[set[int], list[tuple[int, str]]]:
    """(outbound syncs with work, (id, why) of those that cannot be sent back)."""
    if not kept:
        return set(), []
    ways, system = ways_to(plan), plan.connection.system.name
    rung: set[int] = set()
    went: set[int] = set()
    for way in ways:
        going = [one for one in kept if _goes(way, one)]
        rows = {
            one.offer.record_id: (one.offer.record_id, one.offer.version, one.offer.transaction_id) for one in going
        }
        sent = outbox.enqueue_return(cursor, way.subscriber.sync_id, list(rows.values())) if rows else set()
        went |= {one.id for one in going if one.offer.record_id in sent}
        rung |= {way.subscriber.sync_id} if sent else set()
    return rung, [(one.id, _why(ways, one, system)) for one in kept if one.id not in went]


def _goes(way: Way, one: Kept) -> bool:
    body = one.offer.body
    return one.blocked.kept not in EMPTY and one.blocked.field in way.fields and way.subscriber.wants(body)


def _why(ways: Sequence[Way], one: Kept, system: str) -> str:
    if one.blocked.kept in EMPTY:
        return NOTHING
    is_sent = any(one.blocked.field in way.fields for way in ways)
    return (UNKNOWN_THERE if is_sent else NO_WAY).format(system=system)
