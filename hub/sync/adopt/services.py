"""Every act on a first load that a person, a program or the command line can ask for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from governance.matching import definition as matching
from hub.common import facts
from hub.common.errors import ConfigError
from hub.sync import bell, configure
from hub.sync.adopt import applying, definitions, judging, order, work
from hub.sync.adopt.staging import Side, Verdict
from hub.sync.models import Adoption, StagedRecord, Sync
from hub.sync.plan import load_plan

Status, Decision = Adoption.Status, StagedRecord.Decision
DECIDABLE = (Status.REVIEW, Status.DONE)
POLL_SECONDS = 0.2
TAKEN = "Another record is linked to it already, and no record may be linked twice."


# Beginning ---------------------------------------------------------------------------------------------------
def problems(target: Sync, source: Sync | None) -> list[tuple[str, str]]:
    """(field, sentence) for everything that stands against a first load of these two."""
    found = []
    if target.direction != "out":
        found.append(("target", "Choose a sync that delivers to the system which is to be adopted."))
    if source is not None and source.direction != "in":
        found.append(("source", "Choose a sync that reads."))
    if source is not None and source.entity.pk != target.entity.pk:
        found.append(("source", f"It reads {source.entity}, and the other one delivers {target.entity}."))
    if source is not None and source.stream.pk == target.stream.pk:
        found.append(("source", "Both syncs are of one stream; there is nothing to match."))
    if not found and (open_ := Adoption.objects.filter(target=target, status__in=Adoption.OPEN).first()):
        found.append(("target", f"Its first load {open_.pk} is under way. Finish or abandon that one."))
    return found


@transaction.atomic
def start(*, target: Sync, source: Sync | None, by: Any) -> Adoption:
    """Begin to read both sides. Raises ConfigError with the first thing that stands against it."""
    if found := problems(target, source):
        raise ConfigError(found[0][1], where=found[0][0], code="ADOPT")
    plan = load_plan(target)
    chosen = definitions.rules_of(target, plan.contract_version.schema)
    streams = [sync.stream.pk for sync in (target, source) if sync is not None]
    adoption = Adoption.objects.create(
        target=target, source=source, stream_ids=streams, rules=matching.dump(chosen), requested_by=by
    )
    facts.publish("adoption_started", adoption=adoption, by=by)
    bell.ring_adoption(adoption.pk)
    return adoption


def start_all(pairs: Sequence[tuple[Sync, Sync | None]], *, by: Any) -> list[Adoption]:
    """Several at once: parents are made first, and children wait for them."""
    sources = dict(pairs)
    with transaction.atomic():
        return [start(target=sync, source=sources[sync], by=by) for sync in order.in_order(list(sources))]


def likely_source(target: Sync) -> Sync | None:
    """The one sync that reads the entity from elsewhere; None when there is no such one, or more than one."""
    reading = Sync.objects.filter(mapping__direction="in", mapping__entity=target.entity)
    found = list(reading.exclude(mapping__stream=target.stream)[:2])
    return found[0] if len(found) == 1 else None


# Deciding ------------------------------------------------------------------------------------------------------
@transaction.atomic
def decide(*, row: StagedRecord, decision: str, partner_id: int | None = None, by: Any) -> StagedRecord:
    """Say that a source record is the same as one of the target, is new, or is left out."""
    row = StagedRecord.objects.select_for_update(of=("self",)).select_related("adoption__target").get(pk=row.pk)
    _refuse_undecidable(row, decision)
    partner = _partner(row, partner_id) if decision == Decision.LINK else None
    row.partner, row.differences = partner, _differences(row, partner) if partner else []
    row.decision, row.decided_by, row.decided_at = decision, by, Now()
    try:
        with transaction.atomic():
            row.save(update_fields=["partner", "differences", "decision", "decided_by", "decided_at"])
    except IntegrityError:
        raise ConfigError(TAKEN, where=str(partner), fix="Leave one of the two out.", code="TAKEN") from None
    facts.publish("adoption_decided", row=row, by=by)
    return row


def _refuse_undecidable(row: StagedRecord, decision: str) -> None:
    if row.side != Side.SOURCE or decision not in (Decision.LINK, Decision.NEW, Decision.LEAVE):
        raise ConfigError("A record of the source is the same, new, or left out.", where="decision", code="DECISION")
    if row.verdict in (Verdict.KNOWN, Verdict.REFUSED) or row.applied_at is not None:
        raise ConfigError("Nothing is to be decided about this record any more.", where=str(row), code="DECIDED")
    if row.adoption.status not in DECIDABLE:
        raise ConfigError("The first load is at work.", fix="Wait until it is in review or done.", code="AT_WORK")


def _partner(row: StagedRecord, partner_id: int | None) -> StagedRecord:
    wanted: int = partner_id or next((one["id"] for one in row.candidates), 0)
    found = StagedRecord.objects.filter(adoption=row.adoption_id, side=Side.TARGET, pk=wanted).first()
    if found is None:
        raise ConfigError("There is no such record of the target.", where="partner", fix="Choose a candidate.")
    if row.record_id is not None and found.record_id is not None:
        raise ConfigError(judging.BOTH, where=str(row), code="BOTH_KNOWN")
    return found


def _differences(row: StagedRecord, partner: StagedRecord) -> list[dict[str, Any]]:
    plan = load_plan(row.adoption.target)
    parcel = judging.packed(plan, [row])[row.pk]
    return judging.compared(plan, matching.load(row.adoption.rules), parcel, partner.record)


def undecided(adoption: Adoption) -> QuerySet[StagedRecord]:
    return StagedRecord.objects.filter(adoption=adoption, side=Side.SOURCE, verdict=Verdict.MAYBE, decision="")


def accept(*, adoption: Adoption, at_least: int, by: Any) -> int:
    """Link every undecided record to its best candidate of at least this score; returns how many.

    Left to a person are those whose best candidate is taken, or the best of another one too.
    """
    best = {row: row.candidates[0] for row in undecided(adoption).order_by("pk") if row.candidates}
    chosen = {row: one["id"] for row, one in best.items() if one["score"] >= at_least}
    taken = set(
        StagedRecord.objects.filter(adoption=adoption, partner__isnull=False).values_list("partner_id", flat=True)
    )
    wanted = list(chosen.values())
    number = 0
    for row, partner_id in chosen.items():
        if partner_id in taken or wanted.count(partner_id) > 1 or row.why == judging.BOTH:
            continue
        decide(row=row, decision=Decision.LINK, partner_id=partner_id, by=by)
        number += 1
    return number


# Approving -----------------------------------------------------------------------------------------------------
@transaction.atomic
def approve(*, adoption: Adoption, by: Any) -> Adoption:
    """Let it link and release. From now on the sync looks every record up before it creates it.

    A first load that is done is approved again for what was decided since.
    """
    adoption = Adoption.objects.select_for_update().get(pk=adoption.pk)
    _refuse_unapprovable(adoption)
    configure.save_sync(sync=_adopting(adoption.target), by=by)
    adoption.status, adoption.approved_by, adoption.approved_at = Status.LINKING, by, Now()
    adoption.is_halted, adoption.error, adoption.lease_until = False, "", None
    try:
        with transaction.atomic():
            adoption.save()
    except IntegrityError:
        raise ConfigError("Another first load of this sync is under way.", fix="Finish that one.") from None
    adoption.refresh_from_db()
    facts.publish("adoption_approved", adoption=adoption, by=by)
    bell.ring_adoption(adoption.pk)
    return adoption


def _refuse_unapprovable(adoption: Adoption) -> None:
    if adoption.status not in DECIDABLE:
        word = adoption.get_status_display().lower()
        raise ConfigError(f"It cannot be approved: it is {word}.", where=f"first load {adoption.pk}", code="STATE")
    for sync in (adoption.source, adoption.target):
        if sync is not None and sync.is_paused:
            raise ConfigError(f"The sync {sync.name!r} is paused.", fix="Resume it first.", code="PAUSED")


def _adopting(sync: Sync) -> Sync:
    sync.mode = Sync.Mode.ADOPT
    return sync


@transaction.atomic
def abandon(*, adoption: Adoption, by: Any) -> Adoption:
    """End it without writing anything more; what it read is dropped."""
    ended = Adoption.objects.filter(pk=adoption.pk, status__in=Adoption.OPEN, approved_at__isnull=True)
    if not ended.update(status=Status.ABANDONED, finished_at=Now(), lease_until=None):
        raise ConfigError("It was approved or has ended already.", where=f"first load {adoption.pk}", code="STATE")
    StagedRecord.objects.filter(adoption=adoption).delete()
    applying.open_gate(adoption)
    facts.publish("adoption_abandoned", adoption=adoption, by=by)
    adoption.refresh_from_db()
    return adoption


@transaction.atomic
def resume(*, adoption: Adoption, by: Any) -> None:
    """Go on after what stood in its way has been put right."""
    Adoption.objects.filter(pk=adoption.pk).update(is_halted=False, error="", lease_until=None)
    facts.publish("adoption_resumed", adoption=adoption, by=by)
    bell.ring_adoption(adoption.pk)


# Here and now --------------------------------------------------------------------------------------------------
def work_here(adoption: Adoption) -> Adoption:
    """Work in this process until a person is needed or it is done. Raises ConfigError when it cannot go on."""
    while adoption.status in Adoption.WORKING:
        work.work(adoption.pk)
        adoption.refresh_from_db()
        if adoption.error:
            raise ConfigError(adoption.error, where=f"first load {adoption.pk}", code="WAITS")
        if adoption.lease_until is not None:
            time.sleep(POLL_SECONDS)
    return adoption
