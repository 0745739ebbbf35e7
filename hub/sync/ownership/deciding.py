"""What a person decides about a value that was stopped: take it this once, or keep the hub's own."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from governance.contracts import ContractCheck
from governance.models import ContractVersion
from hub.accounts.models import User
from hub.common.acts import Act, tell
from hub.common.db import plain_cursor
from hub.common.errors import ConfigError
from hub.common.reasons import needed, tidy
from hub.records.models import CanonicalRecord
from hub.records.store import RecordStore, Write, intern_profile, profile_fields
from hub.sync import engine, outbox
from hub.sync.models import BlockedValue, Run, Sync
from hub.sync.plan import subscriber_of
from hub.sync.states import Outcome
from mappings.models import Mapping

State = BlockedValue.State
# Values about which there is still something to decide.
DECIDABLE = (State.OPEN, State.STUCK, State.SENT_BACK, State.IGNORED)


@transaction.atomic
def accept(*, blocked: BlockedValue, by: User, reason: str) -> BlockedValue:
    """Set the field to the offered value, this once: the rules stay, and the owner's next value replaces it.

    Raises ConfigError where it was decided already, or the record would break its contract.
    """
    reason = needed(reason, "Say why this value is right.", where="reason")
    record, found = _locked(blocked)
    if record.deleted_at:
        raise ConfigError(f"{record.key} is gone at its source.", where=found.field, code="GONE")
    schema = ContractVersion.objects.filter(contract__entity=record.entity_id, status="active").values_list("schema")
    contract = ContractCheck(schema.get()[0])
    body = {**record.body, found.field: found.offered}
    if not contract.passes(body):
        error = contract.first_error(body)
        raise ConfigError(f"The record would break its contract: {error.what}", where=found.field, code="CONTRACT")
    version = record.version + 1
    said = f"{found.field} of {found.system} accepted: {reason}"
    with plain_cursor() as cursor:
        row = cursor.execute("select now()::text").fetchone()
        assert row is not None
        sources = {**profile_fields(record.provenance_id), found.field: found.system_id}
        write = Write(record.pk, record.key, version, body, intern_profile(sources))
        RecordStore(record.entity_id, contract.markers, cursor, row[0]).update([write])
        found.transaction_id = _note(found, record, version, said)
        subscribers = [subscriber_of(sync) for sync in _told(found)]
        rung = outbox.enqueue_changed(cursor, subscribers, [(record.pk, version, body, found.transaction_id)])
    engine.start_all(rung, trigger=Run.Trigger.CHANGE)
    return _decided(found, State.ACCEPTED, by=by, reason=reason)


@transaction.atomic
def keep(*, blocked: BlockedValue, by: User, reason: str = "") -> BlockedValue:
    """Leave the field as it is. The same value is not asked about again; another one is."""
    _, found = _locked(blocked)
    return _decided(found, State.KEPT, by=by, reason=tidy(reason))


def _locked(blocked: BlockedValue) -> tuple[CanonicalRecord, BlockedValue]:
    """The record first, as pages do."""
    rows = CanonicalRecord.objects.select_for_update(of=("self",)).select_related("entity__domain")
    record = rows.get(pk=blocked.record_id)
    found = BlockedValue.objects.select_for_update(of=("self",)).select_related("system").get(pk=blocked.pk)
    if found.state not in DECIDABLE:
        raise ConfigError(
            f"This was settled meanwhile: {found.get_state_display().lower()}.",
            where=f"{record.key}: {found.field}",
            fix="Look at it again.",
            code="SETTLED",
        )
    if found.offered != blocked.offered:
        raise ConfigError(
            f"{found.system} offers another value now.", where=found.field, fix="Look again.", code="CHANGED_MEANWHILE"
        )
    return record, found


def _told(found: BlockedValue) -> list[Sync]:
    """Outbound syncs of the entity, in lock order; not the one to the stream that has the value already."""
    origin = Mapping.objects.filter(syncs=found.sync_id).values("stream_id")
    syncs = Sync.objects.filter(mapping__entity=found.entity_id, mapping__direction="out")
    return list(syncs.exclude(mapping__stream_id__in=origin).order_by("pk"))


def _note(found: BlockedValue, record: CanonicalRecord, version: int, detail: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "select sync_append_decision(%s, %s, %s, %s, %s::smallint, %s, 'OWNERSHIP', %s, null, %s, %s, null)",
            [
                found.sync_id,
                record.pk,
                found.external_id,
                record.key,
                int(Outcome.UPDATED),
                version,
                detail,
                found.amount,
                found.currency,
            ],
        )
        return int(cursor.fetchone()[0])


def _decided(found: BlockedValue, state: BlockedValue.State, *, by: User, reason: str) -> BlockedValue:
    found.state, found.decided_by, found.decided_at, found.reason = state, by, timezone.now(), reason
    found.save(update_fields=["state", "decided_by", "decided_at", "reason", "transaction_id"])
    details: dict[str, Any] = {"field": found.field, "system": found.system.slug, "blocked_value": found.pk}
    record = CanonicalRecord.objects.select_related("entity__domain").get(pk=found.record_id)
    name = f"{record.entity.slug}/{record.key}"
    act = f"blocked_value.{state.label.lower()}"
    tell(Act(act, "CanonicalRecord", name, by=by, reason=reason, details=details, domain=record.entity.domain))
    return found
