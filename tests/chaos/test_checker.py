"""The checker itself: a double, a loss and a wrong cent must each be seen, or it proves nothing."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.sync.chaos import world
from hub.sync.chaos.checker import judge
from hub.sync.chaos.target import Store, Target
from hub.sync.models import Delivery
from hub.sync.outbox import NEVER
from hub.sync.states import DeliveryState
from tests.sync import worlds
from tests.sync.builders import project_row

SOURCE = [world.record(number, seed=1) for number in range(5)]
ROWS = [{**record, "id": f"T{at}"} for at, record in enumerate(SOURCE)]


@pytest.mark.django_db
class TestJudging:
    def judged(self, rows: list[dict[str, str]], sync_id: int = 0) -> Any:
        return judge(SOURCE, rows, sync_id=sync_id)

    def test_a_target_that_holds_what_the_source_holds_passes(self) -> None:
        assert self.judged(ROWS).holds

    def test_a_missing_record_is_lost(self) -> None:
        found = self.judged(ROWS[1:])
        assert (found.lost, found.holds) == (1, False)

    def test_a_second_row_is_a_double(self) -> None:
        found = self.judged([*ROWS, {**ROWS[2], "id": "T9"}])
        assert (found.duplicated, found.holds) == (1, False)

    def test_a_cent_is_seen(self) -> None:
        off = {**ROWS[0], "amount": f"{float(ROWS[0]['amount']) + 0.01:.2f}"}
        found = self.judged([off, *ROWS[1:]])
        assert (found.wrong, found.sum_difference, found.holds) == (1, "0.01", False)


@pytest.mark.django_db(transaction=True)
def test_a_record_that_waits_for_a_person_is_not_lost_but_one_that_waits_for_nobody_is(domains: Any) -> None:
    firm = worlds.make()
    firm.read(project_row(1))
    source = [{"number": "P-0001", "amount": "1.00", "currency": "EUR"}]
    assert judge(source, [], sync_id=firm.outbound.pk).lost == 1
    Delivery.objects.update(state=DeliveryState.UNSURE, next_at=NEVER)
    found = judge(source, [], sync_id=firm.outbound.pk)
    assert (found.lost, found.in_queue, found.unsure) == (0, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_a_delivery_that_counts_as_done_and_is_not_there_breaks_the_ledger(domains: Any) -> None:
    firm = worlds.make()
    firm.read(project_row(1))
    firm.deliver()
    assert judge([], [], sync_id=firm.outbound.pk).broken == ["1 delivered records are not at the target: P-0001"]


class TestTheFaultTarget:
    def write(self, target: Target, body: dict[str, str], key: str = "") -> Any:
        import json

        headers = {"idempotency-key": key} if key else {}
        asked = target.answer("POST", "/rows", headers, json.dumps(body).encode())
        # in a thread of its own: the browser tests leave an event loop running in this one
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, asked).result()

    @given(st.sampled_from("ABCD"), st.lists(st.integers(0, 3), max_size=12))
    def test_only_a_and_b_tell_doubles_apart(self, safety: str, numbers: list[int]) -> None:
        target = Target(Store(safety), seed=1, mix={})
        for number in numbers:
            self.write(target, {"number": str(number)}, key=f"k{number}")
        assert len(target.store.rows) == (len(set(numbers)) if safety in "AB" else len(numbers))

    @pytest.mark.parametrize(
        ("fault", "status", "is_committed"),
        [("commit_503", 503, True), ("refuse_503", 503, False), ("busy_429", 429, False), ("commit_drop", 201, True)],
    )
    def test_each_fault_commits_or_not_as_it_says(self, fault: str, status: int, is_committed: bool) -> None:
        target = Target(Store("C"), seed=1, mix={fault: 1.0})
        reply = self.write(target, {"number": "1"})
        assert (reply.status, len(target.store.rows), target.fired[fault]) == (status, int(is_committed), 1)
        assert reply.is_dropped == (fault == "commit_drop")
