"""A replay looked at before it is carried out: how many, how much, where, what is left out, who has to agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, QuerySet, Sum
from django.utils import timezone

from hub.common.errors import ConfigError
from hub.sync import totals
from hub.sync.models import DeadLetter, Replay, ReplayItem, Run, Sync
from hub.sync.replays import acts
from hub.sync.replays.letters import LetterFilter
from hub.sync.states import ACTIVE, WENT_THROUGH, RunStatus

# What one person puts again within this long counts together, so that a large replay cannot be cut into small ones.
WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A replay as it is asked for. `sync_ids` are those in which the person may decide; None means all."""

    letters: LetterFilter
    sync_ids: Collection[int] | None = None
    action: str = Replay.Action.RETRY
    versions: str = Replay.Versions.CURRENT
    scope: str = Replay.Scope.FAILED

    def __post_init__(self) -> None:
        if self.action == Replay.Action.RECOVER and self.letters.since is None:
            raise ConfigError("Say since when to recover.", where="since", code="NEEDED")
        if self.scope == Replay.Scope.START and self.versions == Replay.Versions.AS_RAN:
            raise ConfigError(
                "From the start with the versions it ran with leads to what is here already.",
                where="versions",
                fix="Take the current versions, or only what failed.",
            )

    def rows(self) -> QuerySet[DeadLetter]:
        """The letters with what is done with each, as `act`."""
        rows = self.letters.rows(self.sync_ids)
        return acts.with_act(rows, acts.safety_of(rows), action=self.action, versions=self.versions)


Amounts = dict[str, Decimal]


@dataclass(slots=True)
class ReplayPlan:
    """Numbers by act, state and sync (slug), amounts by currency. `left` needs a person and is not touched."""

    number: int = 0
    left: int = 0
    by_act: dict[str, int] = field(default_factory=dict)
    by_state: dict[str, int] = field(default_factory=dict)
    by_sync: dict[str, int] = field(default_factory=dict)
    amounts: Amounts = field(default_factory=dict)
    left_amounts: Amounts = field(default_factory=dict)
    runs: list[int] = field(default_factory=list)
    approval: str = ""  # why a second person has to agree

    def as_data(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "left": self.left,
            "by_act": self.by_act,
            "by_state": self.by_state,
            "by_sync": self.by_sync,
            "amounts": _texts(self.amounts),
            "left_amounts": _texts(self.left_amounts),
            "runs": len(self.runs),
            "needs_approval": self.approval,
        }


def _texts(amounts: Amounts) -> dict[str, str | None]:
    return {currency: totals.exact(total) for currency, total in sorted(amounts.items())}


def plan(wanted: Wanted, *, by: Any) -> ReplayPlan:
    """Look, and touch nothing."""
    numbered = wanted.rows().order_by().values("act", "state", "sync_id", "currency")  # type: ignore[misc]  # annotated
    found = _sum(numbered.annotate(number=Count("id"), total=Sum("amount")))
    found.runs = failed_runs(wanted)
    found.number += len(found.runs)
    found.approval = why_approval(found.number, found.amounts, by=by)
    return found


def _sum(groups: Iterable[Any]) -> ReplayPlan:
    slugs = dict(Sync.objects.values_list("pk", "slug"))
    found = ReplayPlan()
    counts: dict[str, dict[str, int]] = {name: defaultdict(int) for name in ("act", "state", "sync")}
    for group in groups:
        is_left, number = group["act"] == ReplayItem.Act.LEAVE, group["number"]
        for name, value in (("act", group["act"]), ("state", group["state"]), ("sync", slugs[group["sync_id"]])):
            counts[name][value] += number
        found.left += number if is_left else 0
        found.number += 0 if is_left else number
        if (currency := group["currency"]) and group["total"] is not None:
            amounts = found.left_amounts if is_left else found.amounts
            amounts[currency] = amounts.get(currency, Decimal()) + group["total"]
    found.by_act, found.by_state, found.by_sync = (dict(sorted(counts[n].items())) for n in ("act", "state", "sync"))
    return found


def failed_runs(wanted: Wanted) -> list[int]:
    """For a recovery: the last failed run of each inbound sync that has not been followed by one that went through.

    A failed page was not stored, and the cursor stands before it: another run reads it again.
    """
    if wanted.action != Replay.Action.RECOVER:
        return []
    went = (*WENT_THROUGH, *ACTIVE)
    later = Run.objects.filter(sync=OuterRef("sync"), pk__gt=OuterRef("pk"), status__in=went)
    rows = Run.objects.filter(status=RunStatus.FAILED, sync__mapping__direction="in")
    rows = rows.filter(~Exists(later), finished_at__gte=wanted.letters.since, sync__is_paused=False)
    rows = _within(rows, wanted)
    return list(rows.order_by("sync_id", "-pk").distinct("sync_id").values_list("pk", flat=True))


def _within(rows: QuerySet[Run], wanted: Wanted) -> QuerySet[Run]:
    """Of the syncs that the filter names; what is asked about letters alone says nothing about runs."""
    asked = wanted.letters.asked
    if wanted.sync_ids is not None:
        rows = rows.filter(sync_id__in=list(wanted.sync_ids))
    paths = {
        "sync": "sync__slug",
        "connection": "sync__mapping__stream__connection__slug",
        "system": "sync__mapping__stream__connection__system__slug",
    }
    return rows.filter(**{path: asked[name] for name, path in paths.items() if name in asked})


# A second person -------------------------------------------------------------------------------------------
def why_approval(number: int, amounts: Amounts, *, by: Any) -> str:
    """Why a replay of this size needs a second person; empty when it does not."""
    before = Replay.objects.filter(requested_by=by, created_at__gte=timezone.now() - WINDOW)
    before = before.exclude(state=Replay.State.CANCELLED)
    records = number + sum(before.values_list("planned", flat=True))
    if records > settings.HUB_REPLAY_RECORDS:
        limit = f"{settings.HUB_REPLAY_RECORDS:,}"
        return f"{records:,} records within 24 hours are more than {limit}, so a second person has to agree."
    for currency, total in _with_earlier(amounts, before).items():
        if total > settings.HUB_REPLAY_AMOUNT:
            shown = f"{totals.exact(total)} {currency}"
            return (
                f"{shown} within 24 hours is more than {settings.HUB_REPLAY_AMOUNT:,}, so a second person has to agree."
            )
    return ""


def _with_earlier(amounts: Amounts, before: QuerySet[Replay]) -> Amounts:
    found = {currency: abs(total) for currency, total in amounts.items()}
    for stored in before.values_list("plan", flat=True):
        for currency, text in stored.get("amounts", {}).items():
            found[currency] = found.get(currency, Decimal()) + abs(Decimal(text))
    return found
