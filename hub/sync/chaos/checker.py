"""What a run has come to, read from the target: our own ledger saying "done" proves nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from hub.sync.models import Batch, Delivery, Run, Transaction
from hub.sync.outbox import NEVER
from hub.sync.states import ACTIVE, DeliveryState, Outcome

SHOWN = 5


@dataclass
class Verdict:
    """Figures of one run. `lost` counts source records that the target lacks and no person has been given."""

    lost: int = 0
    duplicated: int = 0
    wrong: int = 0
    sum_difference: str = "0.00"
    unsure: int = 0
    in_queue: int = 0
    broken: list[str] = field(default_factory=list)  # invariants of the ledger that do not hold, in words

    @property
    def holds(self) -> bool:
        return not (self.lost or self.duplicated or self.wrong or self.broken) and Decimal(self.sum_difference) == 0

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


def judge(source: Sequence[Mapping[str, str]], rows: Sequence[Mapping[str, str]], *, sync_id: int) -> Verdict:
    """Compare the source's records with the target's rows by number, and the ledger of the sync with both."""
    there = {row["number"]: row for row in rows}
    counted = Counter(row["number"] for row in rows)
    waiting = _given_to_a_person(sync_id)
    missing = {record["number"] for record in source} - there.keys()
    expected = [record for record in source if record["number"] not in missing]
    return Verdict(
        lost=len(missing - waiting),
        duplicated=sum(number - 1 for number in counted.values()),
        wrong=sum(_differs(record, there[record["number"]]) for record in expected),
        sum_difference=_sum_difference(expected, list(there.values())),
        unsure=Delivery.objects.filter(sync_id=sync_id, state=DeliveryState.UNSURE).count(),
        in_queue=len(missing & waiting),
        broken=_broken(sync_id, there),
    )


def _given_to_a_person(sync_id: int) -> set[str]:
    stopped = (DeliveryState.HELD, DeliveryState.DEAD)
    rows = Delivery.objects.filter(sync_id=sync_id)
    found = rows.filter(state__in=stopped) | rows.filter(state=DeliveryState.UNSURE, next_at__gte=NEVER)
    return set(found.values_list("record__key", flat=True))


def _differs(record: Mapping[str, str], row: Mapping[str, str]) -> bool:
    return any(record[name] != row.get(name) for name in record)


def _sum_difference(source: Sequence[Mapping[str, str]], rows: Sequence[Mapping[str, str]]) -> str:
    """The largest difference of a currency's total, to the cent."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for sign, records in ((1, source), (-1, rows)):
        for record in records:
            sums[record["currency"]] += sign * Decimal(record["amount"])
    return f"{max((abs(total) for total in sums.values()), default=Decimal(0)):.2f}"


def _broken(sync_id: int, there: Mapping[str, Mapping[str, str]]) -> list[str]:
    return [*_dangling(sync_id, there), *_unfinished(sync_id), *_unaccounted(sync_id)]


def _dangling(sync_id: int, there: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Every delivery that counts as done is at the target, under the id that the hub remembers."""
    done = Delivery.objects.filter(sync_id=sync_id, state=DeliveryState.DELIVERED)
    refs = {row["id"] for row in there.values()}
    pairs = done.values_list("record__key", "target_ref")
    bad = [key for key, ref in pairs if key not in there or (ref is not None and ref not in refs)]
    return [f"{len(bad)} delivered records are not at the target: {', '.join(bad[:SHOWN])}"] if bad else []


def _unfinished(sync_id: int) -> list[str]:
    sending = Batch.objects.filter(sync_id=sync_id, status=Batch.Status.SENDING).count()
    active = Run.objects.filter(sync_id=sync_id, status__in=ACTIVE).count()
    found = [(sending, "batches are still being sent"), (active, "runs are still active")]
    return [f"{number} {words}" for number, words in found if number]


def _unaccounted(sync_id: int) -> list[str]:
    """Each delivered record has exactly one ledger row that says it was created, or changed nothing."""
    made = Transaction.objects.filter(sync_id=sync_id, outcome=Outcome.CREATED).values_list("key", flat=True)
    twice = [key for key, number in Counter(made).items() if number > 1]
    return (
        [f"{len(twice)} records were created twice by the ledger: {', '.join(map(str, twice[:SHOWN]))}"]
        if twice
        else []
    )
