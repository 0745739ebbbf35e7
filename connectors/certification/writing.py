"""Proofs of write safety: each declared operation is repeated after an answer that was lost on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from connectors.base import REMOVALS, Connector
from connectors.certification.proofs import Broken, NotRun, Proof, expect, prove
from connectors.certification.rehearsal import Rehearsal
from connectors.certification.samples import (
    Sample,
    accepted,
    address_pattern,
    business_key,
    names_key,
    sample,
    write_one,
)
from connectors.paths import get
from connectors.rest.writing import METHODS
from hub.common.errors import TransientError
from hub.common.records import Operation, StreamSpec, WriteItem, WriteOutcome, joined_key

DONE = ("created", "updated", "unchanged")
RULES = {
    "A": "a repeat with its key is one object",
    "B": "a repeat is one object with the same content",
    "C": "what was written is found by its key",
    "D": "a write in doubt is left to a person",
}
RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Attempt:
    """One operation of a stream against a simulator that was reset."""

    rehearsal: Rehearsal
    connector: Connector
    stream: str
    operation: Operation
    section: Mapping[str, Any]

    @property
    def declared(self) -> Mapping[str, Any]:
        return cast(Mapping[str, Any], self.section["write"][self.operation])

    @property
    def safety(self) -> str:
        return operation_safety(self.section, self.operation)

    @property
    def method(self) -> str:
        """The verb of its requests."""
        usual = self.declared.get("method") or METHODS[self.operation]
        batch = self.declared.get("batch")
        if not batch or self.rehearsal.declaration.protocol == "odata":
            # a single record travels alone there
            return str(usual)
        return str(batch.get("method") or ("POST" if self.operation == "upsert" else usual))

    @property
    def keeps_key(self) -> bool:
        """Whether the key that the hub gives stands in the body."""
        return bool(business_key(self.section))

    def lose(self, when: str) -> str:
        """The next answer to this operation gets lost: before or after it was carried out."""
        fault = {"method": self.method, "path": address_pattern(self.declared), "when": when}
        return self.rehearsal.control.add_fault("drop", **fault)

    def counts(self) -> dict[str, int]:
        return self.rehearsal.control.counts()

    def grown(self, before: Mapping[str, int]) -> dict[str, int]:
        """How many rows each object of the simulator has more than before."""
        return {name: n - before.get(name, 0) for name, n in self.counts().items() if n != before.get(name, 0)}

    def write(self, item: WriteItem) -> WriteOutcome:
        return write_one(self.connector, self.stream, item)


def operation_safety(section: Mapping[str, Any], operation: str) -> str:
    """The class of one operation: as declared, else what its stream allows; D where nothing is said."""
    declared = section["write"][operation].get("safety")
    return str(declared or ("C" if operation == "create" and "find" in section else "D"))


def writing(rehearsal: Rehearsal) -> Iterator[Proof]:
    """What writing owes, operation by operation."""
    for stream, section in rehearsal.declaration.streams.items():
        for operation in section.get("write", {}):
            yield from _of_operation(rehearsal, stream, section, operation)


def _of_operation(
    rehearsal: Rehearsal, stream: str, section: Mapping[str, Any], operation: Operation
) -> Iterator[Proof]:
    subject = f"{stream}.{operation}"
    rehearsal.reset()
    with rehearsal.connect() as connector:
        attempt = Attempt(rehearsal, connector, stream, operation, section)
        yield from prove(RULES[attempt.safety], subject, _fresh(attempt, _safety), write_safety=attempt.safety)
        if operation in REMOVALS:
            return
        yield from prove("writing twice is one object", subject, _fresh(attempt, _twice))
        yield from prove("one bad record fails alone", subject, _fresh(attempt, _partial))
        yield from prove("waits when asked to", subject, _fresh(attempt, _throttled))


def _fresh(attempt: Attempt, rule: Callable[[Attempt, Sample, str | None], str]) -> Callable[[], str]:
    """A rule carried out without trouble left over, with a body that the simulator takes and the id of a record to change."""

    def carry_out() -> str:
        attempt.rehearsal.calm()
        found = sample(attempt.rehearsal, attempt.connector, attempt.stream)
        if attempt.operation in ("create", "upsert"):
            return rule(attempt, accepted(attempt.connector, found, attempt.operation), None)
        ref, key = _held_ref(attempt)
        if attempt.operation in REMOVALS:
            return rule(attempt, found, ref)
        return rule(attempt, _changing(attempt, found, key, ref), ref)

    return carry_out


def _held_ref(attempt: Attempt) -> tuple[str, str]:
    """The system's own id of a record that it holds, and the record's key."""
    names = _keys(attempt.section) or ("id",)
    for page in attempt.connector.read(StreamSpec(attempt.stream), cursor=None):
        for record in page.records:
            ref = joined_key([str(get(record, name)) for name in names])
            return ref, ref
    raise NotRun("the simulator holds no record that could be changed.")


def _keys(section: Mapping[str, Any]) -> tuple[str, ...]:
    key = section.get("key", ())
    return (key,) if isinstance(key, str) else tuple(key)


def _changing(attempt: Attempt, found: Sample, key: str, ref: str) -> Sample:
    """A body of one field that may be changed; the held value is sent again where no text field is taken."""
    body = {name: value for name, value in found.body.items() if name != found.key_field}
    for name in body:
        only = Sample(found.stream, "", {name: body[name]})
        if attempt.write(only.item("update", key, ref)).status in DONE:
            return only
    raise NotRun(f"the simulator lets no field of {found.stream} be changed.")


# --- the classes of write safety -----------------------------------------------------------------------------------


def _safety(attempt: Attempt, found: Sample, ref: str | None) -> str:
    if attempt.operation in REMOVALS:
        return _removal(attempt, ref)
    if attempt.safety in ("A", "B"):
        return _repeatable(attempt, found, ref)
    return _searchable(attempt, found, ref) if attempt.safety == "C" else _doubtful(attempt, found, ref)


def _repeatable(attempt: Attempt, found: Sample, ref: str | None) -> str:
    """A and B: the answer is lost after the work was done; the same item again ends well and changes nothing more."""
    normal = _growth_of_one(attempt, found, ref)
    before, item = attempt.counts(), found.item(attempt.operation, ref=ref)
    _lost(attempt, item, "after")
    held = _rows(attempt, attempt.grown(before))
    again = attempt.write(item)
    expect(again.status in DONE, f"The repeat ended as {again.status}: {again.error}")
    grown = attempt.grown(before)
    expect(grown == normal, f"Lost and repeated, it left {grown} more; a single write leaves {normal}.")
    expect(_same(held, _rows(attempt, grown), found.body), "The repeat changed what the first write had left.")
    return f"Its answer was lost, it was sent again ({again.status}), and the system holds it once."


def _searchable(attempt: Attempt, found: Sample, ref: str | None) -> str:
    """C: unsure after a lost answer; the find sees what was written, and does not see what was not."""
    item, other = found.item(attempt.operation, ref=ref), found.item(attempt.operation, ref=ref)
    outcome = _lost(attempt, item, "after")
    expect(outcome.status == "unsure", f"A lost answer ended as {outcome.status}: {outcome.error}")
    attempt.rehearsal.control.clear_faults()
    _lost(attempt, other, "before")
    attempt.rehearsal.control.clear_faults()
    seen = set(attempt.connector.find(StreamSpec(attempt.stream), [item.key, other.key]))
    expect(item.key in seen, f"It was written, and the find does not see {item.key}.")
    expect(other.key not in seen, f"It was never written, and the find says that {other.key} is there.")
    return "Its answer was lost: unsure. The find sees it, and not another one that was lost on its way there."


def _doubtful(attempt: Attempt, found: Sample, ref: str | None) -> str:
    """D: unsure after a lost answer, and sent once only; whoever calls the connector asks a person."""
    item = found.item(attempt.operation, ref=ref)
    attempt.rehearsal.control.clear_journal()
    outcome = _lost(attempt, item, "after")
    expect(outcome.status == "unsure", f"A lost answer ended as {outcome.status}: {outcome.error}")
    path = address_pattern(attempt.declared)
    sent = [entry for entry in attempt.rehearsal.control.journal(path=path) if entry["method"] != "GET"]
    expect(len(sent) == 1, f"It was sent {len(sent)} times although its outcome was unknown.")
    return "Its answer was lost: unsure, sent once, never repeated by itself; a person decides."


def _removal(attempt: Attempt, ref: str | None) -> str:
    """The answer to a removal is lost; where it may be repeated, the repeat ends well and removes nothing else."""
    before = attempt.counts()
    item = WriteItem(ref or "", attempt.operation, {}, ref)
    outcome = _lost(attempt, item, "after")
    if attempt.safety not in ("A", "B"):
        expect(outcome.status == "unsure", f"A lost answer ended as {outcome.status}: {outcome.error}")
        return "Its answer was lost: unsure, and not repeated by itself."
    gone = attempt.grown(before)
    again = attempt.write(item)
    expect(again.status in DONE, f"The repeat ended as {again.status}: {again.error}")
    expect(attempt.grown(before) == gone, f"The repeat removed more: {attempt.grown(before)}, not {gone}.")
    return f"Its answer was lost, it was sent again ({again.status}), and one record is gone."


def _lost(attempt: Attempt, item: WriteItem, when: str) -> WriteOutcome:
    fault = attempt.lose(when)
    outcome = attempt.write(item)
    if not attempt.rehearsal.control.fired(fault):
        raise NotRun(f"no request of the operation was met at {address_pattern(attempt.declared)!r} ({outcome.error}).")
    expect(outcome.status not in DONE, f"The answer was lost, and the outcome says {outcome.status}.")
    return outcome


def _growth_of_one(attempt: Attempt, found: Sample, ref: str | None) -> dict[str, int]:
    """What a single undisturbed write leaves: one object may be several rows."""
    before = attempt.counts()
    outcome = attempt.write(found.item(attempt.operation, ref=ref))
    if outcome.status not in DONE:
        raise Broken(f"An undisturbed write ended as {outcome.status}: {outcome.error}")
    return attempt.grown(before)


def _rows(attempt: Attempt, grown: Mapping[str, int]) -> list[Mapping[str, Any]]:
    """The newest rows of the objects that have grown."""
    return [row for name, n in grown.items() if n > 0 for row in attempt.rehearsal.control.state(name)[-n:]]


def _same(first: list[Mapping[str, Any]], second: list[Mapping[str, Any]], body: Mapping[str, Any]) -> bool:
    """Whether rows hold the same in the fields that were sent; the time of the last change may differ."""
    return [{name: row.get(name) for name in body} for row in first] == [
        {name: row.get(name) for name in body} for row in second
    ]


# --- what every operation owes -------------------------------------------------------------------------------------


def _twice(attempt: Attempt, found: Sample, ref: str | None) -> str:
    """The same item twice, undisturbed: one object where the system tells doubles apart."""
    normal = _growth_of_one(attempt, found, ref)
    before, item = attempt.counts(), found.item(attempt.operation, ref=ref)
    upsert = WriteItem(item.key, _repeat_operation(attempt), item.body, ref, item.idempotency_key)
    outcomes = [attempt.write(item), attempt.write(upsert)]
    expect(outcomes[0].status in DONE, f"The first ended as {outcomes[0].status}: {outcomes[0].error}")
    grown = attempt.grown(before)
    if attempt.safety in ("C", "D") and upsert.operation == "create" and grown != normal:
        how = "asks what is there first" if attempt.safety == "C" else "never sends it twice by itself"
        return f"The system keeps both, as the class {attempt.safety} says: the engine {how}."
    expect(grown == normal, f"Two writes left {grown}; one leaves {normal}.")
    return f"The first was {outcomes[0].status}, the second {outcomes[1].status}; the system holds one."


def _repeat_operation(attempt: Attempt) -> Operation:
    """As the engine writes a record again whose id it does not know: by an upsert where one can be made."""
    can_find = "find" in attempt.section and "update" in attempt.section["write"]
    return "upsert" if attempt.operation == "create" and can_find else attempt.operation


def _partial(attempt: Attempt, found: Sample, ref: str | None) -> str:
    """Of three records the one in the middle is refused; the others are written, and nobody else's outcome is touched."""
    if ref is not None:
        return _refused_update(attempt, found, ref)
    before, normal = attempt.counts(), _growth_of_one(attempt, found, ref)
    before = attempt.counts()
    items = [found.item(attempt.operation) for _ in range(3)]
    fault = _refuse(attempt, items[1])
    outcomes = attempt.connector.write(StreamSpec(attempt.stream), items)
    if fault and not attempt.rehearsal.control.fired(fault):
        raise NotRun("the refusal that was ordered met no request.")
    refused = [outcome.key for outcome in outcomes if outcome.status not in DONE]
    expect(len(refused) == 1, f"The outcomes are {[outcome.status for outcome in outcomes]}.")
    expect(not found.key_field or refused == [items[1].key], f"{refused[0]} is refused, not {items[1].key}.")
    expect([outcome.key for outcome in outcomes] == [item.key for item in items], "The outcomes are out of order.")
    grown = attempt.grown(before)
    expect(grown == {name: 2 * n for name, n in normal.items()}, f"Two of three left {grown}.")
    return f"Two were written; the third ended as {outcomes[1].status}."


def _refuse(attempt: Attempt, item: WriteItem) -> str:
    """Let one item of three be refused: on the wire where it travels alone, by a field of nonsense in a batch."""
    if "batch" in attempt.declared:
        item.body = {**item.body, "No_Such_Field_Anywhere": "x"}
        return ""
    path = address_pattern(attempt.declared)
    fault: dict[str, Any] = {"path": item.key} if names_key(attempt.declared) else {"body": item.key, "path": path}
    if not names_key(attempt.declared) and not attempt.keeps_key:
        fault = {"path": path, "method": attempt.method, "skip": 1, "times": 1}
    fault = {"times": None, **fault}
    return attempt.rehearsal.control.add_fault("status", status=400, message="It is refused.", **fault)


def _refused_update(attempt: Attempt, found: Sample, ref: str) -> str:
    before = attempt.counts()
    good = found.item("update", ref=ref)
    bad = WriteItem(good.key + "-absent", "update", dict(good.body), "no-such-id-anywhere", good.idempotency_key + "x")
    outcomes = attempt.connector.write(StreamSpec(attempt.stream), [good, bad])
    states = [outcome.status in DONE for outcome in outcomes]
    expect(states == [True, False], f"The outcomes are {[outcome.status for outcome in outcomes]}.")
    expect(not attempt.grown(before), f"An update made rows: {attempt.grown(before)}.")
    return f"The one with an id that does not exist ended as {outcomes[1].status}; the other was written."


def _throttled(attempt: Attempt, found: Sample, ref: str | None) -> str:
    """The system asks to wait: nothing is written, and the outcome says for how long."""
    before = attempt.counts()
    item = found.item(attempt.operation, ref=ref)
    fault = attempt.rehearsal.control.add_fault(
        "throttle", path=address_pattern(attempt.declared), retry_after=RETRY_AFTER_SECONDS, times=None
    )
    outcome = attempt.write(item)
    if not attempt.rehearsal.control.fired(fault):
        raise NotRun("the refusal that was ordered met no request.")
    told = outcome.error.retry_after if isinstance(outcome.error, TransientError) else None
    expect(outcome.status == "failed", f"It ended as {outcome.status}: {outcome.error}")
    expect(told is not None and told > 0, f"The outcome does not say when to come back: {outcome.error}")
    expect(not attempt.grown(before), f"It was refused, and {attempt.grown(before)} rows were made.")
    return f"Nothing was written; it is tried again after {told:g} s."
