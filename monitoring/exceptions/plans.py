"""A fix and a retry looked at before they are done: what would become of each record, by the real path, writing nothing.

The fix is applied in a transaction that is rolled back; within it, what is held and what is to be delivered is prepared as by a
run. Afterwards the target is asked what it holds, where it can be asked. The plan's `mark` is of all that it stands on: when
that has changed, the plan is made again before anything is applied.
"""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson
from django.db import connection, transaction
from django.db.models import Count, Q, Sum

from hub.common import governed
from hub.common.errors import ConfigError, HubError
from hub.common.money import decimal_text
from hub.sync import dry_inbound, dry_outbound
from hub.sync.dry_result import ORDER, WORDS, DryRun, Row
from hub.sync.dry_run import secret_of
from hub.sync.models import DeadLetter, HeldRecord, Replay, ReplayItem, Sync
from hub.sync.outbound import Parcel, pack
from hub.sync.plan import SyncPlan, load_plan
from hub.sync.replays import acts as letter_acts
from monitoring.exceptions import fixes
from monitoring.exceptions.choosing import Choice
from monitoring.exceptions.fixes import Fix
from monitoring.models import ExceptionItem

# So many of the dearest are tried; of the others the plan says that they are judged when they are retried.
TRIED = 2_000
CHUNK = 500
SHOWN = 50
ON_ITS_WAY = "It is on its way already."
NOTHING = "There is nothing to send again: it is settled where it came from."
_LEFT = "It may have arrived, so that it could come twice: a person looks at the target first."


@dataclass(frozen=True, slots=True)
class Line:
    """What would become of one exception."""

    item: ExceptionItem
    would: str
    sentence: str = ""
    key: str = ""

    @property
    def passes(self) -> bool:
        return self.step in ("create", "update", "skip") and self.sentence not in (NOTHING, ON_ITS_WAY)

    @property
    def word(self) -> str:
        return {**WORDS, "reject": "Still failing"}[self.would]

    @property
    def state(self) -> str:
        """The name of a state that looks as this step does."""
        states = {"create": "created", "update": "updated", "skip": "skipped", "would_duplicate": "would_duplicate"}
        return states.get(self.would, "rejected")

    @property
    def step(self) -> str:
        """The word of the five that a plan shows: what waits for its parent is among the rejected."""
        return "reject" if self.would == "waiting" else self.would


@dataclass(slots=True)
class Plan:
    """`counts` by step (create, update, skip, would_duplicate, reject), `amounts` the same in the firm's currency, and
    `unconverted` how many have no rate; `untried` are behind the first TRIED. `mark` tells whether it still stands."""

    number: int
    lines: list[Line] = field(default_factory=list)
    untried: int = 0
    notes: list[str] = field(default_factory=list)
    mark: str = ""
    fixed: str = ""
    total: Decimal = Decimal(0)
    seconds: float = 0.0

    @property
    def counts(self) -> dict[str, int]:
        found: dict[str, int] = defaultdict(int)
        for line in self.lines:
            found[line.step] += 1
        return {step: found[step] for step in ORDER if step != "waiting"}

    @property
    def amounts(self) -> dict[str, Decimal]:
        found: dict[str, Decimal] = defaultdict(Decimal)
        for line in self.lines:
            found[line.step] += line.item.amount_firm or Decimal(0)
        return dict(found)

    @property
    def unconverted(self) -> dict[str, int]:
        found: dict[str, int] = defaultdict(int)
        for line in self.lines:
            found[line.step] += line.item.amount is not None and line.item.amount_firm is None
        return {step: number for step, number in found.items() if number}

    @property
    def shown(self) -> list[Line]:
        """What a page lists: most of it what does not pass."""
        worst = sorted(self.lines, key=lambda line: line.step not in ("reject", "would_duplicate"))
        return worst[:SHOWN]

    @property
    def more(self) -> int:
        return max(len(self.lines) - SHOWN, 0)

    @property
    def would_pass(self) -> int:
        return sum(line.passes for line in self.lines)

    @property
    def is_safe(self) -> bool:
        return not any(line.step == "would_duplicate" for line in self.lines)

    def as_data(self) -> dict[str, Any]:
        counts = self.counts
        return {
            "number": self.number,
            "create": counts["create"],
            "update": counts["update"],
            "skip": counts["skip"],
            "duplicate": counts["would_duplicate"],
            "failing": counts["reject"],
            "untried": self.untried,
            "amounts": {step: decimal_text(amount) for step, amount in self.amounts.items()},
            "unconverted": self.unconverted,
            "fix": self.fixed,
            "notes": self.notes,
            "mark": self.mark,
        }


def make(choice: Choice, fix: Fix | None = None, given: Mapping[str, Any] | None = None, *, by: Any) -> Plan:
    """The plan of a fix, and of retrying all that is chosen. Raises HubError where the fix itself cannot be done."""
    started = time.perf_counter()
    rows = choice.rows(by)
    sums = rows.aggregate(number=Count("pk"), total=Sum("amount_firm"))
    items = list(rows.order_by("-rank", "-pk")[:TRIED])
    plan = Plan(sums["number"], untried=sums["number"] - len(items), total=sums["total"] or Decimal(0))
    plan.mark = mark_of(choice, fix, given, by=by)
    plan.lines = _Rehearsal(plan, fix, given or {}, by).lines(items)
    plan.lines.sort(key=lambda line: ORDER.index(line.would))
    plan.seconds = time.perf_counter() - started
    return plan


class _Rehearsal:
    """The fix done and undone, and in between what a run would make of each record."""

    def __init__(self, plan: Plan, fix: Fix | None, given: Mapping[str, Any], by: Any) -> None:
        self.plan, self.fix, self.given, self.by = plan, fix, given, by
        self.found: dict[int, Row] = {}

    def lines(self, items: Sequence[ExceptionItem]) -> list[Line]:
        letters = _letters([item for item in items if _letter(item)])
        standing = [item for item in items if _letter(item) in letters]
        packed: list[tuple[SyncPlan, dict[int, ExceptionItem], list[Parcel]]] = []
        with transaction.atomic(), governed.passing():
            if self.fix is not None:
                self.plan.fixed = self.fix.apply(items, self.given, by=self.by)
            for sync, of_sync in _by_sync(standing):
                self._prepare(sync, of_sync, packed)
            transaction.set_rollback(True)
        for sync_plan, of_record, parcels in packed:
            self._ask(sync_plan, of_record, parcels)
        return [self._line(item, letters) for item in items]

    def _prepare(self, sync: Sync, items: Sequence[ExceptionItem], packed: list[Any]) -> None:
        try:
            sync_plan = load_plan(sync)
            for chunk in _chunks(items):
                if sync_plan.is_inbound:
                    self._judge_held(sync_plan, chunk)
                else:
                    of_record = {item.record_id: item for item in chunk if item.record_id is not None}
                    packed.append((sync_plan, of_record, pack(sync_plan, dry_outbound.due_of(sync_plan, of_record))))
        except HubError as error:
            self.found.update({item.pk: Row("reject", "", sentence=str(error)) for item in items})

    def _judge_held(self, sync_plan: SyncPlan, items: Sequence[ExceptionItem]) -> None:
        by_id = {item.external_id: item for item in items}
        held = HeldRecord.objects.filter(sync_id=sync_plan.sync.pk, external_id__in=list(by_id))
        result = DryRun("in", "")
        dry_inbound.judge(sync_plan, result, list(held.order_by("external_id").values_list("body", flat=True)))
        self._take(sync_plan, result, {str(pk): item for pk, item in by_id.items()}, of=lambda row: row.external_id)
        followers = [each.sync_id for each in sync_plan.subscribers]
        if names := list(Sync.objects.filter(pk__in=followers).order_by("name").values_list("name", flat=True)):
            self._say(f"What passes is then delivered by {', '.join(names)}.")

    def _ask(self, sync_plan: SyncPlan, items: Mapping[int, ExceptionItem], parcels: Sequence[Parcel]) -> None:
        result = DryRun("out", "")
        dry_outbound.judge(sync_plan, result, parcels)
        by_key = {parcel.due.key: items[parcel.due.record_id] for parcel in parcels if parcel.due.record_id in items}
        self._take(sync_plan, result, by_key, of=lambda row: row.key)

    def _take(self, sync_plan: SyncPlan, result: DryRun, items: Mapping[str, ExceptionItem], *, of: Any) -> None:
        result.secret = secret_of(sync_plan, result)
        for row in result.masked().rows:
            if item := items.get(of(row)):
                self.found[item.pk] = row
        for note in result.notes:
            self._say(note)

    def _say(self, note: str) -> None:
        if note not in self.plan.notes:
            self.plan.notes.append(note)

    def _line(self, item: ExceptionItem, letters: Mapping[str, str]) -> Line:
        letter = _letter(item)
        if not letter:
            return Line(item, "skip", NOTHING)
        act = letters.get(letter)
        if act is None:
            return Line(item, "skip", ON_ITS_WAY)
        if act == ReplayItem.Act.LEAVE:
            return Line(item, "would_duplicate", _LEFT)
        row = self.found.get(item.pk) or Row("skip", "", sentence="It says what the hub already holds.")
        asked = " The target is asked first." if act == ReplayItem.Act.ASK else ""
        return Line(item, row.would, f"{row.sentence}{asked}".strip(), row.key)


def _letter(item: ExceptionItem) -> str:
    """The id of the dead letter behind it; empty where there is none."""
    if item.origin == ExceptionItem.Origin.HELD and item.sync_id and item.external_id is not None:
        return f"in-{item.sync_id}-{item.external_id}"
    if item.origin == ExceptionItem.Origin.DELIVERY and item.sync_id and item.record_id:
        return f"out-{item.sync_id}-{item.record_id}"
    return ""


def _letters(items: Sequence[ExceptionItem]) -> dict[str, str]:
    """Letter → what a retry would do with it, of those that stand."""
    wanted = Q(pk__in=[])
    by_sync: dict[tuple[int, str], list[Any]] = defaultdict(list)
    for item in items:
        is_held = item.origin == ExceptionItem.Origin.HELD
        by_sync[item.sync_id or 0, "in" if is_held else "out"].append(item.external_id if is_held else item.record_id)
    for (sync_id, leg), names in by_sync.items():
        column = "external_id__in" if leg == "in" else "record_id__in"
        wanted |= Q(sync_id=sync_id, leg=leg, **{column: names})
    rows = DeadLetter.objects.filter(wanted)
    acts = letter_acts.with_act(
        rows, letter_acts.safety_of(rows), action=Replay.Action.RETRY, versions=Replay.Versions.CURRENT
    )
    return dict(acts.values_list("pk", "act"))  # type: ignore[misc]  # annotated


def _by_sync(items: Sequence[ExceptionItem]) -> Iterator[tuple[Sync, list[ExceptionItem]]]:
    found: dict[int, list[ExceptionItem]] = defaultdict(list)
    for item in items:
        found[item.sync_id or 0].append(item)
    syncs = Sync.objects.select_related("mapping__entity", "mapping__stream__connection__system").in_bulk(list(found))
    for sync_id, of_sync in found.items():
        if sync := syncs.get(sync_id):
            yield sync, of_sync


def _chunks(items: Sequence[ExceptionItem]) -> Iterator[Sequence[ExceptionItem]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


# Whether it still stands --------------------------------------------------------------------------------------
_BASE = """
select coalesce(md5(string_agg(concat_ws(':', i.id, i.state, h.state, h.transaction_id, md5(h.body::text), d.state, d.version,
  d.next_at, c.version), ',' order by i.id)), '')
from monitoring_exceptionitem i
left join sync_heldrecord h on i.origin = 'held' and h.sync_id = i.sync_id and h.external_id = i.external_id
left join sync_delivery d on i.origin = 'delivery' and d.sync_id = i.sync_id and d.record_id = i.record_id
left join records_canonicalrecord c on c.id = d.record_id
where i.id in ({rows})
"""


def mark_of(choice: Choice, fix: Fix | None, given: Mapping[str, Any] | None, *, by: Any) -> str:
    """A mark of all that a plan stands on: the items, what is behind them, the versions that would map them, the fix."""
    rows = choice.rows(by).order_by()
    sql, params = rows.values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(_BASE.format(rows=sql), params)
        base = cursor.fetchone()[0]
    sync_ids = [pk for pk in rows.values_list("sync_id", flat=True).distinct() if pk]
    syncs = Sync.objects.select_related("mapping__entity", "mapping__stream__connection__system")
    salts = [_salt(sync) for sync in syncs.filter(pk__in=sync_ids).order_by("pk")]
    words = orjson.dumps(
        [base, salts, fix.slug if fix else "", dict(given or {})], option=orjson.OPT_SORT_KEYS, default=str
    )
    return hashlib.blake2b(words, digest_size=12).hexdigest()


def _salt(sync: Sync) -> str:
    try:
        return load_plan(sync).salt.hex()
    except HubError as error:
        return str(error)


def check(choice: Choice, fix: Fix | None, given: Mapping[str, Any] | None, mark: str, *, by: Any) -> None:
    """Raises ConfigError CHANGED_MEANWHILE when the plan of this mark does not stand any more."""
    if mark_of(choice, fix, given, by=by) != mark:
        raise ConfigError(
            "What this plan stands on has changed since it was made.",
            fix="Look at the new plan, then apply it.",
            code="CHANGED_MEANWHILE",
        )


def looked_at(choice: Choice, *, by: Any) -> list[ExceptionItem]:
    """The dearest of a choice, by which fixes see whether they suit it."""
    return list(choice.rows(by).select_related("entity", "group").order_by("-rank", "-pk")[: fixes.LOOKED_AT])
