"""A sync compiled for work: mapping, contract, markers and targets of the pinned versions, loaded once for a run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.models import Connection, Stream
from connectors.registry import catalogue
from connectors.services import stream_spec
from governance.contracts import ContractCheck, unknown_fields
from governance.lifecycle import refuse_retired
from governance.match_rules.queries import active_rules
from governance.matching.rules import Rule
from governance.models import Contract, ContractVersion, Entity
from governance.ownership.compiled import Lens
from governance.ownership.queries import lens_for
from governance.treatment import Policy
from hub.common.db import plain_cursor
from hub.common.errors import ConfigError
from hub.common.records import StreamSpec
from hub.common.times import business_today
from hub.sync import routing
from hub.sync.duplicates import keys as linked_keys
from hub.sync.models import Run, Sync
from hub.sync.removals import aliases
from hub.sync.removals.aliases import Aliases
from hub.sync.removals.marks import Mark
from mappings.compile import Mapper, ValueMapData, compile_mapping
from mappings.models import MappingVersion
from mappings.paths import parse_path
from mappings.queries import value_maps_of
from mappings.reading import reads
from mappings.rules import FieldRule, parse_rules


@dataclass(frozen=True, slots=True)
class Reference:
    """A field that holds another entity's key; `stream_id` when the source gives that stream's external id instead."""

    target: str
    entity_id: int
    entity: str
    stream_id: int | None = None


@dataclass(frozen=True, slots=True)
class Subscriber:
    """An outbound sync that takes records of the entity; `only_when` as on Sync.

    `routed_by` is set where another sync may deliver in its place, see hub.sync.routing: the field with the legal entity.
    """

    sync_id: int
    only_when: Mapping[str, frozenset[str]]
    routed_by: str | None = None

    def wants(self, body: Mapping[str, Any]) -> bool:
        return meets(body, self.only_when)


@dataclass(slots=True)
class SyncPlan:
    """Everything a run needs that does not change while it runs."""

    sync: Sync
    entity: Entity
    connection: Connection
    stream: StreamSpec
    stream_id: int
    mapping_version: MappingVersion
    contract_version: ContractVersion
    mapper: Mapper
    contract: ContractCheck
    policy: Policy
    source_contract: ContractCheck | None
    source_policy: Policy
    references: tuple[Reference, ...]
    modes: Mapping[str, str]
    dropped: frozenset[str]
    salt: bytes
    subscribers: tuple[Subscriber, ...] = ()
    rules: tuple[FieldRule, ...] = ()
    # Outbound: canonical fields that are sent; a record in which the target itself set all of them need not be sent.
    echoing: frozenset[str] = frozenset()
    known_keys: dict[int, set[str]] = field(default_factory=dict)
    # Nothing of the stream and nothing of the entity was here when the run began: look-ups would find nothing. Should
    # something have come meanwhile, the unique indexes say so, and the page is prepared again with look-ups.
    is_first_load: bool = False
    mark: Mark = field(default_factory=Mark)  # how a record says that it is gone
    aliases: Aliases = field(default_factory=dict)  # keys of merged records
    merged_ids: frozenset[str] = frozenset()  # ids of the stream whose records are not taken in
    matching: tuple[Rule, ...] = ()  # by which new records are recognised; none where the entity has no active rules
    linked_entities: set[int] = field(default_factory=set)  # entities some of whose records have keys beside their own
    lens: Lens | None = None  # what the ownership rules say to the system, where the entity has some
    routed_by: str | None = None  # as on Subscriber
    may_hold: bool = True  # whether any record of the sync is held, so that passing ones need to be looked up there

    @property
    def is_inbound(self) -> bool:
        return self.sync.direction == "in"


def load_plan(sync: Sync, *, run: Run | None = None) -> SyncPlan:
    """Compile a sync. A run that was interrupted keeps the versions it began with."""
    mapping, entity, stream = sync.mapping, sync.entity, sync.stream
    version = (run.mapping_version if run else None) or _active_mapping(sync)
    contract_version = (run.contract_version if run else None) or _active_contract(entity)
    refuse_retired(contract_version)
    parsed = parse_rules(version.rules)
    if not parsed:
        raise ConfigError(f"The mapping {mapping.name!r} has no rules.", fix="Map at least the key.", code="NO_RULES")
    maps = value_maps_of(parsed)
    contract = ContractCheck(contract_version.schema)
    references = _references(parsed, contract, sync)
    is_inbound = sync.direction == "in"
    lens = lens_for(entity, stream.connection.system, contract_version.schema) if is_inbound else None
    return SyncPlan(
        sync=sync,
        entity=entity,
        connection=stream.connection,
        stream=_paged(stream_spec(stream), sync.page_size),
        stream_id=stream.pk,
        mapping_version=version,
        contract_version=contract_version,
        mapper=compile_mapping(
            parsed,
            value_maps=maps,
            time_zone=stream.time_zone,
            direction="in" if sync.direction == "in" else "out",
            today=business_today(),
        ),
        contract=contract,
        policy=Policy.of(contract_version.contract, contract_version.schema),
        source_policy=Policy.of(contract_version.contract, stream.source_schema),
        source_contract=ContractCheck(stream.source_schema) if stream.source_schema else None,
        references=references,
        modes={rule.target: rule.write_mode for rule in parsed if rule.write_mode != "overwrite"},
        dropped=_dropped(contract_version, parsed) if sync.direction == "in" else frozenset(),
        salt=_salt(version, contract_version, maps, lens),
        subscribers=_subscribers(entity, stream.pk, contract) if is_inbound else (),
        routed_by=None if is_inbound or not routing.routed([sync.pk]) else legal_entity_in(contract),
        rules=parsed,
        aliases=aliases.of({entity.pk, *(r.entity_id for r in references)}) if is_inbound else {},
        merged_ids=aliases.merged_ids(stream.pk) if is_inbound else frozenset(),
        matching=active_rules(entity.pk) if is_inbound else (),
        linked_entities=_linked_entities({entity.pk, *(r.entity_id for r in references)}) if is_inbound else set(),
        mark=_mark(sync),
        lens=lens,
        echoing=_echoing(sync, parsed, contract) if sync.direction == "out" else frozenset(),
    )


def _mark(sync: Sync) -> Mark:
    """What the sync says about records that are gone, else what the system's declaration says."""
    stream = sync.stream
    if sync.deleted_path or sync.direction != "in":
        return Mark(sync.deleted_path, sync.deleted_values)
    declaration = catalogue().get(stream.connection.catalogue)
    declared = declaration.streams.get(stream.name, {}) if declaration else {}
    return Mark(declared.get("deleted", ""))


def _linked_entities(entity_ids: set[int]) -> set[int]:
    with plain_cursor() as cursor:
        return linked_keys.entities(cursor, entity_ids)


def _paged(spec: StreamSpec, page_size: int) -> StreamSpec:
    if not page_size:
        return spec
    return StreamSpec(spec.name, key=spec.key, cursor=spec.cursor, page_size=page_size, options=spec.options)


def _active_mapping(sync: Sync) -> MappingVersion:
    version = sync.mapping.versions.filter(status=MappingVersion.Status.ACTIVE).first()
    if version is None:
        raise ConfigError(
            f"The mapping {sync.mapping.name!r} has no active version.", where=sync.slug, fix="Activate its draft."
        )
    return version


def _active_contract(entity: Entity) -> ContractVersion:
    found = ContractVersion.objects.filter(
        contract__entity=entity, status=ContractVersion.Status.ACTIVE
    ).select_related("contract")
    version = found.first()
    if version is None:
        raise ConfigError(f"The entity {entity.name!r} has no active contract.", where=entity.slug, fix="Add one.")
    return version


def _references(rules: tuple[FieldRule, ...], contract: ContractCheck, sync: Sync) -> tuple[Reference, ...]:
    """References by the mapping's rules; inbound also those that the contract marks on plainly mapped fields."""
    streams = dict(Stream.objects.values_list("slug", "pk"))
    entities = dict(Entity.objects.values_list("slug", "pk"))
    marked = dict(contract.markers.refs) if sync.direction == "in" else {}
    found = []
    for rule in rules:
        entity = rule.entity if rule.kind == "reference" else marked.get(rule.target, "")
        if not entity:
            continue
        if entity not in entities:
            raise ConfigError(
                f"There is no entity {entity!r}.", where=f"rule {rule.target}", fix="Name an existing one."
            )
        if rule.via and rule.via not in streams:
            raise ConfigError(
                f"There is no stream {rule.via!r}.", where=f"rule {rule.target}", fix="Name an existing one."
            )
        found.append(Reference(rule.target, entities[entity], entity, streams.get(rule.via)))
    # Parents of the same kind come last: their keys may be made of the references before them.
    return tuple(sorted(found, key=lambda reference: reference.entity_id == sync.entity.pk))


def _dropped(version: ContractVersion, rules: tuple[FieldRule, ...]) -> frozenset[str]:
    """Mapped fields that the contract does not know: an error, dropped or kept, as its mode says."""
    unknown = unknown_fields(version.schema, [rule.target for rule in rules])
    mode = version.contract.mode
    if unknown and mode == Contract.Mode.FREEZE:
        raise ConfigError(
            f"The contract does not know {', '.join(unknown)}.",
            where=version.contract.slug,
            fix="Add the fields to the contract or take them out of the mapping.",
            code="CONTRACT_FROZEN",
        )
    return frozenset() if mode == Contract.Mode.EVOLVE else frozenset(unknown)


def _salt(
    version: MappingVersion, contract: ContractVersion, maps: Mapping[str, ValueMapData], lens: Lens | None
) -> bytes:
    """Part of every record's hash: another version of anything makes every record count as changed."""
    text = f"{version.pk}:{contract.pk}:" + ";".join(f"{slug}={data.revision}" for slug, data in sorted(maps.items()))
    owned = lens.digest if lens else b""
    return hashlib.blake2b(text.encode() + owned, digest_size=16).digest()


def _subscribers(entity: Entity, origin_stream_id: int, contract: ContractCheck) -> tuple[Subscriber, ...]:
    """Outbound syncs of the entity in lock order; not the one that would write the record back where it came from."""
    syncs = (
        Sync.objects.filter(mapping__entity=entity, mapping__direction="out")
        .exclude(mapping__stream_id=origin_stream_id)
        .order_by("pk")
    )
    found = list(syncs)
    routed, place = routing.routed([sync.pk for sync in found]), legal_entity_in(contract)
    return tuple(Subscriber(sync.pk, passing(sync.only_when), place if sync.pk in routed else None) for sync in found)


def legal_entity_in(contract: ContractCheck) -> str:
    """The field with the legal entity that a record belongs to; "" where the contract names none."""
    return dict(contract.markers.promoted).get("legal_entity", "")


def _echoing(sync: Sync, rules: tuple[FieldRule, ...], contract: ContractCheck) -> frozenset[str]:
    """Fields whose provenance tells an echo. None where the system shows the entity in more than one of its streams:

    provenance names the system, not the stream, and what one stream says may be news to the other.
    """
    stream = sync.stream
    others = Sync.objects.filter(mapping__entity=sync.entity, mapping__direction="in")
    others = others.filter(mapping__stream__connection__system_id=stream.connection.system_id)
    if others.exclude(mapping__stream=stream).exists():
        return frozenset()
    found = [reads(rule, contract.markers.fields) for rule in rules if rule.kind != "constant"]
    return frozenset(parse_path(path)[0] for paths in found for path in paths) if all(found) else frozenset()


def subscriber_of(sync: Sync) -> Subscriber:
    return Subscriber(sync.pk, passing(sync.only_when))


def passing(only_when: Mapping[str, Sequence[Any]]) -> dict[str, frozenset[str]]:
    """A condition as it is stored → the texts that let a record pass, by field."""
    return {name: frozenset(map(_text, values)) for name, values in only_when.items()}


def meets(body: Mapping[str, Any], condition: Mapping[str, frozenset[str]]) -> bool:
    """Whether every field of the condition holds one of its values."""
    return all(_text(body.get(name)) in allowed for name, allowed in condition.items())


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
