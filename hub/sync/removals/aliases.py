"""What merges in force mean for a page: keys that stand for another record, and ids whose records are not taken in."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hub.records.models import Crosswalk
from hub.sync.models import Merge

Aliases = Mapping[int, Mapping[str, str]]


def of(entity_ids: Collection[int]) -> Aliases:
    """entity id → {key of a merged record: key of the one that it is today}"""
    found: dict[int, dict[str, str]] = {}
    rows = Merge.objects.filter(entity__in=entity_ids, undone_at__isnull=True)
    for entity_id, loser, winner in rows.values_list("entity_id", "loser__key", "winner__key"):
        found.setdefault(entity_id, {})[loser] = winner
    return {entity_id: {key: _last(keys, key) for key in keys} for entity_id, keys in found.items()}


def _last(keys: Mapping[str, str], key: str) -> str:
    while key in keys:
        key = keys[key]
    return key


def merged_ids(stream_id: int) -> frozenset[str]:
    """External ids of the stream that lead to another record than their own."""
    rows = Crosswalk.objects.filter(stream_id=stream_id, merge_id__isnull=False)
    return frozenset(rows.values_list("external_id", flat=True))
