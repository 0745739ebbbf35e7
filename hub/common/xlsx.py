"""Lists as the sheets of a workbook: amounts are numbers, times are times, and text is text whatever it begins with.

Rows are written as they come, so memory does not grow with them. Text stands in the cells themselves (`inlineStr`), which no
spreadsheet ever takes for a formula.
"""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

from django.http import FileResponse

from hub.common.exports import Column
from hub.common.money import decimal_text

KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# Excel counts days from here, and refuses longer texts and more rows.
_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)
MOST_CHARACTERS, MOST_ROWS = 32_767, 1_048_576
# What a spreadsheet keeps exactly: more digits travel as text.
EXACT_DIGITS = 15
# What XML may not hold, escaped or not.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PART = "application/vnd.openxmlformats-officedocument.spreadsheetml"
PLAIN, BOLD, AMOUNT, TIME, DAY = range(5)
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><numFmts count="2">'
    '<numFmt numFmtId="164" formatCode="#,##0.00##"/><numFmt numFmtId="165" formatCode="yyyy-mm-dd hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="5"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="14" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/></cellXfs></styleSheet>'
)
# Signs that no name of a sheet may hold.
_NOT_IN_TITLES = re.compile(r"[\[\]:*?/\\]")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet; `rows` may be a generator. A title is cut to 31 letters."""

    title: str
    headings: Sequence[str]
    rows: Iterable[Sequence[Any]]


def workbook(sheets: Sequence[Sheet]) -> bytes:
    """The file that holds these sheets."""
    target = io.BytesIO()
    write_sheets(target, sheets)
    return target.getvalue()


def xlsx_response(rows: Iterable[Any], columns: Sequence[Column], *, name: str) -> FileResponse:
    """All rows as a download `name.xlsx`. What does not fit into a sheet is left out, and the last row says so."""
    file = tempfile.TemporaryFile(suffix=".xlsx")  # noqa: SIM115 - the response closes it
    write(file, rows, columns, name=name)
    file.seek(0)
    response = FileResponse(file, as_attachment=True, filename=f"{name}.xlsx", content_type=KIND)
    response["Cache-Control"] = "no-store"
    return response


def write(file: Any, rows: Iterable[Any], columns: Sequence[Column], *, name: str) -> None:
    """A workbook of one sheet into `file`."""
    values = ([column.of(row) for column in columns] for row in rows)
    write_sheets(file, [Sheet(name, [column.label for column in columns], values)])


def write_sheets(file: Any, sheets: Sequence[Sheet]) -> None:
    """A workbook into `file`, row by row."""
    links = [("worksheet", f"worksheets/sheet{number}.xml") for number in range(1, len(sheets) + 1)]
    parts = {
        "[Content_Types].xml": _content_types(len(sheets)),
        "_rels/.rels": _relations([("officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": _book(sheets),
        "xl/_rels/workbook.xml.rels": _relations([*links, ("styles", "styles.xml")]),
        "xl/styles.xml": _STYLES,
    }
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for part, text in parts.items():
            archive.writestr(part, _HEAD + text)
        for (_, place), sheet in zip(links, sheets, strict=True):
            with archive.open(f"xl/{place}", "w", force_zip64=True) as target:
                for text in _sheet(sheet):
                    target.write(text.encode())


def _content_types(sheets: int) -> str:
    kinds = [("workbook.xml", "sheet.main"), ("styles.xml", "styles")]
    kinds += [(f"worksheets/sheet{number}.xml", "worksheet") for number in range(1, sheets + 1)]
    listed = "".join(f'<Override PartName="/xl/{name}" ContentType="{_PART}.{kind}+xml"/>' for name, kind in kinds)
    return (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{listed}</Types>'
    )


def _relations(links: Sequence[tuple[str, str]]) -> str:
    listed = "".join(
        f'<Relationship Id="rId{number}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(links, start=1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{listed}</Relationships>'


def _book(sheets: Sequence[Sheet]) -> str:
    listed = "".join(
        f'<sheet name="{_title(sheet.title)}" sheetId="{number}" r:id="rId{number}"/>'
        for number, sheet in enumerate(sheets, start=1)
    )
    return f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>{listed}</sheets></workbook>'


def _title(title: str) -> str:
    return escape(_NOT_IN_TITLES.sub(" ", _ILLEGAL.sub("", title))[:31], {'"': "&quot;"})


def _sheet(sheet: Sheet) -> Iterator[str]:
    frozen = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    view = f'<sheetViews><sheetView workbookViewId="0">{frozen}</sheetView></sheetViews>'
    yield f'{_HEAD}<worksheet xmlns="{_MAIN}">{view}<sheetData>'
    yield _row(_text(heading, BOLD) if heading else "<c/>" for heading in sheet.headings)
    for number, values in enumerate(sheet.rows, start=2):
        if number == MOST_ROWS:
            yield _row([_text("More rows than a sheet holds: filter the list, or take the CSV.", BOLD)])
            break
        yield _row(map(cell, values))
    yield "</sheetData></worksheet>"


def _row(cells: Iterable[str]) -> str:
    return f"<row>{''.join(cells)}</row>"


def cell(value: Any) -> str:
    """One cell as XML: numbers, times and dates as such, everything else as text."""
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int):
        return f"<c><v>{value}</v></c>" if abs(value) < 10**EXACT_DIGITS else _text(str(value))
    if isinstance(value, Decimal) and value.is_finite():
        text = decimal_text(value)
        return f'<c s="{AMOUNT}"><v>{text}</v></c>' if _is_exact(text) else _text(text)
    if isinstance(value, datetime):
        days = (value.astimezone(UTC).replace(microsecond=0) - _EPOCH).total_seconds() / 86_400
        return f'<c s="{TIME}"><v>{days:.8f}</v></c>'
    if isinstance(value, date):
        return f'<c s="{DAY}"><v>{(value - _EPOCH.date()).days}</v></c>'
    return _text(str(value))


def _is_exact(number: str) -> bool:
    return len(number.strip("-").replace(".", "").lstrip("0")) <= EXACT_DIGITS


def _text(text: str, style: int = PLAIN) -> str:
    shown = escape(_ILLEGAL.sub("", text)[:MOST_CHARACTERS])
    return f'<c s="{style}" t="inlineStr"><is><t xml:space="preserve">{shown}</t></is></c>'
