"""A value map as a CSV file, and back: whoever edits it in a spreadsheet must get out what went in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hub.common.exports import Column
from mappings.services import ENTRY_FIELDS, entry_problems

MAX_BYTES = 2_000_000
MAX_ROWS = 50_000
COLUMNS = [Column(name, name) for name in ENTRY_FIELDS]
_GUARDED = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says: its entries, and (line, sentence) for what is wrong. Line 1 holds the headings."""

    entries: tuple[dict[str, Any], ...]
    problems: tuple[tuple[int, str], ...]


def decode(content: bytes) -> str:
    """UTF-8, or what spreadsheets on Windows write. UnicodeDecodeError for neither."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def read_table(text: str) -> Reading:
    """Entries of a CSV text with the headings source and target, and valid_from and valid_to where there are dates."""
    rows = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=_delimiter(text))
    try:
        lines = [(rows.line_num, row) for row in rows if any(cell.strip() for cell in row)]
    except csv.Error as error:
        return Reading((), ((rows.line_num, f"The file is not CSV: {error}."),))
    if not lines:
        return Reading((), ((1, "The file is empty."),))
    (_, first), *rest = lines
    headings = [cell.strip().lower().replace(" ", "_") for cell in first]
    if wrong := list(_heading_problems(headings, len(rest))):
        return Reading((), tuple((1, sentence) for sentence in wrong))
    entries = [dict(zip(headings, map(_plain, row), strict=False)) for _, row in rest]
    return Reading(tuple(entries), tuple(_problems(entries, [line for line, _ in rest], rest, len(headings))))


def _heading_problems(headings: list[str], rows: int) -> Iterator[str]:
    for name in ("source", "target"):
        if name not in headings:
            yield f"There is no column {name}. The first line names the columns: {', '.join(ENTRY_FIELDS)}."
    for name in headings:
        if name not in ENTRY_FIELDS or headings.count(name) > 1:
            yield f"The column {name!r} is not known, or there twice."
    if rows > MAX_ROWS:
        yield f"The file has {rows:,} lines; a value map holds up to {MAX_ROWS:,}."


def _problems(
    entries: list[dict[str, Any]], lines: list[int], rows: list[tuple[int, list[str]]], width: int
) -> Iterator[tuple[int, str]]:
    for line, row in rows:
        if len(row) > width:
            yield line, f"The line has {len(row)} cells, the headings are {width}."
    for entry, line in zip(entries, lines, strict=True):
        for name in ("source", "target"):
            if len(entry.get(name, "")) > 200:
                yield line, f"The {name} is longer than 200 characters."
    for path, sentence in entry_problems(entries):
        at = path.partition(".")[2]
        yield lines[int(at)] if at.isdigit() else 1, sentence


def _delimiter(text: str) -> str:
    first = text.lstrip("\ufeff\r\n").split("\n", 1)[0]
    return max(",;\t", key=first.count)


def _plain(cell: str) -> str:
    """Without the apostrophe that our own export puts before what a spreadsheet would run as a formula."""
    text = cell.strip()
    return text[1:] if text.startswith("'") and text[1:].startswith(_GUARDED) else text
