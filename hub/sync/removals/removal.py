"""The end of a crawl: judge it, and take away what it did not show; or what a person has confirmed since."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from hub.common.db import join_by_key, plain_cursor
from hub.common.errors import HubError
from hub.sync import gate, ledger, runs
from hub.sync.models import Batch, Crawl, Run, Sync
from hub.sync.removals import judging, missing, taking
from hub.sync.removals.crawls import source_of
from hub.sync.removals.judging import Doubt
from hub.sync.removals.missing import Missing
from hub.sync.states import RunStatus

if TYPE_CHECKING:
    from hub.sync.inbound import InboundRun

TAKEN_AT_ONCE = 500
SHOWN = 20


def conclude(work: InboundRun, deadline: float) -> bool:
    """Judge the crawl once, then take away what may go; False when the time was up before all was taken."""
    crawl = Crawl.objects.filter(pk=work.run.pk).first()
    if crawl is None:  # the source gave not even an empty page
        return True
    if crawl.judged_at is None:
        _judge(work, crawl)
    work.doubt = as_error(crawl, where=work.plan.sync.stream.slug)
    if crawl.doubts or not crawl.missing or crawl.finished_at:
        return True
    return _take(work, crawl, deadline)


def carry_out_confirmed(work: InboundRun, deadline: float) -> bool:
    """What a person has confirmed goes before anything is read; False when the time was up before all was taken."""
    return all(_take(work, crawl, deadline) for crawl in _confirmed(work.run.sync_id))


def has_confirmed(sync_id: int) -> bool:
    """Whether a person has confirmed what no run has carried out yet."""
    return _confirmed(sync_id).exists()


def _confirmed(sync_id: int) -> QuerySet[Crawl]:
    rows = Crawl.objects.filter(run__sync=sync_id, confirmed_at__isnull=False, finished_at__isnull=True, missing__gt=0)
    return rows.order_by("pk")


def as_error(crawl: Crawl, *, where: str) -> HubError | None:
    """The doubts of a crawl as the error that its run shows; None when it may be believed."""
    if not crawl.doubts:
        return None
    sentences = " ".join(doubt["sentence"] for doubt in crawl.doubts)
    fix = "Look at the source. If it is right, say so on the run's page."
    return HubError(sentences, where=where, fix=fix, code=crawl.doubts[0]["code"])


# Judging -------------------------------------------------------------------------------------------------------
def _judge(work: InboundRun, crawl: Crawl) -> None:
    sync = work.plan.sync
    doubts: list[Doubt] = []
    if sync.volume_check == Sync.VolumeCheck.ALL or (sync.volume_check == Sync.VolumeCheck.WHOLE and crawl.is_whole):
        usual = usual_crawls(sync, crawl)
        doubts += judging.of_volume(crawl.read, [earlier.read for earlier in usual], sync)
        doubts += judging.of_fields(crawl, usual[0].usual_fields if usual else ())
    if sync.removals == Sync.Removals.DETECT and crawl.is_whole:
        _count_missing(crawl, _find(work.run, work))
        is_same = crawl.source == source_of(work.plan)
        doubts += judging.of_removals(crawl, sync, is_same_source=is_same)
    crawl.doubts = [doubt._asdict() for doubt in {doubt.code: doubt for doubt in reversed(doubts)}.values()][::-1]
    crawl.judged_at = Now()
    crawl.save()


def usual_crawls(sync: Sync, crawl: Crawl) -> list[Crawl]:
    """Earlier crawls of the same kind that were believed, newest first, back to one that a person called right."""
    believed = (RunStatus.SUCCEEDED, RunStatus.COMPLETED_WITH_ERRORS)
    rows = Crawl.objects.filter(run__sync=sync, run__status__in=believed, is_whole=crawl.is_whole, pk__lt=crawl.pk)
    found = list(rows.order_by("-pk")[: sync.usual_runs])
    confirmed = next((place for place, earlier in enumerate(found) if earlier.confirmed_at), len(found))
    return found[: confirmed + 1]


def _find(crawled: Run, work: InboundRun) -> Missing:
    with transaction.atomic():
        return missing.find(crawled, work.plan)


def _count_missing(crawl: Crawl, found: Missing) -> None:
    crawl.known, crawl.missing = found.known, len(found.rows)
    crawl.sample = [record_id for _, record_id in found.rows[:SHOWN]]


# Taking away ---------------------------------------------------------------------------------------------------
def _take(work: InboundRun, crawl: Crawl, deadline: float) -> bool:
    """Take away in transactions of their own what is still missing; what was taken before a crash is gone already."""
    found = _find(Run.objects.get(pk=crawl.pk), work)
    for start in range(0, len(found.rows), TAKEN_AT_ONCE):
        gate.check(work.run)
        _take_some(work, crawl, found.rows[start : start + TAKEN_AT_ONCE], found.before_batch)
        work.after_page(work)
        if time.monotonic() > deadline:
            return False
    Crawl.objects.filter(pk=crawl.pk).update(finished_at=Now())
    return True


def _take_some(work: InboundRun, crawl: Crawl, rows: Sequence[tuple[str, int]], before_batch: int) -> None:
    run, plan = work.run, work.plan
    with transaction.atomic(), plain_cursor() as cursor:
        runs.fence(cursor, run, counts={}, stage="removing", page_no=run.page_no + 1)
        join_by_key(cursor)
        batch_id, at = ledger.open_batch(
            cursor,
            run_id=run.pk,
            sync_id=plan.sync.pk,
            page_no=run.page_no,
            read=0,
            mapping_version_id=plan.mapping_version.pk,
            contract_version_id=plan.contract_version.pk,
            payload=None,
            status=Batch.Status.DONE,
        )
        positions = {external_id: position for position, (external_id, _) in enumerate(rows)}
        taken = taking.take_away(cursor, plan, positions, before_batch=before_batch)
        ids = {"run_id": run.pk, "sync_id": plan.sync.pk, "batch_id": batch_id}
        ledger.write(cursor, **ids, at=at, entries=taken.entries, micros=0)
        Crawl.objects.filter(pk=crawl.pk).update(removed=F("removed") + len(rows))
    run.page_no += 1
    work.delivering |= taken.delivering
