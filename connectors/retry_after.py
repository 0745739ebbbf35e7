"""When a system wants to be asked again, in all the spellings that systems use. Nothing that a header says raises."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping
from datetime import UTC, datetime

# What is asked beyond this is no answer to "when": a clock that is wrong, or a number in another unit.
LONGEST_SECONDS = 24 * 3600.0
# Numbers of a reset from here on are moments (seconds since 1970, milliseconds since 1970), not seconds that are left.
_EPOCH, _EPOCH_MILLISECONDS = 1e9, 1e12
_IN_MILLISECONDS = ("retry-after-ms", "x-ms-retry-after-ms", "x-retry-after-ms")
_RESETS = ("ratelimit-reset", "x-ratelimit-reset-after", "x-ratelimit-reset", "x-rate-limit-reset")
_REMAINING = ("ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining")
# The same header twice arrives joined by a comma.
_NUMBER = re.compile(r"\s*([+-]?\d+(?:\.\d*)?)\s*s?\s*(?:,.*)?", re.ASCII | re.DOTALL)
# https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
_FIELD = re.compile(r"(?:^|[;,\s])(reset|remaining|t|r)\s*=\s*(\d+)", re.ASCII)


def asked_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait for, None where it does not say; names of headers in lower case."""
    for name in _IN_MILLISECONDS:
        if (number := _number(headers.get(name, ""))) is not None:
            return _held(number / 1000)
    return parse_retry_after(headers.get("retry-after", ""))


def reset_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds until the allowance of requests is full again, for an answer that says it is used up.

    Systems send these headers with every answer, so they count for a refused one alone, and not while something is left.
    """
    fields: dict[str, str] = dict(_FIELD.findall(headers.get("ratelimit", "")))
    left = [_number(headers.get(name, "")) for name in _REMAINING] + [
        _number(fields.get("remaining", fields.get("r", "")))
    ]
    if any(left):
        return None
    told = [headers.get(name, "") for name in _RESETS] + [fields.get("reset", fields.get("t", ""))]
    return next((seconds for value in told if (seconds := _until_reset(value)) is not None), None)


def parse_retry_after(value: str) -> float | None:
    """Seconds of a Retry-After header (a number or a date), None when it is absent or garbage; a day at most."""
    number = _number(value)
    return _until(value) if number is None else _held(number)


def _until_reset(value: str) -> float | None:
    number = _number(value)
    if number is None:
        return _until(value)
    if number >= _EPOCH_MILLISECONDS:
        number /= 1000
    return _held(number - datetime.now(UTC).timestamp() if number >= _EPOCH else number)


def _number(value: str) -> float | None:
    found = _NUMBER.fullmatch(value)
    return float(found[1]) if found else None


def _until(value: str) -> float | None:
    """Seconds until an HTTP date, in any of its three formats, or an ISO 8601 one; without a zone it is UTC."""
    moment = _http_date(value) or _iso_date(value)
    if moment is None:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return _held((moment - datetime.now(UTC)).total_seconds())


def _http_date(value: str) -> datetime | None:
    try:
        return email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _iso_date(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value.strip())
    except ValueError:
        return None


def _held(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_SECONDS)
