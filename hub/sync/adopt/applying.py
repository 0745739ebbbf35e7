"""After approval: links first, in the very transaction that takes the source's records in; then what is new.

The staged records reach the source's sync as a feed (hub.sync.feeds), so that they take the path of any page: contract,
mapping, references, ledger, outbox. A page that was stored is never fed again.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from hub.common.db import plain_cursor
from hub.records.copying import ids
from hub.sync import engine, gate, probing, runs, trouble
from hub.sync.adopt import lease
from hub.sync.adopt.staging import Side, Verdict
from hub.sync.feeds import Fed
from hub.sync.models import Adoption, Delivery, Run, StagedRecord, Sync
from hub.sync.plan import SyncPlan
from hub.sync.states import DeliveryState, RunStatus

PAGE = 500
Status, Decision = Adoption.Status, StagedRecord.Decision

# What becomes of a source record: what a person said, else the verdict.
TO_LINK = Q(decision=Decision.LINK) | Q(decision="", verdict__in=(Verdict.LINKED, Verdict.CONFLICT))
TO_CREATE = Q(decision=Decision.NEW) | Q(decision="", verdict=Verdict.CREATE)


def unapplied(adoption: Adoption) -> QuerySet[StagedRecord]:
    """Source records that the adoption still has to link (while it links) or to release (after that)."""
    chosen = TO_LINK if adoption.status == Status.LINKING else TO_CREATE
    rows = StagedRecord.objects.filter(chosen, adoption=adoption, side=Side.SOURCE, applied_at__isnull=True)
    return rows.select_related("partner").order_by("pk")


def apply(adoption: Adoption, *, seconds: float) -> bool:
    """Go on for a slice of time; True when all is linked and released."""
    if unapplied(adoption).exists():
        _apply_some(adoption, seconds)
    if unapplied(adoption).exists():
        return False
    if adoption.status == Status.LINKING:
        lease.fence(adoption, status=Status.CREATING)
        open_gate(adoption)
        return apply(adoption, seconds=seconds)
    return True


def _apply_some(adoption: Adoption, seconds: float) -> None:
    if adoption.source is None:
        _link_hub_records(adoption)
        return
    lease.fence(adoption)
    run, _ = runs.create(sync=adoption.source, trigger=Run.Trigger.ADOPT)
    before = unapplied(adoption).count()
    engine.execute(run.pk, slice_seconds=seconds)
    run.refresh_from_db()
    if run.status == RunStatus.FAILED:
        lease.give_back(adoption, error=run.error, is_halted=True)
        raise Stopped
    if unapplied(adoption).count() == before:
        shut = gate.why_shut(adoption.source.pk)
        lease.give_back(adoption, error=f"{shut.sentence} It goes on after that." if shut else "")
        raise Stopped


class Stopped(Exception):
    """The adoption cannot go on at the moment; why stands in its row."""


# The source's records, as a feed -----------------------------------------------------------------------------
def take(plan: SyncPlan) -> Fed | None:
    """The next staged records of an approved first load for the run of its source's sync."""
    adoption = Adoption.objects.filter(source=plan.sync, status__in=(Status.LINKING, Status.CREATING)).first()
    rows = list(unapplied(adoption)[:PAGE]) if adoption else []
    if adoption is None or not rows:
        return None
    plan.is_first_load = False
    _know(plan.stream_id, rows)
    target_stream = adoption.target.stream.pk
    return Fed(
        [row.record for row in rows],
        lambda cursor, run_id: _settle(cursor, plan.stream_id, target_stream, rows),
        is_decided=True,
    )


def _know(stream_id: int, rows: list[StagedRecord]) -> None:
    """Where the hub holds the target's record already, the source's is taken in as that one."""
    known = [
        (r.external_id, r.partner.record_id) for r in rows if r.partner and r.partner.record_id and not r.record_id
    ]
    if not known:
        return
    with transaction.atomic(), plain_cursor() as cursor:
        cursor.executemany(
            "insert into records_crosswalk (stream_id, external_id, record_id, batch_id, hash)"
            " values (%s, %s, %s, 0, ''::bytea) on conflict do nothing",
            [(stream_id, external_id, record_id) for external_id, record_id in sorted(known)],
        )


def _settle(cursor: Any, source_stream: int, target_stream: int, rows: list[StagedRecord]) -> None:
    """The target's ids become links of the records that the page has just made; a record that was held has none."""
    staged = ids(sorted(row.pk for row in rows))
    cursor.execute(
        "update sync_stagedrecord s set applied_at = now(), record_id = coalesce((select x.record_id from records_crosswalk x"
        " where x.stream_id = %s and x.external_id = s.external_id), s.record_id) where s.id = any(%s::bigint[])",
        [source_stream, staged],
    )
    _link(cursor, target_stream, staged)


def _link(cursor: Any, target_stream: int, staged: str) -> None:
    cursor.execute(
        "insert into records_crosswalk (stream_id, external_id, record_id, batch_id, hash)"
        " select %s, t.external_id, s.record_id, 0, ''::bytea from sync_stagedrecord s"
        " join sync_stagedrecord t on t.id = s.partner_id"
        " where s.id = any(%s::bigint[]) and s.record_id is not null order by t.external_id on conflict do nothing",
        [target_stream, staged],
    )


# The hub's own records ---------------------------------------------------------------------------------------
def _link_hub_records(adoption: Adoption) -> None:
    """What the hub holds needs no taking in: the links are all there is to write."""
    while rows := list(unapplied(adoption)[:PAGE]):
        with transaction.atomic(), plain_cursor() as cursor:
            lease.fence(adoption)
            staged = ids(sorted(row.pk for row in rows))
            cursor.execute("update sync_stagedrecord set applied_at = now() where id = any(%s::bigint[])", [staged])
            _link(cursor, adoption.target.stream.pk, staged)


# The end -------------------------------------------------------------------------------------------------------
def finish(adoption: Adoption) -> None:
    """The gate is open: what is due is delivered, and first loads of children go on."""
    with transaction.atomic():
        lease.fence(adoption, status=Status.DONE, finished_at=Now())
        Adoption.objects.filter(pk=adoption.pk).update(lease_until=None)
        open_gate(adoption)
        _send_again(adoption)
        if not adoption.target.is_paused:
            engine.start(adoption.target, trigger=Run.Trigger.MANUAL, by=adoption.approved_by)


def open_gate(adoption: Adoption) -> None:
    """Ring for what was kept while nothing was delivered to either stream."""
    probing.wake(Sync.objects.filter(mapping__direction="out", mapping__stream_id__in=adoption.stream_ids))


def _send_again(adoption: Adoption) -> None:
    """Deliveries that were held because nobody had decided about their record: they go, or say what was decided."""
    decided = StagedRecord.objects.filter(adoption=adoption, side=Side.SOURCE).exclude(decision="")
    held = Delivery.objects.filter(sync=adoption.target, state=DeliveryState.HELD, record__entity=adoption.entity)
    trouble.retry_deliveries(held.filter(record__key__in=decided.values("key")), by=adoption.approved_by)
