"""The verdict on every staged record: linked, maybe, to be created, only at the target; and what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection, transaction

from governance.matching import definition as matching
from governance.matching.definition import Definition
from governance.matching.pairing import Matched, match
from governance.matching.scoring import sheet
from hub.records.queries import crosswalk_of, ids_by_key
from hub.sync import outbound
from hub.sync.adopt import lease
from hub.sync.adopt.staging import Side, Verdict
from hub.sync.models import Adoption, StagedRecord
from hub.sync.outbound import Parcel
from hub.sync.outbox import Due
from hub.sync.payloads import differences
from hub.sync.plan import SyncPlan, load_plan

CHUNK = 1_000
EMPTY: tuple[Any, ...] = (None, "", [], {})
JUDGED = ["verdict", "partner", "score", "candidates", "twins", "differences", "why", "record_id"]
DECIDED = ["decision", "decided_by", "decided_at"]
CROWDED = (
    "{number} values are shared by so many records that they tell nobody apart; nobody was compared because of them."
)
GONE = "The hub has delivered it before, as {ref}, which the target does not show any more."
BOTH = "Both are in the hub already, as two records. Merge them there before they are linked."


def judge(adoption: Adoption) -> None:
    """Compare all, and keep every verdict in one transaction: a worker that falls leaves none behind."""
    lease.fence(adoption, seconds=lease.MATCHING_SECONDS)
    found = _Judgement(adoption)
    found.work()
    with transaction.atomic():
        lease.fence(adoption, status=Adoption.Status.REVIEW, notes=[*adoption.notes, *found.notes])
        for start in range(0, len(found.rows), CHUNK):
            StagedRecord.objects.bulk_update(found.rows[start : start + CHUNK], JUDGED + DECIDED, batch_size=CHUNK)


class _Judgement:
    def __init__(self, adoption: Adoption) -> None:
        self.adoption = adoption
        self.rules: Definition = matching.load(adoption.rules)
        self.plan: SyncPlan = load_plan(adoption.target)
        self.source = self._load(Side.SOURCE)
        self.target = self._load(Side.TARGET)
        self.rows = [*self.source, *self.target]
        self.notes: list[str] = []

    def _load(self, side: int) -> list[StagedRecord]:
        rows = StagedRecord.objects.filter(adoption=self.adoption, side=side).defer("record")
        return list(rows.order_by("external_id"))

    def work(self) -> None:
        self._find_in_hub()
        known = self._known()
        parcels = packed(self.plan, [row for row in self.source if row.verdict != Verdict.REFUSED])
        self._refuse(parcels, known)
        open_ = [row for row in self.source if row.verdict != Verdict.REFUSED]
        matched = match(self._sheets(open_), self._sheets(self.target), self.rules, known=known)
        if matched.crowded:
            self.notes.append(CROWDED.format(number=matched.crowded))
        by_id = {row.pk: row for row in self.rows}
        for row in open_:
            self._place(row, by_id, matched, known)
        self._rest(matched)
        self._remember_left()
        self._differ(parcels, by_id)

    def _sheets(self, rows: Iterable[StagedRecord]) -> list[Any]:
        return [sheet(row.pk, row.key, row.body, self.rules) for row in rows]

    # What the hub knows already ------------------------------------------------------------------------------
    def _find_in_hub(self) -> None:
        target = crosswalk_of(self.plan.stream_id, [row.external_id for row in self.target])
        delivered = _delivered(self.adoption.target.pk)
        for row in self.target:
            known = target.get(row.external_id)
            row.record_id = known[1] if known else delivered.get(row.external_id)
        if self.adoption.source is None:
            return
        source = crosswalk_of(self.adoption.source.stream.pk, [row.external_id for row in self.source])
        keys = ids_by_key(self.plan.entity.pk, [row.key for row in self.source if row.key])
        for row in self.source:
            known = source.get(row.external_id)
            row.record_id = known[1] if known else keys.get(row.key)

    def _known(self) -> dict[int, int]:
        """Staged source → staged target, where both are one record of the hub; each at most once."""
        there: dict[int, int] = {}
        for row in reversed(self.target):
            if row.record_id is not None:
                there[row.record_id] = row.pk
        found = {}
        for row in self.source:
            if row.record_id in there and row.verdict != Verdict.REFUSED:
                found[row.pk] = there.pop(row.record_id)
        return found

    def _refuse(self, parcels: Mapping[int, Parcel], known: Mapping[int, int]) -> None:
        for row in self.source:
            parcel = parcels.get(row.pk)
            if parcel is None or row.pk in known:
                continue
            if parcel.error is not None:
                row.verdict, row.why = Verdict.REFUSED, str(parcel.error)
            elif parcel.is_unwanted:
                row.verdict, row.why = Verdict.REFUSED, "It does not meet the condition of the sync."

    # Verdicts ------------------------------------------------------------------------------------------------
    def _place(
        self, row: StagedRecord, by_id: Mapping[int, StagedRecord], matched: Matched, known: Mapping[int, int]
    ) -> None:
        row.candidates = _as_data(matched.candidates.get(row.pk, ()))
        row.twins = _as_data(matched.twins.get(row.pk, ()))
        row.partner, row.score, row.why, row.differences = None, 0, "", []
        if row.pk in known:
            row.verdict, row.partner, row.score = Verdict.KNOWN, by_id[known[row.pk]], 100
        elif row.pk in matched.links:
            self._link(row, by_id[matched.links[row.pk][0]], matched.links[row.pk][1])
        elif row.candidates or row.twins:
            row.verdict, row.score = Verdict.MAYBE, max(one["score"] for one in (*row.candidates, *row.twins))
            row.why = _why(row, by_id)
        else:
            row.verdict = Verdict.CREATE

    def _link(self, row: StagedRecord, partner: StagedRecord, score: int) -> None:
        row.candidates, row.score = [{"id": partner.pk, "score": score}], score
        if row.record_id is not None and partner.record_id is not None:
            row.verdict, row.why = Verdict.MAYBE, BOTH
        else:
            row.verdict, row.partner = Verdict.LINKED, partner

    def _remember_left(self) -> None:
        """What an earlier first load of these two left out stays out until somebody decides otherwise."""
        earlier = StagedRecord.objects.filter(
            adoption__target=self.adoption.target_id,
            adoption__source=self.adoption.source_id,
            adoption__status=Adoption.Status.DONE,
            decision=StagedRecord.Decision.LEAVE,
        )
        left = {row.external_id: row for row in earlier.order_by("adoption_id").defer("record", "body")}
        for row in self.source:
            if row.external_id in left and row.verdict == Verdict.MAYBE:
                before = left[row.external_id]
                row.decision, row.decided_by_id, row.decided_at = (
                    before.decision,
                    before.decided_by_id,
                    before.decided_at,
                )

    def _rest(self, matched: Matched) -> None:
        """Deliveries whose record the target does not show, and what stands alone at the target."""
        refs = {record_id: ref for ref, record_id in _delivered(self.adoption.target.pk).items()}
        for row in self.source:
            if row.verdict in (Verdict.CREATE, Verdict.MAYBE, Verdict.LINKED) and row.record_id in refs:
                row.verdict, row.why, row.partner = Verdict.KNOWN, GONE.format(ref=refs[row.record_id]), None
        taken = {row.partner_id for row in self.source if row.partner_id}
        for row in self.target:
            row.verdict = "" if row.pk in taken else Verdict.TARGET_ONLY
            row.twins = _as_data(matched.twins.get(row.pk, ()))
            row.why = "Another record there looks like it." if row.twins else ""

    # Differences ---------------------------------------------------------------------------------------------
    def _differ(self, parcels: Mapping[int, Parcel], by_id: Mapping[int, StagedRecord]) -> None:
        linked = [row for row in self.source if row.verdict == Verdict.LINKED]
        for start in range(0, len(linked), CHUNK):
            part = linked[start : start + CHUNK]
            records = _records([row.partner_id for row in part if row.partner_id])
            for row in part:
                there = records[row.partner_id or 0]
                row.differences = compared(self.plan, self.rules, parcels[row.pk], there)
                if any(is_conflict(one) for one in row.differences):
                    row.verdict = Verdict.CONFLICT


def compared(plan: SyncPlan, chosen: Definition, parcel: Parcel, there: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What would be sent and the target does not hold just so, with the side whose value wins."""
    return [
        {"field": one.field, "there": one.before, "here": one.after, "wins": _winner(plan, chosen, one.field, one)}
        for one in differences(there, parcel.body)
    ]


def is_conflict(difference: Mapping[str, Any]) -> bool:
    """Two values; an empty field that is filled, or that stays filled, is none."""
    return difference["there"] not in EMPTY and difference["here"] not in EMPTY


def _winner(plan: SyncPlan, chosen: Definition, path: str, change: Any) -> str:
    """The hub's value, unless it has none, the target owns the field, or the field is the key by which it knows it."""
    if change.before in EMPTY:
        return "hub"
    name = canonical_field(plan, path)
    if change.after in EMPTY:
        return "hub" if name in chosen.may_clear else "target"
    return "target" if name in chosen.keep_target or name in plan.contract.markers.key else "hub"


def canonical_field(plan: SyncPlan, path: str) -> str:
    """The contract field that a rule puts at this path of the target; empty for what is made of several."""
    source = next((r.source for r in plan.rules if path == r.target or path.startswith(f"{r.target}.")), "")
    return source.split(".", 1)[0]


def packed(plan: SyncPlan, rows: Sequence[StagedRecord]) -> dict[int, Parcel]:
    """What the sync would send for each staged record, by staged id."""
    found: dict[int, Parcel] = {}
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        dues = [Due(0, 1, r.key, r.body, 0, None, None, None, None, None, None, 0) for r in part]
        found.update(zip((row.pk for row in part), outbound.pack(plan, dues), strict=True))
    return found


def _records(staged_ids: Sequence[int]) -> dict[int, Any]:
    return dict(StagedRecord.objects.filter(pk__in=staged_ids).values_list("pk", "record"))


def _delivered(sync_id: int) -> dict[str, int]:
    """The target's id → canonical id, of all that this sync has delivered."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select coalesce(d.target_ref, c.key), d.record_id from sync_delivery d"
            " join records_canonicalrecord c on c.id = d.record_id"
            " where d.sync_id = %s and d.delivered_version is not null",
            [sync_id],
        )
        return dict(cursor.fetchall())


def _as_data(ranked: Iterable[tuple[int, int]]) -> list[dict[str, int]]:
    return [{"id": id_, "score": points} for points, id_ in ranked]


def _why(row: StagedRecord, by_id: Mapping[int, StagedRecord]) -> str:
    if not row.candidates:
        return f"{by_id[row.twins[0]['id']]} of the same side looks like it."
    if len(row.candidates) > 1:
        return f"{len(row.candidates)} records of the target look like it."
    return "One record of the target looks like it."
