"""The time that the control room looks at, as its address says: `?from=now-6h&to=now`, or two instants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpRequest
from django.utils import timezone

from hub.common.moments import moment

CHOICES = [("now-1h", "1 h"), ("now-6h", "6 h"), ("now-24h", "24 h"), ("now-7d", "7 d")]
DEFAULT = "now-6h"
LONGEST = timedelta(days=31)
_BACK = re.compile(r"now-(\d{1,5}[mhdw])")


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From an instant to another; `text` is the beginning as it stood in the address."""

    since: datetime
    until: datetime
    text: str

    @property
    def seconds(self) -> float:
        return (self.until - self.since).total_seconds()

    @property
    def is_now(self) -> bool:
        return (timezone.now() - self.until).total_seconds() < 60


def of_request(request: HttpRequest) -> TimeRange:
    """What is asked for; the last six hours where that cannot be read, or is no range."""
    text = request.GET.get("from", DEFAULT)
    until = _instant(request.GET.get("to", "now")) or timezone.now()
    since = _instant(text)
    if since is None or not timedelta(0) < until - since <= LONGEST:
        text, until = DEFAULT, timezone.now()
        since = until - timedelta(hours=6)
    return TimeRange(since, until, text)


def _instant(text: str) -> datetime | None:
    if text == "now":
        return timezone.now()
    back = _BACK.fullmatch(text)
    return moment(back[1] if back else text)
