"""Fixed width, workbooks and JSON lines keep every digit, and say of what they cannot read where it stands."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import catalog
from connectors.files.fixed_width import FixedWidthFormat
from connectors.files.json_lines import JsonLinesFormat
from connectors.files.xlsx_sheets import XlsxFormat
from hub.common.errors import ConfigError, RecordError
from hub.common.records import BadRecord
from hub.common.xlsx import Sheet, workbook
from hub.common.xlsx_reader import WorkbookReader
from tests.connectors.files.test_files import connect, ids, pages_of, put

BERLIN = ZoneInfo("Europe/Berlin")
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def fixed(section: dict[str, Any], **fields: Any) -> FixedWidthFormat:
    return FixedWidthFormat(section, fields, BERLIN)


def read(form: Any, data: bytes | str) -> list[Any]:
    return list(form.rows(io.BytesIO(data if isinstance(data, bytes) else data.encode()), name="f"))


# --- fixed width ---------------------------------------------------------------------------------------------------

AMOUNTS = [("leading", "-0000125", "-1.25"), ("trailing", "0000125-", "-1.25"), ("overpunch", "0000012N", "-1.25")]


@pytest.mark.parametrize(
    ("sign", "text", "value"), [*AMOUNTS, ("overpunch", "0000012E", "1.25"), ("none", "00000125", "1.25")]
)
def test_numbers_have_implied_decimals_and_signs_of_every_kind(sign, text, value):
    form = fixed({"columns": [{"name": "a", "width": 8, "decimals": 2, "sign": sign}]}, a="decimal")
    assert read(form, text + "\n") == [{"a": value}]
    assert form.content([{"a": value}], ["a"]).decode().rstrip("\n").replace("+", " ").strip() == text


def test_columns_stand_where_they_are_declared():
    columns = [{"name": "no", "start": 3, "width": 4}, {"name": "city", "start": 10, "width": 6, "align": "right"}]
    form = fixed({"columns": columns})
    assert read(form, "xx17   zz  Bonn\n") == [{"no": "17", "city": "Bonn"}]
    assert form.content([{"no": "17", "city": "Bonn"}], ["no", "city"]) == b"  17       Bonn\n"


def test_a_value_that_does_not_fit_is_never_cut():
    form = fixed({"columns": [{"name": "t", "width": 3}, {"name": "n", "width": 4, "decimals": 2}]}, n="decimal")
    for name, value in [("t", "four"), ("n", "100.00"), ("n", "1.005"), ("t", "a\nb")]:
        with pytest.raises(RecordError):
            form.check(name, value)
    form.check("t", "abc")
    form.check("n", "99.99")


def test_a_bad_line_is_set_aside_with_its_place():
    form = fixed({"columns": [{"name": "id", "width": 2}, {"name": "n", "width": 3}]}, n="integer")
    first, second, third, last = read(form, "a 001\nb 0x1\nc 0012\nd 004\n")
    assert (first, last) == ({"id": "a", "n": 1}, {"id": "d", "n": 4})
    assert (second.error.where, second.position) == ("f:2 n", 1)
    assert "6 characters in place of 5" in str(third.error)


TYPES = {"start": 1, "width": 2, "header": "00", "detail": "10", "trailer": "99"}
TRAILER = {"count": {"start": 3, "width": 4}, "total": {"start": 7, "width": 9, "decimals": 2}, "total_field": "n"}
WHOLE = {
    "columns": [{"name": "id", "start": 3, "width": 4}, {"name": "n", "width": 9, "decimals": 2, "sign": "overpunch"}],
    "record_types": TYPES,
    "trailer": TRAILER,
}


@pytest.mark.parametrize(
    "more", [{}, {"line_end": "none", "encoding": "cp037"}, {"line_end": "crlf", "encoding": "cp500"}]
)
def test_a_file_that_was_written_reads_back_in_any_encoding(more):
    form = fixed({**WHOLE, **more}, n="decimal")
    records = [{"id": "a", "n": "10.50"}, {"id": "b", "n": "-0.75"}, {"id": "c", "n": None}]
    data = form.content(records, ["id", "n"])
    assert read(form, data) == records


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["10a   00000001E"], "missing"),
        (["10a   00000001E", "990002000000015"], "says count 2, but the lines have 1"),
        (["10a   00000001E", "990001000000016"], "says total 0.16, but the lines have 0.15"),
        (["990000000000000", "10a   00000001E"], "stands after it"),
    ],
)
def test_nothing_is_read_when_the_trailer_disagrees(tmp_path, lines, words):
    put(tmp_path, "h_1.csv", "\n".join(["00", *lines]) + "\n")
    connector = connect(tmp_path, {"fixed_width": WHOLE, "fields": {"n": "decimal"}})
    with pytest.raises(ConfigError, match=words):
        pages_of(connector)


def test_a_line_of_an_unknown_type_is_set_aside():
    form = fixed({**WHOLE, "trailer": {}}, n="decimal")
    good, bad = read(form, "10a   00000001E\n77nobody knows \n")
    assert good == {"id": "a", "n": "0.15"}
    assert "'77', which is not declared" in str(bad.error)


@given(
    st.lists(st.decimals(-999999, 999999, places=2, allow_nan=False), min_size=1, max_size=20),
    st.sampled_from(["leading", "trailing", "overpunch"]),
)
@settings(max_examples=60, deadline=None)
def test_any_amount_survives_writing_and_reading(amounts, sign):
    form = fixed({"columns": [{"name": "a", "width": 10, "decimals": 2, "sign": sign}]}, a="decimal")
    found = read(form, form.content([{"a": str(amount)} for amount in amounts], ["a"]))
    assert [Decimal(record["a"]) for record in found] == amounts


# --- JSON lines ----------------------------------------------------------------------------------------------------


def test_json_lines_keep_digits_and_set_bad_lines_aside():
    form = JsonLinesFormat({}, {"amount": "decimal", "id": "string"}, BERLIN)
    text = '\ufeff{"id": 7, "amount": 12345678901234567.89}\n\n[1]\n'
    text += '{"id": "x", "amount": "1.10", "deep": {"a": [1]}}\n{broken\n'
    first, second, third, fourth = read(form, text)
    assert first == {"id": "7", "amount": "12345678901234567.89"}
    assert third == {"id": "x", "amount": "1.10", "deep": {"a": [1]}}
    assert (second.error.where, fourth.error.where) == ("f:3", "f:5")


def test_json_lines_are_discovered_written_and_read(tmp_path):
    put(tmp_path, "h_1.jsonl", '{"id": "1"}\n')
    assert ids(pages_of(connect(tmp_path, {"pattern": "h_*.jsonl", "json_lines": {}}))) == ["1"]
    form = JsonLinesFormat({}, {}, BERLIN)
    assert read(form, form.content([{"a": "ä", "b": None}, {"a": "x"}], ["a", "b"])) == [
        {"a": "ä", "b": None},
        {"a": "x"},
    ]


# --- workbooks -----------------------------------------------------------------------------------------------------


def book(
    sheet: str, *, strings: str = "", styles: str = "", date1904: bool = False, sheets: str = "", **parts: str
) -> bytes:
    """A workbook as another program writes it: shared texts, references, styles."""
    listed = sheets or '<sheet name="Data" sheetId="1" r:id="r1"/>'
    flag = '<workbookPr date1904="1"/>' if date1904 else ""
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    files = {
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{rel}">{flag}<sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="r1" Target="worksheets/one.xml"/>'
        '<Relationship Id="r2" Target="/xl/worksheets/two.xml"/></Relationships>',
        "xl/worksheets/one.xml": f'<x:worksheet xmlns:x="{MAIN}">{sheet}</x:worksheet>'.replace("<x:", "<x:"),
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{strings}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}">{styles}</styleSheet>',
        **{f"xl/worksheets/{name}.xml": text for name, text in parts.items()},
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return target.getvalue()


def sheet(*rows: str, more: str = "") -> str:
    lines = "".join(f'<x:row r="{number}">{row}</x:row>' for number, row in enumerate(rows, start=1))
    return f"<x:sheetData>{lines}</x:sheetData>{more}"


def number(place: str, text: str, style: int = 0) -> str:
    return f'<x:c r="{place}" s="{style}"><x:v>{text}</x:v></x:c>'


def text(place: str, value: str) -> str:
    return f'<x:c r="{place}" t="inlineStr"><x:is><x:t>{value}</x:t></x:is></x:c>'


STYLES = (
    '<numFmts><numFmt numFmtId="170" formatCode="dd\\.mm\\.yyyy"/><numFmt numFmtId="171" formatCode="[h]:mm"/>'
    '<numFmt numFmtId="172" formatCode="#,##0.00 &quot;day&quot;;[Red]-0"/></numFmts>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="170"/><xf numFmtId="171"/>'
    '<xf numFmtId="172"/><xf numFmtId="22"/></cellXfs>'
)


def one(cells: str, fields: dict[str, Any] | None = None, *, heads: str = "", **more: Any) -> Any:
    heads = heads or text("A1", "a")
    (found,) = read(XlsxFormat({}, fields or {}, BERLIN), book(sheet(heads, cells), styles=STYLES, **more))
    return found


@pytest.mark.parametrize(
    ("cell", "kind", "value"),
    [
        (number("A2", "0.30000000000000004"), "decimal", "0.3"),
        (number("A2", "1234567890.1199999"), "decimal", "1234567890.12"),
        (number("A2", "4711"), "string", "4711"),
        (number("A2", "1E3"), "integer", 1000),
        (number("A2", "46357", 1), "date", "2026-12-01"),
        (number("A2", "46357", 2), "date", "2026-12-01"),
        (number("A2", "59", 1), "date", "1900-02-28"),
        (number("A2", "61", 1), "date", "1900-03-01"),
        (number("A2", "46357.5", 5), "date-time", "2026-12-01T11:00:00Z"),
        (number("A2", "0.3125", 3), "decimal", "7.5"),
        (number("A2", "1.25", 3), "string", "30:00"),
        (number("A2", "46357", 4), "decimal", "46357"),
        ('<x:c r="A2" t="b"><x:v>1</x:v></x:c>', "boolean", True),
        ('<x:c r="A2" t="str"><x:f>B1</x:f><x:v>shown</x:v></x:c>', "string", "shown"),
        ('<x:c r="A2"><x:f>1+1</x:f><x:v>2</x:v></x:c>', "decimal", "2"),
        (text("A2", " 1,250.50 "), "decimal", "1250.50"),
    ],
)
def test_cells_keep_their_kind(cell, kind, value):
    assert one(cell, {"a": kind}) == {"a": value}


def test_a_workbook_may_count_days_from_1904():
    assert one(number("A2", "44895", 1), {"a": "date"}, date1904=True) == {"a": "2026-12-01"}


@pytest.mark.parametrize(
    ("cell", "kind", "words"),
    [
        ('<x:c r="A2" t="e"><x:v>#N/A</x:v></x:c>', "", "shows the error #N/A"),
        ('<x:c r="A2"><x:f>1+1</x:f></x:c>', "", "no stored value"),
        (number("A2", "60", 1), "date", "no day of the calendar"),
        (number("A2", "46357"), "date", "not a value of the type date"),
        (number("A2", "46357", 1), "decimal", "not a value of the type decimal"),
        (number("A2", "1.5"), "integer", "not a value of the type integer"),
        (text("A2", "x") + text("C2", "stray"), "", "C2 stands under no heading"),
    ],
)
def test_what_a_cell_cannot_mean_is_said_with_its_row(cell, kind, words):
    found = one(cell, {"a": kind} if kind else {})
    assert isinstance(found, BadRecord)
    assert words in str(found.error)
    assert found.error.where.startswith("f:Data!2")


def test_texts_are_shared_and_their_readings_left_out():
    strings = "<si><t>head</t></si><si><r><t>To</t></r><r><t>kyo</t></r><rPh><t>reading</t></rPh></si><si><t>a_x000D_b</t></si>"
    cells = [f'<x:c t="s"><x:v>{at}</x:v></x:c>' for at in range(3)]
    found = read(XlsxFormat({}, {}, BERLIN), book(sheet(*cells), strings=strings))
    assert found == [{"head": "Tokyo"}, {"head": "a\rb"}]


def test_rows_of_merged_cells_are_set_aside_and_the_rest_is_read():
    rows = sheet(
        text("A1", "a"),
        text("A2", "x"),
        "",
        text("A4", "y"),
        more='<x:mergeCells><x:mergeCell ref="A2:A3"/></x:mergeCells>',
    )
    bad, good = read(XlsxFormat({}, {}, BERLIN), book(rows))
    assert "merged cells A2:A3" in str(bad.error)
    assert good == {"a": "y"}


def test_hidden_rows_are_read_unless_the_stream_says_otherwise():
    rows = sheet(text("A1", "a"), text("A2", "x")).replace('<x:row r="2">', '<x:row r="2" hidden="1">')
    assert read(XlsxFormat({}, {}, BERLIN), book(rows)) == [{"a": "x"}]
    assert read(XlsxFormat({"hidden_rows": "skip"}, {}, BERLIN), book(rows)) == []


def test_the_sheet_and_the_header_row_may_be_named():
    sheets = '<sheet name="Notes" sheetId="1" r:id="r1" state="hidden"/><sheet name="Two" sheetId="2" r:id="r2"/>'
    two = f'<x:worksheet xmlns:x="{MAIN}">{sheet(text("A1", "Title"), "", text("A3", "a"), text("A4", "v"))}</x:worksheet>'
    data = book(sheet(text("A1", "hidden")), sheets=sheets, two=two)
    for section in ({"header_row": 3}, {"header_row": 3, "sheet": "Two"}):
        assert read(XlsxFormat(section, {}, BERLIN), data) == [{"a": "v"}]
    with pytest.raises(ConfigError, match="has no sheet 'Three'; it has: Notes, Two"):
        read(XlsxFormat({"sheet": "Three"}, {}, BERLIN), data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04 no zip", "not in the XLSX format"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "protected by a password"),
        (book("<x:sheetData/>", strings="<si><t>" + "A" * 30_000_000 + "</t></si>"), "times its size"),
        (book(sheet(text("A1", "a")), one="<!DOCTYPE x [<!ENTITY b 'c'>]><x>&b;</x>"), "document type"),
        (book(sheet(text("A1", "a"))[:-9]), "one.xml"),
        (book("<x:sheetData/>"), "is empty"),
        (book(sheet(text("A1", "a") + text("B1", "a"))), "names 'a' twice"),
        (book(sheet('<x:c r="ZZZ1"><x:v>1</x:v></x:c>')), "more than 1000 columns"),
    ],
)
def test_what_is_no_workbook_or_a_bomb_is_refused_in_words(data, words):
    with pytest.raises(ConfigError, match=words):
        read(XlsxFormat({}, {}, BERLIN), data)


def test_what_is_written_reads_back_with_its_types():
    fields = {"id": "string", "amount": "decimal", "on": "date", "at": "date-time", "ok": "boolean", "n": "integer"}
    form = XlsxFormat({}, fields, BERLIN)
    records = [
        {"id": "007", "amount": "1250.5", "on": "2026-12-01", "at": "2026-12-01T11:00:00Z", "ok": True, "n": 3},
        {"id": "=1+1", "amount": "12345678901234567.89", "on": None, "at": None, "ok": False, "n": None},
    ]
    assert read(form, form.content(records, list(fields))) == records


def test_a_workbook_of_several_sheets_is_read_sheet_by_sheet():
    data = workbook(
        [Sheet("One", ["a"], [[date(2026, 12, 1)]]), Sheet("T/wo", ["b"], [[datetime(2026, 12, 1, 8, 30, tzinfo=UTC)]])]
    )
    reader = WorkbookReader(io.BytesIO(data), name="f")
    assert [each.name for each in reader.sheets] == ["One", "T wo"]
    assert [row.values for row in reader.rows(reader.sheets[1])] == [["b"], [datetime(2026, 12, 1, 8, 30)]]


# --- numbers and acknowledgements ----------------------------------------------------------------------------------

SEQUENCE = {"control": {"suffix": ".ctl", "sequence": {"value": "seq"}, "file": "name"}}


def deliver(root: Any, name: str, number: int, text: str) -> None:
    put(root, name, text, control=f"seq={number}\nname={name}\n")


def test_files_are_read_by_their_numbers_and_a_gap_waits_for_the_missing_one(tmp_path):
    deliver(tmp_path, "h_1.csv", 7, "id\n1\n")
    cursor = pages_of(connect(tmp_path, SEQUENCE))[-1].cursor
    deliver(tmp_path, "h_3.csv", 9, "id\n3\n")
    with pytest.raises(ConfigError, match="number 9, but number 8 has not come"):
        pages_of(connect(tmp_path, SEQUENCE), cursor)
    deliver(tmp_path, "h_2.csv", 8, "id\n2\n")
    assert ids(pages_of(connect(tmp_path, SEQUENCE), cursor)) == ["2", "3"]


def test_a_number_that_was_read_is_skipped_with_the_same_content_and_stops_with_another(tmp_path):
    deliver(tmp_path, "h_1.csv", 1, "id\n1\n")
    cursor = pages_of(connect(tmp_path, SEQUENCE))[-1].cursor
    deliver(tmp_path, "h_1b.csv", 1, "id\n1\n")
    again = pages_of(connect(tmp_path, SEQUENCE), cursor)
    assert ids(again) == []
    deliver(tmp_path, "h_1c.csv", 1, "id\n2\n")
    with pytest.raises(ConfigError, match="number 1, which was read before with another content"):
        pages_of(connect(tmp_path, SEQUENCE), again[-1].cursor)


def test_a_control_file_about_another_file_stops_the_stream(tmp_path):
    put(tmp_path, "h_1.csv", "id\n1\n", control="seq=1\nname=h_2.csv\n")
    with pytest.raises(ConfigError, match=r"is about 'h_2.csv', not about h_1.csv"):
        pages_of(connect(tmp_path, SEQUENCE))


def test_the_sender_finds_what_was_read_and_what_was_not(tmp_path):
    put(tmp_path, "h_1.csv", "id,n\n1,2\n2,x\n=3,=x\n")
    stream = {"acknowledge": {"folder": "acks"}, "fields": {"n": "integer"}}
    assert ids(pages_of(connect(tmp_path, stream))) == ["1"]
    told = dict(line.split("=", 1) for line in (tmp_path / "acks" / "h_1.ack").read_text().splitlines())
    assert (told["status"], told["accepted"], told["rejected"]) == ("partial", "1", "2")
    rejects = (tmp_path / "acks" / "h_1.rej.csv").read_text().splitlines()
    assert rejects[1].startswith("h_1.csv:3 n,'x' is not a value of the type integer.")
    assert ',"\'=3,=x"' in rejects[2]


def test_the_sender_finds_why_a_file_was_refused(tmp_path):
    control = {"suffix": ".ctl", "count": "rows"}
    put(tmp_path, "h_1.csv", "id\n1\n", control="rows=2\n")
    with pytest.raises(ConfigError):
        pages_of(connect(tmp_path, {"control": control, "acknowledge": {"folder": "acks", "format": "json"}}))
    told = (tmp_path / "acks" / "h_1.ack").read_text()
    assert '"status":"refused"' in told
    assert "says rows 2, but the file has 1" in told


def test_a_format_that_is_declared_wrongly_is_explained():
    problems = catalog.validate(
        {
            "name": "a_b",
            "label": "A",
            "category": "legacy",
            "protocol": "files",
            "time_zone": "UTC",
            "storage": {"transport": "local", "root": "/srv/x"},
            "streams": {"s": {"pattern": "*", "fixed_width": {"columns": [{"name": "a", "width": 0}]}}},
        }
    )
    assert "streams.s.fixed_width.columns.0.width" in str(problems[0])
