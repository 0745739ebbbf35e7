"""What every format of a file can do; the reader and the writer of files know no more of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Protocol
from zoneinfo import ZoneInfo

from connectors.files.csv_text import CsvFormat
from connectors.files.fixed_width import FixedWidthFormat
from connectors.files.json_lines import JsonLinesFormat
from connectors.files.xlsx_sheets import XlsxFormat
from hub.common.records import BadRecord, Record


class FileFormat(Protocol):
    """A section of a stream that says how its files are written."""

    ending: str
    # whether `rows` may find at the end that nothing of the file holds
    is_judged_whole: bool
    columns: Sequence[str]

    def rows(self, file: BinaryIO, *, name: str) -> Iterator[Record | BadRecord]:
        """The records of a file in order; raises ConfigError when it is not such a file.

        A bad record says its line; its position is that in the file, from 0.
        """

    def content(self, records: Sequence[Record], columns: Sequence[str]) -> bytes:
        """A file with these columns."""

    def check(self, name: str, value: Any) -> None:
        """Raises RecordError for a value that the file cannot hold."""


def form_of(section: Mapping[str, Any], zone: ZoneInfo) -> FileFormat:
    """The format that a stream declares; CSV when it names none."""
    fields = section.get("fields", {})
    if "fixed_width" in section:
        return FixedWidthFormat(section["fixed_width"], fields, zone)
    if "xlsx" in section:
        return XlsxFormat(section["xlsx"], fields, zone)
    if "json_lines" in section:
        return JsonLinesFormat(section["json_lines"], fields, zone)
    return CsvFormat(section.get("csv", {}), fields, zone)
