"""The canary of a change: armed before it takes effect, it compares what fails afterwards with the day before.

A higher package knows what runs through the objects of a change and registers the judge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from governance.changes import applying
from governance.changes.services import lock, tell_of
from governance.models import ChangeCanary, ChangeRequest
from hub.common import facts
from hub.common.errors import ConfigError, HubError
from hub.common.times import business_now

State = ChangeCanary.State
# Fewer failed records than this are no reason, whatever their share.
LEAST = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """Records of one sync that were read and that failed in a stretch of time, and runs that failed as a whole."""

    read: int = 0
    failed: int = 0
    failed_runs: int = 0

    @property
    def share(self) -> float:
        """Failed records of a hundred."""
        return 100 * self.failed / self.read if self.read else 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """What one sync did in the day before the change, and does since."""

    sync: str
    before: Seen
    after: Seen

    def trips(self, tolerance: int) -> str:
        """Why the change should be taken back, as a sentence; empty for no reason."""
        if self.after.failed_runs and not self.before.failed_runs:
            return f"A run of {self.sync} failed, and none had in the day before."
        if self.after.failed >= LEAST and self.after.share > self.before.share + tolerance:
            return (
                f"{self.after.share:.0f} % of the records of {self.sync} fail"
                f" ({self.after.failed:,} of {self.after.read:,}); in the day before {self.before.share:.0f} % did."
            )
        return ""


# Given the change and when it took effect: one part for each sync that runs through what it changes.
Judge = Callable[[ChangeRequest, datetime], Sequence[Part]]
_judges: list[Judge] = []


def register_judge(judge: Judge) -> None:
    _judges[:] = [judge]


def subscribe() -> None:
    facts.subscribe("change_applied", begin)


@transaction.atomic
def arm(change: ChangeRequest, *, by: Any, minutes: int = 60, tolerance: int = 5) -> ChangeCanary:
    """Watch the change once it takes effect. Raises ConfigError where nothing runs through what it changes."""
    change = lock(change)
    applying.refuse_outsider(change, by)
    if change.state not in ChangeRequest.WAITING:
        raise ConfigError("It has taken effect or ended already.", where=str(change), code="CHANGE_STATE")
    if not _judges or not _judges[0](change, business_now()):
        raise ConfigError(
            "No sync runs through what this changes, so nothing could be watched.", where=str(change), code="NO_CANARY"
        )
    if any(item.base is None for item in change.items.all()):
        raise ConfigError(
            "Something in it is new; there is nothing before it to go back to.",
            where=str(change),
            code="NOTHING_BEFORE",
        )
    values = {"state": State.ARMED, "minutes": minutes, "tolerance": tolerance, "armed_by": by}
    canary, _ = ChangeCanary.objects.update_or_create(change=change, defaults=values)
    tell_of(change, "canary_armed", by=by)
    return canary


@transaction.atomic
def stop(change: ChangeRequest, *, by: Any) -> ChangeRequest:
    """Watch no longer; the change stays as it is."""
    change = lock(change)
    applying.refuse_outsider(change, by)
    if not ChangeCanary.objects.filter(change=change, state__in=(State.ARMED, State.WATCHING)).update(
        state=State.STOPPED
    ):
        raise ConfigError("Nothing is watched.", where=str(change), code="CHANGE_STATE")
    tell_of(change, "canary_stopped", by=by)
    return change


def begin(*, change: ChangeRequest, **_: Any) -> None:
    """The change has taken effect, in this transaction."""
    now = business_now()
    for canary in ChangeCanary.objects.filter(change=change, state=State.ARMED):
        canary.state, canary.began_at, canary.ends_at = State.WATCHING, now, now + timedelta(minutes=canary.minutes)
        canary.save(update_fields=["state", "began_at", "ends_at"])


def watch() -> int:
    """Look at every change that is watched; returns how many were taken back."""
    watching = ChangeCanary.objects.filter(state=State.WATCHING).order_by("pk")
    return sum(_look(pk) for pk in watching.values_list("pk", flat=True))


@transaction.atomic
def _look(pk: int) -> bool:
    canary = ChangeCanary.objects.select_for_update(skip_locked=True).filter(pk=pk, state=State.WATCHING).first()
    if canary is None or canary.began_at is None or canary.ends_at is None or not _judges:
        return False
    change = lock(canary.change)
    if change.state != ChangeRequest.State.APPLIED:
        return _end(canary, State.STOPPED, "The change was taken back by people.")
    parts = _judges[0](change, canary.began_at)
    canary.result = [asdict(part) for part in parts]
    reasons = [reason for part in parts if (reason := part.trips(canary.tolerance))]
    if reasons:
        return _take_back(canary, change, " ".join(reasons))
    if business_now() >= canary.ends_at:
        return _end(canary, State.PASSED, "No more fails than in the day before.")
    canary.save(update_fields=["result"])
    return False


def _take_back(canary: ChangeCanary, change: ChangeRequest, why: str) -> bool:
    try:
        with transaction.atomic():
            applying.take_back_now(change, by=None, reason=why)
    except HubError as error:
        return _end(canary, State.STOPPED, f"{why} It could not be taken back by itself: {error}")
    _end(canary, State.TRIPPED, why)
    return True


def _end(canary: ChangeCanary, state: str, said: str) -> bool:
    canary.state, canary.said = state, said
    canary.save(update_fields=["state", "said", "result"])
    return False
