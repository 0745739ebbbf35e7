"""Taking back what was done, the last step first. What cannot be taken back by itself a person is asked to.

A call that takes back is a call like any other: its intent is committed before it, its outcome after it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models.functions import Now

from hub.common.errors import HubError
from hub.common.times import business_now
from hub.processes import calling, outcomes
from hub.processes.calling import Call
from hub.processes.definition import Step, order
from hub.processes.models import OPEN, ProcessInstance, State, StepRun, StepState
from hub.processes.notes import end, note

if TYPE_CHECKING:
    from hub.processes.engine import Work

LOOK_SECONDS = 60


def undo(work: Work) -> Call | None:
    """The next call that takes something back; None where it waits, or all is taken back and the instance has ended."""
    for name in reversed(order(work.steps)):
        step, run = work.steps[name], work.run(name)
        if run.state == StepState.CALLING and work.is_lost(run):
            _lose(work, step, run)
        if run.state in (StepState.CALLING, StepState.UNSURE):
            return wait(work)  # an earlier step is not taken back before a later one
        if run.state == StepState.DONE and "undo" in step.more:
            return _call(work, step, run) if work.is_time(run) else wait(work)
        if run.state == StepState.DONE:
            _ask_or_leave(work, step, run)
        elif run.state in OPEN:
            run.state, run.ended_at = StepState.CANCELLED, business_now()
            run.save()
    if any(run.state == StepState.DONE for run in work.runs.values()):
        return wait(work)
    end(work.instance, State.CANCELLED)
    return None


def _call(work: Work, step: Step, run: StepRun) -> Call | None:
    try:
        call = calling.undo_of(step.name, dict(step.more), work.context(), str(run.uid), run.result.get("ref"))
    except HubError as error:
        run.state, run.error_code, run.is_undo = StepState.UNSURE, error.code, True
        run.error, run.fix = f"How it is taken back cannot be computed: {error.what}", outcomes.BY_HAND
        run.save()
        note(work.instance, step.name, "unsure", run.error)
        return wait(work)
    run.attempts = run.attempts if run.is_undo else 0
    run.is_undo = True
    return work.commit_to(run, call)


def _lose(work: Work, step: Step, run: StepRun) -> None:
    updating = run.is_undo or bool(step.more.get("ref"))
    outcomes.lose(run, str(step.more["stream"]), updating=updating, is_cancelled=True)
    note(work.instance, step.name, "taken up" if run.state == StepState.DONE else "unsure", run.error)


def _ask_or_leave(work: Work, step: Step, run: StepRun) -> None:
    """A step that wrote nothing has nothing to take back."""
    if not step.undo_task:
        run.state = StepState.UNDONE
    elif not run.result.get("undo_asked"):
        run.result = {**run.result, "undo_asked": True}
        note(work.instance, step.name, "undo asked", step.undo_task)
    run.save()


def wait(work: Work) -> Call | None:
    """Looked at again later; there is no call to make now."""
    ProcessInstance.objects.filter(pk=work.instance.pk).update(next_at=Now() + timedelta(seconds=_seconds(work)))
    return None


def _seconds(work: Work) -> int:
    """Sooner where a next attempt is near."""
    return 5 if any(run.retry_at is not None for run in work.runs.values()) else LOOK_SECONDS
