"""Reads of match rules."""

from __future__ import annotations

from django.db.models import QuerySet

from governance.matching.rules import Rule
from governance.models import ContractVersion, Entity, MatchRule
from governance.schemas import Field, fields_of
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains


def rules_for(user: User, permission: str = "contracts.view") -> QuerySet[MatchRule]:
    rows = MatchRule.objects.select_related("entity__domain")
    return scope_to_domains(rows, user, permission, "entity__domain")


def active_rules(entity_id: int) -> tuple[Rule, ...]:
    """The rules in force, in their order."""
    rows = MatchRule.objects.filter(entity=entity_id, is_active=True).order_by("position", "slug")
    return tuple(row.rule for row in rows)


def contract_fields(entity: Entity) -> list[Field]:
    """The fields of the entity's active contract; empty where there is none."""
    active = ContractVersion.objects.filter(contract__entity=entity, status=ContractVersion.Status.ACTIVE).first()
    return fields_of(active.schema) if active else []
