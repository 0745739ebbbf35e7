"""Holidays: once or every year, pasted as a list, or read from an iCalendar file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

MOST = 3_000
# A leap year, so that 29 February may come every year in which there is one.
LEAP = 2000
_FULL = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_YEARLY = re.compile(r"(?:\*|-{1,2})?-?(\d{2})-(\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day on which nobody works; `date` is YYYY-MM-DD, or MM-DD for every year."""

    date: str
    name: str = ""

    @property
    def is_yearly(self) -> bool:
        return len(self.date) == 5

    def as_data(self) -> dict[str, str]:
        return {"date": self.date, "name": self.name} if self.name else {"date": self.date}


@dataclass(frozen=True, slots=True)
class Holidays:
    """Ready to be asked for a day."""

    once: frozenset[date] = frozenset()
    yearly: frozenset[tuple[int, int]] = frozenset()

    def __contains__(self, day: date) -> bool:
        return day in self.once or (day.month, day.day) in self.yearly

    def __or__(self, other: Holidays) -> Holidays:
        return Holidays(self.once | other.once, self.yearly | other.yearly)


def normal_date(text: str) -> str:
    """`2026-12-25` once, `12-25` or `*-12-25` every year, in one spelling; empty when it is no day."""
    if _FULL.fullmatch(text):
        return text if _exists(text) else ""
    if found := _YEARLY.fullmatch(text):
        return f"{found[1]}-{found[2]}" if _exists(f"{LEAP}-{found[1]}-{found[2]}") else ""
    return ""


def _exists(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def holiday_problems(rows: Any) -> list[tuple[str, str]]:
    """(path, sentence) for everything wrong with holidays written as [{date, name}]."""
    if not isinstance(rows, list):
        return [("holidays", "Holidays are a list of {date, name}.")]
    if len(rows) > MOST:
        return [("holidays", f"There are {len(rows)} holidays; a calendar holds at most {MOST}.")]
    return [
        (f"holidays.{number}", f"{row!r} is no holiday. Write {{date: 2026-12-25}}, or {{date: 12-25}} for every year.")
        for number, row in enumerate(rows)
        if not (isinstance(row, Mapping) and normal_date(str(row.get("date", ""))) and set(row) <= {"date", "name"})
    ]


def normal_holidays(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """In order, each day once; of two names the first stays."""
    found: dict[str, Holiday] = {}
    for row in rows:
        day = normal_date(str(row["date"]))
        found.setdefault(day, Holiday(day, str(row.get("name") or "").strip()[:120]))
    return [found[day].as_data() for day in sorted(found, key=lambda text: (len(text), text))]


def holidays_of(rows: Iterable[Mapping[str, Any]]) -> Holidays:
    days = [normal_date(str(row["date"])) for row in rows]
    return Holidays(
        frozenset(date.fromisoformat(day) for day in days if len(day) == 10),
        frozenset((int(day[:2]), int(day[3:])) for day in days if len(day) == 5),
    )


# Lists that people paste ------------------------------------------------------------------------------------
def parse_list(text: str) -> tuple[list[dict[str, str]], list[str]]:
    """Lines `2026-12-25 Christmas Day`, and `12-25 …` for every year; returns the holidays and what is wrong, by line."""
    if "BEGIN:VCALENDAR" in text[:200].upper():
        return parse_ics(text)
    found, problems = [], []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        head, _, name = line.replace("\t", " ").replace(";", " ").replace(",", " ", 1).partition(" ")
        if day := normal_date(head):
            found.append(Holiday(day, name.strip()).as_data())
        else:
            problems.append(
                f"Line {number}: {head!r} is not a day. Write 2026-12-25 Christmas Day, or 12-25 for every year."
            )
    return found, problems


def list_text(rows: Iterable[Mapping[str, str]]) -> str:
    """The holidays as `parse_list` takes them."""
    return "\n".join(f"{row['date']} {row.get('name', '')}".rstrip() for row in rows)


# iCalendar (RFC 5545) ---------------------------------------------------------------------------------------
def parse_ics(text: str) -> tuple[list[dict[str, str]], list[str]]:
    """The whole-day events of an iCalendar text: each day of an event, or every year where its rule says YEARLY.

    Events of the clock, and other rules, are passed over and named: they are no holidays that this can keep.
    """
    found: list[dict[str, str]] = []
    problems: list[str] = []
    event: dict[str, str] | None = None
    for line in re.sub(r"\r?\n[ \t]", "", text).splitlines():
        head, _, value = line.partition(":")
        name = head.partition(";")[0].upper()
        if name == "BEGIN" and value.strip().upper() == "VEVENT":
            event = {}
        elif name == "END" and value.strip().upper() == "VEVENT" and event is not None:
            days, problem = _event_days(event)
            found += days
            problems += [problem] if problem else []
            event = None
        elif event is not None:
            event.setdefault(name, value.strip())
    return found, problems


def _event_days(event: Mapping[str, str]) -> tuple[list[dict[str, str]], str]:
    name = re.sub(r"\\([,;nN\\])", lambda found: " " if found[1] in "nN" else found[1], event.get("SUMMARY", ""))
    first, last = _ics_date(event.get("DTSTART", "")), _ics_date(event.get("DTEND", ""))
    if first is None:
        return [], f"“{name or 'An event'}” is not a whole day, and is left out."
    rule = event.get("RRULE", "").upper()
    if rule and ("FREQ=YEARLY" not in rule or "BY" in rule.replace("BYMONTHDAY", "").replace("BYMONTH", "")):
        return [], f"“{name}” repeats by a rule other than every year, and is left out."
    length = min(max((last - first).days, 1), 366) if last else 1
    days = [first + timedelta(days=offset) for offset in range(length)]
    return [Holiday(f"{day:%m-%d}" if rule else day.isoformat(), name).as_data() for day in days], ""


def _ics_date(text: str) -> date | None:
    try:
        return date.fromisoformat(f"{text[:4]}-{text[4:6]}-{text[6:8]}") if re.fullmatch(r"\d{8}", text) else None
    except ValueError:
        return None
