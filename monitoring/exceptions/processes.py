"""Processes that have stopped, before people: a check that does not hold, a wait that was in vain, a write in doubt.

A step that waits for a delivery is not among them: the delivery itself is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub.processes.definition import steps_of
from hub.processes.models import LIVE, StepRun, StepState
from hub.records.models import CanonicalRecord
from monitoring.exceptions.intake import Found, origin
from monitoring.models import ExceptionItem


@origin(ExceptionItem.Origin.PROCESS)
def stopped() -> Iterator[Found]:
    """Every step that has failed or is in doubt, of what still runs."""
    rows = StepRun.objects.filter(state__in=(StepState.FAILED, StepState.UNSURE), instance__state__in=LIVE)
    rows = rows.exclude(kind="ensure").select_related("instance__process__entity", "instance__version").order_by("pk")
    for run in rows.iterator(chunk_size=1_000):
        yield _found(run, steps_of(run.instance.version.definition)[run.step].title)


def _found(run: StepRun, title: str) -> Found:
    instance = run.instance
    process = instance.process
    record = CanonicalRecord.objects.filter(pk=instance.record_id).first() if instance.record_id else None
    return Found(
        key=str(run.pk),
        title=f"{process.name} {instance.key}: {run.error}"[:300],
        detail=" ".join(filter(None, [f"{title}.", run.error, run.fix])),
        business=run.error_code == "CHECK",
        error_code=run.error_code or "PROCESS_STEP",
        facts={"process": process.slug, "step": run.step},
        entity_id=process.entity_id,
        domain_id=process.domain_id,
        record_id=instance.record_id,
        due_at=run.due_at,
        since=run.begun_at,
        name=instance.key,
        **(_money(record) if record else {}),
    )


def _money(record: CanonicalRecord) -> dict[str, Any]:
    """What hangs on the record: the amount that its contract marks, and whose it is."""
    return {
        "project": record.project or "", "client": record.customer or "", "legal_entity": record.legal_entity or "",
        "period": record.period or "", "amount": record.amount, "currency": record.currency or "",
    }  # fmt: skip
