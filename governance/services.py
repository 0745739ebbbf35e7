"""Every change to entities and contracts. Contract versions that were active are never edited: a change is a new version."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import transaction

from governance import consumers, lifecycle
from governance.canonical_model import shipped_documents
from governance.models import Contract, ContractVersion, Entity
from governance.rulesets.judging import refuse_failing, unchecked
from governance.schemas import Schema
from hub.common import governed
from hub.common.errors import ConfigError
from hub.common.registry import kind

# What of an entity's settings stands on its contract.
OF_CONTRACT = ("mode", "type_mode", "value_mode", "on_breach", "compatibility")
FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")


@transaction.atomic
def activate_schema(
    *, contract: Contract, schema: Schema, by: Any, note: str = "", accepted_break: str = ""
) -> ContractVersion:
    """Make `schema` the contract's active version; the same schema again is no new version.

    What breaks the contract's compatibility is refused, unless `accepted_break` says why it is accepted, or nobody reads
    or writes records by the contract yet: then nothing was promised.
    """
    Contract.objects.select_for_update().get(pk=contract.pk)
    active = _active(contract)
    if active and active.schema == schema:
        return active
    refuse_failing(contract, schema)
    version = lifecycle.propose(contract=contract, schema=schema, by=by, note=note)
    is_promised = consumers.is_used(contract.entity)
    return lifecycle.walk(version, by=by, accepted_break=accepted_break, is_promised=is_promised)


# Entities ---------------------------------------------------------------------------------------------------


@governed.governs(lambda given: [("Entity", given["slug"]), ("Contract", given["slug"])])
@transaction.atomic
def create_entity(
    *,
    name: str,
    slug: str,
    domain: Any,
    by: Any,
    description: str = "",
    key_field: str = "code",
    key_fields: Sequence[str] = (),
) -> Entity:
    """A new entity with a first contract of its key fields alone; more fields are added by form."""
    keys = tuple(key_fields) or (key_field,)
    for key in keys:
        _check_name(key, slug)
    entity = _signed(Entity(name=name, slug=slug, domain=domain, description=description), by)
    entity.full_clean()
    entity.save()
    contract = _signed(Contract(slug=slug, name=name, entity=entity), by)
    contract.full_clean()
    contract.save()
    schema: Schema = {
        "type": "object",
        "required": list(keys),
        "properties": {key: _key_spec(key) for key in keys},
    }
    with unchecked():
        activate_schema(contract=contract, schema=schema, by=by)
    return entity


def _key_spec(name: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "title": name.replace("_", " ").capitalize(), "x-key": True}


@governed.governs(lambda given: [("Entity", given["entity"].slug), ("Contract", given["entity"].slug)])
@transaction.atomic
def change_entity(entity: Entity, *, by: Any, **fields: Any) -> Entity:
    """Change name, description, domain, load_order or max_wait_seconds, and what its contract does and promises."""
    of_contract = {name: fields.pop(name) for name in OF_CONTRACT if name in fields}
    for name, value in fields.items():
        setattr(entity, name, value)
    entity.full_clean()
    _signed(entity, by).save()
    contract = Contract.objects.filter(entity=entity).first()
    if contract and (any(of_contract.values()) or entity.name != contract.name):
        for name, value in ({"name": entity.name} | of_contract).items():
            setattr(contract, name, value or getattr(contract, name))
        contract.full_clean()
        _signed(contract, by).save()
    return entity


def _signed(row: Any, by: Any) -> Any:
    """A row whose history names who changed it."""
    if by is not None:
        row._history_user = by
    return row


@transaction.atomic
def load_canonical_model(by: Any = None) -> int:
    """Create the shipped entities that this hub lacks, with their contracts; returns how many. Never touches others."""
    present = {*Entity.objects.values_list("slug", flat=True), *Contract.objects.values_list("slug", flat=True)}
    missing = [pair for pair in shipped_documents() if pair[0]["slug"] not in present]
    with unchecked():
        for name, position in (("Entity", 0), ("Contract", 1)):
            for pair in missing:
                kind(name).apply(pair[position], by=by)
    return len(missing)


# Fields -----------------------------------------------------------------------------------------------------


@governed.governs(lambda given: [("Contract", given["contract"].slug)])
@transaction.atomic
def save_field(
    *,
    contract: Contract,
    name: str,
    spec: dict[str, Any],
    required: bool,
    by: Any,
    note: str = "",
    seen: int | None = None,
    accepted_break: str = "",
) -> ContractVersion:
    """Add a field or change one: a new contract version, never a migration.

    `seen` is the version that the person looked at; another one meanwhile raises ConfigError.
    """
    schema = _editable(contract, seen)
    before = schema["properties"].get(name)
    if before is None:
        _check_name(name, contract.slug)
    _keep_key(contract, name, before, spec)
    _check_reference(contract, name, spec)
    schema["properties"][name] = spec
    wanted = {*schema["required"], name} if required or spec.get("x-key") else {*schema["required"]} - {name}
    schema["required"] = [other for other in schema["properties"] if other in wanted]
    said = note or f"Field {name} {'changed' if before is not None else 'added'}."
    return activate_schema(contract=contract, schema=schema, by=by, note=said, accepted_break=accepted_break)


@governed.governs(lambda given: [("Contract", given["contract"].slug)])
@transaction.atomic
def remove_field(
    *, contract: Contract, name: str, by: Any, seen: int | None = None, accepted_break: str = ""
) -> ContractVersion:
    """Take a field out of the contract: a new version. Values that records hold already stay in them."""
    schema = _editable(contract, seen)
    if name not in schema["properties"]:
        raise ConfigError(f"The contract has no field {name!r}.", where=contract.slug)
    _refuse_needed(contract, name, schema)
    del schema["properties"][name]
    schema["required"] = [other for other in schema["required"] if other != name]
    said = f"Field {name} removed."
    return activate_schema(contract=contract, schema=schema, by=by, note=said, accepted_break=accepted_break)


@transaction.atomic
def save_agreement(
    *,
    contract: Contract,
    owner: str,
    tags: Sequence[str],
    levels: Sequence[dict[str, Any]],
    by: Any,
    seen: int | None = None,
) -> ContractVersion:
    """Owner, tags and service levels, which each version has of its own; what is empty leaves the schema."""
    said = {"x-owner": owner, "x-tags": list(tags), "x-sla": list(levels)}
    schema = {name: value for name, value in _editable(contract, seen).items() if name not in said}
    schema |= {name: value for name, value in said.items() if value}
    return activate_schema(contract=contract, schema=schema, by=by, note="Owner, tags or service levels changed.")


def _active(contract: Contract) -> ContractVersion | None:
    return contract.versions.filter(status=ContractVersion.Status.ACTIVE).first()


def _editable(contract: Contract, seen: int | None) -> Schema:
    """A copy of the active schema, locked until the new version stands."""
    Contract.objects.select_for_update().get(pk=contract.pk)
    active = _active(contract)
    if active and seen is not None and seen != active.number:
        raise ConfigError(
            f"Somebody else has changed this contract: version {active.number} is active now, you saw version {seen}.",
            where=contract.slug,
            fix="Look at the field as it is now, then save again.",
            code="CHANGED_MEANWHILE",
        )
    schema: Schema = dict(active.schema) if active else {"type": "object"}
    schema["properties"] = dict(schema.get("properties") or {})
    schema["required"] = list(schema.get("required") or ())
    return schema


def _check_name(name: str, where: str) -> None:
    if not FIELD_NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot be the name of a field.",
            where=where,
            fix="Use small letters, digits and underscores, beginning with a letter, at most 60.",
        )


def _keep_key(contract: Contract, name: str, before: dict[str, Any] | None, spec: dict[str, Any]) -> None:
    """What records are known under cannot change below them."""
    if bool(spec.get("x-key")) != bool(before and before.get("x-key")):
        raise ConfigError(
            "Which fields form the key cannot change: records are known under it.",
            where=f"{contract.slug}: {name}",
            fix="Make a new entity with another key.",
        )


def _check_reference(contract: Contract, name: str, spec: dict[str, Any]) -> None:
    ref = spec.get("x-ref")
    if ref and not Entity.objects.filter(slug=ref).exists():
        raise ConfigError(
            f"There is no entity {ref!r} that the field could refer to.", where=f"{contract.slug}: {name}"
        )


def _refuse_needed(contract: Contract, name: str, schema: Schema) -> None:
    """Sentences for a field that something else in the contract stands on."""
    where = f"{contract.slug}: {name}"
    if schema["properties"][name].get("x-key"):
        raise ConfigError("The field is part of the key and cannot be removed.", where=where)
    if amount := next((n for n, s in schema["properties"].items() if s.get("x-money") == name and n != name), ""):
        raise ConfigError(f"The field holds the currency of {amount}.", where=where, fix=f"Remove {amount} first.")
    for rule in schema.get("allOf") or ():
        if name in _names(rule):
            raise ConfigError(f"A rule of the contract needs the field: {rule.get('title') or rule}", where=where)


def _names(spec: Any) -> Iterator[str]:
    """Every property that a part of a schema speaks of."""
    if isinstance(spec, dict):
        yield from spec.get("properties") or ()
        yield from spec.get("required") or ()
    for part in spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else ():
        yield from _names(part)
