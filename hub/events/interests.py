"""Which subscriptions want what: read every few seconds, so that work that nobody asked about costs nothing."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from governance.models import ContractVersion, Entity
from governance.schemas import Schema
from hub.common.records import Record
from hub.events.models import Subscription
from hub.sync import payloads
from hub.sync.models import Sync
from hub.sync.plan import meets, passing

# A new subscription counts this much later in other processes.
READ_EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Interest:
    """A subscription as far as choosing needs it. Nothing named means everything."""

    subscription_id: int
    types: frozenset[str]
    domain_id: int | None
    entity_id: int | None
    only_when: Mapping[str, frozenset[str]]
    is_full: bool

    def covers(self, name: str, *, domain_id: int | None, entity_id: int | None) -> bool:
        """Whether it is about this kind of event, of this entity or domain."""
        if name not in self.types:
            return False
        return entity_id == self.entity_id if self.entity_id else self.domain_id in (None, domain_id)

    def wants(self, body: Mapping[str, Any]) -> bool:
        return meets(body, self.only_when)


@dataclass(frozen=True, slots=True)
class About:
    """What events of a sync say of it, and whose they are."""

    sync: str
    entity: str
    entity_id: int
    domain_id: int
    schema: Schema
    secret: frozenset[str]  # names that may not stand in a sentence
    hidden: dict[tuple[str, ...], set[str]] = field(default_factory=dict)

    def shown(self, body: Record) -> Record:
        """The record without the fields that are not for everybody."""
        names = tuple(body)
        if names not in self.hidden:
            self.hidden[names] = payloads.masked_names(names, self.schema)
        return {name: value for name, value in body.items() if name not in self.hidden[names]}


_interests: tuple[Interest, ...] = ()
_abouts: dict[int, About] = {}
_read_at = float("-inf")


def wanted(types: Collection[str]) -> tuple[Interest, ...]:
    """The interests in any of these types."""
    if time.monotonic() - _read_at > READ_EVERY_SECONDS:
        _read()
    return tuple(interest for interest in _interests if not interest.types.isdisjoint(types))


def _read() -> None:
    global _interests, _read_at
    found = Subscription.objects.filter(is_active=True, disabled_at__isnull=True).order_by("pk")
    _interests = tuple(map(_interest, found.defer("secrets", "headers")))
    _abouts.clear()
    _read_at = time.monotonic()


def _interest(subscription: Subscription) -> Interest:
    return Interest(
        subscription.pk,
        frozenset(subscription.event_types),
        subscription.domain_id,
        subscription.entity_id,
        passing(subscription.only_when),
        subscription.payload == Subscription.Payload.FULL,
    )


def about(sync_id: int) -> About:
    if time.monotonic() - _read_at > READ_EVERY_SECONDS:
        _read()
    if sync_id not in _abouts:
        sync = Sync.objects.select_related("mapping__entity", "mapping__stream").get(pk=sync_id)
        entity, secret = sync.entity, payloads.secret_by_sync([sync])[sync_id]
        _abouts[sync_id] = About(sync.slug, entity.slug, entity.pk, entity.domain_id, _schema(entity), secret)
    return _abouts[sync_id]


def _schema(entity: Entity) -> Schema:
    active = ContractVersion.objects.filter(contract__entity=entity, status=ContractVersion.Status.ACTIVE).first()
    return active.schema if active else {}


def forget() -> None:
    """Read anew: a subscription was changed in this process, or a test emptied the tables."""
    global _read_at
    _read_at = float("-inf")
