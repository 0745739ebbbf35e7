"""The call of an action: the intent is committed before it, the outcome after it. Between them the truth is at the system.

A call whose worker fell is made again only where the system makes that harmless (write safety A or B): the key is the same in
every attempt. Elsewhere a person looks whether it arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connectors.base import HARMLESS
from connectors.models import Stream
from connectors.services import open_connection, stream_spec
from hub.common.errors import ConfigError, HubError, TransientError, UnknownOutcome
from hub.common.records import WriteItem, WriteOutcome
from hub.processes.context import Context, evaluate, values_of
from hub.processes.models import as_text

# A call that takes longer is taken for lost; its answer is then refused by the epoch.
LEASE_SECONDS = 120
WENT = ("created", "updated", "unchanged")


@dataclass(frozen=True, slots=True)
class Call:
    """One write at one system, ready to be made."""

    step: str
    stream: str
    operation: Any
    key: str
    body: dict[str, Any]
    ref: str | None
    idempotency_key: str


@dataclass(slots=True)
class Answer:
    """How it went: the target's id, or the error. `is_unsure`: it may have happened."""

    ref: str | None = None
    error: HubError | None = None
    is_unsure: bool = False


def call_of(step: str, more: dict[str, Any], context: Context, uid: str) -> Call:
    """Computed before the intent is committed. RecordError where the context does not give it."""
    ref = as_text(evaluate(more["ref"], context)) if more.get("ref") else None
    key = as_text(evaluate(more["key"], context))
    if not key:
        raise ConfigError(
            "It is not known under which key it is to be written.", where=step, fix="Fill the field that names it."
        )
    return Call(step, more["stream"], more["operation"], key, values_of(more["body"], context), ref or None, uid)


def undo_of(step: str, more: dict[str, Any], context: Context, uid: str, ref: str | None) -> Call:
    """What takes back what the step did; its key is its own, so that a target never takes it for the first write."""
    undo = more["undo"]
    key = as_text(evaluate(more["key"], context))
    return Call(
        step, more["stream"], undo["operation"], key, values_of(undo.get("body") or {}, context), ref, f"{uid}-undo"
    )


def make(call: Call) -> Answer:
    """Never raises a HubError."""
    try:
        stream = _stream(call.stream)
        with open_connection(stream.connection) as connector:
            item = WriteItem(call.key, call.operation, call.body, call.ref, call.idempotency_key)
            outcomes = connector.write(stream_spec(stream), [item])
    except UnknownOutcome as error:
        return Answer(error=error, is_unsure=True)
    except HubError as error:
        return Answer(error=error, is_unsure=error.maybe_done)
    return _judged(outcomes[0] if outcomes else None)


def _judged(outcome: WriteOutcome | None) -> Answer:
    if outcome is None or outcome.status == "unsure":
        error = outcome.error if outcome else None
        return Answer(error=error or UnknownOutcome("The system did not say what became of it."), is_unsure=True)
    if outcome.status in WENT and outcome.ref:
        return Answer(ref=outcome.ref)
    if outcome.status in WENT:
        return Answer(error=UnknownOutcome("The system reported success without an id."), is_unsure=True)
    return Answer(error=outcome.error or HubError("The system has refused it."))


def is_harmless(stream: str, *, updating: bool) -> bool:
    """Whether the same write may simply be made again."""
    found = _stream(stream)
    with open_connection(found.connection) as connector:
        return connector.safety(stream_spec(found), updating=updating) in HARMLESS


def is_passing(error: HubError | None) -> bool:
    return isinstance(error, TransientError)


def _stream(slug: str) -> Stream:
    found = Stream.objects.select_related("connection").filter(slug=slug).first()
    if found is None:
        raise ConfigError(f"There is no stream {slug!r}.", fix="Name another one in the process.")
    return found
