"""Who is told of a change, and when: routes in order of their position, digests, and hours in which nobody is told. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from governance.calendars.opening import ROUND_THE_CLOCK, OpeningHours, is_open, next_open, wall
from monitoring.alerts.states import CRITICAL, RANK, worse
from monitoring.models import AlertRoute


@dataclass(frozen=True, slots=True)
class Matter:
    """What a notice would be about. `level` is the worse of before and after; `amount` the most that hung on it."""

    rule_id: int
    level: str
    domain_id: int | None = None
    system_id: int | None = None
    amount: Decimal | None = None


def matching(routes: Iterable[AlertRoute], matter: Matter) -> list[AlertRoute]:
    """The routes that are told: in order of position, up to the first that matches and does not go on."""
    found = []
    for route in sorted(routes, key=lambda each: (each.position, each.name)):
        if not why_not(route, matter):
            found.append(route)
            if not route.goes_on:
                break
    return found


def why_not(route: AlertRoute, matter: Matter) -> str:
    """Why a route does not match, in words; empty when it does."""
    return next(_reasons(route, matter), "")


def _reasons(route: AlertRoute, matter: Matter) -> Iterator[str]:
    if route.rule_id and route.rule_id != matter.rule_id:
        yield "It is for another rule."
    if route.domain_id and route.domain_id != matter.domain_id:
        yield "It is for another domain."
    if route.system_id and route.system_id != matter.system_id:
        yield "It is for another system."
    if RANK[matter.level] < RANK[route.level]:
        yield "It is for critical alerts alone."
    if route.amount_from is not None and (matter.amount is None or matter.amount < route.amount_from):
        yield f"It begins at {route.amount_from.normalize():f} of the firm's currency."
    if not route.channels:
        yield "It has no channel."


def severity(before: str, after: str) -> str:
    """A recovery concerns those whom the trouble concerned."""
    return worse(before, after)


def due_at(route: AlertRoute, level: str, now: datetime, *, hours: OpeningHours, zone_hours: OpeningHours) -> datetime:
    """When a notice of this level leaves; `zone_hours` is the clock of the firm, for a route without a calendar.

    What is critical does not wait where the route says so. A digest that falls into quiet hours leaves when they end.
    """
    if level == CRITICAL and route.critical_at_once:
        return now
    clock = hours if route.calendar_id else zone_hours
    at = _digest_at(route, now, clock)
    return at if not route.calendar_id or is_open(hours, at) else next_open(hours, at)


def _digest_at(route: AlertRoute, now: datetime, clock: OpeningHours) -> datetime:
    if route.digest == AlertRoute.Digest.HOURLY:
        # Real hours: a clock that is put back does not make people wait twice as long.
        whole = now.replace(minute=0, second=0, microsecond=0)
        return now if whole == now else whole + timedelta(hours=1)
    if route.digest == AlertRoute.Digest.DAILY:
        today = now.astimezone(clock.zone).date()
        return next(at for at in _mornings(today, minute_of(route.digest_at), clock) if at >= now)
    return now


def _mornings(today: date, minute: int, clock: OpeningHours) -> Iterator[datetime]:
    for days in range(-1, 3):
        yield wall(today + timedelta(days=days), minute, clock.zone)


def minute_of(text: str) -> int:
    """HH:MM as minutes after midnight."""
    hour, _, minute = (text or "08:00").partition(":")
    return int(hour) * 60 + int(minute)


def hours_of(routes: Sequence[AlertRoute]) -> dict[int, OpeningHours]:
    """Opening hours by route; those without a calendar are always open."""
    return {
        route.pk: route.calendar.opening_hours if route.calendar is not None else ROUND_THE_CLOCK for route in routes
    }
