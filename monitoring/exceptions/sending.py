"""The part of a job that a replay carries out: what is put again, or dropped, and what became of each item.

A retry and a discard stand on the dead letter behind an exception. What has none (a gap, a late record) has nothing to be sent
again; it can be settled or written off all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from hub.common.times import business_now
from hub.sync.models import Replay
from hub.sync.replays import jobs as replays
from hub.sync.replays import work as replaying
from hub.sync.replays.letters import LetterFilter
from hub.sync.replays.plan import Wanted
from monitoring.exceptions import notes, results
from monitoring.models import ExceptionItem, ExceptionJob, ExceptionJobItem, PayloadOverride

Action, Status, State = ExceptionJob.Action, ExceptionJobItem.Status, ExceptionItem.State
Resolution = ExceptionItem.Resolution
LOOK = 2_000
NOTHING_TO_SEND = "There is nothing to send again: it is settled where it came from."
GONE = "It was settled meanwhile, or another retry has it."
_WORDS = {Status.SKIPPED: GONE, Status.LEFT: "It may have arrived: a person looks at the target first."}
# (state, resolution, word of the event) of what a job leaves behind.
ENDS: dict[str, tuple[str, str, str]] = {
    Action.RETRY: (State.RESOLVED, Resolution.PASSED, "passed"),
    Action.SETTLE: (State.RESOLVED, Resolution.BY_HAND, "settled"),
    Action.WRITE_OFF: (State.WRITTEN_OFF, Resolution.WRITTEN_OFF, "written_off"),
}


def prepare(job: ExceptionJob, rows: Sequence[ExceptionJobItem]) -> None:
    """The chunk before anything is sent: what has a letter is under way, the rest ends here."""
    with_letter = [row for row in rows if row.letter_id]
    without = [row for row in rows if not row.letter_id]
    if job.action == Action.RETRY:
        _retrying(job, with_letter)
        for row in without:
            row.status, row.note = Status.LEFT, NOTHING_TO_SEND
    else:
        _mark(with_letter, ENDS[job.action][1])
        ended = end(job, [row.item_id for row in without])
        for row in without:
            row.status = Status.DONE if row.item_id in ended else Status.SKIPPED
    for row in with_letter:
        row.status = Status.UNDER_WAY
    results.write(rows)


def _mark(rows: Sequence[ExceptionJobItem], resolution: str) -> None:
    """What its record will have been dropped for, whoever sees first that it is gone; "" takes that back."""
    items = ExceptionItem.objects.filter(pk__in=[row.item_id for row in rows], state__in=ExceptionItem.UNSETTLED)
    items.update(resolution=resolution)


def _retrying(job: ExceptionJob, rows: Sequence[ExceptionJobItem]) -> None:
    """Only what is open or sleeps; what waits for a second person stays with that."""
    states = (State.OPEN, State.SNOOZED)
    items = ExceptionItem.objects.select_for_update().filter(pk__in=[row.item_id for row in rows], state__in=states)
    ids = list(items.order_by("pk").values_list("pk", flat=True))
    ExceptionItem.objects.filter(pk__in=ids).update(state=State.RETRYING, snoozed_until=None, version=F("version") + 1)
    notes.note(ids, "retried", by=job.requested_by, text=f"{job} puts it again.")


def put(job: ExceptionJob) -> None:
    """Make the replay of what is under way, once: the token answers the same one to a worker that comes after a killed one."""
    under_way = job.items.filter(status=Status.UNDER_WAY)
    if job.replay_id or not under_way.exists():
        return
    letters = LetterFilter({"exceptions": f"job-{job.pk}"}, Q(pk__in=under_way.order_by().values("letter_id")))
    action = Replay.Action.RETRY if job.action == Action.RETRY else Replay.Action.DISCARD
    reason = job.reason or f"{job}: {job.get_action_display().lower()}"
    wanted = Wanted(letters, action=action)
    replay, _ = replays.go(wanted, by=job.requested_by, reason=reason, token=f"exception-job-{job.pk}")
    if replay is None:
        _left_to_a_person(job, set(wanted.rows().values_list("pk", flat=True)))
        _leave(job, under_way.values_list("item_id", flat=True))
        return
    job.replay_id = replay.pk
    ExceptionJob.objects.filter(pk=job.pk).update(replay_id=replay.pk)
    _agree(job, replay)
    _without_letter(job)


def _left_to_a_person(job: ExceptionJob, letters: Collection[str]) -> None:
    """What a replay would not touch: it may have arrived, or too little of it is kept."""
    rows = job.items.filter(letter_id__in=letters, status=Status.UNDER_WAY)
    _not_done(job, Status.LEFT, list(rows.values_list("item_id", flat=True)), {})
    rows.update(status=Status.LEFT, note=_WORDS[Status.LEFT])


def _agree(job: ExceptionJob, replay: Replay) -> None:
    """The second person who agreed to a write-off has agreed to dropping its records."""
    decided_by = job.write_off.decided_by if job.write_off else None
    if replay.state == Replay.State.NEEDS_APPROVAL and decided_by and decided_by != job.requested_by:
        replays.approve(replay=replay, by=decided_by)


_ORPHANS = """
with letters as materialized (
  select r.leg || '-' || r.sync_id || '-' || coalesce(r.record_id::text, r.external_id) as id
  from sync_replayitem r where r.replay_id = %s)
select j.item_id from monitoring_exceptionjobitem j left join letters l on l.id = j.letter_id
where j.job_id = %s and j.status = 2 and l.id is null
"""


def _without_letter(job: ExceptionJob) -> None:
    with connection.cursor() as cursor:
        # Both were filled a moment ago, so that the planner takes them for small and would compare each with each.
        cursor.execute("set local enable_nestloop = off")
        cursor.execute(_ORPHANS, [job.replay_id, job.pk])
        found = [row[0] for row in cursor.fetchall()]
        cursor.execute("set local enable_nestloop = on")
    _leave(job, found)


def _leave(job: ExceptionJob, item_ids: Collection[int]) -> None:
    """Nothing of these was put. A discard finds them settled; a retry leaves them open for the next look."""
    ids = list(item_ids)
    if job.action != Action.RETRY:
        ended = end(job, ids)
        job.items.filter(item__in=ended, status=Status.UNDER_WAY).update(status=Status.DONE)
    rows = ExceptionItem.objects.filter(pk__in=ids, state=State.RETRYING)
    rows.update(state=State.OPEN)
    job.items.filter(item__in=ids, status=Status.UNDER_WAY).update(status=Status.SKIPPED, note=GONE)


def open_again(job: ExceptionJob) -> None:
    """What the job had under way and nobody has settled is open."""
    ids = job.items.filter(status__in=ExceptionJobItem.OPEN).order_by().values("item")
    ExceptionItem.objects.filter(pk__in=ids, state=State.RETRYING).update(state=State.OPEN)


# What became of it -------------------------------------------------------------------------------------------
# From the items that have ended to those that wait for them, by the index of their letters: the other way round each of the job
# would be held against each of the replay.
_ENDED = """
with ended as materialized (
  select r.*, r.leg || '-' || r.sync_id || '-' || coalesce(r.record_id::text, r.external_id) as letter
  from sync_replayitem r where r.replay_id = %(replay)s and r.status = any(%(ended)s) and r.id > %(after)s
  order by r.id limit %(look)s)
select j.id, j.item_id, r.status, r.leg, r.note,
  coalesce(case when r.leg = 'in' then h.error_detail else d.error_detail end, '') as detail,
  case when r.status <> %(done)s then null when r.leg = 'out' then (
      select max(t.id) from sync_transaction t where t.record_id = r.record_id and t.sync_id = r.sync_id)
    else (select max(t.id) from sync_sync s join mappings_mapping m on m.id = s.mapping_id
      join records_crosswalk x on x.stream_id = m.stream_id and x.external_id = r.external_id
      join sync_transaction t on t.record_id = x.record_id and t.sync_id = s.id where s.id = r.sync_id) end as evidence
from ended r
join monitoring_exceptionjobitem j on j.letter_id = r.letter and j.job_id = %(job)s and j.status = 2
left join sync_heldrecord h on r.leg = 'in' and h.sync_id = r.sync_id and h.external_id = r.external_id
left join sync_delivery d on r.leg = 'out' and d.sync_id = r.sync_id and d.record_id = r.record_id
"""
_LAST = """
select max(id), count(*) from (select id from sync_replayitem where replay_id = %(replay)s and status = any(%(ended)s)
  and id > %(after)s order by id limit %(look)s) r
"""
_STATUS = {4: Status.DONE, 5: Status.FAILED, 6: Status.SKIPPED, 7: Status.LEFT}


def follow(job: ExceptionJob, fence: Callable[[ExceptionJob], None]) -> None:
    """Settle the items whose part of the replay has ended, a chunk a transaction."""
    if not job.replay_id or not job.items.filter(status=Status.UNDER_WAY).exists():
        return
    if Replay.objects.filter(pk=job.replay_id, state=Replay.State.RUNNING, lease_until__isnull=True).exists():
        replaying.execute(job.replay_id, slice_seconds=5)
    after, is_more = 0, True
    while is_more:
        with transaction.atomic():
            fence(job)
            found, after, is_more = _ended(job, after)
            for status in _STATUS.values():
                _settle(job, status, [row for row in found if _STATUS[row[2]] == status])


def _ended(job: ExceptionJob, after: int) -> tuple[list[tuple[Any, ...]], int, bool]:
    """The next items that have ended and are not settled here, the last of the replay among them, whether there are more."""
    values = {"job": job.pk, "replay": job.replay_id, "done": 4, "ended": list(_STATUS), "after": after, "look": LOOK}
    with connection.cursor() as cursor:
        cursor.execute(_ENDED, values)
        found = list(cursor.fetchall())
        cursor.execute(_LAST, values)
        last, number = cursor.fetchone()
    return found, last or after, number == LOOK


def _settle(job: ExceptionJob, status: ExceptionJobItem.Status, rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    ids = [row[1] for row in rows]
    evidence = {row[1]: row[6] for row in rows}
    why = {row[1]: (row[5] or row[4] or "")[:1_000] for row in rows}
    if status == Status.DONE:
        end(job, ids, evidence)
    else:
        _not_done(job, status, ids, why)
    _mark_overrides(ids, status, evidence)
    items = ExceptionJobItem.objects.in_bulk([row[0] for row in rows])
    for row in rows:
        item = items[row[0]]
        item.status, item.transaction_id = status, row[6]
        item.note = "" if status == Status.DONE else _WORDS.get(status) or why[row[1]]
    results.write(list(items.values()))


def end(job: ExceptionJob, item_ids: Collection[int], evidence: dict[int, int | None] | None = None) -> set[int]:
    """These have passed, or are settled, or written off; returns those that nobody had settled before."""
    state, resolution, word = ENDS[job.action]
    ours = Q(state__in=ExceptionItem.UNSETTLED)
    if job.action != Action.RETRY:  # the queue may have seen first that the record is gone
        ours |= Q(state=State.RESOLVED, resolution=resolution)
    rows = ExceptionItem.objects.select_for_update().filter(ours, pk__in=item_ids)
    ids = list(rows.order_by("pk").values_list("pk", flat=True))
    ExceptionItem.objects.filter(pk__in=ids).update(
        state=state,
        resolution=resolution,
        resolved_at=business_now(),
        resolved_by=None if job.action == Action.RETRY else job.requested_by,
        snoozed_until=None,
        version=F("version") + 1,
    )
    _write_evidence({pk: found for pk, found in (evidence or {}).items() if found and pk in set(ids)})
    said = job.reason if job.action != Action.RETRY else f"{job} has put it again, and it has passed."
    notes.note(ids, word, by=job.requested_by, text=said, transactions=evidence)
    return set(ids)


def _write_evidence(evidence: dict[int, int]) -> None:
    if evidence:
        with connection.cursor() as cursor:
            cursor.execute(
                "update monitoring_exceptionitem i set evidence_id = e.evidence"
                " from unnest(%s::bigint[], %s::bigint[]) e(id, evidence) where i.id = e.id",
                [list(evidence), list(evidence.values())],
            )


def _not_done(job: ExceptionJob, status: ExceptionJobItem.Status, ids: Sequence[int], why: dict[int, str]) -> None:
    rows = ExceptionItem.objects.filter(pk__in=ids)
    rows.filter(state__in=(State.RETRYING, State.APPROVAL)).update(state=State.OPEN, version=F("version") + 1)
    rows.filter(state__in=ExceptionItem.UNSETTLED).update(resolution="")
    if status == Status.FAILED:
        notes.note(ids, "failed_again", by=None, texts={pk: why[pk] or "It has failed again." for pk in ids})


def _mark_overrides(ids: Sequence[int], status: ExceptionJobItem.Status, evidence: dict[int, int | None]) -> None:
    """A corrected payload is good for one try."""
    ready = PayloadOverride.objects.filter(item__in=ids, state=PayloadOverride.State.READY)
    state = {Status.DONE: PayloadOverride.State.USED, Status.FAILED: PayloadOverride.State.REFUSED}.get(status)
    if state:
        for override in ready:
            override.state, override.transaction_id = state, evidence.get(override.item_id)
            override.settled_at = Now()
            override.save(update_fields=["state", "transaction_id", "settled_at"])
