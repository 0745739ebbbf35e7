"""Records of the hub for the editor of mappings that lead out of it."""

from __future__ import annotations

from collections.abc import Sequence

from hub.common.records import Record
from hub.records.models import CanonicalRecord
from mappings.models import Mapping


def last_records(mapping: Mapping, limit: int) -> Sequence[Record]:
    """The last records of the mapping's entity in the order of their keys; the editor masks what the contract marks."""
    found = CanonicalRecord.objects.filter(entity=mapping.entity_id, deleted_at__isnull=True)
    return list(found.order_by("-key").values_list("body", flat=True)[:limit])
