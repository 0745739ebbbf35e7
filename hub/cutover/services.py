"""Every change to cut-overs: saving one, switching a legal entity forward and back, explaining differences."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from hub.common.acts import Act, tell
from hub.common.db import plain_cursor
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.reasons import needed
from hub.common.registry import Document
from hub.common.saving import remove, save
from hub.cutover import counting, gate, moving
from hub.cutover.kind import KIND
from hub.cutover.models import LEGACY_DELIVERS, NEW_DELIVERS, Cutover, CutoverMove, CutoverRoute, ShadowDiff, State
from hub.sync import engine, setbacks
from hub.sync.models import Run


def save_cutover(document: Document, *, by: Any, reason: str = "") -> Put:
    """Make or change a cut-over; how far its legal entities are stays as it is."""
    return save({"kind": KIND, **document}, act="cutover.saved", by=by, reason=reason)


def delete_cutover(cutover: Cutover, *, by: Any) -> None:
    """Only one in which nothing was switched. Held where reviewers have to agree."""
    remove(KIND, cutover.slug, act="cutover.deleted", by=by)


# Switching -------------------------------------------------------------------------------------------------
@setbacks.again_after_races
def advance(cutover: Cutover, legal_entity: str, *, reason: str, by: Any) -> CutoverRoute:
    """One step further. Raises ConfigError with what the gate still needs; there is no way around it."""
    reason = needed(reason, "Say why it goes on.", where="reason")
    with transaction.atomic():
        route = _locked(cutover, legal_entity)
        after, verdict = route.next, gate.judge(route)
        if after is None or not verdict.is_open:
            raise ConfigError(
                f"{route.label} stays {route.get_state_display().lower()}. {' '.join(verdict.reasons)}".strip(),
                where=cutover.slug,
                fix=f"Look at {cutover.get_absolute_url()}.",
                code="GATE",
            )
        days = (
            [[day.day.isoformat(), day.words] for day in gate.days_of(route, verdict.needed)] if verdict.needed else []
        )
        return _switch(route, after, reason=reason, by=by, seen={"clean": verdict.clean, "days": days})


@setbacks.again_after_races
def roll_back(cutover: Cutover, legal_entity: str, to: str, *, reason: str, by: Any) -> CutoverRoute:
    """Back to an earlier state, at once and whatever the gate says."""
    reason = needed(reason, "Say why it goes back.", where="reason")
    with transaction.atomic():
        route = _locked(cutover, legal_entity)
        if to not in route.earlier:
            known = ", ".join(state.value for state in route.earlier) or "none: it is at the beginning"
            raise ConfigError(
                f"{route.label} is {route.state} and cannot go back to {to or 'nothing'!r}.",
                where="to", fix=f"Earlier states: {known}.", code="NOT_EARLIER",
            )  # fmt: skip
        return _switch(route, State(to), reason=reason, by=by, seen={})


def _locked(cutover: Cutover, legal_entity: str) -> CutoverRoute:
    """All routes of the cut-over are locked: pages and batches under way end first, and those that follow see the switch."""
    rows = CutoverRoute.objects.select_for_update(of=("self",)).select_related("cutover__legacy", "cutover__new")
    found = {route.legal_entity: route for route in rows.filter(cutover=cutover).order_by("pk")}
    if legal_entity not in found:
        raise ConfigError(
            f"{cutover.name} has no route for {legal_entity!r}.",
            where="legal_entity", fix=f"Known: {', '.join(sorted(found))}.", code="NO_ROUTE",
        )  # fmt: skip
    return found[legal_entity]


def _switch(route: CutoverRoute, after: State, *, reason: str, by: Any, seen: dict[str, Any]) -> CutoverRoute:
    before, cutover = State(route.state), route.cutover
    route.state, route.since, route.by = after, timezone.now(), by
    route.save(update_fields=["state", "since", "by"])
    queued = _move(route, before, after)
    CutoverMove.objects.create(
        cutover=cutover, legal_entity=route.legal_entity, before=before, after=after, by=by, reason=reason,
        seen={**seen, "queued": queued},
    )  # fmt: skip
    engine.start_all((cutover.legacy_id, cutover.new_id), trigger=Run.Trigger.CHANGE)
    act = "cutover.rolled_back" if after.position < before.position else "cutover.advanced"
    details = {"legal_entity": route.legal_entity, "from": before.value, "to": after.value, "queued": queued}
    tell(Act(act, KIND, cutover.slug, by=by, reason=reason, details=details, domain=cutover.domain))
    return route


def _move(route: CutoverRoute, before: State, after: State) -> dict[str, int]:
    """Sides that close let go, sides that open take over; returns how many records each was given."""
    cutover = route.cutover
    sides = {
        "legacy": (cutover.legacy, cutover.new, LEGACY_DELIVERS, NEW_DELIVERS),
        "new": (cutover.new, cutover.legacy, NEW_DELIVERS, LEGACY_DELIVERS),
    }
    queued = {}
    with plain_cursor() as cursor:
        for sync, other, delivers, _ in sides.values():
            if before in delivers and after not in delivers:
                moving.hand_over(cursor, other, moving.close(cursor, route, sync))
        for name, (sync, other, delivers, others) in sides.items():
            if before not in delivers and after in delivers:
                queued[name] = moving.take_over(cursor, route, sync, other, other_is_open=after in others)
    return queued


# Explaining ------------------------------------------------------------------------------------------------
@transaction.atomic
def explain(
    cutover: Cutover, *, reason: str, by: Any, diff: int | None = None, cause: tuple[str, str, str] | None = None
) -> int:
    """One difference, or every open one of a cause (legal entity, field, pattern); returns how many. Needs a reason."""
    reason = needed(reason, "Say what explains it.", where="reason")
    rows = ShadowDiff.objects.filter(cutover=cutover, state=ShadowDiff.Diff.OPEN)
    if diff is not None:
        rows = rows.filter(pk=diff)
    elif cause is not None:
        rows = rows.filter(legal_entity=cause[0], field=cause[1], pattern=cause[2])
    else:
        raise ConfigError("Name a difference or a cause.", where="cause", code="CAUSE")
    found = list(rows.select_for_update().order_by("pk"))
    if not found:
        raise ConfigError("Nothing of this is open any more.", where=cutover.slug, code="NOT_OPEN")
    ShadowDiff.objects.filter(pk__in=[one.pk for one in found]).update(
        state=ShadowDiff.Diff.EXPLAINED, reason=reason, by=by, explained_at=timezone.now()
    )
    for legal_entity, day in sorted({(one.legal_entity, one.day) for one in found}):
        counting.count(cutover.pk, legal_entity, day)
    details = {"number": len(found), "field": found[0].field, "pattern": found[0].pattern}
    tell(Act("cutover.explained", KIND, cutover.slug, by=by, reason=reason, details=details, domain=cutover.domain))
    return len(found)
