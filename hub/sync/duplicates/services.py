"""What people say about a possible duplicate: link it, merge it, or it is new. A worker then takes the record in."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.reasons import needed
from hub.records.models import CanonicalRecord
from hub.sync import engine
from hub.sync.models import Duplicate, HeldRecord, Run
from hub.sync.states import HeldState

Decision, Status = Duplicate.Decision, Duplicate.Status
CODE = "DUPLICATE"


@transaction.atomic
def decide(
    *, duplicate: Duplicate, decision: str, reason: str, by: Any, record: CanonicalRecord | None = None
) -> Duplicate:
    """Let the held record pass as the person says; without `record` the best candidate is meant.

    Raises ConfigError when somebody was faster, or the chosen record cannot be meant.
    """
    reason = needed(reason, "Say why.", where="reason")
    found = (
        Duplicate.objects.select_for_update(of=("self",)).select_related("sync__mapping__entity").get(pk=duplicate.pk)
    )
    if not found.is_open:
        raise ConfigError("Somebody has decided about this record already.", where=found.key, code=CODE)
    chosen = None if decision == Decision.NEW else _meant(found, record)
    _release(found)
    found.status, found.decision, found.chosen, found.reason = Status.DECIDED, decision, chosen, reason
    found.decided_by, found.decided_at = by, timezone.now()
    found.save(update_fields=["status", "decision", "chosen", "reason", "decided_by", "decided_at"])
    engine.start_all([found.sync_id], trigger=Run.Trigger.RELEASE)
    _tell(found, by)
    return found


def _meant(duplicate: Duplicate, record: CanonicalRecord | None) -> CanonicalRecord:
    """The chosen record, living and of the same entity."""
    chosen = record or CanonicalRecord.objects.filter(pk=duplicate.record_id or 0).first()
    if chosen is None or chosen.entity_id != duplicate.sync.entity.pk:
        raise ConfigError("Choose the record that it is.", where="record", code=CODE)
    if chosen.deleted_at is not None:
        raise ConfigError(
            f"{chosen.key} is deleted.", where="record", fix="Choose another record, or say that it is new.", code=CODE
        )
    return chosen


def _release(duplicate: Duplicate) -> None:
    """The record takes the whole path again."""
    rows = HeldRecord.objects.filter(sync_id=duplicate.sync_id, external_id=duplicate.external_id)
    if not rows.exclude(state=HeldState.RELEASED).update(state=HeldState.RELEASED) and not rows.exists():
        raise ConfigError(
            "This record is not held any more.",
            where=duplicate.key,
            fix="It was discarded, or its source has shown it again.",
            code=CODE,
        )


def _tell(duplicate: Duplicate, by: Any) -> None:
    entity = duplicate.sync.entity
    tell(
        Act(
            "duplicate.decided",
            "Duplicate",
            f"{entity.slug}/{duplicate.key}",
            by=by,
            reason=duplicate.reason,
            details={
                "decision": duplicate.decision,
                "record": duplicate.chosen.key if duplicate.chosen else "",
                "score": duplicate.score,
                "sync": duplicate.sync.slug,
            },
            domain=entity.domain,
        )
    )
