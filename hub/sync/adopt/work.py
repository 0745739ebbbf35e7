"""Working on an adoption: claim it, go on from where it stands for a slice of time, then give it back."""

from __future__ import annotations

import time

from django.db.models import Q
from django.db.models.functions import Now

from hub.common.errors import AuthError, HubError, TransientError
from hub.sync import bell, runs
from hub.sync.adopt import applying, judging, lease, order, reading
from hub.sync.models import Adoption

# Short, because the lane shares its workers with live traffic.
SLICE_SECONDS = 10
Status = Adoption.Status


def work(adoption_id: int, *, slice_seconds: float = SLICE_SECONDS) -> Adoption | None:
    """Go on with an adoption; None when it cannot be claimed. Every branch ends in a stored state."""
    adoption = lease.claim(adoption_id)
    if adoption is None:
        return None
    try:
        _go_on(adoption, slice_seconds)
    except (lease.LostLease, applying.Stopped):
        return adoption
    except Exception as error:
        _give_up(adoption, runs.as_hub_error(error))
        return adoption
    if adoption.status in Adoption.WORKING:
        bell.ring_adoption(adoption.pk)
    elif adoption.status == Status.DONE:
        ring_due()
    return adoption


def _go_on(adoption: Adoption, slice_seconds: float) -> None:
    """One step of the state that it is in; a step that is complete leads to the next state."""
    error = ""
    if adoption.status == Status.WAITING:
        error = _wait(adoption)
    elif adoption.status == Status.READING:
        if reading.read(adoption, deadline=time.monotonic() + slice_seconds):
            reading.finish(adoption)
    elif adoption.status == Status.MATCHING:
        judging.judge(adoption)
    elif applying.apply(adoption, seconds=slice_seconds):
        applying.finish(adoption)
    lease.give_back(adoption, error=error)


def _wait(adoption: Adoption) -> str:
    """Children wait until their parents are in the hub; the sentence why, empty when it may begin."""
    if parents := order.open_parents(adoption):
        names = ", ".join(parent.target.name for parent in parents)
        return f"It begins when the first load of {names} is done, because its records refer to those."
    lease.fence(adoption, status=Status.READING)
    return ""


def _give_up(adoption: Adoption, error: HubError) -> None:
    """What may pass by itself is tried again later; anything else waits for a person."""
    passes = isinstance(error, TransientError) and not isinstance(error, AuthError)
    lease.give_back(adoption, error=str(error), is_halted=not passes)


def ring_due() -> int:
    """Ring for adoptions that a worker can go on with; a lost ring costs one tick."""
    idle = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
    due = Adoption.objects.filter(idle, status__in=Adoption.WORKING, is_halted=False).order_by("pk")
    found = list(due.values_list("pk", flat=True))
    for adoption_id in found:
        bell.ring_adoption(adoption_id)
    return len(found)
