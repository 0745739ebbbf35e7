"""Cursor values: compared by meaning, stored as the source wrote them, moved back without changing their shape."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.paths import first
from hub.common.errors import ConfigError
from hub.common.records import Record

_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:([T ])(\d\d:\d\d)(:\d\d)?([.,]\d+)?\s?(Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII | re.IGNORECASE
)
_ODATA_V2 = re.compile(r"/Date\((-?\d+)([+-]\d{4})?\)/")
_NUMBERS = frozenset({"unix", "unix_ms", "integer"})
# Formats that say which moment is meant, whatever the clocks do.
_ABSOLUTE = _NUMBERS | {"odata_v2"}
_SECOND_IN = {"unix": 1, "unix_ms": 1000, "integer": 1}

Comparable = tuple[Any, str]


class CursorFormat:
    """How a stream writes its cursor: see `incremental.format` in the schema. `zone` is for values without offset."""

    def __init__(self, name: str = "iso", zone: tzinfo = UTC) -> None:
        self.name, self.zone = name, zone

    def compare_key(self, raw: str) -> Comparable:
        """What to compare by; values that mean the same (to the microsecond) are ordered by their text.

        Raises ValueError for a text that is not in this format.
        """
        if self.name == "text":
            return raw, ""
        if self.name in _NUMBERS:
            return _number(raw), ""
        return self.instant(raw).timestamp(), raw

    def instant(self, raw: str) -> datetime:
        """The moment that a value stands for; raises ValueError."""
        if self.name in _NUMBERS:
            return datetime.fromtimestamp(float(_number(raw) / _SECOND_IN[self.name]), UTC)
        if self.name == "odata_v2":
            return datetime.fromtimestamp(int(_match(_ODATA_V2, raw)[1]) / 1000, UTC)
        moment = datetime.strptime(raw, self.name) if "%" in self.name else _parse_iso(raw)
        return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)

    def back(self, raw: str, seconds: int) -> str:
        """The value `seconds` earlier (a date: whole days), in the shape of `raw`.

        A local time in the hour that is repeated in autumn goes back one hour more, even where `seconds` is 0: what came
        in the second pass of that hour would otherwise stand before the cursor.
        """
        if self.name == "text" or (not seconds and self.name in _ABSOLUTE):
            return raw
        if self.name in _NUMBERS:
            return str(_number(raw) - seconds * _SECOND_IN[self.name])
        if self.name == "odata_v2":
            found = _match(_ODATA_V2, raw)
            return f"/Date({int(found[1]) - seconds * 1000}{found[2] or ''})/"
        if "%" in self.name:
            moment = datetime.strptime(raw, self.name)
            return (moment - self._margin(moment, seconds)).strftime(self.name)
        return self._iso_back(raw, seconds)

    def send(self, raw: str, send_format: str) -> str:
        """The value as the system wants it in a request; `iso` is the text itself."""
        if send_format in ("", "iso", self.name) or self.name == "text":
            return raw
        moment = self.instant(raw)
        if send_format == "iso_utc":
            return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if send_format == "date":
            return moment.astimezone(self.zone).date().isoformat()
        if send_format in _NUMBERS:
            return str(int(moment.timestamp() * _SECOND_IN[send_format]))
        return moment.astimezone(self.zone).strftime(send_format)

    def _iso_back(self, raw: str, seconds: int) -> str:
        found = _match(_ISO, raw)
        if found[3] is None:
            return (
                date.fromisoformat(found[1]) - timedelta(seconds=seconds, days=1 if seconds % 86400 else 0)
            ).isoformat()
        moment = datetime.fromisoformat(f"{found[1]}T{found[3]}{found[4] or ''}")
        moment -= self._margin(moment, seconds) if found[6] is None else timedelta(seconds=seconds)
        clock = moment.strftime("%H:%M:%S" if found[4] else "%H:%M")
        return f"{moment.date()}{found[2]}{clock}{found[5] or ''}{found[6] or ''}"

    def _margin(self, moment: datetime, seconds: int) -> timedelta:
        repeated = any(
            hour.replace(fold=0).utcoffset() != hour.replace(fold=1).utcoffset()
            for hour in (moment.replace(tzinfo=self.zone), (moment - timedelta(hours=1)).replace(tzinfo=self.zone))
        )
        return timedelta(seconds=seconds, hours=1 if repeated else 0)


def _parse_iso(raw: str) -> datetime:
    found = _match(_ISO, raw.strip())
    fraction = (found[5] or "")[:7].replace(",", ".")
    offset = (found[6] or "").upper()
    return datetime.fromisoformat(f"{found[1]}T{found[3] or '00:00'}{found[4] or ':00'}{fraction}{offset}")


def _match(pattern: re.Pattern[str], raw: str) -> re.Match[str]:
    found = pattern.fullmatch(raw.strip())
    if not found:
        raise ValueError(raw)
    return found


def _number(raw: str) -> Decimal:
    try:
        return Decimal(raw)
    except InvalidOperation:
        raise ValueError(raw) from None


class HighWater:
    """The highest cursor value of a crawl."""

    def __init__(self, paths: str | Iterable[str], form: CursorFormat, value: str | None = None) -> None:
        self.paths = (paths,) if isinstance(paths, str) else tuple(paths)
        self.form, self.value = form, value
        self._key = self._stored_key(value) if value else None

    def _stored_key(self, value: str) -> Comparable:
        try:
            return self.form.compare_key(value)
        except ValueError:
            raise ConfigError(
                f"The stored cursor {value!r} is not written as {self.form.name!r}.",
                where="incremental.format",
                fix="Correct the format, or reset the cursor of the stream.",
                code="CURSOR",
            ) from None

    def raw(self, record: Record) -> str | None:
        """The cursor of a record as text, None when it has none."""
        value = record.get(self.paths[0])
        if value.__class__ is str:
            return value
        value = first(record, self.paths)
        return None if value is None or value == "" else str(value)

    def raise_to(self, records: Iterable[Record]) -> str | None:
        """Take in the records of a page and return the highest value so far.

        Raises ConfigError when no value of the page can be read; a single odd one is passed over.
        """
        raws = [raw for raw in map(self.raw, records) if raw]
        if self._raise_alike(raws):
            return self.value
        odd, read = "", False
        for raw in raws:
            try:
                key = self.form.compare_key(raw)
            except ValueError:
                odd = raw
                continue
            read = True
            if self._key is None or key > self._key:
                self._key, self.value = key, raw
        if odd and not read:
            raise ConfigError(
                f"The cursor {odd!r} is not written as {self.form.name!r}.",
                where=f"incremental.{'/'.join(self.paths)}",
                fix="State the format under `incremental.format`.",
                code="CURSOR",
            )
        return self.value

    def _raise_alike(self, raws: Sequence[str]) -> bool:
        """The quick way for a page whose values all have one length and stand in UTC: they sort as text."""
        if self.form.name != "iso" or not raws:
            return False
        size = len(raws[0])
        if not all(len(raw) == size and raw[-1] == "Z" and raw[10:11] == "T" for raw in raws):
            return False
        top = max(raws)
        try:
            key = self.form.compare_key(top)
        except ValueError:
            return False
        if self._key is None or key > self._key:
            self._key, self.value = key, top
        return True

    def is_before(self, record: Record, cursor: str) -> bool:
        """Whether a record is older than `cursor`; one without a readable cursor never is."""
        raw = self.raw(record)
        try:
            return raw is not None and self.form.compare_key(raw)[0] < self.form.compare_key(cursor)[0]
        except ValueError:
            return False


def start_value(cursor: str, *, form: CursorFormat, overlap_seconds: int, send_format: str = "") -> str:
    """The value to ask from: the cursor less the overlap, written as the system wants it."""
    moved = form.back(cursor, overlap_seconds)
    return form.send(moved, send_format)
