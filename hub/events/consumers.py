"""Subscriptions as consumers of contracts: those that are told of an entity's records."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Q
from django.urls import reverse

from governance import consumers
from governance.consumers import Consumer
from governance.models import Entity
from hub.events import business
from hub.events.models import Subscription
from hub.events.types import RECORD_TYPES


def register() -> None:
    consumers.register("events", of_entity)


def of_entity(entity: Entity) -> Iterator[Consumer]:
    """Full notifications carry the whole record; brief ones only what the subscription asks of it."""
    mine = Q(entity=entity) | Q(entity=None) & (Q(domain=None) | Q(domain=entity.domain_id))
    found = Subscription.objects.filter(
        mine, is_active=True, disabled_at=None, event_types__overlap=[*RECORD_TYPES, *business.names()]
    )
    for each in found.defer("secrets", "headers"):
        fields = None if each.payload == Subscription.Payload.FULL else frozenset(each.only_when)
        url = reverse("events:subscription_detail", args=[each.slug])
        yield Consumer("Subscription", each.slug, each.name, "reads", fields, url, each.delivered_at)
