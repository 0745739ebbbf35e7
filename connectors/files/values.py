"""The text of a cell as a typed value, and back: what CSV, fixed width and workbooks share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from connectors.cursors import CursorFormat
from connectors.exact_json import exact_float
from connectors.page_records import exact_text, find_nul
from hub.common.errors import RecordError
from hub.common.records import BadRecord, Record

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
_TRUE = frozenset({"true", "yes", "y", "1", "t"})
_FALSE = frozenset({"false", "no", "n", "0", "f"})
_OPPOSITES = {"Y": "N", "y": "n", "J": "N", "1": "0", "T": "F", "X": "", "yes": "no", "true": "false"}


@dataclass(frozen=True, slots=True)
class BadPlace:
    """Where a record stands: its number in the file from 0, and file and line for people."""

    position: int
    where: str

    def bad(self, error: RecordError, raw: str = "") -> BadRecord:
        error.where = f"{self.where} {error.field}".strip()
        return BadRecord(self.position, error, raw)


class TextValues:
    """Typing by the `fields` of a stream. `section` is that of its format; `zone` is that of times without offset."""

    def __init__(self, section: Mapping[str, Any], fields: Mapping[str, Any], zone: ZoneInfo) -> None:
        self.zone = zone
        self.fields = {name: {"type": field} if isinstance(field, str) else field for name, field in fields.items()}
        self.decimal: str = section.get("decimal", ".")
        self.trim: bool = section.get("trim", True)
        self._true: Sequence[str] = section.get("true_values", ())

    def kind(self, name: str) -> str:
        """The declared type of a field; empty text where none is declared."""
        return str(self.fields.get(name, {}).get("type", ""))

    # --- reading ---------------------------------------------------------------------------------------------------

    def typed(self, record: Mapping[str, str], encoding: str) -> Record:
        """The record with values of the declared types; raises RecordError. Nothing is null: a file knows no difference."""
        typed: Record = {}
        for name, text in record.items():
            value = text.strip() if self.trim else text
            typed[name] = self.value(name, value) if value else None
        refuse_odd_text(typed, encoding)
        return typed

    def value(self, name: str, text: str) -> Any:
        field = self.fields.get(name)
        if field is None:
            return text
        kind, pattern = field["type"], field.get("format", "")
        try:
            if kind in ("decimal", "number", "integer"):
                return self._number(text, kind)
            if kind == "boolean":
                return self._boolean(text)
            if kind in ("date", "date-time") and pattern:
                return self._moment(text, kind, pattern)
            return orjson.loads(text) if kind in ("object", "array") else text
        except ValueError:
            raise RecordError(
                f"{text[:60]!r} is not a value of the type {kind}.", field=name, fix="Correct the file, or the format."
            ) from None

    def _number(self, text: str, kind: str) -> Any:
        grouping = "." if self.decimal == "," else ","
        plain = text.replace(grouping, "").replace("\u00a0", "").replace(" ", "").replace(self.decimal, ".")
        if not _NUMBER.fullmatch(plain):
            raise ValueError(text)
        if kind == "integer":
            return int(plain)
        return plain.lstrip("+") if kind == "decimal" else exact_float(plain)

    def _boolean(self, text: str) -> bool:
        if self._true:
            return text in self._true
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise ValueError(text)

    def _moment(self, text: str, kind: str, pattern: str) -> str:
        moment = datetime.strptime(text, pattern)
        if kind == "date":
            return moment.date().isoformat()
        instant = CursorFormat(pattern, self.zone).instant(text)
        return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")

    # --- writing ---------------------------------------------------------------------------------------------------

    def text(self, name: str, value: Any) -> str:
        """A value as a file shows it."""
        field = self.fields.get(name, {"type": "string"})
        if value is None:
            return ""
        if isinstance(value, bool):
            return (self._true[0] if self._true else "true") if value else self._false_text()
        if isinstance(value, dict | list):
            return orjson.dumps(value).decode()
        text = str(exact_text(value))
        if field["type"] in ("decimal", "number") and self.decimal == ",":
            return text.replace(".", ",")
        if field["type"] in ("date", "date-time") and field.get("format"):
            return _reformat(text, field["format"], self.zone)
        return text

    def _false_text(self) -> str:
        return _OPPOSITES.get(self._true[0], "") if self._true else "false"


def refuse_odd_text(record: Record, encoding: str) -> None:
    """Raises RecordError for text that no database keeps, or that is not written in its encoding."""
    place = find_nul(record)
    if place is not None:
        raise RecordError("The text holds a NUL character, which no database keeps.", field=place, code="TEXT")
    for name, value in record.items():
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise RecordError(
                    f"The text is not written in {encoding}.", field=name, fix="Correct the `encoding`.", code="TEXT"
                ) from None


def check_encodable(name: str, text: str, encoding: str) -> None:
    """Raises RecordError for a sign that the encoding of a file does not have."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError as error:
        raise RecordError(f"{text[error.start]!r} cannot be written in {encoding}.", field=name, code="TEXT") from None


def _reformat(text: str, pattern: str, zone: ZoneInfo) -> str:
    moment = CursorFormat("iso", zone).instant(text) if "T" in text else datetime.fromisoformat(text)
    return (moment.astimezone(zone) if moment.tzinfo else moment).strftime(pattern)
