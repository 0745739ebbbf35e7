"""Taking a link back: an id that a rule or a person led to a record is another thing after all."""

from __future__ import annotations

from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone

from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.reasons import needed
from hub.records.models import CanonicalRecord, Crosswalk
from hub.sync import engine, ledger
from hub.sync.models import Batch, Duplicate, HeldRecord, LinkedKey, Run, Sync, Transaction
from hub.sync.states import HeldState

CODE = "PART"


@transaction.atomic
def part(*, record: CanonicalRecord, key: str, reason: str, by: Any) -> None:
    """The id leads nowhere any more, and its record is taken in again as a new one, from what its source showed last.

    Raises ConfigError when the key does not lead here, or the payload is not kept any more.
    """
    reason = needed(reason, "Say why it is another one.", where="reason")
    found = LinkedKey.objects.select_for_update().filter(entity_id=record.entity_id, key=key, record=record).first()
    if found is None:
        raise ConfigError(f"{key} does not lead to {record.key}.", where="key", code=CODE)
    link = Crosswalk.objects.filter(stream=found.stream_id, external_id=found.external_id, record=record).first()
    if link is None or link.merge_id is not None:
        raise ConfigError(
            f"{found.external_id} was merged or is gone since.", where=key, fix="Undo the merge first.", code=CODE
        )
    entry, body = _last_shown(link, record.entity_id)
    _say_new(entry, key, body, reason, by)
    Crosswalk.objects.filter(stream=link.stream_id, external_id=link.external_id).delete()
    LinkedKey.objects.filter(entity_id=record.entity_id, key=key).delete()
    engine.start_all([entry.sync_id], trigger=Run.Trigger.RELEASE)
    details = {"key": key, "external_id": found.external_id}
    name = f"{record.entity.slug}/{record.key}"
    act = Act("identity.parted", "CanonicalRecord", name, by=by, reason=reason, details=details)
    tell(act)


def _last_shown(link: Crosswalk, entity_id: int) -> tuple[Transaction, Any]:
    """The ledger row of the last time that the source showed it, with the payload."""
    syncs = Sync.objects.filter(mapping__stream=link.stream_id, mapping__entity=entity_id, mapping__direction="in")
    rows = Transaction.objects.filter(
        sync_id__in=list(syncs.values_list("pk", flat=True)), batch_id=link.batch_id, external_id=link.external_id
    )
    entry = rows.order_by("-pk").first()
    batch = Batch.objects.filter(pk=link.batch_id, payload__isnull=False).first() if entry else None
    if entry is None or batch is None:
        raise ConfigError(
            "What its source showed is not kept any more.",
            where=link.external_id,
            fix="Read it once more by a backfill of this id, then part it.",
            code=CODE,
        )
    return entry, ledger.unpack(bytes(batch.payload or b""))[entry.position]


def _say_new(entry: Transaction, key: str, body: Any, reason: str, by: Any) -> None:
    """A held record that is tried at once, with the decision that it is new."""
    now = timezone.now()
    HeldRecord.objects.create(
        sync_id=entry.sync_id,
        external_id=entry.external_id or "",
        state=HeldState.RELEASED,
        error_code=CODE,
        error_detail=f"It is taken in as a record of its own: {reason}",
        body=orjson.loads(orjson.dumps(body)),
        transaction_id=entry.pk,
        first_at=now,
        last_at=now,
    )
    Duplicate.objects.create(
        sync_id=entry.sync_id,
        external_id=entry.external_id or "",
        key=key,
        body={},
        score=0,
        rule="",
        run_id=entry.run_id,
        status=Duplicate.Status.DECIDED,
        decision=Duplicate.Decision.NEW,
        reason=reason,
        decided_by=by,
        decided_at=now,
    )
