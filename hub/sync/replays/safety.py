"""How safe it is to write again, by sync: the classes that the target's connector declares."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from connectors.services import open_unsaved, stream_spec
from hub.common.errors import HubError
from hub.sync.models import Sync


class Safety(NamedTuple):
    """Classes A to D of making and of updating a record there, and how long a lost request may still be at work."""

    create: str
    update: str
    settle_seconds: float


UNKNOWN = Safety("D", "D", 0.0)


def by_sync(sync_ids: Collection[int]) -> dict[int, Safety]:
    """Of outbound syncs; a connection whose connector cannot be opened counts as the least safe one."""
    syncs = Sync.objects.filter(pk__in=sync_ids, mapping__direction="out")
    return {sync.pk: _of(sync) for sync in syncs.select_related("mapping__stream__connection")}


def _of(sync: Sync) -> Safety:
    """Asks the declaration alone, so that a paused connection has its classes too."""
    stream = sync.stream
    found = stream.connection
    try:
        with open_unsaved(
            catalogue=found.catalogue,
            protocol=found.protocol,
            config=found.config,
            secrets=found.secrets,
            time_zone=found.time_zone,
            allowed_networks=found.allowed_networks,
        ) as connector:
            spec = stream_spec(stream)
            classes = (connector.safety(spec), connector.safety(spec, updating=True))
            return Safety(*classes, connector.settle_seconds(spec))
    except HubError:
        return UNKNOWN
