"""Looking a record up by any id: what any system calls it, the hub's own key, or a key that means it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from connectors.models import Stream
from governance.models import Entity
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.records import queries
from hub.records.models import CanonicalRecord, Crosswalk
from hub.records.queries import SEE
from hub.sync.models import Duplicate, LinkedKey

MOST = 50


@dataclass(frozen=True, slots=True)
class Identity:
    """A record with its ids at all systems. `found_by` says what the text is to it; empty where only its key begins so."""

    record: CanonicalRecord
    links: list[Crosswalk]
    found_by: str


def find(user: User, text: str) -> list[Identity]:
    """Records that this text means exactly; where there is none, those whose key begins with it."""
    text = text.strip().replace("\x00", "")
    if not text:
        return []
    exact = _exact(user, text)
    records = exact or dict.fromkeys((one.pk for one in queries.search(user, text, MOST)), "")
    return _identities(user, records)


def held_under(user: User, text: str) -> list[Duplicate]:
    """Records of this id or key that are not in the hub yet, because they may be another one."""
    rows = Duplicate.objects.filter(status__in=Duplicate.PENDING).select_related("sync__mapping__entity")
    rows = scope_to_domains(rows, user, SEE, "sync__mapping__entity__domain")
    return list((rows.filter(key=text) | rows.filter(external_id=text)).order_by("-score", "pk")[:MOST])


def _exact(user: User, text: str) -> dict[int, str]:
    """canonical id → what the text is to the record"""
    entities = list(scope_to_domains(Entity.objects.all(), user, SEE).values_list("pk", flat=True))
    by_key = CanonicalRecord.objects.filter(entity__in=entities, key=text)
    found = dict.fromkeys(by_key.values_list("pk", flat=True)[:MOST], "key")
    linked = LinkedKey.objects.filter(entity_id__in=entities, key=text)
    for record_id in linked.values_list("record_id", flat=True)[:MOST]:
        found.setdefault(record_id, "key at another system")
    streams = Stream.objects.values_list("pk", flat=True)
    links = Crosswalk.objects.filter(stream__in=list(streams), external_id=text, record__entity__in=entities)
    for record_id, system in links.values_list("record_id", "stream__connection__system__name")[:MOST]:
        found.setdefault(record_id, f"id at {system}")
    return found


def _identities(user: User, found: dict[int, str]) -> list[Identity]:
    rows = CanonicalRecord.objects.filter(pk__in=found).select_related("entity").defer("body")
    links = _links(found)
    order = list(found)
    return [
        Identity(record, links.get(record.pk, []), found[record.pk])
        for record in sorted(rows, key=lambda row: order.index(row.pk))
    ]


def _links(record_ids: Iterable[int]) -> dict[int, list[Crosswalk]]:
    rows = Crosswalk.objects.filter(record__in=list(record_ids)).select_related("stream__connection__system")
    found: dict[int, list[Crosswalk]] = {}
    for link in rows.order_by("stream_id", "external_id"):
        found.setdefault(link.record_id, []).append(link)
    return found
