"""Merging two records, said by a person or by their source, and undoing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from hub.common import facts
from hub.common.db import plain_cursor
from hub.common.errors import ConfigError
from hub.common.reasons import needed
from hub.records.models import CanonicalRecord
from hub.sync import engine
from hub.sync.models import Merge, Run, Sync
from hub.sync.removals import merging
from hub.sync.removals.merging import Touched
from hub.sync.states import Outcome


@transaction.atomic
def merge(*, loser: CanonicalRecord, winner: CanonicalRecord, reason: str, by: Any) -> Merge:
    """Make one record of two. Raises ConfigError with the reason why they cannot be one."""
    reason = needed(reason, "Say why these two are one.", where="reason")
    pair = _locked(loser, winner)
    if sentence := why_not(pair[loser.pk], pair[winner.pk]):
        raise ConfigError(sentence, where=loser.key, fix="Choose another record.", code="MERGE")
    made = Merge(entity=loser.entity, loser=pair[loser.pk], winner=pair[winner.pk], by=by, reason=reason)
    with plain_cursor() as cursor:
        rung = merging.carry_out(cursor, made, lambda touched: _note(touched, f"Merged into {winner.key}: {reason}"))
    engine.start_all(rung, trigger=Run.Trigger.CHANGE)
    facts.publish("records_merged", merge=made, by=by)
    return made


@transaction.atomic
def undo(*, merge: Merge, reason: str, by: Any) -> Merge:
    """Make two records of one again. Raises ConfigError when it was undone, or its winner has been merged since."""
    reason = needed(reason, "Say why these two are not one.", where="reason")
    found = Merge.objects.select_for_update(of=("self",)).select_related("entity", "loser", "winner").get(pk=merge.pk)
    if not found.in_force:
        raise ConfigError("This merge is undone already.", where=f"merge {found.pk}", code="UNDONE")
    later = Merge.objects.filter(loser=found.winner, undone_at__isnull=True).first()
    if later is not None:
        raise ConfigError(
            f"{found.winner} was itself merged into {later.winner}.",
            where=f"merge {later.pk}",
            fix="Undo that one first.",
        )
    with plain_cursor() as cursor:
        rung = merging.take_back(cursor, found, lambda touched: _note(touched, f"Merge {found.pk} undone: {reason}"))
    found.undone_at, found.undone_by, found.undone_reason = timezone.now(), by, reason
    found.save(update_fields=["undone_at", "undone_by", "undone_reason"])
    engine.start_all(rung, trigger=Run.Trigger.CHANGE)
    facts.publish("merge_undone", merge=found, by=by)
    return found


def why_not(loser: CanonicalRecord, winner: CanonicalRecord) -> str:
    """Why these two cannot become one; empty when they can."""
    if loser.pk == winner.pk:
        return "A record cannot be merged into itself."
    if loser.entity_id != winner.entity_id:
        return "The two records are of different entities."
    if Merge.objects.filter(loser=loser, undone_at__isnull=True).exists():
        return f"{loser.key} is merged already."
    return f"{winner.key} is deleted." if winner.deleted_at else ""


def _locked(loser: CanonicalRecord, winner: CanonicalRecord) -> dict[int, CanonicalRecord]:
    rows = CanonicalRecord.objects.select_for_update().filter(pk__in=(loser.pk, winner.pk)).order_by("pk")
    return {row.pk: row for row in rows}


def _note(touched: Sequence[Touched], detail: str) -> list[int]:
    """Ledger rows in a person's name: the web process may write no others than these."""
    syncs: dict[int, int] = {}
    numbers = []
    with connection.cursor() as cursor:
        for one in touched:
            sync_id = syncs.setdefault(one.entity_id, _any_sync(one.entity_id))
            cursor.execute(
                "select sync_append_decision(%s, %s, null, %s, %s::smallint, %s, 'MERGE', %s, null, null, null, null)",
                [sync_id, one.record_id, one.key, int(Outcome.UPDATED), one.version, detail],
            )
            numbers.append(cursor.fetchone()[0])
    return numbers


def _any_sync(entity_id: int) -> int:
    """The ledger is kept by sync; a decision about a record stands with the first one that reads its entity."""
    rows = Sync.objects.filter(mapping__entity=entity_id).order_by("mapping__direction", "pk")
    return rows.values_list("pk", flat=True).first() or 0
