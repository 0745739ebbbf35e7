"""The outbound leg: take what is due, map it, commit the intent, call the target, commit what became of it.

Between intent and outcome the truth is at the target alone. A batch whose intent is found without an outcome (the worker was
killed) is sent again only where the target makes that harmless (safety A and B); elsewhere it becomes `unsure`.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import transaction

from connectors.base import HARMLESS, Connector
from connectors.services import open_connection
from hub.common.db import join_by_key, plain_cursor
from hub.common.errors import (
    ConfigError,
    HubError,
    MissingReference,
    PermanentError,
    RecordError,
    UnknownOutcome,
)
from hub.common.records import Record, WriteItem, WriteOutcome
from hub.records.copying import ids, json_bytes, texts
from hub.records.queries import external_ids_of
from hub.records.store import profile_fields
from hub.sync import doubt, gate, ledger, outbox, poison, repeats, retry, routing, runs, setbacks
from hub.sync.adopt import lookup
from hub.sync.jobs import RunBook
from hub.sync.ledger import Entry
from hub.sync.models import Batch, Run, Sync
from hub.sync.outbox import Due, Settlement
from hub.sync.plan import SyncPlan, meets, passing, subscriber_of
from hub.sync.poison_out import Isolation
from hub.sync.removals import telling
from hub.sync.replays.pins import Plans
from hub.sync.states import COUNTER, DeliveryState, Outcome

BATCH = 500


@dataclass(slots=True)
class Parcel:
    """One due record mapped for the target, or the reason why it cannot go.

    `ref` is the target's own id of the record, from delivering it or from reading it there; None where it is not known.
    """

    due: Due
    ref: str | None = None
    body: Record = field(default_factory=dict)
    json: bytes = b""
    hash: bytes = b""
    error: HubError | None = None
    is_unwanted: bool = False  # it met the sync's condition when it was queued, and does not any more
    removal: str = ""  # what is done with a record that is gone: a policy of Sync.OnRemoval
    hand_to: int = 0  # the sync that delivers it since the routes were switched, see hub.sync.routing
    is_echo: bool = False  # every value that would be sent is what the target itself said last
    is_repeat: bool = False  # not the newest version, but once more what may have arrived already

    def seal(self) -> None:
        """The body is complete."""
        self.json = json_bytes(self.body)
        self.hash = hashlib.blake2b(self.json, digest_size=16).digest()

    @property
    def is_unchanged(self) -> bool:
        """The target already holds exactly this."""
        return self.error is None and (self.is_echo or self.due.delivered_hash == self.hash)


@dataclass
class OutboundRun:
    """Works through one run: batches until nothing is due."""

    run: Run
    plan: SyncPlan
    timings: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    # Entities' waiting deliveries at this connection that a delivered parent has released.
    releasing: set[int] = field(default_factory=set)
    doubt: HubError | None = None  # a target cannot make a run suspect
    # The last record of this pass; behind the last one that is due, the next pass begins.
    passed: int = 0

    @cached_property
    def isolation(self) -> Isolation:
        return Isolation.of(self.run)

    @cached_property
    def ladder(self) -> retry.Ladder:
        return retry.Ladder.of(self.plan.sync)

    def __post_init__(self) -> None:
        self.plans = Plans(self.plan)

    def work(self, *, deadline: float) -> bool:
        """Deliver until nothing is due (True) or `deadline` (monotonic seconds) has passed (False)."""
        started = time.perf_counter()
        with open_connection(self.plan.connection) as connector:
            connector.jobs = RunBook(self.run)
            self.safety = connector.safety(self.plan.stream)
            self.update_safety = connector.safety(self.plan.stream, updating=True)
            self.settle_seconds = connector.settle_seconds(self.plan.stream)
            doubt.take_up_open_batches(self)
            doubt.ask(self, connector)
            self._take_up_missing()
            self.timings["open"] += time.perf_counter() - started
            while True:
                gate.check(self.run)
                started = time.perf_counter()
                parcels = self._parcels(self._size(connector))
                self.timings["claim"] += time.perf_counter() - started
                if not parcels:
                    return True
                if self.plan.sync.mode == Sync.Mode.ADOPT:
                    lookup.look_up(self, connector, parcels)
                self._deliver(connector, parcels)
                if time.monotonic() > deadline:
                    return False

    def _take_up_missing(self) -> None:
        """A run that somebody asked for also delivers what the sync has never seen; changes alone ring for themselves."""
        if self.run.trigger == Run.Trigger.CHANGE:
            return
        with transaction.atomic(), plain_cursor() as cursor:
            outbox.enqueue_missing(cursor, subscriber_of(self.plan.sync), self.plan.entity.pk)

    def _size(self, connector: Connector) -> int:
        return self.plan.stream.page_size or max(connector.batch_for(self.plan.stream), BATCH)

    # Intent ------------------------------------------------------------------------------------------------
    def _parcels(self, limit: int) -> list[Parcel]:
        limit = self.isolation.limit(limit)
        due = self._due(limit)
        if not due and self.passed:
            self.passed = 0
            due = self._due(limit)
        due = self.isolation.pick(due)
        self.plan, due = self.plans.first_of_one(due)
        if due:
            self.passed = due[-1].record_id
        if due and self.isolation.is_convicted(due[0]):
            return [Parcel(due[0], due[0].target_ref, error=poison.set_aside_out())]
        return self.pack(due)

    def pack(self, due: Sequence[Due]) -> list[Parcel]:
        parcels = pack(self.plan, due)
        repeats.restore(parcels)
        return parcels

    def _due(self, limit: int) -> list[Due]:
        with transaction.atomic(), plain_cursor() as cursor:
            return outbox.due(cursor, self.plan.sync.pk, limit, after=self.passed)

    def _deliver(self, connector: Connector, parcels: list[Parcel]) -> None:
        sending = [p for p in parcels if p.error is None and not p.is_unchanged and not p.is_unwanted]
        # What is sent stands first, so that the position in the payload is the one among the ids that were sent.
        going = {id(parcel) for parcel in sending}
        parcels = sending + [parcel for parcel in parcels if id(parcel) not in going]
        batch_id = self.intend(parcels, sending)
        sending = [parcel for parcel in sending if not parcel.hand_to]
        started = time.perf_counter()
        try:
            outcomes = self._send(connector, sending)
        except HubError:
            self._abandon(batch_id)
            raise
        took = time.perf_counter() - started
        self.timings["target"] += took
        self.settle(parcels, outcomes, batch_id, micros=int(took * 1_000_000))

    @setbacks.again_after_races
    def intend(self, parcels: list[Parcel], sending: list[Parcel]) -> int:
        """Commit what is about to be sent. Without this row a crash could not be told from 'never tried'."""
        started = time.perf_counter()
        with transaction.atomic(), plain_cursor() as cursor:
            runs.fence(cursor, self.run, counts={}, stage="delivering", page_no=self.run.page_no + 1)
            self._turn_away(cursor, parcels)
            sending = [parcel for parcel in sending if not parcel.hand_to]
            going = {id(parcel) for parcel in sending}
            parcels.sort(key=lambda parcel: id(parcel) not in going)
            batch_id, _ = ledger.open_batch(
                cursor,
                run_id=self.run.pk,
                sync_id=self.plan.sync.pk,
                page_no=self.run.page_no,
                read=len(parcels),
                mapping_version_id=self.plan.mapping_version.pk,
                contract_version_id=self.plan.contract_version.pk,
                payload=ledger.pack([p.json or b"{}" for p in parcels]),
                status=int(Batch.Status.SENDING),
                sent_ids=[p.due.record_id for p in sending],
                sent_versions=[p.due.version for p in sending],
            )
            if self.safety == repeats.CLASS:
                repeats.remember(cursor, self.plan.sync.pk, batch_id, sending)
        self.run.page_no += 1
        self.timings["intent"] += time.perf_counter() - started
        return batch_id

    def _turn_away(self, cursor: Any, parcels: Sequence[Parcel]) -> None:
        """What the routes give to the other side by now. What may have arrived already is settled where it went."""
        if self.plan.routed_by is None:
            return
        for route in routing.lock(cursor, [self.plan.sync.pk]).values():
            for parcel in parcels:
                is_open = route.allows(parcel.due.body.get(self.plan.routed_by))
                is_doubted = parcel.due.doubted_batch_id is not None
                parcel.hand_to = 0 if is_open or is_doubted or parcel.is_unchanged else route.other

    def _abandon(self, batch_id: int) -> None:
        """The intent of a batch that was not sent is taken back."""
        Batch.objects.filter(pk=batch_id).update(status=Batch.Status.DONE, sent_ids=[])

    # Call --------------------------------------------------------------------------------------------------
    def _send(self, connector: Connector, sending: list[Parcel]) -> dict[int, WriteOutcome]:
        """Outcome by canonical id. Never raises for the target's faults: each item gets its own outcome."""
        if not sending:
            return {}
        answers = gate.weigh(
            self, connector, sending, self._call(connector, [self._item(parcel) for parcel in sending])
        )
        outcomes = {parcel.due.record_id: answer for parcel, answer in zip(sending, answers, strict=False)}
        return telling.believed(sending, outcomes)

    def _item(self, parcel: Parcel) -> WriteItem:
        due = parcel.due
        operation = telling.operation(parcel, self.plan.stream.options.get("operation", "upsert"))
        key = f"{self.plan.sync.slug}:{due.key}:{parcel.hash.hex()}"
        return WriteItem(due.key, operation, parcel.body, ref=parcel.ref, idempotency_key=key)

    def _call(self, connector: Connector, items: Sequence[WriteItem]) -> Sequence[WriteOutcome]:
        try:
            return connector.write(self.plan.stream, items)
        except UnknownOutcome as error:
            return [WriteOutcome(item.key, "unsure", error=error) for item in items]
        except ConfigError:
            raise  # nothing was sent; the owner must act before anything can be
        except HubError as error:
            return [WriteOutcome(item.key, "failed", error=error) for item in items]

    # Outcome -----------------------------------------------------------------------------------------------
    @setbacks.again_after_races
    def settle(self, parcels: list[Parcel], outcomes: dict[int, WriteOutcome], batch_id: int, *, micros: int) -> None:
        started = time.perf_counter()
        answered = [(n, p, outcomes.get(p.due.record_id)) for n, p in enumerate(parcels)]
        settled = [self._judge(n, p, answer) for n, p, answer in answered if not gate.is_kept(answer)]
        with transaction.atomic(), plain_cursor() as cursor:
            counts: dict[str, int] = defaultdict(int, read=len(settled))
            for _, entry in settled:
                counts[COUNTER[entry.outcome]] += 1
            runs.fence(cursor, self.run, counts=counts, stage="delivering")
            join_by_key(cursor)
            at = cursor.execute("select now()::text").fetchone()[0]  # type: ignore[index]
            outbox.settle(cursor, self.plan.sync.pk, [settlement for settlement, _ in settled])
            self._hand_over(cursor, [p for _, p, answer in answered if p.hand_to and answer is None])
            self.isolation.absolve(cursor, [parcel.due for parcel in parcels])
            telling.forget(cursor, self.plan, [e.record_id or 0 for _, e in settled if e.outcome == Outcome.REMOVED])
            known = {p.due.record_id for p in parcels if p.ref is not None}
            self._link(cursor, [(s, e) for s, e in settled if s.state == DeliveryState.DELIVERED], known, batch_id)
            ledger.write(
                cursor,
                run_id=self.run.pk,
                sync_id=self.plan.sync.pk,
                batch_id=batch_id,
                at=at,
                entries=[entry for _, entry in settled if entry.outcome != Outcome.UNCHANGED],
                micros=micros,
            )
            unchanged = [entry.record_id for _, entry in settled if entry.outcome == Outcome.UNCHANGED]
            cursor.execute(
                "update sync_batch set status = %s, unchanged_ids = %s::bigint[] where id = %s",
                [int(Batch.Status.DONE), ids(filter(None, unchanged)) if unchanged else None, batch_id],
            )
        self.timings["outcome"] += time.perf_counter() - started

    def _hand_over(self, cursor: Any, parcels: Sequence[Parcel]) -> None:
        """In the transaction in which this side lets go of them."""
        for other in {parcel.hand_to for parcel in parcels}:
            found = [parcel.due.record_id for parcel in parcels if parcel.hand_to == other]
            if routing.hand_over(cursor, other, found):
                self.releasing.add(other)

    def _judge(self, position: int, parcel: Parcel, answer: WriteOutcome | None) -> tuple[Settlement, Entry]:
        due = parcel.due
        entry = Entry(
            position,
            Outcome.UNCHANGED,
            external_id=parcel.ref,
            key=due.key,
            record_id=due.record_id,
            version=due.version,
            attempt=due.attempts + 1,
            target_ref=parcel.ref,
            amount=due.amount,
            currency=due.currency,
            correlation_id=due.cause_id or 0,
        )
        if parcel.is_repeat:
            due = due._replace(version=repeats.OLDER)
        settlement = Settlement(due.record_id, due.version, DeliveryState.DELIVERED)
        if parcel.hand_to and answer is None:
            settlement.state = DeliveryState.DISCARDED
        elif parcel.error is not None:
            self._fail(settlement, entry, due, parcel.error)
        elif parcel.is_unwanted:
            settlement.state = DeliveryState.DISCARDED
        elif parcel.is_unchanged:
            settlement.hash, settlement.target_ref = parcel.hash, parcel.ref if parcel.ref != due.key else None
        elif answer is None:
            self._fail(settlement, entry, due, UnknownOutcome("The target's answer leaves this record out."))
        else:
            self._answered(settlement, entry, parcel, answer)
        return settlement, entry

    def _answered(self, settlement: Settlement, entry: Entry, parcel: Parcel, answer: WriteOutcome) -> None:
        entry.http_status = answer.http_status
        if answer.status in ("created", "updated", "unchanged") and answer.ref:
            entry.target_ref = entry.external_id = answer.ref
            settlement.target_ref = answer.ref if answer.ref != entry.key else None
            settlement.hash = parcel.hash
            names = {"created": Outcome.CREATED, "updated": Outcome.UPDATED, "unchanged": Outcome.UNCHANGED}
            entry.outcome = telling.outcome(parcel, names[answer.status])
            return
        missing = "The target reported success without saying which record it wrote."
        error = answer.error or UnknownOutcome(missing)
        self._fail(settlement, entry, parcel.due, error, unsure=answer.status != "failed")

    def _fail(self, settlement: Settlement, entry: Entry, due: Due, error: HubError, *, unsure: bool = False) -> None:
        settlement.error_code = entry.error_code = error.code
        settlement.is_refused = isinstance(error, RecordError | PermanentError)
        settlement.attempts = entry.attempt
        over = self.ladder.why_given_up(entry.attempt, error, due.failing_seconds)
        settlement.state, entry.outcome = self._verdict(error, over, unsure, self.safety_of(entry.target_ref))
        is_over = settlement.state == DeliveryState.DEAD and not isinstance(error, PermanentError | ConfigError)
        settlement.error_detail = entry.error_detail = f"{error} {over}" if is_over else str(error)
        if unsure or isinstance(error, UnknownOutcome):
            settlement.late_seconds = self.settle_seconds
        if settlement.state == DeliveryState.UNSURE:
            settlement.retry_seconds = self.asked_in(self.safety_of(entry.target_ref))
        if settlement.state == DeliveryState.PENDING:
            settlement.retry_seconds = self.ladder.delay_seconds(entry.attempt, error)
            settlement.attempts = entry.attempt if retry.burns_attempt(error) else entry.attempt - 1
        if isinstance(error, MissingReference):
            settlement.missing_key = error.key
            settlement.missing_entity_id = self._entity_id(error.entity)

    def safety_of(self, ref: str | None) -> str:
        """The class of what is done with a record: one that the target is known to hold is updated there."""
        return self.safety if ref is None else self.update_safety

    def asked_in(self, safety: str) -> float | None:
        """Seconds until the target is asked what became of a doubtful write; None where only a person can look."""
        return self.settle_seconds if safety == "C" else None

    def _verdict(self, error: HubError, over: str, unsure: bool, safety: str) -> tuple[DeliveryState, Outcome]:
        """What the engine does next, by the error's class and the target's write safety."""
        if isinstance(error, MissingReference):
            return DeliveryState.WAITING, Outcome.WAITING
        if isinstance(error, RecordError):
            return DeliveryState.HELD, Outcome.QUARANTINED
        doubtful = unsure or isinstance(error, UnknownOutcome)
        if doubtful and safety not in HARMLESS:
            return DeliveryState.UNSURE, Outcome.UNSURE
        if isinstance(error, PermanentError | ConfigError) or over:
            return DeliveryState.DEAD, Outcome.DEAD
        return DeliveryState.PENDING, Outcome.RETRYING

    def _entity_id(self, slug: str) -> int | None:
        return next((r.entity_id for r in self.plan.references if r.entity == slug), None)

    def _link(
        self, cursor: Any, delivered: Sequence[tuple[Settlement, Entry]], known: Collection[int], batch_id: int
    ) -> None:
        """Remember the target's own ids, so that reading the target back meets the same records; release who waited."""
        refs = [(s, e) for s, e in delivered if s.target_ref and s.record_id not in known]
        if refs:
            cursor.execute(
                "insert into records_crosswalk (stream_id, external_id, record_id, batch_id, hash, is_ours)"
                " select %s, u.ref, u.id, %s, ''::bytea, true from unnest(%s::text[], %s::bigint[]) u(ref, id)"
                " order by u.ref on conflict do nothing",
                [
                    self.plan.stream_id,
                    batch_id,
                    texts([s.target_ref or "" for s, _ in refs]),
                    ids(s.record_id for s, _ in refs),
                ],
            )
        keys = [entry.key or "" for _, entry in delivered]
        if keys:
            released = outbox.release_waiting(cursor, self.plan.entity.pk, keys, connection_id=self.plan.connection.pk)
            self.releasing |= set(released)


def pack(plan: SyncPlan, due: Sequence[Due]) -> list[Parcel]:
    """Map due records for the target: references become the target's own ids, the hash tells whether anything changed."""
    policy = telling.policy_for(plan, due)
    due = telling.closing(plan, due, policy)
    parcels = [Parcel(item, item.target_ref) for item in due]
    _recognise(plan, parcels)
    for parcel, result in zip(parcels, plan.mapper.apply_all([p.due.body for p in parcels]), strict=True):
        if isinstance(result, dict):
            parcel.body = result
        else:
            parcel.error = result.error
    if condition := passing(plan.sync.only_when):
        for parcel in parcels:
            parcel.is_unwanted = not meets(parcel.due.body, condition)
    _resolve(plan, [p for p in parcels if p.error is None and not p.is_unwanted])
    if plan.sync.mode == Sync.Mode.ADOPT:
        lookup.spare(plan, parcels)
    for parcel in parcels:
        if parcel.error is None:
            parcel.seal()
    if policy:
        telling.address(plan, parcels, policy)
    return parcels


def _recognise(plan: SyncPlan, parcels: Sequence[Parcel]) -> None:
    """Records that were read at the target are updated there, never made a second time, and not told what they said."""
    unknown = [parcel.due.record_id for parcel in parcels if parcel.ref is None]
    refs = external_ids_of(plan.stream_id, unknown) if unknown else {}
    for parcel in parcels:
        parcel.ref = parcel.ref or refs.get(parcel.due.record_id)
        must_go = parcel.due.delivered_hash == outbox.MUST_GO
        parcel.is_echo = parcel.ref is not None and not must_go and _is_echo(plan, parcel.due)


def _is_echo(plan: SyncPlan, due: Due) -> bool:
    if not plan.echoing:
        return False
    said_by = profile_fields(due.provenance_id)
    return {said_by[name] for name in plan.echoing if name in said_by} == {plan.connection.system_id}


def _resolve(plan: SyncPlan, parcels: Sequence[Parcel]) -> None:
    for reference in plan.references:
        if reference.stream_id is None:
            continue
        given = {id(p): str(v) for p in parcels if (v := p.body.get(reference.target)) not in (None, "")}
        refs = outbox.refs_at(reference.stream_id, reference.entity_id, set(given.values()))
        for parcel in parcels:
            value = given.get(id(parcel))
            if value is None or parcel.error is not None:
                continue
            if value in refs:
                parcel.body[reference.target] = refs[value]
            else:
                parcel.error = MissingReference(reference.target, reference.entity, value)
