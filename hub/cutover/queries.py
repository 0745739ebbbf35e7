"""Reads of cut-overs: what a person may see, how far each legal entity is, and what its differences come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Min, QuerySet

from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.common.db import plain_cursor
from hub.common.display import MASK
from hub.common.errors import HubError
from hub.cutover import gate, moving
from hub.cutover.comparing import Shadow
from hub.cutover.models import (
    COMPARED,
    LEGACY_DELIVERS,
    NEW_DELIVERS,
    Cutover,
    CutoverMove,
    CutoverRoute,
    ShadowDiff,
    State,
)
from hub.sync.payloads import classified

SEE, EDIT, SWITCH = "cutovers.view", "cutovers.edit", "cutovers.switch"
STRIP_DAYS = 14
EXAMPLES = 5
CAUSES = 50


def cutovers_for(user: User, permission: str = SEE) -> QuerySet[Cutover]:
    rows = Cutover.objects.select_related("domain", "entity", "legacy__mapping__stream__connection")
    return scope_to_domains(rows.select_related("new__mapping__stream__connection"), user, permission)


def may(user: User, cutover: Cutover, permission: str) -> bool:
    ids = user.domain_ids_for(permission)
    return ids is None or cutover.domain_id in ids


@dataclass(frozen=True, slots=True)
class Line:
    """One legal entity of a cut-over, as pages and programs see it."""

    route: CutoverRoute
    days: Sequence[gate.Day]
    unexplained: int
    verdict: gate.Verdict
    queued: int = 0  # records that the next step would send to the new side

    @property
    def marks(self) -> list[tuple[str, str]]:
        """For the strip: state and title of each day."""
        return [(day.state, f"{day.day.isoformat()}: {day.words}") for day in self.days]

    @property
    def is_compared(self) -> bool:
        return self.route.state in COMPARED


def lines_of(cutover: Cutover, *, days: int = STRIP_DAYS, forecast: bool = False) -> list[Line]:
    """All the rest comes last."""
    routes = list(cutover.routes.select_related("cutover__legacy", "cutover__new", "by"))
    routes.sort(key=lambda route: (route.legal_entity == "*", route.legal_entity))
    return [_line(route, days, forecast=forecast) for route in routes]


def _line(route: CutoverRoute, days: int, *, forecast: bool) -> Line:
    diffs = ShadowDiff.objects.filter(cutover=route.cutover, legal_entity=route.legal_entity, state="open")
    return Line(
        route,
        gate.days_of(route, days),
        diffs.values("record_id", "day").distinct().count(),
        gate.judge(route),
        _forecast(route) if forecast else 0,
    )


def _forecast(route: CutoverRoute) -> int:
    before, after = State(route.state), route.next
    if after is None or after not in NEW_DELIVERS or before in NEW_DELIVERS:
        return 0
    with plain_cursor() as cursor:
        sides = route.cutover.new, route.cutover.legacy
        return moving.owed(cursor, route, *sides, other_is_open=after in LEGACY_DELIVERS)


# Differences -----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Cause:
    """Open differences of one field in one way, with some examples."""

    legal_entity: str
    field: str
    pattern: str
    number: int
    first: Any
    last: Any
    examples: Sequence[ShadowDiff]
    is_masked: bool = False


def causes_of(cutover: Cutover) -> list[Cause]:
    """The most frequent first."""
    rows = ShadowDiff.objects.filter(cutover=cutover, state="open").order_by()
    groups = rows.values("legal_entity", "field", "pattern").annotate(
        number=Count("pk"), first=Min("day"), last=Max("day")
    )
    secret = secret_fields(cutover)
    return [_cause(cutover, dict(group), secret) for group in groups.order_by("-number", "field")[:CAUSES]]


def _cause(cutover: Cutover, group: dict[str, Any], secret: frozenset[str]) -> Cause:
    same = {name: group[name] for name in ("legal_entity", "field", "pattern")}
    examples = list(ShadowDiff.objects.filter(cutover=cutover, state="open", **same)[:EXAMPLES])
    is_masked = group["field"].split(".", 1)[0] in secret
    for one in examples if is_masked else ():
        one.legacy_value = one.new_value = MASK
    return Cause(**group, examples=examples, is_masked=is_masked)


def secret_fields(cutover: Cutover) -> frozenset[str]:
    """Canonical fields whose values are not for everybody; what cannot be built may quote any of them."""
    try:
        secret = classified(Shadow.of(cutover).legacy.contract.schema)
    except HubError:
        return frozenset()
    return secret | {"(payload)"} if secret else secret


def left_out_of(cutover: Cutover) -> tuple[dict[str, str], str]:
    """Fields that are not compared, with why; and a sentence where the shadow cannot be built at all."""
    try:
        return dict(Shadow.of(cutover).projection.left_out), ""
    except HubError as error:
        return {}, str(error)


def explained_of(cutover: Cutover, number: int = 20) -> list[dict[str, Any]]:
    """What was explained, by reason; the newest first."""
    rows = ShadowDiff.objects.filter(cutover=cutover, state="explained").order_by()
    groups = rows.values("legal_entity", "field", "pattern", "reason", "by__name")
    return [
        dict(group) for group in groups.annotate(number=Count("pk"), at=Max("explained_at")).order_by("-at")[:number]
    ]


def history_of(cutover: Cutover, number: int = 20) -> list[dict[str, Any]]:
    """For components/timeline.html."""
    rows = CutoverMove.objects.filter(cutover=cutover).select_related("by")[:number]
    return [
        {
            "state": "rolled_back" if move.is_back else "ok",
            "title": f"{_label(move.legal_entity)}: {move.before} → {move.after}",
            "detail": f"{move.reason} · by {move.by or 'a program'}{_sent(move)}",
            "at": move.at,
        }
        for move in rows
    ]


def _label(legal_entity: str) -> str:
    return "All the rest" if legal_entity == "*" else legal_entity


def _sent(move: CutoverMove) -> str:
    queued = move.seen.get("queued") or {}
    return "".join(f" · {number:,} records to the {side} side" for side, number in queued.items())


def as_data(cutover: Cutover) -> dict[str, Any]:
    """A cut-over as programs and the command see it."""
    return {
        "slug": cutover.slug, "name": cutover.name, "domain": cutover.domain.slug, "entity": cutover.entity.slug,
        "legacy": cutover.legacy.slug, "new": cutover.new.slug, "owner": cutover.owner,
        "days_needed": cutover.days_needed, "carry": cutover.carry,
        "routes": [_route_data(line) for line in lines_of(cutover)],
    }  # fmt: skip


def _route_data(line: Line) -> dict[str, Any]:
    route, verdict = line.route, line.verdict
    return {
        "legal_entity": route.legal_entity, "state": route.state, "since": route.since,
        "next": route.next.value if route.next else None, "gate_open": verdict.is_open,
        "clean_days": verdict.clean, "reasons": list(verdict.reasons), "unexplained": line.unexplained,
        "days": [
            {"day": day.day, "compared": day.compared, "different": day.different, "unexplained": day.unexplained}
            for day in line.days
        ],
    }  # fmt: skip
