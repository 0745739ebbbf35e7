"""The limiter of a stored connection: one pace, one stop and one circuit for all workers, at a few statements a second."""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.db import connection as database

from connectors import circuits, pace
from connectors.limiter import NotNow, gap_seconds
from connectors.models import Connection
from connectors.retry_policy import policy_of

# What another worker has learned is known here this much later.
LOOK_SECONDS = 0.5
# Slots for this long are taken at once, and one that was missed by this much is not used any more.
AHEAD_SECONDS = 0.25
LATE_SECONDS = 0.25
MOST_SLOTS = 100
# A wait that is longer is left to the sweeper: a worker has other work to do.
LONGEST_STAY_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 30.0
# The system says "too many" without saying for how long.
BUSY_SECONDS = 1.0

Found = TypeVar("Found")


class Traffic:
    """Safe to use from several threads; the thread that made it keeps its database connection, the others give theirs back.

    In any stretch of t seconds, all workers together start at most t / gap + LATE_SECONDS / gap + 1 requests.
    """

    def __init__(self, connection: Connection, limits: Mapping[str, Any]) -> None:
        self.connection_id, self.name = connection.pk, connection.name
        self._gap = gap_seconds(limits)
        self._longest_stop = policy_of(connection.retry).for_kind("busy").cap_seconds
        self._limit: int | None = limits.get("concurrency")
        self._lease = float(limits.get("timeout_seconds", 60.0)) + 30.0
        self._most = max(1, min(MOST_SLOTS, int(AHEAD_SECONDS / self._gap))) if self._gap else 0
        self._batch = self._most
        self._slots: deque[float] = deque()
        self._changed = threading.Condition(threading.RLock())
        self._in_flight, self._share, self._others = 0, 0, 0
        self._look_at, self._is_unclean = 0.0, False
        self._holder, self._opened_in = uuid.uuid4().hex, threading.get_ident()

    # Before a request --------------------------------------------------------------------------------------
    def begin(self) -> None:
        with self._changed:
            self._await_share()
            self._in_flight += 1
        try:
            self._await_slot()
        except BaseException:
            self._leave()
            raise

    def _await_share(self) -> None:
        until = time.monotonic() + LONGEST_WAIT_SECONDS
        while True:
            self._look()
            if self._limit is None or self._in_flight < self._share:
                return
            if time.monotonic() > until:
                raise NotNow(f"{self.name} is busy with other work.", retry_after=BUSY_SECONDS)
            self._changed.wait(LOOK_SECONDS / 5)

    def _look(self) -> None:
        """Now and then: has another worker found the system down, or been told to wait, or does it want a share?"""
        if time.monotonic() < self._look_at:
            return
        found = self._ask(lambda: pace.view(self.connection_id))
        self._is_unclean = self._is_unclean or found.failures > 0 or found.state == "half_open"
        if found.state in circuits.SHUT:
            raise NotNow(f"{self.name} is not called for now.", fix="Its page says why.")
        if found.stop_seconds > LONGEST_STAY_SECONDS:
            raise NotNow(f"{self.name} asked for a pause.", retry_after=found.stop_seconds)
        if found.stop_seconds:
            self._slots.clear()
            time.sleep(found.stop_seconds)
        if self._limit is not None:
            self._claim_share(self._limit)
        self._look_at = time.monotonic() + LOOK_SECONDS

    def _claim_share(self, limit: int) -> None:
        self._share, self._others = self._ask(
            lambda: pace.claim_share(
                self.connection_id, self._holder, limit=limit, in_flight=self._in_flight, lease_seconds=self._lease
            )
        )

    def _await_slot(self) -> None:
        if not self._gap:
            return
        with self._changed:
            at = self._next_slot()
        time.sleep(max(at - time.monotonic(), 0.0))

    def _next_slot(self) -> float:
        """The moment of the next request. Who misses its slots takes fewer at once, so that others get them."""
        missed = False
        while self._slots and self._slots[0] < time.monotonic() - LATE_SECONDS:
            self._slots.popleft()
            missed = True
        if not self._slots:
            self._batch = max(1, self._batch // 2) if missed else min(self._most, self._batch + 1)
            self._reserve()
        return self._slots.popleft()

    def _reserve(self) -> None:
        number, gap = self._batch, self._gap
        wait = self._ask(
            lambda: pace.reserve(self.connection_id, number, gap=gap, longest_wait=max(LONGEST_WAIT_SECONDS, 2 * gap))
        )
        if wait is None:
            raise NotNow(f"The requests to {self.name} are used up for now.", retry_after=LONGEST_WAIT_SECONDS)
        first = time.monotonic() + wait
        self._slots.extend(first + position * gap for position in range(number))

    # After a request ---------------------------------------------------------------------------------------
    def end(self, *, failed: str = "", busy_seconds: float | None = None) -> None:
        self._leave()
        if busy_seconds is not None:
            self._ask(lambda: pace.stop(self.connection_id, min(busy_seconds, self._longest_stop)))
            self._look_at = 0.0
        elif failed:
            self._is_unclean = True
            self._ask(lambda: circuits.note_failure(self.connection_id, failed))
            self._look_at = 0.0
        elif self._is_unclean:
            self._is_unclean = False
            self._ask(lambda: circuits.note_success(self.connection_id))

    def refuse(self, words: str) -> None:
        self._ask(lambda: circuits.pause_for_sign_in(self.connection_id, words))
        self._look_at = 0.0

    def _leave(self) -> None:
        with self._changed:
            self._in_flight -= 1
            if self._others and not self._in_flight:
                self._give_back()
            self._changed.notify()

    def _give_back(self) -> None:
        self._ask(lambda: pace.give_back_share(self.connection_id, self._holder))
        self._share, self._look_at = 0, 0.0

    def close(self) -> None:
        if self._limit is not None and self._share:
            self._give_back()

    def _ask(self, statement: Callable[[], Found]) -> Found:
        try:
            return statement()
        finally:
            if threading.get_ident() != self._opened_in:
                # nobody else gives back the database connection of a thread that only sends
                database.close()
