"""Putting back what an act has changed, for items that nobody has touched since."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from monitoring.exceptions import notes, results
from monitoring.models import ExceptionItem, ExceptionJob, ExceptionJobItem, Snooze

Status = ExceptionJobItem.Status
_PUT_BACK = """
update monitoring_exceptionitem i set
  assignee_id = case when b.before ? 'assignee_id' then (b.before ->> 'assignee_id')::bigint else i.assignee_id end,
  team = coalesce(b.before ->> 'team', i.team),
  tags = case when b.before ? 'tags' then array(select jsonb_array_elements_text(b.before -> 'tags')) else i.tags end,
  state = coalesce(b.before ->> 'state', i.state),
  snoozed_until = case when b.before ? 'snoozed_until' then (b.before ->> 'snoozed_until')::timestamptz
    else i.snoozed_until end,
  cause = coalesce(b.before ->> 'cause', i.cause),
  kind = coalesce(b.before ->> 'kind', i.kind),
  group_id = coalesce((b.before ->> 'group_id')::bigint, i.group_id),
  version = i.version + 1
from monitoring_exceptionjobitem b
where b.id = any(%s) and i.id = b.item_id and i.version = b.version and i.state = any(%s)
returning b.id, i.id
"""


def put_back(job: ExceptionJob, rows: Sequence[ExceptionJobItem]) -> None:
    """The chunk of an undo; items that somebody has changed meanwhile are left as they are, and say so."""
    with connection.cursor() as cursor:
        unsettled = [str(state) for state in ExceptionItem.UNSETTLED]
        cursor.execute(_PUT_BACK, [[row.pk for row in rows], unsettled])
        done = dict(cursor.fetchall())
    _snoozes([row for row in rows if row.pk in done])
    said = f"{job.undoes.get_action_display()} was taken back." if job.undoes else ""
    notes.note(done.values(), "undone", by=job.requested_by, text=said)
    for row in rows:
        row.status = Status.DONE if row.pk in done else Status.SKIPPED
        row.note = "" if row.pk in done else "Somebody has changed it since."
    results.write(rows)


def _snoozes(rows: Sequence[ExceptionJobItem]) -> None:
    """The sleep of an item goes with its state."""
    slept = {row.item_id: row.before.get("snooze") for row in rows if row.before and "state" in row.before}
    Snooze.objects.filter(item__in=list(slept)).delete()
    Snooze.objects.bulk_create([Snooze(item_id=pk, **snooze) for pk, snooze in slept.items() if snooze])
