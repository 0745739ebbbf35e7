"""The versions that a record went through, and who put them in force: by the change's reviews, or by the audit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from governance.models import AuditEntry, ChangeItem, ChangeRequest, ContractVersion, Entity, OwnershipRule, Review
from hub.common.errors import HubError
from hub.common.times import format_instant
from hub.sync.models import Batch, Transaction
from hub.sync.threads import rules_at
from mappings.models import MappingVersion, ValueMap
from mappings.rules import parse_rules

# A change is applied, and its versions are put in force, within one transaction; clocks are read once or twice in it.
SAME_ACT = timedelta(minutes=1)


@dataclass(slots=True)
class Used:
    """The versions behind ledger rows, by the batch that they came or went with."""

    batches: dict[int, Batch] = field(default_factory=dict)
    mappings: dict[int, MappingVersion] = field(default_factory=dict)
    contracts: dict[int, ContractVersion] = field(default_factory=dict)

    def of(self, row: Transaction) -> tuple[MappingVersion | None, ContractVersion | None]:
        batch = self.batches.get(row.batch_id)
        if batch is None:
            return None, None
        return self.mappings.get(batch.mapping_version_id or 0), self.contracts.get(batch.contract_version_id or 0)


def of_rows(rows: Iterable[Transaction]) -> Used:
    batches = Batch.objects.filter(pk__in={row.batch_id for row in rows if row.batch_id})
    found = Used(batches.defer("payload", "unchanged_ids", "sent_ids").in_bulk())
    mapping = {batch.mapping_version_id for batch in found.batches.values() if batch.mapping_version_id}
    contract = {batch.contract_version_id for batch in found.batches.values() if batch.contract_version_id}
    found.mappings = MappingVersion.objects.select_related("mapping", "created_by").in_bulk(mapping)
    found.contracts = ContractVersion.objects.select_related("contract", "created_by").in_bulk(contract)
    return found


def with_approvals(used: Used, entity: Entity, rows: Sequence[Transaction]) -> list[dict[str, Any]]:
    """Mappings, contracts, value maps and systems of record, each with who made and who approved it."""
    return [
        *(_version("Mapping", v.mapping.slug, v, v.number) for v in used.mappings.values()),
        *(_version("Contract", v.contract.slug, v, v.number) for v in used.contracts.values()),
        *_value_maps(used),
        *(_ownership(entity, rows[-1].at) if rows else ()),
    ]


def _version(kind: str, slug: str, version: Any, number: int) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": slug,
        "version": number,
        "made_by": str(version.created_by or ""),
        "made_at": format_instant(version.created_at),
        "in_force_since": format_instant(version.activated_at) if version.activated_at else None,
        "note": version.note,
        **approval(kind, slug, version.activated_at),
    }


def _value_maps(used: Used) -> Iterator[dict[str, Any]]:
    """The tables that the mappings look values up in, with their last change before now: they have revisions, no versions."""
    slugs = {rule.value_map for version in used.mappings.values() for rule in _rules(version) if rule.value_map}
    for found in ValueMap.objects.filter(slug__in=slugs).order_by("slug"):
        last = found.history.select_related("history_user").order_by("-history_date").first()
        yield {
            "kind": "ValueMap",
            "name": found.slug,
            "version": found.revision,
            "made_by": str(last.history_user or "") if last else "",
            "made_at": format_instant(last.history_date) if last else None,
            "in_force_since": format_instant(found.updated_at),
            "note": "",
            **approval("ValueMap", found.slug, found.updated_at),
        }


def _rules(version: MappingVersion) -> Sequence[Any]:
    try:
        return parse_rules(version.rules)
    except HubError:
        return ()


def _ownership(entity: Entity, at: datetime) -> Iterator[dict[str, Any]]:
    for rule in rules_at(entity, at):
        first = OwnershipRule.history.filter(slug=rule.slug, status=OwnershipRule.Status.ACTIVE, history_date__lte=at)
        since = first.select_related("history_user").order_by("-history_date").first()
        yield {
            "kind": "OwnershipRule",
            "name": rule.slug,
            "version": None,
            "made_by": str(since.history_user or "") if since else "",
            "made_at": format_instant(since.history_date) if since else None,
            "in_force_since": format_instant(since.history_date) if since else None,
            "note": f"{', '.join(rule.fields) or 'every other field'}: {', '.join(rule.systems) or 'any system'}",
            **approval("OwnershipRule", rule.slug, since.history_date if since else None),
        }


# Who approved --------------------------------------------------------------------------------------------------
def approval(kind: str, slug: str, at: datetime | None) -> dict[str, Any]:
    """The change that put it in force, with its author and every standing approval; else who did it without a review."""
    change = _change(kind, slug, at)
    if change is None:
        entry = _entry(kind, slug, at)
        return {"change": None, "author": "", "approved_by": [], "put_in_force_by": entry.actor if entry else ""}
    reviews = Review.objects.approvals().filter(change=change).select_related("reviewer", "on_behalf_of", "group")
    return {
        "change": change.pk,
        "author": str(change.author or "Syncline"),
        "approved_by": [
            {
                "name": str(review.reviewer),
                "in_place_of": str(review.on_behalf_of or ""),
                "group": str(review.group or ""),
                "at": format_instant(review.at),
                "comment": review.comment,
                "content_sha256": review.content_hash,
            }
            for review in reviews
        ],
        "put_in_force_by": "",
    }


def _change(kind: str, slug: str, at: datetime | None) -> ChangeRequest | None:
    if at is None:
        return None
    items = ChangeItem.objects.filter(
        kind=kind, key=slug, change__applied_at__range=(at - SAME_ACT, at + SAME_ACT)
    ).select_related("change__author")
    item = items.order_by("-change__applied_at").first()
    return item.change if item else None


def _entry(kind: str, slug: str, at: datetime | None) -> AuditEntry | None:
    rows = AuditEntry.objects.filter(kind=kind, name=slug)
    rows = rows.filter(at__lte=at + SAME_ACT) if at else rows
    return rows.order_by("-pk").first()
