"""A service level held against stored history before it is promised: met, warned, breached, by month, and the worst."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from governance.models import ServiceLevel
from governance.service_levels.promise import Window
from governance.service_levels.tally import Tally
from hub.common.times import business_now, format_instant
from monitoring.service_levels.measuring import Measurement, measure

DAYS = 90
MOST_DAYS = 400


def backtest(level: ServiceLevel, *, days: int = DAYS) -> Measurement:
    """The last `days` days (at most 400), by month of the calendar's time zone. Writes nothing; the level need not be saved."""
    now = business_now()
    return measure(level, since=now - timedelta(days=max(1, min(days, MOST_DAYS))), until=now, by=Window.MONTH)


def notes(found: Measurement) -> list[str]:
    """What a reader of the figures has to know: where history is missing, what was sampled, what is undecided."""
    said = []
    if not found.has_history:
        said.append("No history yet: nothing of this kind has happened in this time.")
    elif found.began_at and found.began_at > found.since:
        said.append(f"History begins on {found.began_at:%Y-%m-%d}; the days before it are not judged.")
    if found.step > 1:
        said.append(f"A sample: one record of {found.step} was looked at, chosen evenly by its id.")
    if found.tally.running:
        said.append(f"{found.tally.running:,} on the way and in time so far: not counted.")
    if found.level.condition:
        said.append("The condition asks the records as they are now.")
    return said


def as_data(found: Measurement) -> dict[str, Any]:
    """One JSON document: figures as numbers, percentages as decimal text, instants in UTC."""
    level = found.level
    return {
        "service_level": level.slug,
        "measure": level.measure,
        "since": format_instant(found.since),
        "until": format_instant(found.until),
        "objective_percent": str(level.objective_percent.normalize()),
        "unit": found.unit,
        "has_history": found.has_history,
        "state": found.state,
        **_figures(found.tally),
        "error_budget_left_percent": _text(found.budget_left),
        "sampled_one_in": found.step,
        "months": [{"month": period.label, **_figures(tally)} for period, tally in found.periods],
        "worst": [
            {
                "what": one.title,
                "verdict": one.verdict.value,
                "began_at": format_instant(one.start),
                "done_at": format_instant(one.end) if one.end else None,
                "business_seconds": round(one.taken.total_seconds()),
                "record": one.record_id,
                "transaction": one.cause_id,
            }
            for one in found.worst
        ],
        "notes": notes(found),
    }


def _figures(tally: Tally) -> dict[str, Any]:
    return {
        "met": round(tally.met),
        "warned": round(tally.warned),
        "breached": round(tally.breached),
        "running": tally.running,
        "attained_percent": _text(tally.attained),
    }


def _text(number: Any) -> str | None:
    return None if number is None else str(number)
