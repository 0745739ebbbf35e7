"""Every change to processes and their instances: for pages, programs and documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import transaction

from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.money import parse_decimal
from hub.common.registry import Document
from hub.common.saving import remove, save
from hub.common.times import business_now
from hub.processes import bell, outcomes, starting
from hub.processes.definition import Step, steps_of
from hub.processes.engine import look_at
from hub.processes.models import LIVE, Process, ProcessInstance, ProcessMessage, State, StepRun, StepState
from hub.processes.notes import note

KIND = "Process"


def save_process(document: Document, *, by: Any, reason: str = "") -> Put:
    """Make or change a process. Instances that live keep the version that they began with."""
    return save({"kind": KIND, **document}, act="process.saved", by=by, reason=reason)


def delete_process(process: Process, *, by: Any) -> None:
    """Only one that never ran; others are switched off. Held where reviewers have to agree."""
    remove(KIND, process.slug, act="process.deleted", by=by)


@transaction.atomic
def start(
    process: Process, key: str, *, by: Any, given: Mapping[str, Any] | None = None, cause: str = ""
) -> ProcessInstance:
    """Start it, or answer the instance that lives for the key. Raises ConfigError with what is missing."""
    found, is_new = starting.start(
        process, key, by=by, given=given, cause=cause, trigger="api" if by is None else "person"
    )
    if is_new:
        _tell("process.started", found, by=by)
    return found


@transaction.atomic
def answer(run: StepRun, values: Mapping[str, Any], *, by: Any) -> None:
    """What a person says to a step that asks. Raises ConfigError naming the field that is not right.

    The second of two people who answer is refused: what was said first stands.
    """
    instance, step = _locked(run)
    if step.kind != "ask":
        raise ConfigError(f"The step {step.title} asks nobody.", where=step.name, code="NOT_ASKED")
    fresh = StepRun.objects.select_for_update().get(pk=run.pk)
    if fresh.state != StepState.WAITING:
        raise ConfigError(
            "Somebody has answered already.", where=step.title, fix="Look at what was said.", code="ANSWERED"
        )
    fresh.result = {each["name"]: _value(each, values.get(each["name"])) for each in step.more.get("fields") or ()}
    fresh.state, fresh.ended_at, fresh.answered_by, fresh.error = StepState.DONE, business_now(), by, ""
    fresh.save()
    _said(instance, step, "answered", ", ".join(f"{name}: {value}" for name, value in fresh.result.items()), by)


def _value(field: Mapping[str, Any], given: Any) -> Any:
    """The value as it is kept; ConfigError where it is missing or of another type."""
    title, kind = field.get("title") or field["name"], field.get("type", "text")
    text = str(given if given is not None else "").strip()
    if kind == "yes_no":
        return text.lower() in ("true", "yes", "on", "1")
    if not text:
        if field.get("optional"):
            return None
        raise ConfigError(f"{title} is missing.", where=field["name"], fix="Fill it in.", code="MISSING")
    try:
        if kind == "number":
            return str(parse_decimal(text))
        if kind == "date":
            return date.fromisoformat(text).isoformat()
    except Exception:
        wanted = "a number such as 1250.00" if kind == "number" else "a date such as 2026-11-30"
        raise ConfigError(f"{title} is not {wanted}.", where=field["name"], fix="Correct it.", code="TYPE") from None
    if kind == "choice" and text not in [str(option) for option in field["options"]]:
        options = ", ".join(map(str, field["options"]))
        raise ConfigError(f"{title} is one of {options}.", where=field["name"], fix="Choose one.", code="CHOICE")
    return text


@transaction.atomic
def retry(instance: ProcessInstance, *, step: str = "", by: Any) -> None:
    """Look again at what failed; with a step, from that step on; with "start", from the first one on.

    A write that was confirmed is not made again: to write it anew the instance is cancelled, which takes it back. One whose
    outcome is unknown is made again only when it is named, for only a person knows whether it arrived. Of an instance that is
    being taken back, what could not be taken back is tried again.
    """
    if instance.__class__.objects.filter(pk=instance.pk, state=State.UNDOING).exists():
        return _retry_undoing(instance, by=by)
    found = _live(instance)
    steps = steps_of(found.version.definition)
    if step and step != "start" and step not in steps:
        raise ConfigError(f"There is no step {step!r}.", where=str(found), code="NO_STEP")
    for run in _to_repeat(found, steps, step):
        run.state, run.error, run.fix, run.error_code = StepState.PENDING, "", "", ""
        run.begun_at, run.ended_at, run.due_at, run.retry_at, run.attempts = None, None, None, None, 0
        run.save()
    note(found, "" if step in ("", "start") else step, "retried", "what failed" if not step else f"from {step}", by)
    _tell("process.retried", found, by=by, step=step or "what failed")
    _go_on(found)


def _to_repeat(instance: ProcessInstance, steps: Mapping[str, Step], step: str) -> list[StepRun]:
    runs = {run.step: run for run in instance.steps.select_for_update()}
    if not step:
        failed = [run for run in runs.values() if run.state == StepState.FAILED]
        for run in runs.values():
            if not failed and run.state == StepState.UNSURE:
                raise _unknown(steps[run.step])
        return failed
    chosen = [runs[name] for name in _from(steps, step) if name in runs]
    for run in chosen:
        if run.state == StepState.CALLING:
            raise ConfigError("A call is under way.", where=run.step, fix="Try again in two minutes.", code="IN_FLIGHT")
        if run.state == StepState.UNSURE and run.step != step:
            raise _unknown(steps[run.step])
    return [run for run in chosen if not (run.state == StepState.DONE and steps[run.step].kind == "action")]


def _unknown(step: Step) -> ConfigError:
    return ConfigError(
        f"Nobody knows whether {step.title} has arrived.", where=step.name, code="UNSURE",
        fix="Look at the system: then settle that step with its id there, or retry from it.",
    )  # fmt: skip


def _retry_undoing(instance: ProcessInstance, *, by: Any) -> None:
    found = ProcessInstance.objects.select_for_update().select_related("process", "version").get(pk=instance.pk)
    again = found.steps.filter(state=StepState.UNSURE, is_undo=True)
    if not again.update(state=StepState.DONE, error="", fix="", error_code="", retry_at=None, attempts=0):
        raise ConfigError("There is nothing to try again.", where=str(found), code="NOT_FAILED")
    note(found, "", "retried", "what was not taken back", by)
    _tell("process.retried", found, by=by, step="what was not taken back")
    _go_on(found)


def _from(steps: Mapping[str, Step], name: str) -> set[str]:
    """The step and all that come after it."""
    if name == "start":
        return set(steps)
    found = {name}
    while more := {each for each, step in steps.items() if each not in found and found & set(step.after)}:
        found |= more
    return found


@transaction.atomic
def settle(run: StepRun, *, reason: str, by: Any, ref: str = "") -> None:
    """A person says that a step is done, or is not needed: with the id at the target where there is one."""
    instance, step = _locked(run)
    if not reason.strip():
        raise ConfigError("Say why.", where="reason", fix="Those who look later ask.", code="NO_REASON")
    fresh = StepRun.objects.select_for_update().get(pk=run.pk)
    if fresh.state in (StepState.DONE, StepState.SKIPPED, StepState.CALLING):
        raise ConfigError("The step is not open any more.", where=step.title, code="NOT_OPEN")
    if fresh.is_undo:
        raise ConfigError("It is being taken back.", where=step.title, fix=outcomes.BY_HAND, code="UNDOING")
    fresh.result = {**fresh.result, **({"ref": ref} if ref else {})}
    fresh.state, fresh.ended_at, fresh.answered_by = StepState.DONE if ref else StepState.SKIPPED, business_now(), by
    fresh.error = fresh.fix = fresh.error_code = ""
    fresh.save()
    _said(instance, step, "settled by hand", reason, by)


@transaction.atomic
def cancel(instance: ProcessInstance, *, reason: str, by: Any, undo: bool = True) -> None:
    """End it. With `undo`, what was done is taken back first, the last step first. A second time is a no-op."""
    found = ProcessInstance.objects.select_for_update().select_related("process", "version").get(pk=instance.pk)
    if found.state == State.UNDOING or not found.is_live:
        return
    if not reason.strip():
        raise ConfigError("Say why it is cancelled.", where="reason", fix="Those who look later ask.", code="NO_REASON")
    found.note, found.state = reason[:500], State.UNDOING
    if not undo:
        if found.steps.filter(state=StepState.CALLING).exists():
            raise ConfigError(
                "A call is under way.", where=str(found), fix="Try again in two minutes.", code="IN_FLIGHT"
            )
        found.steps.exclude(state__in=(StepState.DONE, StepState.SKIPPED)).update(state=StepState.CANCELLED)
        found.state, found.finished_at, found.next_at = State.CANCELLED, business_now(), None
    found.save()
    note(found, "", "cancelled" if not undo else "cancelling", reason, by)
    _tell("process.cancelled", found, by=by, reason=reason)
    if undo:
        _go_on(found)


@transaction.atomic
def confirm_undone(run: StepRun, *, by: Any) -> None:
    """A person has taken back by hand what the hub could not."""
    instance, step = _locked(run)
    if instance.state != State.UNDOING:
        raise ConfigError("It is not being taken back.", where=step.title, code="NOT_UNDOING")
    fresh = StepRun.objects.select_for_update().get(pk=run.pk)
    if fresh.state not in (StepState.DONE, StepState.UNSURE):
        raise ConfigError("There is nothing to take back by hand.", where=step.title, code="NOT_OPEN")
    StepRun.objects.filter(pk=run.pk).update(state=StepState.UNDONE, error="", fix="", ended_at=business_now())
    _said(instance, step, "undone by hand", "", by)


@transaction.atomic
def see(message: ProcessMessage, *, by: Any) -> None:
    """Somebody of the role has read it; it is not shown to the others any more. A second time is a no-op."""
    if ProcessMessage.objects.filter(pk=message.pk, seen_at=None).update(seen_by=by, seen_at=business_now()):
        note(message.instance, message.step, "seen", "", by)


@transaction.atomic
def signal(instance: ProcessInstance, name: str, given: Mapping[str, Any], *, by: Any) -> None:
    """Tell it that something has happened: expressions see it as `given.signals`. The last of one name counts."""
    found = _live(instance)
    found.given = {**found.given, "signals": {**found.given.get("signals", {}), name: dict(given) or True}}
    found.save(update_fields=["given"])
    note(found, "", "signal", name, by)
    _tell("process.signalled", found, by=by, signal=name)
    _go_on(found)


# The parts -------------------------------------------------------------------------------------------------
def _live(instance: ProcessInstance) -> ProcessInstance:
    found = ProcessInstance.objects.select_for_update().select_related("process", "version").get(pk=instance.pk)
    if found.state not in LIVE or found.state == State.UNDOING:
        raise ConfigError(f"{found} has ended.", where=str(found.pk), fix="Start a new one.", code="ENDED")
    return found


def _locked(run: StepRun) -> tuple[ProcessInstance, Step]:
    rows = ProcessInstance.objects.select_for_update().select_related("process", "version")
    instance = rows.get(pk=run.instance_id)
    if not instance.is_live:
        raise ConfigError(f"{instance} has ended.", where=str(instance.pk), fix="Start a new one.", code="ENDED")
    return instance, steps_of(instance.version.definition)[run.step]


def _said(instance: ProcessInstance, step: Step, what: str, detail: str, by: Any) -> None:
    note(instance, step.name, what, detail, by)
    _tell(f"process_step.{what.split()[0]}", instance, by=by, step=step.name)
    _go_on(instance)


def _go_on(instance: ProcessInstance) -> None:
    look_at([instance.pk])
    bell.ring([instance.pk])


def _tell(act: str, instance: ProcessInstance, *, by: Any, reason: str = "", **details: Any) -> None:
    name = f"{instance.process.slug}/{instance.pk}"
    tell(
        Act(
            act,
            KIND,
            name,
            by=by,
            reason=reason,
            details={"key": instance.key, **details},
            domain=instance.process.domain,
        )
    )
