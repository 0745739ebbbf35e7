"""What hub.sync asks: whether a sync has routes, and what they say now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from django.db.models import Q

from hub.cutover.models import LEGACY_DELIVERS, NEW_DELIVERS, REST, Cutover
from hub.sync.routing import Route


class Routes:
    """The router that this package registers."""

    def routed(self, sync_ids: Collection[int]) -> set[int]:
        pairs = Cutover.objects.filter(Q(legacy__in=sync_ids) | Q(new__in=sync_ids)).values_list("legacy_id", "new_id")
        return {pk for pair in pairs for pk in pair} & set(sync_ids)

    def lock(self, cursor: Any, sync_ids: Collection[int]) -> dict[int, Route]:
        rows = cursor.execute(
            "select c.legacy_id, c.new_id, r.legal_entity, r.state from cutover_cutoverroute r"
            " join cutover_cutover c on c.id = r.cutover_id"
            " where c.legacy_id = any(%(ids)s::bigint[]) or c.new_id = any(%(ids)s::bigint[]) order by r.id for share of r",
            {"ids": sorted(sync_ids)},
        ).fetchall()
        states: dict[tuple[int, int], dict[str, str]] = defaultdict(dict)
        for legacy, new, legal_entity, state in rows:
            states[legacy, new][legal_entity] = state
        found = {}
        for (legacy, new), by_entity in states.items():
            found[legacy] = _route(by_entity, LEGACY_DELIVERS, new)
            found[new] = _route(by_entity, NEW_DELIVERS, legacy)
        return {pk: route for pk, route in found.items() if pk in sync_ids}


def _route(states: dict[str, str], delivers: frozenset[Any], other: int) -> Route:
    named = {name: state in delivers for name, state in states.items() if name != REST}
    return Route(named, states.get(REST) in delivers, other)
