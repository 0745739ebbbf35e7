"""Reads of entities and contracts, limited to the domains in which a person holds the permission."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.shortcuts import get_object_or_404

from governance.models import Contract, ContractVersion, Entity
from governance.schemas import Field, fields_of
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains

Status = ContractVersion.Status
_MODES = {value: f"“{label.partition(':')[0]}”" for value, label in Contract.Mode.choices}
_PROMISES = {value: f"“{label.partition(':')[0]}”" for value, label in Contract.Compatibility.choices}
_STATES = {
    "active": "ok",
    "approved": "ok",
    "deprecated": "muted",
    "retired": "muted",
    "draft": "queued",
    "in_review": "review",
}


def entities_for(user: User, permission: str = "contracts.view") -> QuerySet[Entity]:
    """Entities with domain, contract and (as `contract.active_versions`) the version in force, parents first."""
    active = ContractVersion.objects.filter(status=Status.ACTIVE).select_related("created_by")
    rows = Entity.objects.select_related("domain", "contract").prefetch_related(
        Prefetch("contract__versions", queryset=active, to_attr="active_versions")
    )
    return scope_to_domains(rows, user, permission)


def contracts_for(user: User, permission: str = "contracts.view") -> QuerySet[Contract]:
    active = ContractVersion.objects.filter(status=Status.ACTIVE).select_related("created_by")
    rows = Contract.objects.select_related("entity__domain").prefetch_related(
        Prefetch("versions", queryset=active, to_attr="active_versions")
    )
    return scope_to_domains(rows, user, permission, "entity__domain")


def find_entity(user: User, slug: str, permission: str = "contracts.view") -> Entity:
    """One entity, or 404 where it is missing or outside the person's domains."""
    return get_object_or_404(entities_for(user, permission), slug=slug)


def search_entities(rows: QuerySet[Entity], text: str) -> QuerySet[Entity]:
    return rows.filter(Q(name__icontains=text) | Q(slug__icontains=text)) if text else rows


def contract_of(entity: Entity) -> Contract | None:
    """The entity's contract; an entity that was made by a configuration file may have none yet."""
    return getattr(entity, "contract", None)


def active_version(contract: Contract | None) -> ContractVersion | None:
    if contract is None:
        return None
    found = getattr(contract, "active_versions", None)
    return next(iter(contract.versions.filter(status=Status.ACTIVE) if found is None else found), None)


def fields_for(entity: Entity) -> list[Field]:
    """The fields of the version in force; empty when there is none."""
    version = active_version(contract_of(entity))
    return fields_of(version.schema) if version else []


def fields_by_entity(entities: Iterable[Entity]) -> dict[int, list[Field]]:
    return {entity.pk: fields_for(entity) for entity in entities}


def history(entity: Entity, limit: int = 100) -> list[dict[str, Any]]:
    """What happened to the entity and its contract, newest first, for components/timeline.html."""
    contract = contract_of(entity)
    events = [*_changes(entity, "Entity"), *(_changes(contract, "Contract") if contract else ())]
    if contract:
        events += [_version_event(v) for v in contract.versions.select_related("created_by")[:limit]]
    return sorted(events, key=lambda event: _when(event["at"]), reverse=True)[:limit]


def _when(at: datetime) -> float:
    return at.timestamp()


def _version_event(version: ContractVersion) -> dict[str, Any]:
    return {
        "state": _STATES[version.status],
        "title": f"Version {version.number}: {version.note or 'no note'}",
        "detail": _actor(version.created_by),
        "at": version.created_at,
    }


def _changes(row: Any, word: str) -> Iterator[dict[str, Any]]:
    """Each kept state of a row, told by how it differs from the one before."""
    rows = list(row.history.select_related("history_user").order_by("history_date", "history_id"))
    for before, after in zip([None, *rows], rows, strict=False):
        said = _difference(before, after) if before else f"{word} made"
        if said:
            yield {"state": "ok", "title": said, "detail": _actor(after.history_user), "at": after.history_date}


def _difference(before: Any, after: Any) -> str:
    """ "Description changed; domain changed from Resource to Organisation"."""
    delta = after.diff_against(before, foreign_keys_are_objs=True)
    words = [_one_change(change) for change in delta.changes]
    text = "; ".join(words)
    return text[:1].upper() + text[1:]


def _one_change(change: Any) -> str:
    if change.field == "description":
        return "description changed"
    words = {"mode": _MODES, "compatibility": _PROMISES}.get(change.field, {})
    old, new = (words.get(value, value) for value in (change.old, change.new))
    return f"{change.field.replace('_', ' ')} changed from {old or 'nothing'} to {new or 'nothing'}"


def _actor(by: User | None) -> str:
    return f"by {by}" if by else "by the hub itself"
