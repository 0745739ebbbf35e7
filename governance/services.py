"""Every change to entities and contracts. Contract versions that were active are never edited: a change is a new version."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from governance.models import Contract, ContractVersion, Entity
from governance.schemas import Schema, schema_problems
from hub.common import facts
from hub.common.errors import ConfigError


@transaction.atomic
def activate_schema(*, contract: Contract, schema: Schema, by: Any, note: str = "") -> ContractVersion:
    """Make `schema` the contract's active version; the same schema again is no new version."""
    if problems := schema_problems(schema):
        path, sentence = problems[0]
        raise ConfigError(sentence, where=f"{contract.slug}: {path}".rstrip(": "))
    Contract.objects.select_for_update().get(pk=contract.pk)
    active = contract.versions.filter(status=ContractVersion.Status.ACTIVE).first()
    if active and active.schema == schema:
        return active
    if active:
        active.status = ContractVersion.Status.DEPRECATED
        active.save(update_fields=["status"])
    newest = contract.versions.order_by("-number").first()
    version = contract.versions.create(
        number=newest.number + 1 if newest else 1,
        status=ContractVersion.Status.ACTIVE,
        schema=schema,
        note=note,
        created_by=by,
        activated_at=timezone.now(),
    )
    facts.publish("contract_activated", version=version)
    return version


@transaction.atomic
def create_entity(
    *, name: str, slug: str, domain: Any, by: Any, description: str = "", key_field: str = "code"
) -> Entity:
    """A new entity with a first contract of one field, its key; more fields are added by form."""
    entity = Entity(name=name, slug=slug, domain=domain, description=description)
    entity.full_clean()
    entity.save()
    contract = Contract.objects.create(slug=slug, name=name, entity=entity)
    schema: Schema = {
        "type": "object",
        "required": [key_field],
        "properties": {key_field: {"type": "string", "minLength": 1, "title": key_field.capitalize(), "x-key": True}},
    }
    activate_schema(contract=contract, schema=schema, by=by, note="First version.")
    return entity


@transaction.atomic
def save_field(
    *, contract: Contract, name: str, spec: dict[str, Any], required: bool, by: Any, note: str = ""
) -> ContractVersion:
    """Add a field or change one: a new contract version, never a migration."""
    schema = _copy(contract)
    schema.setdefault("properties", {})[name] = spec
    others = [other for other in schema.get("required", []) if other != name]
    schema["required"] = sorted([*others, name]) if required else others
    return activate_schema(contract=contract, schema=schema, by=by, note=note or f"Field {name} saved.")


@transaction.atomic
def remove_field(*, contract: Contract, name: str, by: Any) -> ContractVersion:
    schema = _copy(contract)
    if name not in schema.get("properties", {}):
        raise ConfigError(f"The contract has no field {name!r}.", where=contract.slug)
    del schema["properties"][name]
    schema["required"] = [other for other in schema.get("required", []) if other != name]
    return activate_schema(contract=contract, schema=schema, by=by, note=f"Field {name} removed.")


def _copy(contract: Contract) -> Schema:
    active = contract.versions.filter(status=ContractVersion.Status.ACTIVE).first()
    schema: Schema = dict(active.schema) if active else {"type": "object", "properties": {}}
    schema["properties"] = dict(schema.get("properties", {}))
    schema["required"] = list(schema.get("required", []))
    return schema
