"""One worker an adoption, and one adoption at a time: live traffic keeps the other workers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from hub.common.errors import HubError
from hub.sync.models import Adoption

LEASE_SECONDS = 120
# Comparing is one step without a page in it; its worker is ended by the task's time limit before this is over.
MATCHING_SECONDS = 900
# What failed for a moment is tried again after this.
PAUSE_SECONDS = 30
_LANE = 7_305_001


class LostLease(HubError):
    """Another worker has taken the adoption over, or a person has ended it; what this one was about to write is dropped."""

    code = "LOST_LEASE"


@transaction.atomic
def claim(adoption_id: int) -> Adoption | None:
    """Take an adoption that a worker can go on with; None while another one holds the lane."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [_LANE])
        cursor.execute(
            "update sync_adoption set epoch = epoch + 1, lease_until = now() + make_interval(secs => %s)"
            " where id = %s and status = any(%s) and not is_halted and (lease_until is null or lease_until < now())"
            " and not exists (select 1 from sync_adoption o where o.id <> sync_adoption.id and o.lease_until > now()"
            "   and o.error = '') returning id",
            [LEASE_SECONDS, adoption_id, [str(status) for status in Adoption.WORKING]],
        )
        if cursor.fetchone() is None:
            return None
    names = [
        f"{side}__mapping__{path}" for side in ("target", "source") for path in ("entity", "stream__connection__system")
    ]
    return Adoption.objects.select_related(*names).get(pk=adoption_id)


def fence(adoption: Adoption, *, seconds: int = LEASE_SECONDS, **values: Any) -> None:
    """Set columns and extend the lease, while it is ours. Raises LostLease when it is not."""
    rows = Adoption.objects.filter(pk=adoption.pk, epoch=adoption.epoch, status__in=Adoption.WORKING)
    if not rows.update(lease_until=_from_now(seconds), **{"error": "", **values}):
        raise LostLease("The first load was ended or taken over.", where=f"first load {adoption.pk}")
    for name, value in values.items():
        setattr(adoption, name, value)


def give_back(adoption: Adoption, *, error: str = "", is_halted: bool = False) -> None:
    """Let the next message go on; after an error only when the pause is over, or a person says so."""
    until = _from_now(PAUSE_SECONDS) if error and not is_halted else None
    rows = Adoption.objects.filter(pk=adoption.pk, epoch=adoption.epoch)
    rows.update(lease_until=until, error=error, is_halted=is_halted)


def _from_now(seconds: int) -> Any:
    return Now() + timedelta(seconds=seconds)
