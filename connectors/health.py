"""How every connection's system is doing, looked at by itself: its answer, its quota, its certificate, its shapes.

A look is the first part of a connection's test, up to the sign-in: it reads no record. A system that refuses the sign-in
is not asked again before a secret changes or a person tests it, because accounts are locked for less.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from connectors import certificates, circuits, services
from connectors.base import Connector, Quota
from connectors.models import Circuit, Connection, Health
from hub.common import facts
from hub.common.errors import HubError
from hub.common.records import CheckStep

State = Health.State
SHAPES_SECONDS = 86_400
# Refusals that a new secret would change, as connectors.failures names them.
_SIGN_IN_CODES = ("AUTH", "AUTH_DENIED", "AUTH_EXPIRED")
_UNANSWERED_CODES = ("TRANSIENT", "TIMEOUT", "SERVER_TRANSIENT", "SERVER_FATAL")


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found."""

    state: str
    seconds: float
    detail: str
    fix: str = ""
    quota: Quota | None = None
    server: str = ""


def due() -> QuerySet[Connection]:
    """Connections that were not looked at for HUB_HEALTH_SECONDS; paused ones are left alone."""
    never_or_over = Q(health__isnull=True) | Q(health__next_at__isnull=True) | Q(health__next_at__lte=timezone.now())
    return Connection.objects.filter(never_or_over, is_paused=False)


def claim(connection_id: int) -> bool:
    """Take the right to look at a connection now; one worker gets it."""
    now = timezone.now()
    Health.objects.get_or_create(connection_id=connection_id)
    free = Health.objects.filter(Q(next_at__isnull=True) | Q(next_at__lte=now), connection_id=connection_id)
    return free.update(next_at=now + timedelta(seconds=settings.HUB_HEALTH_SECONDS)) == 1


def look(connection: Connection) -> Health:
    """Look at a connection and keep what was seen. Never raises for what its system does."""
    circuit = circuits.look(connection.pk)
    if circuit.is_shut:
        return _keep(connection, _of_circuit(circuit))
    seen = _ask(connection)
    found = _keep(connection, seen)
    if seen.state == State.NEEDS_SIGN_IN:
        circuits.pause_for_sign_in(connection.pk, seen.detail)
    return found


def _of_circuit(circuit: circuits.Look) -> Seen:
    """What is known of a system that is left alone; asking it is the business of the circuit."""
    refused = circuit.state == Circuit.State.PAUSED_AUTH
    return Seen(State.NEEDS_SIGN_IN if refused else State.UNREACHABLE, 0.0, circuit.error)


def _ask(connection: Connection) -> Seen:
    started = time.monotonic()
    try:
        with services.open_for_look(connection) as connector:
            steps = _steps(connector)
            return _judge(steps, time.monotonic() - started, connector.quota(), connector.server())
    except HubError as error:
        return Seen(State.REFUSED, time.monotonic() - started, str(error), error.fix)


def _steps(connector: Connector) -> list[CheckStep]:
    """The steps of a test up to the sign-in; the generator carries each one out when it is asked for."""
    done: list[CheckStep] = []
    for step in connector.check():
        done.append(step)
        if step.name == "authenticate":
            break
    return done


def _judge(steps: Sequence[CheckStep], seconds: float, quota: Quota | None, server: str) -> Seen:
    failed = next((step for step in steps if not step.ok), None)
    if failed is None:
        state = State.SLOW if seconds > settings.HUB_SLOW_SECONDS else State.HEALTHY
        detail = f"It took {seconds:.1f} s to answer." if state == State.SLOW else ""
        return Seen(state, seconds, detail, quota=quota, server=server)
    detail = failed.detail if failed.cause in failed.detail else f"{failed.detail} {failed.cause}"
    return Seen(_failed_state(failed), seconds, detail, failed.fix, quota, server)


def _failed_state(step: CheckStep) -> str:
    if step.name in ("resolve", "connect") or step.code in _UNANSWERED_CODES:
        return State.UNREACHABLE
    return State.NEEDS_SIGN_IN if step.code in _SIGN_IN_CODES else State.REFUSED


@transaction.atomic
def _keep(connection: Connection, seen: Seen) -> Health:
    now = timezone.now()
    found, _ = Health.objects.select_for_update().get_or_create(connection=connection)
    changed = found.state != seen.state
    found.since = now if changed else found.since
    found.state, found.detail, found.fix, found.seconds = seen.state, seen.detail, seen.fix, round(seen.seconds, 3)
    found.looked_at = now
    if seen.quota:
        found.quota_left, found.quota_limit, found.quota_at = seen.quota.left, seen.quota.limit, now
    found.save()
    if changed:
        facts.publish("health_changed", connection=connection, state=seen.state, detail=seen.detail)
    return found


def is_current(connection: Connection) -> Health | None:
    """What was seen last, unless a test by a person or a change of the connection is newer."""
    found: Health | None = getattr(connection, "health", None)
    if found is None or not found.state or found.looked_at is None:
        return None
    tested: datetime | None = connection.checked_at
    return found if tested is None or found.looked_at >= tested else None


# --- once a day -----------------------------------------------------------------------------------------------------


def due_shapes() -> QuerySet[Connection]:
    """Connections with chosen objects whose shapes nobody has looked at for a day."""
    before = timezone.now() - timedelta(seconds=SHAPES_SECONDS)
    old = Q(health__isnull=True) | Q(health__shapes_at__isnull=True) | Q(health__shapes_at__lte=before)
    return Connection.objects.filter(old, is_paused=False, streams__isnull=False).distinct()


def claim_shapes(connection_id: int) -> bool:
    """Take the right to look at a connection's shapes; one worker gets it, and after a failure the next one an hour later."""
    now = timezone.now()
    Health.objects.get_or_create(connection_id=connection_id)
    old = Q(shapes_at__isnull=True) | Q(shapes_at__lte=now - timedelta(seconds=SHAPES_SECONDS))
    later = now - timedelta(seconds=SHAPES_SECONDS - 3_600)
    return Health.objects.filter(old, connection_id=connection_id).update(shapes_at=later) == 1


def look_at_shapes(connection: Connection) -> list[str]:
    """Compare what the system offers with what was recorded; differences become drifts. The names that are gone."""
    if circuits.look(connection.pk).is_shut:
        return []
    offered = {info.name: info for info in services.discover(connection)}
    missing = []
    for stream in connection.streams.all():
        info = offered.get(stream.name)
        if info is None:
            missing.append(stream.name)
        elif info.fields and stream.fields and services.is_declared(stream):
            services.compare_shape(stream, info)
    _end_of_day(connection, missing)
    return missing


def _end_of_day(connection: Connection, missing: list[str]) -> None:
    values: dict[str, Any] = {"shapes_at": timezone.now(), "missing": missing}
    with services.open_for_look(connection) as connector:
        ends_at = certificates.ends_at(connector.server(), connection.allowed_networks)
    if ends_at:
        values["certificate_expires_at"] = ends_at
    Health.objects.update_or_create(connection=connection, defaults=values)


def facts_of(found: Health | None) -> Mapping[str, Any]:
    """What a page shows: the share of the quota that is used in percent, and the days that the certificate lasts."""
    if found is None:
        return {}
    limit, left = found.quota_limit, found.quota_left
    used = round(100 * (limit - left) / limit) if limit and left is not None else None
    ends = found.certificate_expires_at
    return {"row": found, "quota_used": used, "certificate_days": (ends - timezone.now()).days if ends else None}
