"""Service levels with what is attained of them now, as lists and pages show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from governance.models import ServiceLevel
from governance.service_levels.queries import said_of
from governance.service_levels.windows import Period
from governance.service_levels.words import details, sentence
from hub.common.errors import HubError
from hub.common.times import format_instant
from hub.records.models import CanonicalRecord
from monitoring.service_levels.measuring import Measurement, measure_now
from monitoring.service_levels.observing import Judged


@dataclass(slots=True)
class LevelRow:
    """A service level in its running window; `problem` where that could not be measured."""

    level: ServiceLevel
    period: Period | None = None
    found: Measurement | None = None
    problem: str = ""

    @property
    def sentence(self) -> str:
        return sentence(said_of(self.level))

    @property
    def details(self) -> list[str]:
        return details(said_of(self.level))

    @property
    def state(self) -> str:
        return self.found.state if self.found else "error"

    @property
    def counted(self) -> str:
        """ "148 of 150 in time"; hours for freshness."""
        if self.found is None or not self.found.tally.total:
            return "nothing decided yet" if self.found else ""
        tally = self.found.tally
        kept, total = tally.met + tally.warned, tally.total
        if self.found.unit == "seconds":
            return f"{kept / 3600:,.1f} of {total / 3600:,.1f} hours fresh"
        return f"{kept:,.0f} of {total:,.0f} {self.found.unit} in time"


def measured(levels: Iterable[ServiceLevel]) -> list[LevelRow]:
    return [measured_now(level) for level in levels]


def measured_now(level: ServiceLevel) -> LevelRow:
    try:
        return LevelRow(level, *measure_now(level))
    except HubError as error:
        return LevelRow(level, problem=str(error))


def with_links(worst: Sequence[Judged]) -> list[dict[str, Any]]:
    """The worst, each with the address of its record where there is one."""
    ids = [one.record_id for one in worst if one.record_id]
    records = CanonicalRecord.objects.select_related("entity").in_bulk(ids)
    return [
        {
            "one": one,
            "record": records.get(one.record_id) if one.record_id else None,
            "began_at": format_instant(one.start),
        }
        for one in worst
    ]
