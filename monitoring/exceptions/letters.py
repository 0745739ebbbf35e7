"""Records that did not pass, as things that are open: held records and deliveries in trouble, with what can be read of them."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db.models import Max

from governance.models import Entity
from hub.common.errors import HubError
from hub.common.records import Record, joined_key
from hub.records.models import CanonicalRecord
from hub.records.queries import existing_keys, keys_by_external_id
from hub.sync.models import Delivery, HeldRecord, Sync, Transaction
from hub.sync.payloads import secret_by_sync
from hub.sync.plan import SyncPlan, load_plan
from hub.sync.prepare import RAW
from hub.sync.states import HeldState
from mappings.compile import Mapper, MappingFailure, compile_mapping
from mappings.paths import MISSING
from mappings.queries import value_maps_of
from monitoring.exceptions.intake import Found

# Canonical fields that say what hangs on a record, whatever its entity calls its promoted ones.
TOLD = ("hours", "resource", "role", "date", "planned_date", "is_billable")
HELD, DELIVERY = "held", "delivery"
# The sentence of mappings.value_maps for a value that no entry knows.
_UNMAPPED = re.compile(r"(?P<value>'[^']*'|\S+) is not in the value map (?P<map>[\w-]+)")


def held_key(sync_id: int, external_id: str) -> str:
    return f"{HELD}:{sync_id}:{external_id}"


def delivery_key(sync_id: int, record_id: int) -> str:
    return f"{DELIVERY}:{sync_id}:{record_id}"


# Reading what a source gave ---------------------------------------------------------------------------------
@dataclass(slots=True)
class Reader:
    """What a sync's mapping can tell of a source record, although some of its fields fail.

    It maps with the version in force: where the mapping was corrected since, more is known. `plan` is None where the sync
    cannot be compiled; then nothing is told.
    """

    plan: SyncPlan | None
    mapper: Mapper | None = None

    def told(self, bodies: Sequence[Record]) -> list[Record]:
        """One canonical record for each body, without the fields that fail and with references resolved."""
        if self.mapper is None:
            return [{} for _ in bodies]
        bodies = [_unraw(body) for body in bodies]
        mapped = self.mapper.apply_all(bodies)
        told = [self._partly(body) if isinstance(found, MappingFailure) else dict(found) for body, found in
                zip(bodies, mapped, strict=True)]  # fmt: skip
        self._refer(told)
        return told

    def _partly(self, body: Record) -> Record:
        assert self.mapper is not None
        traces = self.mapper.explain(body)
        return {trace.target: trace.value for trace in traces if not trace.error and trace.value is not MISSING}

    def _refer(self, told: list[Record]) -> None:
        """Ids of the source become canonical keys; what is not here yet is left out."""
        assert self.plan is not None
        for reference in self.plan.references:
            given = {str(one[reference.target]) for one in told if one.get(reference.target) not in (None, "")}
            if not given:
                continue
            if reference.stream_id is not None:
                keys = keys_by_external_id(reference.stream_id, given)
            else:
                keys = {key: key for key in existing_keys(reference.entity_id, given)}
            for one in told:
                if one.get(reference.target) not in (None, ""):
                    one[reference.target] = keys.get(str(one[reference.target]))


def _unraw(body: Record) -> Record:
    """A record of which only the text is kept, as far as the text is whole."""
    if set(body) != {RAW}:
        return body
    for parse in (orjson.loads, ast.literal_eval):
        try:
            found = parse(body[RAW])
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, dict):
            return found
    return body


def reader_of(sync: Sync) -> Reader:
    try:
        plan = load_plan(sync)
        markers = plan.contract.markers
        wanted = {*TOLD, *markers.key, markers.amount, markers.currency, *(field for _, field in markers.promoted)}
        rules = [rule for rule in plan.rules if rule.target in wanted]
        mapper = compile_mapping(rules, value_maps=value_maps_of(rules), time_zone=plan.sync.stream.time_zone)
    except HubError:
        return Reader(None)
    return Reader(plan, mapper)


# Of both legs -----------------------------------------------------------------------------------------------
def syncs_of(ids: Iterable[int]) -> dict[int, Sync]:
    rows = Sync.objects.select_related("mapping__entity__domain", "mapping__stream__connection__system")
    return rows.in_bulk(set(ids))


class Letters:
    """Makes Found of held records and deliveries; what is the same for a sync is read once a sweep."""

    def __init__(self) -> None:
        self._syncs: dict[int, Sync] = {}
        self._readers: dict[int, Reader] = {}
        self._secrets: dict[int, frozenset[str]] = {}
        self._entities = dict(Entity.objects.values_list("pk", "slug"))

    def _sync(self, sync_id: int) -> Sync:
        if sync_id not in self._syncs:
            self._syncs |= syncs_of([sync_id])
        return self._syncs[sync_id]

    def _reader(self, sync_id: int) -> Reader:
        if sync_id not in self._readers:
            self._readers[sync_id] = reader_of(self._sync(sync_id))
        return self._readers[sync_id]

    def _secret(self, sync: Sync) -> frozenset[str]:
        """Fields whose values are not for everybody: they stand in no title."""
        if sync.pk not in self._secrets:
            self._secrets |= secret_by_sync([sync])
        return self._secrets[sync.pk]

    def held(self, pairs: Sequence[tuple[int, str]]) -> list[Found]:
        """Those of the records that are still held."""
        by_sync: dict[int, list[str]] = defaultdict(list)
        for sync_id, external_id in pairs:
            by_sync[sync_id].append(external_id)
        found: list[Found] = []
        for sync_id, ids in by_sync.items():
            rows = list(
                HeldRecord.objects.filter(sync_id=sync_id, external_id__in=ids).exclude(state=HeldState.RELEASED)
            )
            told = self._reader(sync_id).told([row.body for row in rows])
            found += [self._of_held(row, one) for row, one in zip(rows, told, strict=True)]
        return found

    def _of_held(self, row: HeldRecord, told: Record) -> Found:
        sync, plan = self._sync(row.sync_id), self._reader(row.sync_id).plan
        found = Found(
            key=held_key(row.sync_id, row.external_id),
            title="",
            detail=row.error_detail,
            error_code=row.error_code,
            field=row.field,
            entity_id=sync.entity.pk,
            domain_id=sync.entity.domain_id,
            sync_id=sync.pk,
            external_id=row.external_id,
            transaction_id=row.transaction_id,
            amount=row.amount,
            currency=row.currency or "",
            since=row.first_at,
            body=told,
            name=_name(told, plan) or row.external_id,
        )
        if row.missing_key:
            found.facts |= {
                "missing": row.missing_key,
                "missing_entity": self._entities.get(row.missing_entity_id or 0, ""),
            }
        if row.field not in self._secret(sync) and (match := _UNMAPPED.match(row.error_detail)):
            found.facts |= {"value": match["value"], "value_map": match["map"]}
        if plan is not None:
            _promote(found, told, plan)
        return found

    def deliveries(self, pairs: Sequence[tuple[int, int]]) -> list[Found]:
        by_sync: dict[int, list[int]] = defaultdict(list)
        for sync_id, record_id in pairs:
            by_sync[sync_id].append(record_id)
        found: list[Found] = []
        for sync_id, ids in by_sync.items():
            rows = Delivery.objects.filter(sync_id=sync_id, record_id__in=ids)
            records, newest = CanonicalRecord.objects.in_bulk(ids), _newest(sync_id, ids)
            found += [
                self._of_delivery(row, records[row.record_id], newest.get(row.record_id))
                for row in rows
                if row.record_id in records
            ]
        return found

    def _of_delivery(self, row: Delivery, record: CanonicalRecord, transaction_id: int | None) -> Found:
        sync = self._sync(row.sync_id)
        found = Found(
            key=delivery_key(row.sync_id, row.record_id),
            title="",
            detail=row.error_detail or "",
            error_code=row.error_code or row_word(row),
            field=_field_in(row.error_detail or ""),
            entity_id=sync.entity.pk,
            domain_id=sync.entity.domain_id,
            sync_id=sync.pk,
            record_id=record.pk,
            transaction_id=transaction_id,
            client=record.customer or "",
            project=record.project or "",
            period=record.period or "",
            legal_entity=record.legal_entity or "",
            amount=record.amount,
            currency=record.currency or "",
            since=row.failing_since or (row.next_at if row.acts_at is None and row.next_at.year < 9999 else None),
            body=record.body,
            name=record.key,
        )
        if row.missing_key:
            found.facts |= {
                "missing": row.missing_key,
                "missing_entity": self._entities.get(row.missing_entity_id or 0, ""),
            }
        return found


def _newest(sync_id: int, record_ids: Sequence[int]) -> dict[int, int]:
    """record id → its newest ledger row through the sync"""
    rows = Transaction.objects.filter(sync_id=sync_id, record_id__in=record_ids).order_by()
    return dict(rows.values_list("record_id").annotate(newest=Max("id")))


def row_word(row: Delivery) -> str:
    return str(row.get_state_display()).upper().replace(" ", "_")


def _field_in(detail: str) -> str:
    """The field that a sentence of the error family names at its end, in brackets."""
    _, bracket, rest = detail.rpartition("(")
    name, closed, _ = rest.partition(")")
    return name if bracket and closed and name.replace(".", "").replace("_", "").isalnum() else ""


def _name(told: Record, plan: SyncPlan | None) -> str:
    """The key that the record will have, where all of it can be told."""
    parts = [_text(told.get(name)) for name in plan.contract.markers.key] if plan else []
    return joined_key(parts) if parts and all(parts) else ""


def _promote(found: Found, told: Record, plan: SyncPlan) -> None:
    markers = plan.contract.markers
    columns = dict(markers.promoted)
    found.client = _text(told.get(columns.get("customer", "")))
    found.project = _text(told.get(columns.get("project", "")))
    found.period = _text(told.get(columns.get("period", "")))
    found.legal_entity = _text(told.get(columns.get("legal_entity", "")))
    if found.amount is None and markers.amount:
        found.amount = told.get(markers.amount)
    found.currency = found.currency or _text(told.get(markers.currency))


def _text(value: Any) -> str:
    return "" if value in (None, "") else str(value)
