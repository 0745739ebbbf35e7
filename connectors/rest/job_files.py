"""Files that go into a job (rows in a zip, as text) and reports that come out of one."""

from __future__ import annotations

import base64
import binascii
import csv
import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.paths import get
from connectors.template import to_text
from hub.common.records import Record

# A zip holds the time of its entries; a fixed one makes the same rows the same bytes.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MOST_REPORT_BYTES = 200_000
_REPORT_WORDS = 400


def packed_rows(section: Mapping[str, Any], bodies: Sequence[Record]) -> str:
    """The records as a delimited file in Base64, zipped unless the declaration says otherwise."""
    rows = io.StringIO()
    writer = csv.writer(rows, delimiter=section.get("delimiter", ","), lineterminator="\n")
    if section.get("header"):
        writer.writerow(section["columns"])
    writer.writerows([_cell(body, column) for column in section["columns"]] for body in bodies)
    data = rows.getvalue().encode()
    return base64.b64encode(_zipped(section["name"], data) if section.get("zip", True) else data).decode()


def _cell(body: Record, column: str) -> str:
    """A column without a name of its own is sent empty: layouts are by position."""
    return to_text(get(body, column)) if column else ""


def _zipped(name: str, data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return packed.getvalue()


def report_words(content: Any) -> str:
    """The end of a report that came as text, or as a file (a zip, too) in Base64; empty where it cannot be read."""
    if not isinstance(content, str) or not content:
        return ""
    try:
        data = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        data = content.encode()
    text = _unzipped(data).decode("utf-8", "replace").strip()
    return " ".join(text[-_REPORT_WORDS:].split())


def _unzipped(data: bytes) -> bytes:
    """The beginning of each text in a zip; what is no zip is given back. Never more than a report may hold."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return data[-_MOST_REPORT_BYTES:]
    parts, left = [], _MOST_REPORT_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as file:
                    parts.append(file.read(left))
                left -= len(parts[-1])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError):
        return b""
    return b"\n".join(parts)
