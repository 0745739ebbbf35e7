"""The dry run of reading: a sample of the source takes the path of a page up to the point where it would be stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.services import open_connection
from governance.arbitration import admit, decide
from hub.common.db import plain_cursor
from hub.common.errors import HubError, RecordError
from hub.common.records import BadRecord, Page, Record
from hub.records.models import CanonicalRecord
from hub.sync import doubles
from hub.sync.dry_result import DryRun, Row, refusal
from hub.sync.duplicates import blocks, comparing
from hub.sync.models import SyncState
from hub.sync.ownership import blocking
from hub.sync.payloads import FieldChange
from hub.sync.plan import SyncPlan
from hub.sync.prepare import Item, Prepared, external_id, prepare

# How far a source is read for named records.
MAX_READ = 5_000


@dataclass(slots=True)
class Sample:
    records: list[Record]
    bad: list[BadRecord]

    @property
    def is_empty(self) -> bool:
        return not self.records and not self.bad


def run(plan: SyncPlan, result: DryRun, *, sample: int, external_ids: Collection[str] | None) -> None:
    """Fill `result` with what would become of a sample of the source's records."""
    found = _named(plan, set(external_ids)) if external_ids else _sample(plan, result, sample)
    judge(plan, result, found.records, found.bad)
    if external_ids and (missing := set(external_ids) - _ids(plan, found.records)):
        result.notes.append(
            f"The source did not show {', '.join(sorted(missing))} among its first {MAX_READ:,} records."
        )


def judge(plan: SyncPlan, result: DryRun, records: Sequence[Record], bad: Sequence[BadRecord] = ()) -> None:
    """Add to `result` what would become of these source records; nothing is read from the source."""
    page = prepare(plan, records, bad)
    result.read += page.read
    if page.blocked:
        result.notes.append(str(page.blocked))
    result.rows += [refusal(p.error, p.key or "", p.external_id) for p in page.problems]
    result.rows += _unchanged(page)
    result.rows += _known(plan, page.known)
    result.rows += _new(plan, page.new, result)


# What is looked at -----------------------------------------------------------------------------------------
def _sample(plan: SyncPlan, result: DryRun, size: int) -> Sample:
    """The next records that a run would read; from the beginning when nothing is new."""
    cursor = _cursor(plan)
    found = _read(plan, cursor, size)
    if found.is_empty and cursor is not None:
        result.notes.append("Nothing is new since the last run, so the first records of the source were looked at.")
        found = _read(plan, None, size)
    return found


def _cursor(plan: SyncPlan) -> str | None:
    if plan.sync.pk is None or plan.sync.mode == "full":
        return None
    return SyncState.objects.filter(sync=plan.sync).values_list("cursor", flat=True).first()


def _read(plan: SyncPlan, cursor: str | None, size: int) -> Sample:
    found = Sample([], [])
    with open_connection(plan.connection) as connector:
        for page in connector.read(_small(plan, size), cursor=cursor):
            _take(found, page)
            if len(found.records) >= size:
                break
    return Sample(found.records[:size], [broken for broken in found.bad if broken.position < size])


def _small(plan: SyncPlan, size: int) -> Any:
    """A page no larger than the sample, where the sync sets the size of its pages at all."""
    stream = plan.stream
    return replace(stream, page_size=min(stream.page_size, size)) if stream.page_size else stream


def _take(found: Sample, page: Page) -> None:
    offset = len(found.records)
    found.bad += [replace(broken, position=offset + broken.position) for broken in page.bad]
    found.records += page.records


def _named(plan: SyncPlan, wanted: set[str]) -> Sample:
    found, seen, hits = Sample([], []), 0, set[str]()
    with open_connection(plan.connection) as connector:
        for page in connector.read(plan.stream, cursor=None):
            for record in page.records:
                if (name := _id(plan, record)) in wanted:
                    found.records.append(record)
                    hits.add(name)
            seen += len(page.records)
            if hits == wanted or seen >= MAX_READ:
                break
    return found


def _id(plan: SyncPlan, record: Record) -> str:
    try:
        return external_id(record, plan.stream.key)
    except RecordError:
        return ""


def _ids(plan: SyncPlan, records: Sequence[Record]) -> set[str]:
    return {_id(plan, record) for record in records}


# What would become of it -----------------------------------------------------------------------------------
def _unchanged(page: Prepared) -> list[Row]:
    keys = CanonicalRecord.objects.filter(pk__in=page.unchanged_ids).values_list("key", flat=True)
    rows = [Row("skip", key, sentence="The source has not changed it since it was read.") for key in keys]
    return rows + [Row("skip", "", sentence="It comes twice; the last one counts.") for _ in range(page.repeated)]


def _known(plan: SyncPlan, items: Sequence[Item]) -> list[Row]:
    ids = [item.record_id for item in items if item.record_id is not None]
    rows = CanonicalRecord.objects.filter(pk__in=ids).select_related("provenance")
    current = {record.pk: (record.body, record.provenance.fields) for record in rows}
    return [_change(plan, item, *current.get(item.record_id or 0, ({}, {}))) for item in items]


def _change(plan: SyncPlan, item: Item, body: Record, provenance: Mapping[str, int]) -> Row:
    decision = decide(item.body, body, plan.modes, plan.lens, provenance)
    label = _label(plan, item.body)
    if decision.changed:
        changes = tuple(FieldChange(name, body.get(name), decision.body.get(name)) for name in decision.changed)
        return Row("update", item.key, item.external_id, label, changes=changes)
    kept = ", ".join((*decision.refused, *(one.field for one in decision.blocked)))
    why = f"The hub keeps its own value of {kept}." if kept else "It says what the hub already holds."
    return Row("skip", item.key, item.external_id, label, why)


def _new(plan: SyncPlan, items: Sequence[Item], result: DryRun) -> list[Row]:
    """New records; one that says the same key as another of the sample would change that one."""
    rows, items = _recognised(plan, items, result)
    twins = _doubles(plan, items, result)
    made: dict[str, Record] = {}
    for item in items:
        if item.key in made:
            body = made[item.key]
            rows.append(_change(plan, item, body, dict.fromkeys(body, plan.connection.system_id)))
            continue
        if plan.lens and (stopped := admit(item.body, plan.lens)).blocked:
            if problem := blocking.why_waiting(plan, item, stopped):
                rows.append(refusal(problem.error, item.key, item.external_id))
                continue
            item.body = stopped.body
        made[item.key] = item.body
        rows.append(_creation(plan, item, twins))
    return rows


def _recognised(plan: SyncPlan, items: Sequence[Item], result: DryRun) -> tuple[list[Row], list[Item]]:
    """Rows of those that the match rules would link or hold, and the items that would pass."""
    if not plan.matching or not items:
        return [], list(items)
    rows: list[Row] = []
    passing: list[Item] = []
    taken: set[int] = set()
    with plain_cursor() as cursor:
        if not blocks.are_complete(cursor, plan):
            result.notes.append("The match rules are not tried: the next run puts the records into their blocks first.")
            return [], list(items)
        for item, candidates in comparing.candidates_of(cursor, plan, items):
            chosen = comparing.link_of(candidates, taken)
            if chosen is not None:
                taken.add(chosen.record_id)
                sentence = f"It is linked to {chosen.key} by the match rule {chosen.rule.name!r}."
                rows.append(Row("update", item.key, item.external_id, _label(plan, item.body), sentence))
            elif candidates:
                error, best = comparing.possible(candidates), candidates[0]
                label = _label(plan, item.body)
                rows.append(Row("would_duplicate", item.key, item.external_id, label, f"Held. {error.what}", best.key))
            else:
                passing.append(item)
    return rows, passing


def _creation(plan: SyncPlan, item: Item, twins: doubles.Doubles) -> Row:
    name = doubles.name_field(plan.contract.markers)
    twin, alike = twins.of(item.key, str(item.body.get(name) or "") if name else "")
    changes = tuple(FieldChange(field, None, value) for field, value in item.body.items() if value is not None)
    label = _label(plan, item.body)
    if twin:
        sentence = f"The hub knows {twin}: {alike}."
        return Row("would_duplicate", item.key, item.external_id, label, sentence, twin, changes)
    return Row("create", item.key, item.external_id, label, changes=changes)


def _doubles(plan: SyncPlan, items: Sequence[Item], result: DryRun) -> doubles.Doubles:
    if not items:
        return doubles.Doubles()
    try:
        return doubles.look_up(plan.entity.pk, plan.contract.markers, [(item.key, item.body) for item in items])
    except HubError:
        result.notes.append("The hub holds too many records to look for doubles of the new ones.")
        return doubles.Doubles()


def _label(plan: SyncPlan, body: Record) -> str:
    name = doubles.name_field(plan.contract.markers)
    return str(body.get(name) or "") if name else ""
