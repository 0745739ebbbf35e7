"""What each kind of step does when it is its turn, all but the call of an action. In the transaction of its instance.

Each answers with a Turn: settled, waiting, or failed with a sentence and what to do about it. A step that waits or has failed
is asked again, so that what was corrected meanwhile goes on by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hub.common.db import plain_cursor
from hub.common.errors import HubError
from hub.common.times import business_now
from hub.events import feed
from hub.events.models import Event
from hub.processes.context import Context, evaluate, holds, values_of
from hub.processes.definition import Step
from hub.processes.models import ProcessInstance, ProcessMessage, StepRun, StepState, as_text
from hub.records.models import CanonicalRecord
from hub.records.queries import external_ids_of
from hub.sync import outbox, routing
from hub.sync.models import Delivery, Sync
from hub.sync.plan import Subscriber, passing
from hub.sync.states import DeliveryState


@dataclass(slots=True)
class Turn:
    """What became of a step; `chosen` are the steps that a branch lets follow."""

    state: StepState
    result: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    fix: str = ""
    code: str = ""


@dataclass(slots=True)
class Asked:
    """A step whose turn it is, with all that it may look at."""

    instance: ProcessInstance
    step: Step
    run: StepRun
    context: Context


def _done(**result: Any) -> Turn:
    return Turn(StepState.DONE, result)


def _waiting(sentence: str = "") -> Turn:
    return Turn(StepState.WAITING, error=sentence)


def _failed(sentence: str, *, fix: str = "", code: str = "PROCESS_STEP") -> Turn:
    return Turn(StepState.FAILED, error=sentence, fix=fix, code=code)


def do(asked: Asked) -> Turn:
    """Never raises for what the firm's data or configuration does; that fails the step, with its sentence."""
    try:
        return _DOING[asked.step.kind](asked)
    except HubError as error:
        return Turn(StepState.FAILED, error=error.what, fix=error.fix, code=error.code)


# Conditions ------------------------------------------------------------------------------------------------
def _check(asked: Asked) -> Turn:
    more = asked.step.more
    if holds(more["that"], asked.context):
        return _done()
    return _failed(more["message"], fix=more.get("fix") or "It goes on by itself once that is right.", code="CHECK")


def _branch(asked: Asked) -> Turn:
    for option in asked.step.more["choose"]:
        if not option.get("when") or holds(option["when"], asked.context):
            return _done(chosen=list(option["then"]))
    return _done(chosen=[])


def _set(asked: Asked) -> Turn:
    return _done(**values_of(asked.step.more["values"], asked.context))


# Records at targets ----------------------------------------------------------------------------------------
def _ensure(asked: Asked) -> Turn:
    sync = (
        Sync.objects.select_related("mapping__entity", "mapping__stream").filter(slug=asked.step.more["sync"]).first()
    )
    if sync is None:
        return _failed(
            f"There is no sync {asked.step.more['sync']!r}.", fix="Name another one in the process.", code="CONFIG"
        )
    key = as_text(evaluate(asked.step.more["key"], asked.context))
    name = sync.entity.name.lower()
    if not key:
        return _failed(
            f"It is not known which {name} is to be ensured.", fix="Fill the field that names it.", code="CHECK"
        )
    record = CanonicalRecord.objects.filter(entity=sync.entity, key=key, deleted_at__isnull=True).first()
    if record is None:
        return _waiting(f"The {name} {key} is not in the hub yet.")
    return _at_target(_in_charge(sync, record), record)


def _in_charge(sync: Sync, record: CanonicalRecord) -> Sync:
    """The sync that the step names; in a cut-over the one at whose side the record is, or that delivers it now."""
    with plain_cursor() as cursor:
        route = routing.lock(cursor, [sync.pk]).get(sync.pk)
    if route is None:
        return sync
    sides = [sync.pk, route.other] if route.allows(record.legal_entity) else [route.other, sync.pk]
    there = Delivery.objects.filter(sync__in=sides, record=record, delivered_version=record.version)
    held = set(there.values_list("sync_id", flat=True))
    found = next((pk for pk in sides if pk in held), sides[0])
    return sync if found == sync.pk else Sync.objects.select_related("mapping__entity").get(pk=found)


def _at_target(sync: Sync, record: CanonicalRecord) -> Turn:
    delivery = Delivery.objects.filter(sync=sync, record=record).first()
    if delivery is None:
        known = external_ids_of(sync.mapping.stream_id, [record.pk]).get(record.pk)
        if known:
            return _done(ref=known, key=record.key, version=record.version)
        return _put_in_line(sync, record)
    if delivery.state in (DeliveryState.DEAD, DeliveryState.HELD, DeliveryState.UNSURE):
        return _failed(
            delivery.error_detail or "Its delivery has stopped.",
            fix="Clear it where deliveries are cleared; the process then goes on by itself.",
            code=delivery.error_code or "DELIVERY",
        )
    if delivery.state == DeliveryState.DELIVERED:
        # A version that the target itself made, or that changes nothing there, is never put in line.
        return _done(ref=delivery.target_ref or record.key, key=record.key, version=delivery.delivered_version)
    if delivery.state == DeliveryState.DISCARDED:
        return _failed("Somebody has discarded its delivery.", fix="Put it again, or skip this step.", code="DISCARDED")
    return _waiting(f"{record.key} is on its way.")


def _put_in_line(sync: Sync, record: CanonicalRecord) -> Turn:
    subscriber = Subscriber(sync.pk, passing(sync.only_when))
    if not subscriber.wants(record.body):
        wanted = "; ".join(f"{name} is {' or '.join(values)}" for name, values in sync.only_when.items())
        return _waiting(f"{sync.name} takes {record.key} once {wanted}.")
    with plain_cursor() as cursor:
        outbox.enqueue_changed(cursor, [subscriber], [(record.pk, record.version, record.body, 0)])
    return _waiting(f"{record.key} is put in line.")


# Waiting ---------------------------------------------------------------------------------------------------
def _wait(asked: Asked) -> Turn:
    more = asked.step.more
    if (found := _what_came(asked)) is not None:
        return found
    limit = more.get("timeout_seconds")
    if limit and asked.run.begun_at and business_now() >= asked.run.begun_at + timedelta(seconds=limit):
        if more.get("on_timeout") == "continue":
            return _done(timed_out=True)
        return _failed(
            "What it waits for did not come in time.", fix="Retry to wait once more, or skip it.", code="TIMEOUT"
        )
    return _waiting(_waits_for(asked))


def _what_came(asked: Asked) -> Turn | None:
    more, run = asked.step.more, asked.run
    if "seconds" in more:
        over = run.begun_at and business_now() >= run.begun_at + timedelta(seconds=more["seconds"])
        return _done() if over else None
    if "until" in more:
        return _done() if holds(more["until"], asked.context) else None
    event = _event_of(asked)
    return _done(event=str(event), subject=event.subject, record=event.record or {}) if event else None


def _event_of(asked: Asked) -> Event | None:
    """The first that came since the step began, whenever its transaction ends; what came before is another story."""
    more = asked.step.more
    subject = as_text(evaluate(more["subject"], asked.context)) if more.get("subject") else ""
    return feed.first_since(asked.run.result["since"], more["event"], subject)


def begun(step: Step) -> dict[str, Any]:
    """What a step notes when its turn begins."""
    if step.kind == "wait" and "event" in step.more:
        return {"since": feed.snapshot()}
    return {}


def _waits_for(asked: Asked) -> str:
    more = asked.step.more
    if "event" in more:
        return f"It waits for {more['event']}."
    return "It waits until its condition holds." if "until" in more else "It waits for its time."


# People ----------------------------------------------------------------------------------------------------
def _ask(asked: Asked) -> Turn:
    """Only an answer settles it, see hub.processes.services.answer."""
    return _waiting("It waits for an answer.")


def _notify(asked: Asked) -> Turn:
    text = (
        as_text(evaluate(asked.step.more["text"], asked.context)) if _is_expression(asked) else asked.step.more["text"]
    )
    role = asked.step.role or asked.instance.process.owner
    ProcessMessage.objects.create(
        instance=asked.instance, step=asked.step.name, role=role, text=text, at=business_now()
    )
    return _done(text=text, role=role)


def _is_expression(asked: Asked) -> bool:
    """A text in quotes or with & is computed; plain words are said as they are."""
    text = asked.step.more["text"]
    return "&" in text or text.strip().startswith(('"', "'"))


_DOING: dict[str, Callable[[Asked], Turn]] = {
    "check": _check,
    "branch": _branch,
    "set": _set,
    "ensure": _ensure,
    "wait": _wait,
    "ask": _ask,
    "notify": _notify,
}
