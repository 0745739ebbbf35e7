"""JSON lines: one object a line, a bad line set aside and the rest kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import orjson

from connectors.exact_json import parse_json
from connectors.files.values import BadPlace, TextValues, refuse_odd_text
from connectors.page_records import exact_text
from hub.common.errors import RecordError
from hub.common.records import BadRecord, Record

MOST_BYTES = 10_000_000
_MARK = b"\xef\xbb\xbf"
_NUMBERS = frozenset({"decimal", "number", "integer"})


class JsonLinesFormat:
    """The `json_lines` section and the `fields` of a stream. The text is UTF-8, as JSON is."""

    ending = ".jsonl"
    is_judged_whole = False

    def __init__(self, section: Mapping[str, Any], fields: Mapping[str, Any], zone: ZoneInfo) -> None:
        self.values = TextValues({}, fields, zone)
        self.columns: Sequence[str] = section.get("columns", ())

    # --- reading ---------------------------------------------------------------------------------------------------

    def rows(self, file: BinaryIO, *, name: str) -> Iterator[Record | BadRecord]:
        position = 0
        for number, line in enumerate(_lines(file), start=1):
            text = line.removeprefix(_MARK).strip() if number == 1 else line.strip()
            if not text:
                continue
            yield self._record(text, BadPlace(position, f"{name}:{number}"))
            position += 1

    def _record(self, line: bytes, place: BadPlace) -> Record | BadRecord:
        raw = line[:2000].decode("utf-8", "replace")
        if len(line) > MOST_BYTES:
            return place.bad(RecordError(f"The line is longer than {MOST_BYTES} bytes.", code="JSON"), raw)
        try:
            found, _ = parse_json(line)
        except ValueError as error:
            return place.bad(RecordError(f"The line is not JSON: {error}.", code="JSON"), raw)
        if not isinstance(found, dict):
            return place.bad(RecordError("The line holds no object.", fix="Write {…} on each line.", code="JSON"), raw)
        try:
            typed = {name: self._typed(name, value) for name, value in found.items()}
            refuse_odd_text(typed, "utf-8")
        except RecordError as error:
            return place.bad(error, raw)
        return typed

    def _typed(self, name: str, value: Any) -> Any:
        kind = self.values.kind(name)
        if isinstance(value, str) and kind and kind not in ("string", "object", "array"):
            return self.values.value(name, value.strip()) if value.strip() else None
        if isinstance(value, int | float) and not isinstance(value, bool) and kind in ("decimal", "string"):
            return str(exact_text(value))
        if kind in _NUMBERS and value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise RecordError(f"{str(value)[:60]!r} is not a value of the type {kind}.", field=name)
        return value

    # --- writing ---------------------------------------------------------------------------------------------------

    def content(self, records: Sequence[Record], columns: Sequence[str]) -> bytes:
        lines = ({name: record[name] for name in columns if name in record} for record in records)
        return b"".join(orjson.dumps(line, default=str) + b"\n" for line in lines)

    def check(self, name: str, value: Any) -> None:
        try:
            orjson.dumps(value, default=str)
        except orjson.JSONEncodeError as error:
            raise RecordError(f"The value cannot be written as JSON: {error}.", field=name, code="TEXT") from None


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that never ends no more is kept than shows that it is too long."""
    while line := file.readline(MOST_BYTES + 2):
        piece = line
        while len(piece) == MOST_BYTES + 2 and not piece.endswith(b"\n"):
            piece = file.readline(MOST_BYTES + 2)
        yield line
