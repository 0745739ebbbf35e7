"""A service level as a sentence, and everything that can be wrong with one. Works on what a form holds, saved or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from governance.service_levels.promise import Measure, minutes_of
from hub.common.money import decimal_text

MOST_SECONDS = 366 * 86_400
_NEEDS_TARGET = (Measure.LATENCY, Measure.COMPLETENESS)


@dataclass(frozen=True, slots=True)
class Said:
    """What a service level says, in the names that people see."""

    measure: str
    domain: str = ""
    entity: str = ""
    source: str = ""
    target: str = ""
    condition: Mapping[str, Sequence[str]] = field(default_factory=dict)
    calendar: str = ""
    zone: str = "UTC"
    warn_seconds: int = 0
    breach_seconds: int = 0
    due_time: str = ""
    objective: Decimal = Decimal(99)
    window: str = "month"

    @property
    def subject(self) -> str:
        """ "time entry with status approved from PSA"."""
        what = _lower(self.entity) or f"record of {self.domain or 'a domain'}"
        with_ = f" with {condition_words(self.condition)}" if self.condition else ""
        return f"{what}{with_}{f' from {self.source}' if self.source else ''}"


def sentence(said: Said) -> str:
    """ "Every time entry with status approved reaches the ERP in 4 business hours, 99 % a month."."""
    limit = span_words(said.breach_seconds, is_business=bool(said.calendar))
    target = said.target or "every system that it is delivered to"
    percent = f"{percent_text(said.objective)} %"
    match said.measure:
        case Measure.LATENCY:
            body = f"Every {said.subject} reaches {target} in {limit}, {percent}"
        case Measure.FRESHNESS:
            body = f"What the hub knows of each {said.subject} is never older than {limit}, {percent} of the time"
        case Measure.COMPLETENESS:
            body = f"Every {said.subject} is at {target} as it is now, none missing for more than {limit}, {percent}"
        case Measure.DURATION:
            body = f"Every new {said.subject} is set up at {target} in {limit}, {percent}"
        case _:
            by = f"by {said.due_time or '…'} ({said.zone})"
            where = f"at {said.target}" if said.target else "in the hub"
            days = "on every business day" if said.calendar else "every day"
            body = f"Each {said.subject} is up to date {where} {by} {days}, {percent}"
    return f"{body} a {said.window}."


def details(said: Said) -> list[str]:
    """What else the sentence leaves to be said: the warning and what counts as business time."""
    is_business = bool(said.calendar)
    found = []
    if said.measure == Measure.AVAILABILITY:
        if said.warn_seconds:
            found.append(f"Arriving within {span_words(said.warn_seconds)} of that time is a warning.")
    elif said.warn_seconds:
        found.append(f"More than {span_words(said.warn_seconds, is_business=is_business)} is a warning.")
    found.append(f"Time counts by {said.calendar}." if is_business else "Time counts round the clock.")
    return found


def span_words(seconds: int, *, is_business: bool = False) -> str:
    """14400 is "4 business hours", 5400 "90 business minutes"."""
    size, unit = (3600, "hour") if seconds and seconds % 3600 == 0 else (60, "minute")
    number = seconds // size if seconds % size == 0 else round(seconds / size, 1)
    return f"{number or '…'} {'business ' if is_business else ''}{unit}{'' if number == 1 else 's'}"


def percent_text(percent: Decimal) -> str:
    return decimal_text(Decimal(percent).normalize())


def condition_words(condition: Mapping[str, Sequence[str]]) -> str:
    """ "status approved or invoiced, and billable true"."""
    return ", and ".join(
        f"{name.replace('_', ' ')} {' or '.join(map(str, values))}" for name, values in condition.items()
    )


def _lower(name: str) -> str:
    """The name within a sentence; abbreviations keep their capitals."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]


def problems(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(field, sentence) for everything wrong with the words of a document or a form; references are checked elsewhere."""
    measure = given.get("measure")
    found = list(_threshold_problems(measure, given))
    if measure in _NEEDS_TARGET and not given.get("target"):
        found.append(("target", "Say which system it has to reach."))
    if measure == Measure.FRESHNESS and not given.get("source"):
        found.append(("source", "Say from which system the data comes."))
    if measure == Measure.AVAILABILITY and not (given.get("source") or given.get("target")):
        found.append(("target", "Say at which system the data has to be there, or from which source in the hub."))
    objective = given.get("objective_percent")
    if objective is not None and not 0 < objective <= 100:
        found.append(("objective_percent", "The objective is a percentage above 0 and up to 100."))
    condition = given.get("condition") or {}
    if condition and not given.get("entity"):
        found.append(("condition", "A condition asks for fields, so it needs an entity."))
    if sentence := condition_problem(condition):
        found.append(("condition", sentence))
    return found


def _threshold_problems(measure: Any, given: Mapping[str, Any]) -> list[tuple[str, str]]:
    warn, breach = given.get("warn_seconds") or 0, given.get("breach_seconds") or 0
    if measure == Measure.AVAILABILITY:
        if minutes_of(str(given.get("due_time") or "")) is None:
            return [("due_time", "Say by which time of day, as 07:30.")]
        return [("warn_seconds", "Warn at most a day before.")] if warn > 86_400 else []
    if not 0 < breach <= MOST_SECONDS:
        return [("breach_seconds", "Say after how long the promise is broken: more than nothing, up to a year.")]
    return [("warn_seconds", "The warning comes before the breach.")] if warn >= breach else []


def condition_problem(condition: Any) -> str:
    sound = isinstance(condition, Mapping) and all(
        isinstance(values, list) and values and all(isinstance(value, str) for value in values)
        for values in condition.values()
    )
    return "" if sound else "A condition is fields with lists of their values: {status: [approved]}."
