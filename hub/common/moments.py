"""Times as people write them in a filter: `24h`, `7d`, `2026-11-03`, or a full instant."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

SINCE_CHOICES = [("1h", "the last hour"), ("24h", "the last 24 hours"), ("7d", "the last 7 days"), ("30d", "30 days")]
_SPAN = re.compile(r"([0-9]{1,5})(m|h|d|w)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, *, end_of_day: bool = False) -> datetime | None:
    """The instant meant; a date is its first moment in the person's zone (its end when `end_of_day`). None when unreadable."""
    text = text.strip()
    if span := _SPAN.fullmatch(text):
        return timezone.now() - timedelta(**{_UNITS[span[2]]: int(span[1])})
    try:
        if day := parse_date(text):
            start = timezone.make_aware(datetime.combine(day, time.min))
            return start + timedelta(days=1) if end_of_day else start
        found = parse_datetime(text.replace(" ", "+"))
    except (ValueError, OverflowError):
        return None
    return timezone.make_aware(found) if found and timezone.is_naive(found) else found
