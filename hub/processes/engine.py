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
from hub.processes import calling, doing, outcomes, undoing
from hub.processes.calling import Call
from hub.processes.context import context_of, holds
from hub.processes.definition import Step, order, steps_of
from hub.processes.doing import Asked, Turn
from hub.processes.models import LIVE, OPEN, ProcessInstance, State, StepRun, StepState
from hub.processes.notes import end, note
from hub.processes.outcomes import settle_call

FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 5, 60
# What is to be written cannot be said yet: the firm's data is not right, and once it is the step goes on by itself.
NOT_COMPUTED = "CHECK"


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
            return undoing.undo(self)
        for _ in range(len(self.steps) + 1):
            moved = False
            for name in order(self.steps):
                step, run = self.steps[name], self.run(name)
                if run.state == StepState.CALLING and self.is_lost(run):
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
    def run(self, name: str) -> StepRun:
        if name not in self.runs:
            self.runs[name] = StepRun.objects.create(instance=self.instance, step=name, kind=self.steps[name].kind)
        return self.runs[name]

    def _is_turn(self, step: Step) -> bool:
        return all(self.run(name).is_settled for name in step.after)

    def _is_passed_over(self, step: Step) -> bool:
        """A branch chose others, or nothing that leads here happened."""
        before = [self.runs[name] for name in step.after if self.runs[name].state == StepState.DONE]
        return bool(step.after) and (not before or any(self._is_against(run, step) for run in before))

    def _is_against(self, run: StepRun, step: Step) -> bool:
        """A branch that could have chosen the step and did not: whatever else leads to it."""
        branch = self.steps[run.step]
        may_choose = branch.kind == "branch" and step.name in branch.leads_to
        return may_choose and step.name not in run.result.get("chosen", ())

    def _is_wanted(self, step: Step, run: StepRun) -> bool:
        if not step.when or run.begun_at is not None:
            return True
        try:
            return holds(step.when, self.context())
        except RecordError:
            return True  # what cannot be said is not left out in silence: the step itself says what is wrong

    def context(self) -> dict[str, Any]:
        results = {name: run.result for name, run in self.runs.items() if run.state == StepState.DONE}
        return context_of(self.instance, self.definition, results)

    def _asked(self, step: Step, run: StepRun) -> Asked:
        return Asked(self.instance, step, run, self.context())

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
        runs = [self.run(name) for name in self.steps]
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
        if not self.is_time(run):
            return None
        if run.state == StepState.FAILED and run.retry_at is None and run.error_code != NOT_COMPUTED:
            return None
        self._begin(step, run)
        try:
            call = calling.call_of(step.name, dict(step.more), self.context(), str(run.uid))
        except HubError as error:
            self._settle(step, run, Turn(StepState.FAILED, error=error.what, fix=error.fix, code=NOT_COMPUTED))
            return None
        return self.commit_to(run, call)

    def commit_to(self, run: StepRun, call: Call) -> Call:
        run.state, run.attempts, run.epoch, run.error = StepState.CALLING, run.attempts + 1, run.epoch + 1, ""
        run.lease_until = Now() + timedelta(seconds=calling.LEASE_SECONDS)
        run.retry_at, run.fix = None, ""
        run.save()
        self.epoch = run.epoch
        ProcessInstance.objects.filter(pk=self.instance.pk).update(
            next_at=Now() + timedelta(seconds=calling.LEASE_SECONDS + 5)
        )
        note(self.instance, run.step, "calling", f"attempt {run.attempts} at {call.stream}")
        return call

    def is_lost(self, run: StepRun) -> bool:
        """Its worker had its time, by the database's clock, and has said nothing."""
        return StepRun.objects.filter(pk=run.pk, lease_until__lt=Now()).exists()

    def is_time(self, run: StepRun) -> bool:
        """Whether its next attempt is due."""
        return run.retry_at is None or StepRun.objects.filter(pk=run.pk, retry_at__lte=Now()).exists()

    def _take_up(self, step: Step, run: StepRun) -> bool:
        outcomes.lose(run, str(step.more["stream"]), updating=bool(step.more.get("ref")), is_cancelled=False)
        is_again = run.state == StepState.PENDING
        note(self.instance, run.step, "taken up" if is_again else "unsure", run.error)
        self.has_moved = True
        return is_again


def due_at(step: Step, begun: Any) -> Any:
    """By when a step is to be done, counted in the business hours of the firm's calendar; None without a limit."""
    if not step.sla_seconds:
        return None
    calendar = BusinessCalendar.objects.order_by("pk").first()
    span = timedelta(seconds=step.sla_seconds)
    return add_business_time(calendar.opening_hours, begun, span) if calendar else begun + span


def look_at(pks: Iterable[int]) -> None:
    """Somebody should look at these now."""
    ProcessInstance.objects.filter(pk__in=list(pks), state__in=LIVE).update(next_at=Now(), looks=F("looks") * 0)
