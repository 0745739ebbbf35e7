"""From a page of either side to staged records. Reads the hub, writes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from governance.schemas import Markers
from hub.common.errors import HubError, MissingReference, RecordError
from hub.common.records import Page, Record
from hub.records.copying import json_bytes, without_nul
from hub.records.queries import keys_by_external_id
from hub.sync import doubles
from hub.sync.models import StagedRecord, Sync
from hub.sync.payloads import value_at
from hub.sync.plan import SyncPlan, load_plan
from hub.sync.prepare import Prepared, Problem, external_id, prepare

Side, Verdict = StagedRecord.Side, StagedRecord.Verdict


def fresh_plan(sync: Sync) -> SyncPlan:
    """The sync compiled so that every record counts as new: what the hub knows of it is looked up later, for all."""
    plan = load_plan(sync)
    plan.is_first_load = True
    return plan


# The source ------------------------------------------------------------------------------------------------
def of_source(adoption_id: int, plan: SyncPlan, page: Page) -> list[StagedRecord]:
    """A page of the source, contract and mapping applied."""
    prepared = prepare(plan, page.records, page.bad)
    found = [
        _staged(adoption_id, Side.SOURCE, item.external_id, item.key, _read(prepared, item.position), item.body, plan)
        for item in prepared.new
    ]
    return found + [_of_problem(adoption_id, plan, prepared, problem) for problem in prepared.problems]


def _of_problem(adoption_id: int, plan: SyncPlan, prepared: Prepared, problem: Problem) -> StagedRecord:
    """A record whose parent of the same kind comes with it is matched all the same; any other problem keeps it out."""
    body, key = _without_parent(plan, problem) if isinstance(problem.error, MissingReference) else ({}, "")
    staged = _staged(adoption_id, Side.SOURCE, problem.external_id, key, _read(prepared, problem.position), body, plan)
    if not key:
        staged.verdict, staged.why = Verdict.REFUSED, str(problem.error)
    return staged


def _without_parent(plan: SyncPlan, problem: Problem) -> tuple[Record, str]:
    assert isinstance(problem.error, MissingReference)
    if problem.error.entity != plan.entity.slug:
        return {}, ""
    try:
        body = plan.mapper.apply(problem.record)
        return body, external_id(body, plan.contract.markers.key)
    except HubError:
        return {}, ""


def _read(prepared: Prepared, position: int) -> Record:
    found: Record = json.loads(prepared.raws[position])
    return without_nul(found)


def _staged(
    adoption_id: int, side: int, id_: str, key: str, record: Record, body: Record, plan: SyncPlan
) -> StagedRecord:
    markers = plan.contract.markers
    name = doubles.name_field(markers)
    return StagedRecord(
        adoption_id=adoption_id,
        side=side,
        external_id=id_,
        key=key,
        label=str(body.get(name) or "") if name else "",
        record=record,
        body=json.loads(json_bytes(body)),
        **_money(markers, body),
    )


def _money(markers: Markers, body: Record) -> dict[str, Any]:
    try:
        amount = Decimal(str(body.get(markers.amount))) if markers.amount and body.get(markers.amount) else None
    except InvalidOperation:
        amount = None
    return {"amount": amount, "currency": body.get(markers.currency) if markers.currency else None}


# The target ------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class TargetReader:
    """Says the target's records in the words of the contract: by the mapping that reads its stream, where there is one;

    else by turning round the rules that write it, of which only plain ones and references can be.
    """

    outbound: SyncPlan
    inbound: SyncPlan | None = None
    copied: list[tuple[str, str]] = field(default_factory=list)  # (contract field, path at the target)

    @classmethod
    def of(cls, sync: Sync) -> TargetReader:
        outbound = load_plan(sync)
        reading = Sync.objects.filter(mapping__direction="in", mapping__stream=sync.stream, mapping__entity=sync.entity)
        first = reading.order_by("pk").first()
        copied = [(rule.source, rule.target) for rule in outbound.rules if rule.kind in ("direct", "reference")]
        return cls(outbound, fresh_plan(first) if first else None, [pair for pair in copied if "." not in pair[0]])

    def of_target(self, adoption_id: int, page: Page) -> list[StagedRecord]:
        """A page of the target. Records that cannot even be told apart are left out; nothing could be linked to them."""
        records = self._identified(page.records)
        mapped = self._mapped(list(records.values()))
        turned = self._turned(records)
        found = []
        for id_, record in records.items():
            body = mapped.get(id_) or turned[id_]
            key = _key(body, self.outbound.contract.markers)
            kept = without_nul(json.loads(json_bytes(record)))
            found.append(_staged(adoption_id, Side.TARGET, id_, key, kept, without_nul(body), self.outbound))
        return found

    def _identified(self, records: Iterable[Record]) -> dict[str, Record]:
        found = {}
        for record in records:
            try:
                found[without_nul(external_id(record, self.outbound.stream.key))] = record
            except RecordError:
                continue
        return found

    def _mapped(self, records: Sequence[Record]) -> dict[str, Record]:
        if self.inbound is None:
            return {}
        return {item.external_id: item.body for item in prepare(self.inbound, records).new}

    def _turned(self, records: dict[str, Record]) -> dict[str, Record]:
        bodies = {id_: {name: value_at(r, path) for name, path in self.copied} for id_, r in records.items()}
        for reference in self.outbound.references:
            name = next((name for name, path in self.copied if path == reference.target), "")
            if name and reference.stream_id is not None:
                given = {str(body[name]) for body in bodies.values() if body[name] not in (None, "")}
                keys = keys_by_external_id(reference.stream_id, given)
                for body in bodies.values():
                    body[name] = keys.get(str(body[name]))
        return bodies


def _key(body: Record, markers: Markers) -> str:
    try:
        return external_id(body, markers.key)
    except RecordError:
        return ""
