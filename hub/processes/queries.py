"""Reads of processes: what a person may see, what runs, what waits for whom, and what a process would have done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet

from hub.accounts.models import RoleAssignment, User
from hub.accounts.queries import scope_to_domains
from hub.common.errors import HubError
from hub.common.times import business_now
from hub.processes.context import context_of, holds
from hub.processes.definition import KINDS, Definition, Step, order, steps_of
from hub.processes.models import LIVE, Process, ProcessInstance, ProcessMessage, State, StepRun, StepState
from hub.records.models import CanonicalRecord

# More open questions than this are found on the pages of their processes.
MOST_QUESTIONS = 2_000
SEE, EDIT, RUN = "processes.view", "processes.edit", "processes.run"


def processes_for(user: User, permission: str = SEE) -> QuerySet[Process]:
    return scope_to_domains(Process.objects.select_related("domain", "entity"), user, permission)


def instances_for(user: User, permission: str = SEE) -> QuerySet[ProcessInstance]:
    rows = ProcessInstance.objects.select_related("process__domain", "process__entity", "version")
    return scope_to_domains(rows, user, permission, "process__domain")


def may(user: User, process: Process, permission: str) -> bool:
    ids = user.domain_ids_for(permission)
    return ids is None or process.domain_id in ids


def with_counts(rows: QuerySet[Process]) -> QuerySet[Process]:
    """`live`, `stopped` and `done` instances of each."""
    return rows.annotate(
        live=Count("instances", filter=Q(instances__state__in=LIVE)),
        stopped=Count("instances", filter=Q(instances__state=State.FAILED)),
        done=Count("instances", filter=Q(instances__state=State.DONE)),
    )


# One instance ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Row:
    """A step of an instance as it is shown; `run` is None where its turn has not come."""

    step: Step
    run: StepRun | None
    now: datetime

    @property
    def state(self) -> str:
        """The word of hub.common.states."""
        if self.run is None or self.run.state == StepState.PENDING:
            return "muted"
        if self.is_late and self.run.state in (StepState.WAITING, StepState.CALLING):
            return "late"
        words = {StepState.CALLING: "in_flight", StepState.UNDONE: "rolled_back"}
        return words.get(StepState(self.run.state), str(self.run.state))

    @property
    def word(self) -> str:
        return "" if self.run is None or self.run.state == StepState.PENDING else self.run.get_state_display()

    @property
    def is_late(self) -> bool:
        if self.run is None or self.run.due_at is None:
            return False
        return (self.run.ended_at or self.now) > self.run.due_at

    @property
    def seconds(self) -> float | None:
        if self.run is None or self.run.begun_at is None:
            return None
        return ((self.run.ended_at or self.now) - self.run.begun_at).total_seconds()

    @property
    def is_open(self) -> bool:
        return self.run is not None and self.run.state in (StepState.FAILED, StepState.UNSURE, StepState.WAITING)

    @property
    def does(self) -> str:
        return KINDS[self.step.kind][2]

    @property
    def results(self) -> list[tuple[str, Any]]:
        hidden = ("since", "undo_asked")
        return [(name, value) for name, value in (self.run.result if self.run else {}).items() if name not in hidden]


def rows_of(instance: ProcessInstance) -> list[Row]:
    """The steps of its version in their order, with what became of each."""
    steps, runs, now = (
        steps_of(instance.version.definition),
        {run.step: run for run in instance.steps.all()},
        business_now(),
    )
    return [Row(steps[name], runs.get(name), now) for name in order(steps)]


def as_data(instance: ProcessInstance) -> dict[str, Any]:
    """An instance as the API and the command give it."""
    return {
        "id": instance.pk,
        "process": instance.process.slug,
        "version": instance.version.number,
        "key": instance.key,
        "state": str(instance.state),
        "trigger": instance.trigger,
        "started_at": instance.started_at.isoformat(),
        "finished_at": instance.finished_at.isoformat() if instance.finished_at else None,
        "steps": [_step_data(row) for row in rows_of(instance)],
    }


def _step_data(row: Row) -> dict[str, Any]:
    run = row.run
    return {
        "step": row.step.name,
        "title": row.step.title,
        "kind": row.step.kind,
        "state": str(run.state) if run else "pending",
        "error": run.error if run else "",
        "fix": run.fix if run else "",
        "attempts": run.attempts if run else 0,
        "due_at": run.due_at.isoformat() if run and run.due_at else None,
        "is_late": row.is_late,
        "result": dict(row.results),
    }


# People ----------------------------------------------------------------------------------------------------
def role_of(step: Step, process: Process) -> str:
    return step.role or process.owner


def may_answer(user: User, step: Step, process: Process) -> bool:
    """People of the role that the step asks, in the process's domain, and those who may run it."""
    if not user.is_active:
        return False
    roles = RoleAssignment.objects.filter(user=user, role=role_of(step, process))
    return roles.filter(Q(domain=None) | Q(domain=process.domain_id)).exists() or may(user, process, RUN)


def questions_for(user: User) -> list[tuple[StepRun, Step]]:
    """Steps that wait for an answer of this person's roles, the longest waiting first."""
    rows = StepRun.objects.filter(
        state=StepState.WAITING, kind="ask", instance__state__in=(State.RUNNING, State.WAITING, State.FAILED)
    )
    rows = rows.select_related("instance__process__domain", "instance__version").order_by("pk")[:MOST_QUESTIONS]
    found = []
    for run in rows:
        step = steps_of(run.instance.version.definition)[run.step]
        process = run.instance.process
        roles = {role.role for role in user.roles.all() if role.domain_id in (None, process.domain_id)}
        if role_of(step, process) in roles:
            found.append((run, step))
    return found


def messages_for(user: User, *, most: int = 20) -> list[ProcessMessage]:
    """What processes tell this person's roles and nobody has seen, the newest first."""
    held: dict[str, set[int | None]] = {}
    for assignment in user.roles.all():
        held.setdefault(assignment.role, set()).add(assignment.domain_id)
    rows = ProcessMessage.objects.filter(role__in=held, seen_at=None).select_related("instance__process")[:500]
    return [m for m in rows if held[m.role] & {None, m.instance.process.domain_id}][:most]


def may_see(user: User, message: ProcessMessage) -> bool:
    roles = RoleAssignment.objects.filter(user=user, role=message.role)
    process = message.instance.process
    return roles.filter(Q(domain=None) | Q(domain=process.domain_id)).exists() or may(user, process, RUN)


# On history ------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class Rehearsal:
    """What the newest records would have met, step by step; nothing is written."""

    looked_at: int = 0
    passed: int = 0
    steps: list[tuple[Step, dict[str, int], dict[str, list[str]]]] = field(default_factory=list)


def rehearse(process: Process, definition: Definition, *, limit: int = 200) -> Rehearsal:
    """Checks, conditions and branches of the newest records of the process's entity, as they are today."""
    steps = steps_of(definition)
    found = Rehearsal(steps=[(steps[name], {}, {}) for name in order(steps)])
    if process.entity_id is None:
        return found
    rows = CanonicalRecord.objects.filter(entity_id=process.entity_id, deleted_at__isnull=True).order_by("-pk")[:limit]
    for record in rows:
        found.looked_at += 1
        found.passed += _walk(process, definition, record, found)
    return found


_WOULD = {"ensure": "would ensure", "action": "would write", "ask": "would ask", "wait": "would wait"}


def _walk(process: Process, definition: Definition, record: CanonicalRecord, found: Rehearsal) -> bool:
    trial = ProcessInstance(process=process, key=record.key, given={})
    outcome: dict[str, str] = {}
    chosen: dict[str, list[str]] = {}
    for step, counts, examples in found.steps:
        word = _judge(step, context_of(trial, definition, {}), outcome, chosen)
        outcome[step.name] = word
        counts[word] = counts.get(word, 0) + 1
        examples.setdefault(word, [])
        if len(examples[word]) < 3:
            examples[word].append(record.key)
    return "stops" not in outcome.values()


def _judge(step: Step, context: dict[str, Any], outcome: dict[str, str], chosen: dict[str, list[str]]) -> str:
    before = [outcome[name] for name in step.after]
    if any(word in ("stops", "not reached") for word in before):
        return "not reached"
    left = [name for name in step.after if name in chosen and step.name not in chosen[name]]
    if left or (before and all(word == "skipped" for word in before)):
        return "skipped"
    try:
        if step.when and not holds(step.when, context):
            return "skipped"
        if step.kind == "check":
            return "passes" if holds(step.more["that"], context) else "stops"
        if step.kind == "branch":
            options = (o for o in step.more["choose"] if not o.get("when") or holds(o["when"], context))
            chosen[step.name] = next(options, {"then": []})["then"]
            return f"chooses {', '.join(chosen[step.name]) or 'nothing'}"
    except HubError:
        return "stops"
    return {"ensure": "would ensure", "action": "would write", "ask": "would ask", "wait": "would wait"}.get(
        step.kind, "passes"
    )


def readers_of(definition: Definition) -> Iterable[tuple[str, str]]:
    """What the steps use: (kind, short name), each once."""
    found: dict[tuple[str, str], None] = {}
    for step in steps_of(definition).values():
        for name, kind in (("sync", "Sync"), ("stream", "Stream"), ("event", "EventType")):
            if name in step.more:
                found[kind, str(step.more[name])] = None
    for wanted in (definition.get("lookups") or {}).values():
        found["Entity", str(wanted["entity"])] = None
    return list(found)


def fresh(instance: ProcessInstance) -> ProcessInstance:
    """As it is now."""
    return ProcessInstance.objects.select_related("process__domain", "process__entity", "version").get(pk=instance.pk)
