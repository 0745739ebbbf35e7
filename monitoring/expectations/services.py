"""What keeps the ledger of expectations: `sweep()` every few seconds, `forget()` now and then."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from governance.models import ServiceLevel
from monitoring.expectations import projecting, timing
from monitoring.expectations.projecting import Moved
from monitoring.expectations.timing import Ticked
from monitoring.service_levels import rollups

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    moved: Moved
    ticked: Ticked


def sweep(*, seconds: float = projecting.SECONDS) -> Swept:
    """Take what is new from the ledger, let the clock decide what is due, and count. Harmless twice, and two at once."""
    moved = projecting.advance(seconds=seconds)
    ticked = timing.tick()
    count()
    return Swept(moved, ticked)


def count() -> None:
    """The figures of every level that something changed of."""
    for level in ServiceLevel.objects.select_related("calendar__parent__parent"):
        try:
            rollups.count(level)
        except projecting.FAILURES:
            log.exception("The figures of a service level could not be counted.", extra={"level": level.slug})
