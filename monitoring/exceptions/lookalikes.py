"""Records in the hub that may be one and the same: a person merges them, or says that they are two."""

from __future__ import annotations

from collections.abc import Iterator

from hub.sync.duplicates import likeness
from hub.sync.models import Likeness
from monitoring.exceptions import intake
from monitoring.exceptions.entered_twice import settled_keys
from monitoring.exceptions.intake import Found
from monitoring.models import ExceptionItem

ORIGIN = ExceptionItem.Origin.LIKENESS


@intake.origin(ORIGIN)
def lookalikes() -> Iterator[Found]:
    """Pairs that a match rule takes for one, both living, of which nobody has said that they are two."""
    likeness.advance()
    settled = settled_keys(ORIGIN)
    for row in likeness.standing().iterator(chunk_size=2_000):
        if (found := _found(row)).key not in settled:
            yield found


def _found(row: Likeness) -> Found:
    record, entity = row.record, row.record.entity
    return Found(
        key=f"likeness:{row.record_id}:{row.other_id}",
        title=f"{entity.name} {record.key} may be {row.other.key}",
        detail=f"{row.score} % alike by the rule “{row.rule}”. Merge them on the page of the record, or settle this by hand.",
        cause="duplicate",
        error_code="POSSIBLE_DUPLICATE",
        facts={"record": record.key, "other": row.other.key},
        entity_id=entity.pk,
        domain_id=entity.domain_id,
        record_id=record.pk,
        client=record.key if entity.slug == "customer" else record.customer or "",
        project=record.project or "",
        legal_entity=record.legal_entity or "",
        since=row.at,
        name=record.key,
    )
