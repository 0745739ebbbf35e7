"""What happened to an instance: one row for each thing, only ever added."""

from __future__ import annotations

from typing import Any

from hub.common.times import business_now
from hub.processes.models import ProcessInstance, ProcessNote, State


def note(instance: ProcessInstance, step: str, what: str, detail: str = "", by: Any = None) -> None:
    ProcessNote.objects.create(instance=instance, step=step, what=what, detail=detail[:2_000], by=by, at=business_now())


def end(instance: ProcessInstance, state: State) -> None:
    instance.state, instance.finished_at, instance.next_at = state, business_now(), None
    instance.save(update_fields=["state", "finished_at", "next_at"])
    note(instance, "", str(state))
