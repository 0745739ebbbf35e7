"""Records that a source has under two ids: nothing is lost, but what is counted twice there may be billed twice elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from hub.sync import twins
from hub.sync.models import Twin
from monitoring.exceptions import intake
from monitoring.exceptions.intake import Found
from monitoring.models import ExceptionItem

ORIGIN = ExceptionItem.Origin.TWIN


@intake.origin(ORIGIN)
def entered_twice() -> Iterator[Found]:
    """Both ids are still there, and nobody has said that it is meant so."""
    settled = settled_keys(ORIGIN)
    for row in twins.standing().iterator(chunk_size=2_000):
        if (found := _found(row)).key not in settled:
            yield found


def settled_keys(origin: str) -> set[str]:
    """What people have said is right as it is."""
    by_people = [ExceptionItem.Resolution.BY_HAND, ExceptionItem.Resolution.WRITTEN_OFF]
    rows = ExceptionItem.objects.filter(origin=origin, resolution__in=by_people)
    return set(rows.values_list("origin_key", flat=True))


def _found(row: Twin) -> Found:
    entity, record = row.sync.entity, row.record
    return Found(
        key=f"twin:{row.sync_id}:{row.external_id}",
        title=f"{entity.name} {record.key} was entered twice: {row.other_id} and {row.external_id}",
        detail="The source has it under two ids. The hub keeps one record, and the one that is read last counts.",
        cause="duplicate",
        error_code="ENTERED_TWICE",
        facts={"record": record.key, "other": row.other_id},
        entity_id=entity.pk,
        domain_id=entity.domain_id,
        sync_id=row.sync_id,
        record_id=record.pk,
        external_id=row.external_id,
        client=record.customer or "",
        project=record.project or "",
        period=record.period or "",
        legal_entity=record.legal_entity or "",
        amount=record.amount,
        currency=record.currency or "",
        since=row.at,
        body=record.body,
        name=record.key,
    )
