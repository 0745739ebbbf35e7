"""Leading an instance through its steps. PostgreSQL is the queue; a ring only says that it is worth while to look now.

One worker at a time holds the instance's row. What a step does in the database commits with the step. An action's intent is
committed before its call; whoever finds it without an outcome decides by the target's write safety, see hub.processes.calling.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from governance.calendars.opening import add_business_time
from governance.models import BusinessCalendar
from hub.common.errors import HubError, RecordError
from hub.common.times import business_now
from hub.processes import calling, doing
from hub.processes.calling import Answer, Call
from hub.processes.context import context_of, holds
from hub.processes.definition import Step, order, steps_of
from hub.processes.doing import Asked, Turn
from hub.processes.models import LIVE, ProcessInstance, ProcessNote, State, StepRun, StepState

FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 5, 60
RETRY_SECONDS = (5, 30, 120, 600, 3_600)
OPEN = (StepState.PENDING, StepState.WAITING, StepState.FAILED)


def advance(pk: int) -> bool:
    """Lead an instance as far as it goes now; False where another worker has it, or it has ended."""
    for _ in range(1_000):
        with transaction.atomic():
            work = Work.take(pk)
            if work is None:
                return False
            call = work.go()
        if call is None:
            return True
        # The intent is committed. From here on the worker may fall at any moment.
        answer = calling.make(call)
        with transaction.atomic():
            settle_call(pk, call, answer, work.epoch)
    return True


def due(limit: int = 200) -> list[int]:
    """Instances that somebody should look at, the longest due first."""
    rows = ProcessInstance.objects.filter(state__in=LIVE, next_at__lte=Now()).order_by("next_at")
    return list(rows.values_list("pk", flat=True)[:limit])


class Work:
    """One look at one instance, while its row is locked."""

    def __init__(self, instance: ProcessInstance) -> None:
        self.instance = instance
        self.definition = instance.version.definition
        self.steps = steps_of(self.definition)
        self.runs = {run.step: run for run in instance.steps.all()}
        self.has_moved = False
        self.epoch = 0

    @classmethod
    def take(cls, pk: int) -> Work | None:
        rows = ProcessInstance.objects.select_for_update(skip_locked=True, of=("self",))
        found = rows.select_related("process", "version").filter(pk=pk, state__in=LIVE).first()
        return cls(found) if found else None

    def go(self) -> Call | None:
        """Everything whose turn it is; a call that is to be made once this has committed."""
        if self.instance.state == State.UNDOING:
            return self._undo()
        for _ in range(len(self.steps) + 1):
            moved = False
            for name in order(self.steps):
                step, run = self.steps[name], self._run(name)
                if run.state == StepState.CALLING and self._is_lost(run):
                    moved |= self._take_up(step, run)
                if run.state not in OPEN or not self._is_turn(step):
                    continue
                if self._is_passed_over(step) or not self._is_wanted(step, run):
                    moved |= self._settle(step, run, Turn(StepState.SKIPPED))
                elif step.kind == "action":
                    if (call := self._intend(step, run)) is not None:
                        return call
                else:
                    moved |= self._settle(step, run, doing.do(self._asked(step, self._begin(step, run))))
            if not moved:
                break
        self._close()
        return None

    # Whose turn it is --------------------------------------------------------------------------------------
    def _run(self, name: str) -> StepRun:
        if name not in self.runs:
            self.runs[name] = StepRun.objects.create(instance=self.instance, step=name)
        return self.runs[name]

    def _is_turn(self, step: Step) -> bool:
        return all(self._run(name).is_settled for name in step.after)

    def _is_passed_over(self, step: Step) -> bool:
        """A branch chose others, or nothing that leads here happened."""
        before = [self.runs[name] for name in step.after]
        leading = [run for run in before if self._leads(run, step)]
        return bool(before) and not leading

    def _leads(self, run: StepRun, step: Step) -> bool:
        if run.state != StepState.DONE:
            return False
        if self.steps[run.step].kind == "branch" and step.name in self.steps[run.step].leads_to:
            return step.name in run.result.get("chosen", ())
        return True

    def _is_wanted(self, step: Step, run: StepRun) -> bool:
        if not step.when or run.begun_at is not None:
            return True
        try:
            return holds(step.when, self._context())
        except RecordError:
            return True  # what cannot be said is not left out in silence: the step itself says what is wrong

    def _context(self) -> dict[str, Any]:
        results = {name: run.result for name, run in self.runs.items() if run.state == StepState.DONE}
        return context_of(self.instance, self.definition, results)

    def _asked(self, step: Step, run: StepRun) -> Asked:
        return Asked(self.instance, step, run, self._context())

    def _begin(self, step: Step, run: StepRun) -> StepRun:
        if run.begun_at is None:
            run.begun_at = business_now()
            run.due_at = due_at(step, run.begun_at)
            run.result = doing.begun(step)
            run.save(update_fields=["begun_at", "due_at", "result"])
        return run

    # What becomes of it ------------------------------------------------------------------------------------
    def _settle(self, step: Step, run: StepRun, turn: Turn) -> bool:
        """Note it; whether that is news."""
        is_news = (run.state, run.error) != (turn.state, turn.error)
        if turn.state in (StepState.DONE, StepState.SKIPPED):
            run.result, run.ended_at = turn.result or ({} if step.kind != "ask" else run.result), business_now()
        run.state, run.error, run.fix, run.error_code = turn.state, turn.error, turn.fix, turn.code
        if is_news:
            run.save()
            if turn.state != StepState.WAITING:
                note(self.instance, step.name, str(turn.state), turn.error)
            self.has_moved = True
        return is_news and run.is_settled

    def _close(self) -> None:
        runs = [self._run(name) for name in self.steps]
        instance = self.instance
        if all(run.is_settled for run in runs):
            end(instance, State.DONE)
            return
        is_stopped = any(run.state in (StepState.FAILED, StepState.UNSURE) for run in runs)
        instance.state = State.FAILED if is_stopped else State.WAITING
        instance.looks = 0 if self.has_moved else instance.looks + 1
        seconds = min(FIRST_LOOK_SECONDS * 2 ** min(instance.looks, 10), LONGEST_LOOK_SECONDS)
        instance.next_at = Now() + timedelta(seconds=seconds)
        instance.save(update_fields=["state", "looks", "next_at"])

    # Actions -----------------------------------------------------------------------------------------------
    def _intend(self, step: Step, run: StepRun) -> Call | None:
        """Commit the intent; None where it cannot be made now."""
        if run.retry_at is not None and not StepRun.objects.filter(pk=run.pk, retry_at__lte=Now()).exists():
            return None
        if run.state == StepState.FAILED and run.error_code != "RETRY" and run.retry_at is None:
            return None
        self._begin(step, run)
        try:
            call = calling.call_of(step.name, dict(step.more), self._context(), str(run.uid))
        except HubError as error:
            self._settle(step, run, Turn(StepState.WAITING, error=error.what, fix=error.fix, code=error.code))
            return None
        return self._commit_to(run, call)

    def _commit_to(self, run: StepRun, call: Call) -> Call:
        run.state, run.attempts, run.epoch, run.error = StepState.CALLING, run.attempts + 1, run.epoch + 1, ""
        run.lease_until = Now() + timedelta(seconds=calling.LEASE_SECONDS)
        run.retry_at = None
        run.save()
        self.epoch = run.epoch
        ProcessInstance.objects.filter(pk=self.instance.pk).update(
            next_at=Now() + timedelta(seconds=calling.LEASE_SECONDS + 5)
        )
        note(self.instance, run.step, "calling", f"attempt {run.attempts} at {call.stream}")
        return call

    def _is_lost(self, run: StepRun) -> bool:
        return StepRun.objects.filter(pk=run.pk, lease_until__lt=Now()).exists()

    def _take_up(self, step: Step, run: StepRun) -> bool:
        """A call whose worker fell: again where that does no harm, else a person looks."""
        try:
            is_harmless = calling.is_harmless(step.more["stream"], updating=bool(step.more.get("ref")))
        except HubError:
            is_harmless = False
        run.state = StepState.PENDING if is_harmless else StepState.UNSURE
        run.error_code, run.error = (
            ("", "") if is_harmless else ("UNSURE", "Its worker fell, and nobody knows whether it arrived.")
        )
        run.fix = "" if is_harmless else "Look at the system: then say that it is there, or retry."
        run.save()
        note(self.instance, run.step, "taken up" if is_harmless else "unsure", run.error)
        self.has_moved = True
        return is_harmless

    # Undoing -----------------------------------------------------------------------------------------------
    def _undo(self) -> Call | None:
        """Take back what was done, the last first. What cannot be taken back by itself a person is asked to."""
        for name in reversed(order(self.steps)):
            step, run = self.steps[name], self._run(name)
            if run.state == StepState.CALLING and self._is_lost(run):
                run.state = StepState.UNSURE
                run.error = "Its worker fell while it was taken back."
                run.save()
            if run.state in (StepState.CALLING, StepState.UNSURE):
                self._close_undoing(State.UNDOING)
                return None
            if run.state == StepState.DONE and "undo" in step.more:
                ref = run.result.get("ref")
                call = calling.undo_of(name, dict(step.more), self._context(), str(run.uid), ref)
                return self._commit_to(run, call)
            if run.state == StepState.DONE:
                run.state = StepState.UNDONE if not step.undo_task else StepState.DONE
                if step.undo_task and not run.result.get("undo_asked"):
                    run.result = {**run.result, "undo_asked": True}
                    note(self.instance, name, "undo asked", step.undo_task)
                run.save()
            elif run.state in OPEN:
                run.state, run.ended_at = StepState.CANCELLED, business_now()
                run.save()
        waiting = any(run.state == StepState.DONE for run in self.runs.values())
        self._close_undoing(State.UNDOING if waiting else State.CANCELLED)
        return None

    def _close_undoing(self, state: State) -> None:
        if state == State.CANCELLED:
            end(self.instance, State.CANCELLED)
        else:
            ProcessInstance.objects.filter(pk=self.instance.pk).update(
                next_at=Now() + timedelta(seconds=LONGEST_LOOK_SECONDS)
            )


def settle_call(pk: int, call: Call, answer: Answer, epoch: int) -> None:
    """Note what a system answered; an answer that comes after its lease was taken over changes nothing."""
    instance = ProcessInstance.objects.select_for_update().select_related("process", "version").get(pk=pk)
    run = StepRun.objects.filter(instance=instance, step=call.step, epoch=epoch, state=StepState.CALLING).first()
    if run is None:
        return
    is_undo = instance.state == State.UNDOING
    if answer.ref is not None:
        run.result = {"ref": answer.ref, "key": call.key}
        run.state, run.error, run.fix, run.error_code = StepState.UNDONE if is_undo else StepState.DONE, "", "", ""
        run.ended_at = business_now()
    elif answer.is_unsure:
        run.state, run.error_code = StepState.UNSURE, "UNSURE"
        run.error, run.fix = _said(answer), "Look at the system: then say that it is there, or retry."
        if not is_undo and _may_repeat(call):
            run.state, run.error_code = StepState.FAILED, "RETRY"
            _retry_later(run)
    else:
        run.state, run.error = StepState.FAILED if not is_undo else StepState.UNSURE, _said(answer)
        run.error_code = answer.error.code if answer.error else "REFUSED"
        run.fix = answer.error.fix if answer.error else ""
        if calling.is_passing(answer.error) and not is_undo:
            _retry_later(run)
    run.lease_until = None
    run.save()
    note(instance, run.step, str(run.state), run.error)
    ProcessInstance.objects.filter(pk=pk).update(next_at=Now(), looks=0)


def _said(answer: Answer) -> str:
    return answer.error.what if answer.error else "The system has refused it."


def _may_repeat(call: Call) -> bool:
    try:
        return calling.is_harmless(call.stream, updating=call.ref is not None)
    except HubError:
        return False


def _retry_later(run: StepRun) -> None:
    """Up to the last rung; after that a person has to say so."""
    if run.attempts <= len(RETRY_SECONDS):
        run.retry_at = Now() + timedelta(seconds=RETRY_SECONDS[run.attempts - 1])


def due_at(step: Step, begun: Any) -> Any:
    """By when a step is to be done, counted in the business hours of the firm's calendar; None without a limit."""
    if not step.sla_seconds:
        return None
    calendar = BusinessCalendar.objects.order_by("pk").first()
    span = timedelta(seconds=step.sla_seconds)
    return add_business_time(calendar.opening_hours, begun, span) if calendar else begun + span


def end(instance: ProcessInstance, state: State) -> None:
    instance.state, instance.finished_at, instance.next_at = state, business_now(), None
    instance.save(update_fields=["state", "finished_at", "next_at"])
    note(instance, "", str(state))


def note(instance: ProcessInstance, step: str, what: str, detail: str = "", by: Any = None) -> None:
    ProcessNote.objects.create(instance=instance, step=step, what=what, detail=detail[:2_000], by=by, at=business_now())


def look_at(pks: Iterable[int]) -> None:
    """Somebody should look at these now."""
    ProcessInstance.objects.filter(pk__in=list(pks), state__in=LIVE).update(next_at=Now(), looks=F("looks") * 0)
