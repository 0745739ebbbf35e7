"""One pace for all workers: slots, stops and shares are rows, whoever takes them."""

from __future__ import annotations

import multiprocessing
import threading
import time
from bisect import bisect_right
from datetime import timedelta

import pytest
from django.db import connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import circuits, pace, traffic
from connectors.limiter import NotNow, gap_seconds
from connectors.models import Pace, PaceShare
from connectors.traffic import LATE_SECONDS, Traffic

pytestmark = pytest.mark.django_db(transaction=True)


def most_in_any(starts: list[float], window: float) -> int:
    """The most requests that any stretch of `window` seconds has seen."""
    return max(bisect_right(starts, start + window) - position for position, start in enumerate(starts))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gap=st.floats(0.0005, 0.02), batches=st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_slots_stand_a_gap_apart_however_many_are_taken_at_once(connection, gap, batches):
    Pace.objects.all().delete()
    end = None
    for number in batches:
        wait = pace.reserve(connection.pk, number, gap=gap, longest_wait=60)
        before, end = end, Pace.objects.get().next_at
        assert wait is not None
        assert before is None or end - timedelta(seconds=number * gap) >= before - timedelta(microseconds=2)


def test_a_slot_that_is_too_far_away_is_not_taken(connection):
    assert pace.reserve(connection.pk, 100, gap=1, longest_wait=30) is not None
    end = Pace.objects.get().next_at
    assert pace.reserve(connection.pk, 1, gap=1, longest_wait=30) is None
    assert Pace.objects.get().next_at == end


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rate=st.sampled_from([5.0, 20.0, 50.0, 200.0]),
    takes=st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1.2)), min_size=5, max_size=80),
)
def test_never_more_than_rate_times_time_and_the_burst(connection, rate, takes):
    """Workers that come and go, on a clock of the test: what each one's slots allow is counted, nothing is waited for."""
    clock, free = [0.0], [0.0]

    def reserve(_id, number, *, gap, longest_wait):
        start = max(clock[0], free[0])
        free[0] = start + number * gap
        return start - clock[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pace, "reserve", reserve)
        patch.setattr(traffic.time, "monotonic", lambda: clock[0])
        workers = [Traffic(connection, {"per_second": rate}) for _ in range(4)]
        starts = []
        for number, passed in takes:
            clock[0] += passed
            starts.append(max(workers[number]._next_slot(), clock[0]))
    starts.sort()
    for window in (0.1, 0.5, 1.0, 5.0):
        assert most_in_any(starts, window) <= rate * window + rate * LATE_SECONDS + 1 + 1e-6


def work(connection, limits, until, starts, lock, in_flight):
    limiter = Traffic(connection, limits)
    try:
        while time.monotonic() < until:
            limiter.begin()
            with lock:
                in_flight[0] += 1
                in_flight[1] = max(in_flight[1], in_flight[0])
                starts.append(time.monotonic())
            time.sleep(0.01)
            with lock:
                in_flight[0] -= 1
            limiter.end()
    finally:
        limiter.close()
        connections.close_all()


def let_work(connection, limits, *, workers=4, seconds=2.0):
    """(moments at which requests began, the most that were in flight)"""
    starts, lock, in_flight = [], threading.Lock(), [0, 0]
    until = time.monotonic() + seconds
    arguments = (connection, limits, until, starts, lock, in_flight)
    threads = [threading.Thread(target=work, args=arguments) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(starts), in_flight[1]


def test_four_workers_keep_one_rate_and_use_nearly_all_of_it(connection):
    starts, _ = let_work(connection, {"per_second": 40}, seconds=3)
    assert most_in_any(starts, 1.0) <= 40 + 40 * LATE_SECONDS + 2
    assert len(starts) >= 0.85 * 40 * 3


def count_starts(connection, limits, seconds, found):
    connections.close_all()
    starts, lock = [], threading.Lock()
    work(connection, limits, time.monotonic() + seconds, starts, lock, [0, 0])
    found.put(starts)


def test_processes_keep_one_rate(connection):
    context = multiprocessing.get_context("fork")
    found = context.Queue()
    connections.close_all()
    processes = [
        context.Process(target=count_starts, args=(connection, {"per_second": 20}, 2, found)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    starts = sorted(start for _ in processes for start in found.get(timeout=20))
    for process in processes:
        process.join()
    assert most_in_any(starts, 1.0) <= 20 + 20 * LATE_SECONDS + 2
    assert len(starts) >= 0.8 * 20 * 2


@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_requests_are_in_flight_than_the_system_takes_at_once(connection, limit):
    starts, most = let_work(connection, {"concurrency": limit}, seconds=2)
    assert most == limit
    assert len(starts) > 20
    assert not PaceShare.objects.exists()


def test_a_worker_that_fell_with_its_share_blocks_nobody_for_good(connection):
    assert pace.claim_share(connection.pk, "fallen", limit=1, in_flight=1, lease_seconds=0.05).number == 1
    assert pace.claim_share(connection.pk, "next", limit=1, in_flight=0, lease_seconds=9).number == 0
    time.sleep(0.1)
    assert pace.claim_share(connection.pk, "next", limit=1, in_flight=0, lease_seconds=9).number == 1


def test_when_one_is_told_to_wait_all_wait(connection):
    told, other = Traffic(connection, {}), Traffic(connection, {})
    other.begin()
    other.end()
    told.begin()
    told.end(busy_seconds=60)
    other._look_at = 0.0
    for limiter in (told, other):
        with pytest.raises(NotNow) as refused:
            limiter.begin()
        assert 50 < refused.value.retry_after <= 60


def test_a_short_stop_is_sat_out(connection):
    limiter = Traffic(connection, {})
    pace.stop(connection.pk, 0.4)
    started = time.monotonic()
    limiter.begin()
    assert time.monotonic() - started > 0.3


def test_a_shorter_stop_does_not_end_a_longer_one(connection):
    pace.stop(connection.pk, 60)
    pace.stop(connection.pk, 1)
    assert pace.view(connection.pk).stop_seconds > 50


def test_an_open_circuit_stops_workers_in_the_middle_of_a_batch(connection):
    limiter = Traffic(connection, {})
    for _ in range(connection.failure_limit):
        limiter.begin()
        limiter.end(failed="The system took too long.")
    with pytest.raises(NotNow):
        limiter.begin()
    assert circuits.look(connection.pk).state == "open"


def test_one_answer_forgets_the_failures_before_it(connection):
    limiter = Traffic(connection, {})
    for _ in range(3):
        for _ in range(connection.failure_limit - 1):
            limiter.begin()
            limiter.end(failed="The system took too long.")
        limiter.begin()
        limiter.end()
    assert circuits.look(connection.pk) == circuits.Look("closed", 0, None, "")


def test_requests_cost_few_statements(connection, django_assert_max_num_queries):
    limiter = Traffic(connection, {"per_second": 400})
    with django_assert_max_num_queries(6):
        for _ in range(100):
            limiter.begin()
            limiter.end()


@pytest.mark.parametrize(
    ("limits", "gap"),
    [({}, 0), ({"per_second": 4}, 0.25), ({"per_minute": 30}, 2), ({"per_second": 4, "per_minute": 30}, 2)],
)
def test_the_slower_of_two_rates_holds(limits, gap):
    assert gap_seconds(limits) == gap
