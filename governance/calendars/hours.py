"""Weekly hours as people write them: {"mon": ["09:00-12:30", "13:30-17:30"]}, days without hours left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_WORDS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MINUTES = 24 * 60
_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})", re.ASCII)

# Minutes after midnight, end exclusive; 24:00 is the end of the day.
Span = tuple[int, int]
Week = tuple[tuple[Span, ...], ...]

ALWAYS: Week = (((0, MINUTES),),) * 7


def parse_span(text: str) -> Span | None:
    """`09:00-17:30` as minutes; None when it is no such span."""
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        return None
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    sound = int(found[2]) < 60 and int(found[4]) < 60 and start < end <= MINUTES
    return (start, end) if sound else None


def span_text(span: Span) -> str:
    return "-".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in span)


def split_spans(text: str) -> list[str]:
    """The spans of one line, as typed: parted by commas, semicolons or "and"."""
    return [part.strip() for part in re.split(r"[,;]|\band\b", text) if part.strip()]


def week_problems(hours: Any) -> list[tuple[str, str]]:
    """(path, sentence) for everything that cannot be weekly hours."""
    if not isinstance(hours, Mapping):
        return [("hours", "Hours are given by day: {mon: ['09:00-17:30']}.")]
    problems = []
    for day, spans in hours.items():
        if day not in DAYS:
            problems.append((f"hours.{day}", f"{day!r} is not a day. Use {', '.join(DAYS)}."))
        elif not isinstance(spans, list):
            problems.append((f"hours.{day}", "Give a list of spans such as ['09:00-17:30']; an empty one is closed."))
        elif sentence := day_problem(spans):
            problems.append((f"hours.{day}", sentence))
    return problems


def day_problem(spans: Iterable[Any]) -> str:
    """What is wrong with the spans of one day; empty when nothing."""
    before = 0
    for text in spans:
        span = parse_span(str(text))
        if span is None:
            return f"{text!r} is not a span of a day. Write it as 09:00-17:30, the end after the start."
        if span[0] < before:
            return f"{text!r} begins before the span ahead of it has ended. Write spans in order, apart."
        before = span[1]
    return ""


def normal_hours(hours: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """The same hours in one spelling and in the order of the week; spans that touch stay apart as written."""
    return {day: [span_text(_span(text)) for text in hours[day]] for day in DAYS if day in hours}


def week_of(hours: Mapping[str, Iterable[str]], inherited: Week | None = None) -> Week:
    """The week that these hours give; a day that they do not name is the inherited one's, else closed."""
    return tuple(
        tuple(_span(text) for text in hours[day]) if day in hours else inherited[number] if inherited else ()
        for number, day in enumerate(DAYS)
    )


def _span(text: str) -> Span:
    span = parse_span(str(text))
    assert span is not None, text
    return span


def week_words(week: Week) -> list[tuple[str, str]]:
    """[("Monday to Friday", "09:00-17:30"), ("Saturday, Sunday", "closed")]: neighbours with the same hours together."""
    groups: list[tuple[int, int]] = []
    for number in range(7):
        if groups and week[groups[-1][0]] == week[number]:
            groups[-1] = (groups[-1][0], number)
        else:
            groups.append((number, number))
    return [(_days(first, last), ", ".join(map(span_text, week[first])) or "closed") for first, last in groups]


def _days(first: int, last: int) -> str:
    if first == last:
        return DAY_WORDS[first]
    return f"{DAY_WORDS[first]}{' to ' if last - first > 1 else ', '}{DAY_WORDS[last]}"
