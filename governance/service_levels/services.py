"""Writes of service levels, and what must hold between one and the entities that it names."""

from __future__ import annotations

from typing import Any

from governance.models import ServiceLevel
from governance.queries import active_version, contract_of
from governance.saving import remove, save
from hub.accounts.models import Domain
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.registry import Document

KIND = "ServiceLevel"


def save_service_level(document: Document, *, by: Any, reason: str = "") -> Put:
    """Make a service level or change one; from then on it is measured by what it says now."""
    domain = Domain.objects.filter(slug=document.get("domain")).first()
    return save({"kind": KIND, **document}, act="service_level.saved", by=by, reason=reason, domain=domain)


def delete_service_level(level: ServiceLevel, *, by: Any) -> None:
    """It is measured no more. Held where reviewers have to agree."""
    remove(KIND, level.slug, act="service_level.deleted", by=by, domain=level.domain)


def check_scope(level: ServiceLevel) -> None:
    """An entity is one of the domain, and a condition asks only for fields of its contract."""
    if level.entity is None:
        return
    if level.entity.domain_id != level.domain_id:
        raise ConfigError(
            f"{level.entity} belongs to {level.entity.domain}, not to {level.domain}.",
            where=level.slug,
            fix="Choose the entity's own domain, so that the same people keep both.",
        )
    version = active_version(contract_of(level.entity))
    known = (version.schema.get("properties") or {}) if version else {}
    if unknown := sorted(set(level.condition) - set(known)):
        raise ConfigError(
            f"The contract of {level.entity} has no field {unknown[0]!r}.",
            where=level.slug,
            fix="Name a field of the contract in the condition.",
        )
