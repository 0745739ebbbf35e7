"""What a decision or a merge does at the targets, said before it is taken."""

from __future__ import annotations

from collections.abc import Iterator

from hub.records.models import CanonicalRecord
from hub.sync.models import Delivery, Duplicate, Merge, Sync
from hub.sync.removals import policy


def of_decisions(duplicate: Duplicate) -> dict[str, list[str]]:
    """decision → sentences."""
    system = duplicate.sync.stream.connection.system
    targets = [str(sync.stream.connection.system) for sync in _outbound(duplicate.sync.entity.pk)]
    told = _listed(list(dict.fromkeys(targets)))
    return {
        "link": [
            f"{duplicate.external_id} of {system} leads to the record that you choose; nothing is created.",
            f"What {system} says differently changes it, as the mapping's write modes allow"
            + (f", and is sent to {told}." if told else "."),
        ],
        "merge": [
            f"The record that you choose stays as it is; what {system} says of it is not taken in.",
            "What refers to the new one refers to it. Nothing is created at a target, and the merge can be undone.",
        ],
        "new": [
            f"{duplicate.key} becomes a record of its own" + (f" and is created at {told}." if told else "."),
            "It is not compared again.",
        ],
    }


def of_merge(loser: CanonicalRecord) -> list[tuple[str, str]]:
    """(target, what becomes of the merged record there), for every sync that delivers its entity."""
    at = {row.sync_id: row for row in Delivery.objects.filter(record=loser)}
    return [(f"{sync.stream.connection.system}: {sync.stream}", _closed(sync, at.get(sync.pk))) for sync in _all(loser)]


def of_undo(merge: Merge) -> list[tuple[str, str]]:
    """(target, what becomes of the merged record there), when the merge is undone."""
    at = {row.sync_id: row for row in Delivery.objects.filter(record=merge.loser_id)}
    return [
        (f"{sync.stream.connection.system}: {sync.stream}", _back(sync, at.get(sync.pk))) for sync in _all(merge.loser)
    ]


def _closed(sync: Sync, delivery: Delivery | None) -> str:
    if delivery is None or delivery.delivered_version is None:
        return "Was never there, and is not sent any more."
    return policy.in_words(sync)


def _back(sync: Sync, delivery: Delivery | None) -> str:
    if delivery is None or delivery.target_ref is None:
        return "Is created there, unless the sync's condition keeps it out."
    return f"Is sent again as {delivery.target_ref}."


def _all(record: CanonicalRecord) -> list[Sync]:
    return list(_outbound(record.entity_id))


def _outbound(entity_id: int) -> Iterator[Sync]:
    rows = Sync.objects.filter(mapping__entity=entity_id, mapping__direction="out").order_by("pk")
    yield from rows.select_related("mapping__stream__connection__system", "mapping__entity__domain")


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
