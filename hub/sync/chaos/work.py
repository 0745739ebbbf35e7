"""The work that goes on while things are broken: ticks, workers that are kept alive, and an eye on whether anything moves."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import psycopg
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.db.models import Min, QuerySet, Sum

from hub.sync import services, sweeper
from hub.sync.chaos.crew import Crew
from hub.sync.chaos.fault import Nemesis, Stage
from hub.sync.chaos.target import LONGEST_SECONDS
from hub.sync.models import Delivery, Run
from hub.sync.outbox import NEVER
from hub.sync.states import ACTIVE, DeliveryState, RunStatus

TICK_SECONDS = 0.5
# Without progress for this long a run has failed: nothing may be stuck.
PATIENCE_SECONDS = 120.0
# What a database says that is just being restarted, to Django and to us.
GONE = (DatabaseError, InterfaceError, psycopg.Error)


def work(stage: Stage, nemesis: Nemesis, crew: Crew) -> str:
    """Until everything is read and delivered and the nemesis is through; returns what is stuck, or nothing."""
    patience = Patience(stage)
    nemesis.enter(stage)
    try:
        while True:
            crew.keep_alive()
            nemesis.act(crew)
            if patience.is_time_to_tick():
                if _look(stage, nemesis, crew, patience):
                    return ""
                if patience.is_over():
                    return f"Nothing moved for {PATIENCE_SECONDS:.0f} s."
            time.sleep(0.02)
    finally:
        nemesis.leave()
        crew.stop()


def _look(stage: Stage, nemesis: Nemesis, crew: Crew, patience: Patience) -> bool:
    """Tick as every hub does and note how far the work is; True when it is done. The database may be gone meanwhile."""
    try:
        close_old_connections()
        _tick(stage)
        crew.done = sum(patience.look(crew))
        crew.is_idle = _is_done(stage)
        is_through = not (nemesis.drives and nemesis.left)
        if crew.is_idle and is_through:
            return True
        if not is_through and nemesis.wants_work(crew) and patience.is_settled(crew):
            _make_work(stage, crew, patience)
    except GONE:
        pass
    return False


def _make_work(stage: Stage, crew: Crew, patience: Patience) -> None:
    if crew.is_idle:
        stage.source.revise()
        crew.is_idle, patience.moved_at = False, time.monotonic()
    services.start_run(sync=stage.inbound)


def _tick(stage: Stage) -> None:
    """What the scheduler does on every hub; and the source is read again when a run of it was given up."""
    sweeper.tick()
    last = Run.objects.filter(sync=stage.inbound).order_by("-pk").first()
    if last is None or last.status in (RunStatus.FAILED, RunStatus.CANCELLED):
        services.start_run(sync=stage.inbound)


@dataclass
class Patience:
    """Notices that nothing moves."""

    stage: Stage
    seen: tuple[int, ...] = ()
    moved_at: float = field(default_factory=time.monotonic)
    tick_at: float = 0.0

    def is_time_to_tick(self) -> bool:
        if time.monotonic() < self.tick_at:
            return False
        self.tick_at = time.monotonic() + TICK_SECONDS
        return True

    def look(self, crew: Crew) -> tuple[int, ...]:
        """(records read, delivered, tried, runs, their pages): whatever of these changes is movement."""
        rows, runs = Delivery.objects.filter(sync=self.stage.outbound), Run.objects.filter(sync=self.stage.inbound)
        delivered = rows.filter(state=DeliveryState.DELIVERED).count()
        now = (rows.count(), delivered, rows.filter(attempts__gt=0).count(), self._run_pages(runs))
        crew.claims = Run.objects.aggregate(number=Sum("epoch"))["number"] or 0
        crew.is_at_it_again = Run.objects.filter(status__in=ACTIVE, claims__gt=1).exists()
        crew.oldest_at = Run.objects.filter(status=RunStatus.RUNNING).aggregate(at=Min("heartbeat_at"))["at"]
        if now != self.seen:
            self.seen, self.moved_at = now, time.monotonic()
        return now

    @staticmethod
    def _run_pages(runs: QuerySet[Run]) -> int:
        last = runs.order_by("-pk").values_list("pk", "page_no").first()
        return sum(last) if last else 0

    def is_settled(self, crew: Crew) -> bool:
        """Whether no write can be under way at the target any more: a late one would land on what comes next."""
        return not crew.is_idle or time.monotonic() - self.moved_at > LONGEST_SECONDS

    def is_over(self) -> bool:
        return time.monotonic() - self.moved_at > PATIENCE_SECONDS


def _is_done(stage: Stage) -> bool:
    if Run.objects.filter(sync__in=(stage.inbound, stage.outbound), status__in=ACTIVE).exists():
        return False
    if Run.objects.filter(sync=stage.inbound).latest("pk").status != RunStatus.SUCCEEDED:
        return False
    rows = Delivery.objects.filter(sync=stage.outbound)
    waits = rows.filter(state__in=(DeliveryState.PENDING, DeliveryState.UNSURE), next_at__lt=NEVER)
    return rows.count() >= stage.source.records and not waits.exists()
