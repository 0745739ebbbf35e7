"""What a system answered to the call of an action, noted once. What passes by itself is tried again by a ladder."""

from __future__ import annotations

from datetime import timedelta

from django.db.models.functions import Now

from hub.common.errors import HubError
from hub.common.times import business_now
from hub.processes import calling
from hub.processes.calling import Answer, Call
from hub.processes.models import ProcessInstance, State, StepRun, StepState
from hub.processes.notes import note

RETRY_SECONDS = (5, 30, 120, 600, 3_600)
LOOK = "Look at the system: then say that it is there, or retry."
BY_HAND = "Take it back at the system by hand and say so, or try again."


def settle_call(pk: int, call: Call, answer: Answer, epoch: int) -> None:
    """Note what a system answered; an answer that comes after its lease was taken over changes nothing."""
    instance = ProcessInstance.objects.select_for_update().select_related("process", "version").get(pk=pk)
    run = StepRun.objects.filter(instance=instance, step=call.step, epoch=epoch, state=StepState.CALLING).first()
    if run is None:
        return
    run.lease_until = None
    if answer.ref is not None:
        _went(run, call, answer.ref)
    elif answer.is_unsure:
        _doubt(run, call, answer, is_cancelled=instance.state == State.UNDOING)
    else:
        _refused(run, answer)
    run.save()
    note(instance, run.step, str(run.state), run.error)
    ProcessInstance.objects.filter(pk=pk).update(next_at=Now(), looks=0)


def _went(run: StepRun, call: Call, ref: str) -> None:
    """A first write that succeeds although the instance was cancelled meanwhile is done: now it can be taken back."""
    run.result = {"ref": ref, "key": call.key}
    run.state, run.ended_at = StepState.UNDONE if run.is_undo else StepState.DONE, business_now()
    run.error = run.fix = run.error_code = ""


def _doubt(run: StepRun, call: Call, answer: Answer, *, is_cancelled: bool) -> None:
    """Made again where that does no harm; not what was cancelled meanwhile, which shall not be made at all."""
    run.error, run.error_code = _said(answer), "UNSURE"
    may_go_on = run.is_undo or not is_cancelled
    if may_go_on and _may_repeat(call) and retry_later(run):
        run.state, run.error_code = _again(run), "RETRY"
        return
    run.state, run.fix = StepState.UNSURE, BY_HAND if run.is_undo else LOOK


def _refused(run: StepRun, answer: Answer) -> None:
    run.error, run.fix = _said(answer), answer.error.fix if answer.error else ""
    run.error_code = answer.error.code if answer.error else "REFUSED"
    if calling.is_passing(answer.error) and retry_later(run):
        run.state = _again(run)
    else:
        run.state, run.fix = (StepState.UNSURE, BY_HAND) if run.is_undo else (StepState.FAILED, run.fix)


def _again(run: StepRun) -> StepState:
    """In which state it waits for its next attempt: what is to be taken back is still done."""
    return StepState.DONE if run.is_undo else StepState.FAILED


def retry_later(run: StepRun) -> bool:
    """The next rung; False past the last one, where a person has to say so."""
    if run.attempts > len(RETRY_SECONDS):
        return False
    run.retry_at = Now() + timedelta(seconds=RETRY_SECONDS[run.attempts - 1])
    return True


def lose(run: StepRun, step_stream: str, *, updating: bool, is_cancelled: bool) -> None:
    """A call whose worker fell: again where that does no harm, else a person looks."""
    run.lease_until = None
    may_go_on = run.is_undo or not is_cancelled
    if may_go_on and run.attempts <= len(RETRY_SECONDS) and _is_harmless(step_stream, updating=updating):
        run.state, run.error, run.error_code, run.fix = _lost(run), "", "", ""
    else:
        run.state, run.error_code = StepState.UNSURE, "UNSURE"
        run.error = "Its worker fell, and nobody knows whether it arrived."
        run.fix = BY_HAND if run.is_undo else LOOK
    run.save()


def _lost(run: StepRun) -> StepState:
    return StepState.DONE if run.is_undo else StepState.PENDING


def _said(answer: Answer) -> str:
    return answer.error.what if answer.error else "The system has refused it."


def _may_repeat(call: Call) -> bool:
    return _is_harmless(call.stream, updating=call.ref is not None)


def _is_harmless(stream: str, *, updating: bool) -> bool:
    try:
        return calling.is_harmless(stream, updating=updating)
    except HubError:
        return False
