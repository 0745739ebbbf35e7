"""A contract with versions in several states."""

from __future__ import annotations

from typing import Any

from governance import lifecycle
from governance.models import Contract, ContractVersion
from governance.schemas import Schema
from governance.services import activate_schema, create_entity

KEY = {"type": "string", "minLength": 1, "x-key": True}
TEXT = {"type": "string"}


def schema(required: tuple[str, ...] = (), **properties: Any) -> Schema:
    return {"type": "object", "required": ["code", *required], "properties": {"code": KEY, **properties}}


def contract_of(domain: Any, first: Schema, slug: str = "truck", **settings: Any) -> Contract:
    """A contract whose version in force says `first`."""
    contract = create_entity(name=slug.title(), slug=slug, domain=domain, by=None).contract
    activate_schema(contract=contract, schema=first, by=None)
    for name, value in settings.items():
        setattr(contract, name, value)
    contract.save()
    return contract


def approved(contract: Contract, proposed: Schema, by: Any = None) -> ContractVersion:
    """A version that only has to be put in force."""
    version = lifecycle.propose(contract=contract, schema=proposed, by=by)
    lifecycle.submit(version, by=by)
    return lifecycle.approve(version, by=None)


def in_force(contract: Contract, proposed: Schema, **options: Any) -> ContractVersion:
    return lifecycle.activate(approved(contract, proposed), by=None, **options)
