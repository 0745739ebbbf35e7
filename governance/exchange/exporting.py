"""Contracts of the hub as files in other people's formats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
import yaml
from django.conf import settings
from django.db.models import QuerySet

from governance.exchange.asyncapi import to_asyncapi
from governance.exchange.json_schema import to_json_schema
from governance.exchange.odcs import Agreement, to_odcs
from governance.models import Contract, ContractVersion
from governance.schemas import markers_of
from hub.common.errors import ConfigError

# format → (ending of a file, media type)
FORMATS = {
    "odcs": ("odcs.yaml", "application/yaml"),
    "jsonschema": ("schema.json", "application/schema+json"),
    "asyncapi": ("asyncapi.yaml", "application/yaml"),
}


@dataclass(frozen=True, slots=True)
class Export:
    """A document and how it is written down."""

    document: dict[str, Any]
    name: str
    media_type: str

    @property
    def text(self) -> str:
        if self.name.endswith(".json"):
            return orjson.dumps(self.document, option=orjson.OPT_INDENT_2).decode() + "\n"
        return to_yaml(self.document)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Without aliases, which many readers of these formats do not follow."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def to_yaml(document: dict[str, Any]) -> str:
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))


def export_version(version: ContractVersion, format_: str) -> Export:
    ending, media_type = FORMATS[format_]
    agreement = agreement_of(version)
    if format_ == "odcs":
        document = to_odcs(agreement, key_fields())
    elif format_ == "asyncapi":
        document = to_asyncapi([agreement], source=settings.HUB_EVENT_SOURCE)
    else:
        document = to_json_schema(version.schema, agreement.slug)
    return Export(document, f"{agreement.slug}.v{version.number}.{ending}", media_type)


def export_events(contracts: Iterable[Contract]) -> Export:
    """The events of all these contracts, and of the hub itself, as one AsyncAPI document."""
    slugs = [contract.pk for contract in contracts]
    versions = _active().filter(contract__in=slugs).order_by("contract__entity__load_order", "contract__slug")
    document = to_asyncapi([agreement_of(each) for each in versions], source=settings.HUB_EVENT_SOURCE, is_whole=True)
    return Export(document, "syncline.asyncapi.yaml", FORMATS["asyncapi"][1])


def agreement_of(version: ContractVersion) -> Agreement:
    contract, entity = version.contract, version.contract.entity
    return Agreement(
        slug=contract.slug,
        name=contract.name,
        schema=version.schema,
        entity=entity.slug,
        description=entity.description,
        domain=entity.domain.slug,
        version=f"{version.number}.0.0",
        status=version.status,
        settings={"mode": contract.mode, "compatibility": contract.compatibility},
    )


def key_fields() -> dict[str, str]:
    """For each entity the field that others refer to it by: the last part of its key."""
    found = {version.contract.entity.slug: markers_of(version.schema).key for version in _active()}
    return {slug: key[-1] for slug, key in found.items() if key}


def find_version(name: str) -> ContractVersion:
    """`contract` for the version in force, `contract@3` for another. Raises ConfigError."""
    slug, _, number = name.partition("@")
    rows = ContractVersion.objects.select_related("contract__entity__domain").filter(contract__slug=slug)
    if number:
        found = rows.filter(number=int(number)).first() if number.isdecimal() and len(number) < 10 else None
    else:
        found = rows.filter(status=ContractVersion.Status.ACTIVE).first()
    if found is None:
        raise ConfigError(
            f"There is no contract {name!r}.", fix="Name a contract, or one and its version, such as project@2."
        )
    return found


def _active() -> QuerySet[ContractVersion]:
    return ContractVersion.objects.filter(status=ContractVersion.Status.ACTIVE).select_related(
        "contract__entity__domain"
    )
