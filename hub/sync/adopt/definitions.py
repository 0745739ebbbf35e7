"""Which match definition counts for a sync, and keeping one."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from governance.matching import definition as matching
from governance.matching.definition import Definition
from governance.models import ContractVersion, Entity
from governance.schemas import Schema, fields_of
from hub.common import facts, governed
from hub.common.errors import ConfigError
from hub.sync.models import MatchDefinition, Sync


def definition_of(sync: Sync) -> MatchDefinition | None:
    """The sync's own definition, else that of its entity."""
    own = MatchDefinition.objects.filter(sync=sync).first()
    return own or MatchDefinition.objects.filter(entity=sync.entity, sync=None).first()


def rules_of(sync: Sync, schema: Schema) -> Definition:
    """The rules of its definition; without one those that follow from the contract."""
    found = definition_of(sync)
    return matching.load(found.data) if found else matching.default_rules(schema)


def schema_of(entity: Entity) -> Schema:
    """The entity's active contract; an empty one where there is none."""
    active = ContractVersion.objects.filter(contract__entity=entity, status=ContractVersion.Status.ACTIVE).first()
    return active.schema if active else {}


def problems(definition: MatchDefinition) -> list[tuple[str, str]]:
    """(field, sentence) for everything that the definition cannot be."""
    if definition.sync is not None and definition.sync.entity.pk != definition.entity.pk:
        return [("sync", f"The sync {definition.sync.name!r} is not one of {definition.entity.name!r}.")]
    known = [field.name for field in fields_of(schema_of(definition.entity))]
    return list(matching.problems(definition.data, known))


@governed.governs(lambda given: [("MatchDefinition", given["definition"].slug)])
@transaction.atomic
def save(*, definition: MatchDefinition, by: Any) -> MatchDefinition:
    """Store it. Raises ConfigError with the first thing that is wrong."""
    if found := problems(definition):
        raise ConfigError(found[0][1], where=found[0][0], code="MATCH_DEFINITION")
    definition.full_clean()
    definition.save()
    facts.publish("match_definition_saved", definition=definition, by=by)
    return definition
