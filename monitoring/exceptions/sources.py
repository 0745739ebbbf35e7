"""What is open beside records that did not pass: possible duplicates, and values that a person has to look at."""

from __future__ import annotations

from collections.abc import Iterator

from hub.common.display import MASK
from hub.sync.models import BlockedValue, Duplicate
from hub.sync.ownership.queries import shown
from monitoring.exceptions import intake
from monitoring.exceptions.intake import Found


@intake.origin("duplicate")
def possible_duplicates() -> Iterator[Found]:
    """Source records that may be ones that the hub has; they are held until a person compares them."""
    rows = Duplicate.objects.filter(status=Duplicate.Status.OPEN)
    rows = rows.select_related("sync__mapping__entity", "record").order_by("pk")
    for row in rows.iterator(chunk_size=2_000):
        yield _duplicate(row)


def _duplicate(row: Duplicate) -> Found:
    entity, other = row.sync.entity, row.record
    is_customer = entity.slug == "customer"
    return Found(
        key=f"duplicate:{row.pk}",
        title=f"{entity.name} {row.key} may be {other.key if other else 'one that the hub has'}",
        detail=f"{row.score} % alike by the rule “{row.rule}”.",
        cause="duplicate",
        error_code="POSSIBLE_DUPLICATE",
        facts={"record": row.key, "other": other.key if other else "", "score": str(row.score)},
        entity_id=entity.pk,
        domain_id=entity.domain_id,
        sync_id=row.sync_id,
        external_id=row.external_id,
        client=(other.key if is_customer else other.customer or "") if other else "",
        project=(other.project or "") if other else "",
        amount=row.amount,
        currency=row.currency or "",
        since=row.first_at,
        name=row.key,
    )


@intake.origin("blocked")
def blocked_values() -> Iterator[Found]:
    """Values that systems offered for fields of others, where the rule asks a person or the hub could not send them back."""
    rows = BlockedValue.objects.filter(state__in=[BlockedValue.State.OPEN, BlockedValue.State.STUCK])
    rows = rows.exclude(policy="quarantine").select_related("entity__domain", "record", "system").order_by("pk")
    for one in shown(rows.iterator(chunk_size=2_000)):
        yield _blocked(one.row, MASK if one.is_masked else str(one.offered), MASK if one.is_masked else str(one.kept))


def _blocked(row: BlockedValue, offered: str, kept: str) -> Found:
    record = row.record
    return Found(
        key=f"blocked:{row.pk}",
        title=f"{row.field} of {record.key}: {row.system} says {offered}, the hub keeps {kept}",
        detail=f"By the rule “{row.rule}” another system owns the field.",
        cause="blocked-value",
        error_code="NOT_OWNER",
        field=row.field,
        facts={"record": record.key},
        entity_id=row.entity_id,
        domain_id=row.entity.domain_id,
        sync_id=row.sync_id,
        record_id=record.pk,
        transaction_id=row.transaction_id,
        client=record.customer or "",
        project=record.project or "",
        period=record.period or "",
        legal_entity=record.legal_entity or "",
        amount=row.amount,
        currency=row.currency or "",
        since=row.first_at,
        name=record.key,
    )
