"""What people decide about records that did not pass: try again, discard, or say what the target holds.

Every act is one conditional UPDATE, so that a second click, or a worker that was faster, finds nothing left to do. Acts are
told as facts; discards and confirmations also stand in the ledger, in the person's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Func, JSONField, Q, QuerySet, TextField, Value
from django.db.models.functions import Greatest, Now

from hub.common import facts
from hub.common.db import plain_cursor
from hub.common.errors import ConfigError
from hub.common.reasons import needed
from hub.sync import engine, outbox
from hub.sync.models import Delivery, HeldRecord, Run, Sync, Transaction
from hub.sync.prepare import RAW
from hub.sync.states import DeliveryState, HeldState, Outcome

OPEN_HELD = (HeldState.QUARANTINED, HeldState.WAITING, HeldState.HELD)
# Doubt is not among them: sending again what may have arrived is a decision of its own.
RETRYABLE = (DeliveryState.WAITING, DeliveryState.HELD, DeliveryState.DEAD)
STOPPED = (DeliveryState.UNSURE, *RETRYABLE)
STATE_CHOICES = [
    ("unsure", "Outcome unknown"),
    ("waiting", "Waiting"),
    ("held", "Held"),
    ("dead", "Dead letter"),
    ("retrying", "Will retry"),
]
IN_TROUBLE = Q(state__in=STOPPED) | Q(state=DeliveryState.PENDING, failing_since__isnull=False)


def in_state(word: str) -> Q:
    """Deliveries in a state by its word of STATE_CHOICES; a word that is not known filters nothing."""
    if word == "retrying":
        return Q(state=DeliveryState.PENDING, failing_since__isnull=False)
    return Q(state=DeliveryState[word.upper()]) if word in dict(STATE_CHOICES) else Q()


# Held records ----------------------------------------------------------------------------------------------
def retry_held(*, held: HeldRecord, by: Any) -> bool:
    """Let one record take the whole path again; False when somebody did so already."""
    if reason := why_not_tried(held):
        fix = "Correct it at its source, or discard it; the next run reads it again."
        raise ConfigError(reason, fix=fix, code="NOT_TRIED")
    return retry_all_held(_one(held), by=by) == 1


@transaction.atomic
def retry_all_held(rows: QuerySet[HeldRecord], *, by: Any) -> int:
    """Release each of these that can be tried and start a run for each sync that is not paused; returns how many."""
    open_rows = _triable(rows.filter(state__in=OPEN_HELD))
    sync_ids = list(open_rows.order_by().values_list("sync_id", flat=True).distinct())
    released = open_rows.update(state=HeldState.RELEASED)
    if released:
        engine.start_all(sync_ids, trigger=Run.Trigger.RELEASE)
        facts.publish("held_retried", sync_ids=sync_ids, number=released, by=by)
    return released


@transaction.atomic
def discard_held(*, held: HeldRecord, reason: str, by: Any) -> bool:
    """Drop one record for good; its reason stays in the ledger. False when it had gone already."""
    reason = needed(reason, "Say why this record is discarded.")
    removed, _ = _one(held).exclude(state=HeldState.RELEASED).delete()
    if not removed:
        return False
    _note(
        sync_id=held.sync_id,
        outcome=Outcome.DISCARDED,
        external_id=held.external_id,
        detail=f"Discarded by {by}: {reason}",
        amount=held.amount,
        currency=held.currency,
        cause_id=held.transaction_id,
    )
    facts.publish("held_discarded", sync_id=held.sync_id, external_id=held.external_id, reason=reason, by=by)
    return True


def why_not_tried(held: HeldRecord) -> str:
    """The reason why a record cannot be taken up again from what is kept of it; empty when it can."""
    if held.external_id.startswith("#"):  # made up from the position in its page
        return "The source gave this record no id, so it cannot be taken up again by itself."
    if set(held.body) == {RAW}:
        return "The record could not be read, so only the beginning of its text is kept, and it cannot be tried again."
    return ""


def _triable(rows: QuerySet[HeldRecord]) -> QuerySet[HeldRecord]:
    """Those of the rows for which `why_not_tried` is empty."""
    parts = [F("body"), Value(RAW, output_field=TextField())]
    rest = Func(*parts, template="(%(expressions)s)", arg_joiner=" - ", output_field=JSONField())
    named = rows.exclude(external_id__startswith="#").annotate(beside_raw=rest)
    return named.exclude(body__has_key=RAW, beside_raw={})


def _one(held: HeldRecord) -> QuerySet[HeldRecord]:
    return HeldRecord.objects.filter(sync_id=held.sync_id, external_id=held.external_id)


# Deliveries ------------------------------------------------------------------------------------------------
@transaction.atomic
def retry_deliveries(rows: QuerySet[Delivery], *, by: Any) -> int:
    """Make these due now, with all their attempts before them; those in doubt stay. Returns how many."""
    again = rows.filter(Q(state__in=RETRYABLE) | Q(state=DeliveryState.PENDING, failing_since__isnull=False))
    sync_ids = list(again.order_by().values_list("sync_id", flat=True).distinct())
    number = again.update(
        state=DeliveryState.PENDING,
        attempts=0,
        failing_since=None,
        next_at=Greatest(Now(), F("late_until")),
        missing_entity_id=None,
        missing_key=None,
        error_code=None,
        error_detail=None,
    )
    if number:
        engine.start_all(sync_ids, trigger=Run.Trigger.CHANGE)
        facts.publish("deliveries_retried", sync_ids=sync_ids, number=number, by=by)
    return number


@transaction.atomic
def discard_delivery(*, delivery: Delivery, reason: str, by: Any) -> bool:
    """Do not deliver this version; a later change of the record is delivered again. False when it was settled already."""
    reason = needed(reason, "Say why this delivery is discarded.")
    if not _this(delivery).filter(IN_TROUBLE).update(state=DeliveryState.DISCARDED, next_at=Now()):
        return False
    _note_delivery(delivery, Outcome.DISCARDED, f"Discarded by {by}: {reason}", version=delivery.version)
    facts.publish("delivery_discarded", delivery=delivery, reason=reason, by=by)
    return True


@transaction.atomic
def confirm_delivery(*, delivery: Delivery, ref: str, by: Any) -> bool:
    """ "It is there": the doubtful write has happened, under this id of the target's. False when it was settled already.

    A version that came after the doubtful one is due now, as an update of what is there.
    """
    ref = needed(ref, "Give the target's own id of the record, as the target shows it.")
    sent = _doubted_version(delivery)
    is_newest = sent >= delivery.version
    state = DeliveryState.DELIVERED if is_newest else DeliveryState.PENDING
    updated = (
        _this(delivery)
        .filter(state=DeliveryState.UNSURE)
        .update(
            state=state,
            target_ref=ref,
            delivered_version=sent,
            attempts=0,
            failing_since=None,
            next_at=Now(),
            error_code=None,
            error_detail=None,
        )
    )
    if not updated:
        return False
    outcome = Outcome.UPDATED if delivery.target_ref else Outcome.CREATED
    _note_delivery(delivery, outcome, f"{by} found it at the target.", version=sent, ref=ref)
    _remember(delivery, ref)
    if not is_newest:
        engine.start_all([delivery.sync_id], trigger=Run.Trigger.CHANGE)
    facts.publish("delivery_confirmed", delivery=delivery, ref=ref, by=by)
    return True


@transaction.atomic
def resend_unsure(*, delivery: Delivery, by: Any) -> bool:
    """ "It is not there": send again what was in doubt. False when it was settled already."""
    updated = (
        _this(delivery)
        .filter(state=DeliveryState.UNSURE)
        .update(
            state=DeliveryState.PENDING,
            attempts=0,
            failing_since=None,
            next_at=Now(),
            error_code=None,
            error_detail=None,
        )
    )
    if updated:
        engine.start_all([delivery.sync_id], trigger=Run.Trigger.CHANGE)
        facts.publish("deliveries_retried", sync_ids=[delivery.sync_id], number=1, by=by)
    return bool(updated)


def _this(delivery: Delivery) -> QuerySet[Delivery]:
    return Delivery.objects.filter(sync_id=delivery.sync_id, record_id=delivery.record_id)


def _doubted_version(delivery: Delivery) -> int:
    """The version that was being sent when the answer was lost; the present one when the ledger does not say."""
    rows = Transaction.objects.filter(
        record_id=delivery.record_id, sync_id=delivery.sync_id, outcome=Outcome.UNSURE
    ).order_by("-pk")
    return rows.values_list("version", flat=True).first() or delivery.version


def _remember(delivery: Delivery, ref: str) -> None:
    """The target's id leads to the record from now on, and children that waited for it are due."""
    sync = Sync.objects.select_related("mapping__stream").get(pk=delivery.sync_id)
    with plain_cursor() as cursor:
        if ref != delivery.record.key:
            cursor.execute(
                "insert into records_crosswalk (stream_id, external_id, record_id, batch_id, hash, is_ours)"
                " values (%s, %s, %s, 0, ''::bytea, true) on conflict do nothing",
                [sync.stream.pk, ref, delivery.record_id],
            )
        released = outbox.release_waiting(
            cursor, delivery.record.entity_id, [delivery.record.key], connection_id=sync.stream.connection_id
        )
    engine.start_all(released, trigger=Run.Trigger.CHANGE)


# The ledger ------------------------------------------------------------------------------------------------
def _note_delivery(delivery: Delivery, outcome: Outcome, detail: str, *, version: int, ref: str | None = None) -> None:
    _note(
        sync_id=delivery.sync_id,
        outcome=outcome,
        external_id=ref or delivery.target_ref,
        detail=detail,
        record_id=delivery.record_id,
        key=delivery.record.key,
        version=version,
        ref=ref or delivery.target_ref,
        amount=delivery.record.amount,
        currency=delivery.record.currency,
        cause_id=delivery.cause_id,
    )


def _note(
    *,
    sync_id: int,
    outcome: Outcome,
    external_id: str | None,
    detail: str,
    amount: Any,
    currency: str | None,
    cause_id: int | None,
    record_id: int | None = None,
    key: str | None = None,
    version: int | None = None,
    ref: str | None = None,
) -> None:
    """Append a decision to the ledger, by the function that is all the web process may write there."""
    values: Sequence[Any] = [
        sync_id, record_id, external_id, key, int(outcome), version, "BY_HAND", detail, ref, amount, currency, cause_id,
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("select sync_append_decision(%s, %s, %s, %s, %s::smallint, %s, %s, %s, %s, %s, %s, %s)", values)
