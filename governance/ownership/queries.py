"""Reads of ownership rules: for the engine, and limited to the domains of a person."""

from __future__ import annotations

from django.db.models import QuerySet

from connectors.models import System
from governance.models import Entity, OwnershipRule
from governance.ownership.compiled import Lens, compile_rules
from governance.ownership.definitions import Ground, active_rules
from governance.schemas import Schema
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.common.times import business_today


def lens_for(entity: Entity, system: System, schema: Schema) -> Lens | None:
    """What the rules in force today say to a system; None for an entity without rules, after one look."""
    rows = active_rules(entity.pk)
    return lens_of(rows, system, Ground.of(schema)) if rows else None


def lens_of(rows: list[OwnershipRule], system: System, ground: Ground) -> Lens | None:
    return compile_rules(
        [ground.rule(row) for row in rows],
        system=system.slug,
        system_ids=dict(System.objects.values_list("slug", "pk")),
        fields=ground.names,
        today=business_today(),
        key=ground.key,
        updated_at_field=ground.updated_at_field,
    )


def rules_for(user: User, permission: str = "contracts.view") -> QuerySet[OwnershipRule]:
    rows = OwnershipRule.objects.select_related("entity__domain", "replaces")
    return scope_to_domains(rows, user, permission, "entity__domain")
