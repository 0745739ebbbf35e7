"""Connections: down, near the end of their credentials, or near the end of what they may ask."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any

from django.urls import reverse

from connectors.models import Circuit, Connection, Health
from hub.common.db import plain_cursor
from hub.common.display import duration
from hub.common.times import business_today
from monitoring.alerts import risk
from monitoring.alerts.conditions import Finding, condition
from monitoring.alerts.look import Look

# More days than anybody plans ahead.
FAR_DAYS = 400


@condition(
    "connection_down",
    "A connection is down",
    unit="minutes",
    help="It does not answer, or refuses the sign-in. What fails because of it is told here, and not sync by sync.",
    warning="0",
    critical="15",
)
def down(look: Look) -> Iterator[Finding]:
    shut = Circuit.objects.exclude(state__in=[Circuit.State.CLOSED, Circuit.State.HALF_OPEN])
    for circuit in shut.filter(connection__is_paused=False).select_related("connection"):
        seconds = max((look.now - circuit.since).total_seconds(), 0) if circuit.since else 0
        what = "has refused the sign-in" if circuit.state == Circuit.State.PAUSED_AUTH else "has not answered"
        words = f"It {what} for {duration(seconds)}: {circuit.error[:300]}"
        yield _finding(circuit.connection, Decimal(str(round(seconds / 60, 2))), words)


@condition(
    "credential_expiry",
    "Credentials end soon",
    unit="days left",
    help="The last day that the connection's page names, with what hangs on the connection.",
    warning="14",
    critical="3",
    is_below=True,
)
def expiring(look: Look) -> Iterator[Finding]:
    for connection in Connection.objects.filter(secret_expires_date__isnull=False, is_paused=False):
        date = connection.secret_expires_date
        assert date is not None
        days = (date - business_today(connection.time_zone)).days
        if days <= FAR_DAYS:
            end = f"end in {days} day{'s' if days != 1 else ''}" if days >= 0 else "have ended"
            yield _finding(connection, Decimal(days), f"Its credentials {end} (last day {date.isoformat()}).")
    yield from _certificates(look)


def _certificates(look: Look) -> Iterator[Finding]:
    """Servers whose certificate ends; a connection whose secret ends as well is told of once, by its secret."""
    rows = Health.objects.filter(certificate_expires_at__isnull=False, connection__is_paused=False)
    for row in rows.filter(connection__secret_expires_date__isnull=True).select_related("connection"):
        assert row.certificate_expires_at is not None
        days = (row.certificate_expires_at - look.now).days
        if days <= FAR_DAYS:
            last = row.certificate_expires_at.date().isoformat()
            yield _finding(
                row.connection, Decimal(days), f"The certificate of its server ends on {last}, in {days} days."
            )


@condition(
    "connection_trouble",
    "A connection is slow or refuses",
    unit="minutes",
    help="A look at it found it slow, refused or unreachable, while work is sent to it all the same.",
    warning="10",
    critical="60",
)
def trouble(look: Look) -> Iterator[Finding]:
    states = [Health.State.SLOW, Health.State.REFUSED, Health.State.UNREACHABLE]
    shut = [Circuit.State.OPEN, Circuit.State.PAUSED_AUTH]
    rows = Health.objects.filter(state__in=states, since__isnull=False, connection__is_paused=False)
    for row in rows.exclude(connection__circuit__state__in=shut).select_related("connection"):
        assert row.since is not None
        seconds = max((look.now - row.since).total_seconds(), 0)
        words = f"It is {row.get_state_display().lower()} for {duration(seconds)}. {row.detail[:300]}".strip()
        yield _finding(row.connection, Decimal(str(round(seconds / 60, 2))), words)


@condition(
    "quota",
    "A system limits us",
    unit="refusals in an hour",
    help="Requests that the system refused as too many, and a pause that it asked for.",
    warning="1",
    critical="100",
)
def limited(look: Look) -> Iterator[Finding]:
    """The ledger keeps the status of each delivery; a pause that the system asked for counts as one refusal more."""
    with plain_cursor() as cursor:
        rows = cursor.execute(
            "select c.id, coalesce(n.refused, 0), p.stopped_until > now(),"
            " extract(epoch from p.stopped_until - now())::float8 from connectors_connection c"
            " left join connectors_pace p on p.connection_id = c.id"
            " left join (select t.connection_id, count(*) refused from sync_transaction x"
            "   join sync_sync s on s.id = x.sync_id join mappings_mapping m on m.id = s.mapping_id"
            "   join connectors_stream t on t.id = m.stream_id"
            "   where x.outcome >= 5 and x.http_status = 429 and x.at > now() - interval '1 hour' group by 1) n"
            "   on n.connection_id = c.id where n.refused > 0 or p.stopped_until > now()"
        ).fetchall()
    known = Connection.objects.in_bulk([row[0] for row in rows])
    for connection_id, refused, is_stopped, seconds in rows:
        number = refused + bool(is_stopped)
        pause = f" It asked for a pause of another {duration(seconds)}." if is_stopped else ""
        words = f"{refused:,} requests were refused as too many within the hour.{pause}"
        yield _finding(known[connection_id], Decimal(number), words)


def _finding(connection: Connection, value: Decimal, words: str) -> Finding:
    return Finding(
        f"connection:{connection.pk}",
        connection.name,
        value,
        words,
        url=reverse("connectors:connection_detail", args=[connection.slug]),
        domain_id=connection.domain_id,
        system_id=connection.system_id,
        connection_id=connection.pk,
        details=partial(_details, connection),
    )


def _details(connection: Connection) -> list[str]:
    impact: Any = risk.impact_of(connection)
    return impact.lines()
