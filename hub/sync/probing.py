"""What stood still goes on: the tries of a system that did not answer, and the ring when a gate has opened."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet
from django.db.models.functions import Now

from connectors import circuits, standing, tokens
from connectors import services as connections
from connectors.models import Connection
from connectors.standing import Waiting
from hub.common import facts
from hub.sync import bell, engine
from hub.sync.models import Delivery, Run, Sync
from hub.sync.states import DeliveryState, RunStatus


def subscribe() -> None:
    """Connections open their gates by themselves; the work behind them starts at once."""
    facts.subscribe("circuit_closed", _circuit_closed)
    facts.subscribe("connection_paused", _connection_paused)
    standing.register("sync", waiting_at)


def _circuit_closed(*, connection: Connection, **_: Any) -> None:
    """Retries that the outage had put off are due now: the reason for waiting is gone. The outage made no delivery old."""
    syncs = _syncs_of(connection)
    waiting = Delivery.objects.filter(sync_id__in=list(syncs.values_list("pk", flat=True)), state=DeliveryState.PENDING)
    waiting.filter(failing_since__isnull=False).update(failing_since=None)
    waiting.filter(attempts__gt=0, next_at__gt=Now()).update(next_at=Now())
    wake(syncs)


def _connection_paused(*, connection: Connection, is_paused: bool, **_: Any) -> None:
    if not is_paused:
        wake(_syncs_of(connection))


def _syncs_of(connection: Connection) -> QuerySet[Sync]:
    return Sync.objects.filter(mapping__stream__connection=connection)


def wake(syncs: QuerySet[Sync]) -> int:
    """Ring for the runs of these syncs that were kept, and start what is due; returns how many were rung for."""
    ids = list(syncs.order_by().values_list("pk", flat=True))
    kept = Run.objects.filter(sync_id__in=ids, status=RunStatus.QUEUED, lease_until__isnull=True)
    found = list(kept.select_related("sync__mapping"))
    for run in found:
        bell.ring(run, direction=run.sync.direction)
    return len(found) + len(engine.start_all(_with_due(ids), trigger=Run.Trigger.CHANGE))


def _with_due(sync_ids: list[int]) -> list[int]:
    due = Delivery.objects.filter(sync_id__in=sync_ids, state=DeliveryState.PENDING, next_at__lte=Now())
    return list(due.order_by().values_list("sync_id", flat=True).distinct())


def waiting_at(connection: Connection) -> Waiting:
    """Syncs with a run or a delivery that waits for this connection, and how many deliveries are kept."""
    ids = list(_syncs_of(connection).values_list("pk", flat=True))
    queued = Delivery.objects.filter(sync_id__in=ids, state=DeliveryState.PENDING).order_by()
    numbers = dict(queued.values_list("sync_id").annotate(number=Count("record_id")))
    runs = set(Run.objects.filter(sync_id__in=ids, status=RunStatus.QUEUED).values_list("sync_id", flat=True))
    return Waiting(len(runs | numbers.keys()), sum(numbers.values()))


# Trying a system again ---------------------------------------------------------------------------------------
def ring_due_probes() -> int:
    """Ask a worker to try each connection whose pause is over, and to look at sign-ins that may have been taken back."""
    due = [*circuits.due_probes(), *tokens.due_looks()]
    for connection_id in due:
        bell.ring_probe(connection_id)
    return len(due)


def probe(connection_id: int) -> bool:
    """Test a connection that did not answer, if nobody else does; True when it may work again.

    The test costs no delivery an attempt. When it passes, one run shows whether work passes too; without work that waits
    the circuit is closed at once.
    """
    if tokens.claim_look(connection_id):
        return _look_at_sign_in(connection_id)
    if not circuits.claim_probe(connection_id):
        return False
    connection = Connection.objects.get(pk=connection_id)
    failed = connections.try_connection(connection)
    if failed is None:
        return _let_one_run_try(connection)
    if failed.name == "authenticate":
        circuits.pause_for_sign_in(connection_id, failed.detail)
    else:
        circuits.reopen(connection_id, failed.detail)
    return False


def _look_at_sign_in(connection_id: int) -> bool:
    """Ask a system that works whether it still accepts the sign-in; True when it does."""
    refused = connections.sign_in_refusal(Connection.objects.get(pk=connection_id))
    if refused:
        circuits.pause_for_sign_in(connection_id, refused)
    return not refused


@transaction.atomic
def _let_one_run_try(connection: Connection) -> bool:
    opened = circuits.half_open(connection.pk)
    if opened and not wake(_syncs_of(connection)):
        circuits.close(connection.pk)
    return opened
