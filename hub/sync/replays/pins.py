"""As it ran: what a replay has pinned to the versions of its last attempt is mapped with those, all else with the current.

A pin counts for the version of the record that was put, while its item is on its way. A batch and a page hold records of one
pin only, because the batch row says which versions its payload was made with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from governance.models import ContractVersion
from hub.common.db import plain_cursor
from hub.records.copying import ids, texts
from hub.sync.models import Run
from hub.sync.outbox import Due
from hub.sync.plan import SyncPlan, load_plan
from mappings.models import MappingVersion


class Pin(NamedTuple):
    mapping_version_id: int
    contract_version_id: int


class Plans:
    """The plans of one run: its own, and one for each pin that turns up in it."""

    def __init__(self, plan: SyncPlan) -> None:
        self.own = plan
        self._pinned: dict[Pin, SyncPlan] = {}

    def of(self, pin: Pin | None) -> SyncPlan:
        if pin is None:
            return self.own
        if pin not in self._pinned:
            self._pinned[pin] = load_plan(self.own.sync, run=as_ran(pin))
        return self._pinned[pin]

    def first_of_one(self, due: Sequence[Due]) -> tuple[SyncPlan, list[Due]]:
        """The due records that go with the first one's versions; the others come in a later pass."""
        if not due:
            return self.own, []
        pins = _pins_out(self.own.sync.pk, due)
        first = pins.get(due[0].record_id)
        return self.of(first), [item for item in due if pins.get(item.record_id) == first]

    def by_pin(self, tried: Sequence[tuple[str, Any]]) -> list[tuple[SyncPlan, list[tuple[str, Any]]]]:
        """Held records (external id, payload) in groups of one plan."""
        pins = _pins_in(self.own.sync.pk, [external_id for external_id, _ in tried])
        groups: dict[Pin | None, list[tuple[str, Any]]] = {}
        for item in tried:
            groups.setdefault(pins.get(item[0]), []).append(item)
        return [(self.of(pin), group) for pin, group in groups.items()]


def as_ran(pin: Pin) -> Run:
    """A run that is never stored: what `load_plan` reads pinned versions from. Raises DoesNotExist when they are gone."""
    return Run(
        mapping_version=MappingVersion.objects.get(pk=pin.mapping_version_id),
        contract_version=ContractVersion.objects.select_related("contract").get(pk=pin.contract_version_id),
    )


def _pins_out(sync_id: int, due: Sequence[Due]) -> dict[int, Pin]:
    with plain_cursor() as cursor:
        rows = cursor.execute(
            "select i.record_id, i.mapping_version_id, i.contract_version_id from sync_replayitem i"
            " join unnest(%s::bigint[], %s::int[]) d(record_id, version)"
            "   on d.record_id = i.record_id and d.version = i.version"
            " where i.sync_id = %s and i.leg = 'out' and i.status in (2, 3) and i.mapping_version_id is not null"
            " order by i.id",
            [ids(item.record_id for item in due), [item.version for item in due], sync_id],
        ).fetchall()
    return {row[0]: Pin(row[1], row[2]) for row in rows}


def _pins_in(sync_id: int, external_ids: Sequence[str]) -> dict[str, Pin]:
    with plain_cursor() as cursor:
        rows = cursor.execute(
            "select external_id, mapping_version_id, contract_version_id from sync_replayitem"
            " where sync_id = %s and leg = 'in' and external_id = any(%s::text[]) and status in (2, 3)"
            " and mapping_version_id is not null order by id",
            [sync_id, texts(external_ids)],
        ).fetchall()
    return {row[0]: Pin(row[1], row[2]) for row in rows}
