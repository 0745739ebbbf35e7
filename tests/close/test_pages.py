"""The pages of periods and closes: who may do what, files, and two signatures."""

from __future__ import annotations

import io
import zipfile
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction

from hub.common.times import set_business_clock
from hub.common.xlsx import AMOUNT, Sheet, workbook
from hub.sync.states import DeliveryState
from monitoring.close.readiness import readiness
from monitoring.close.scope import bare_scope
from monitoring.models import CloseSignature, Period
from tests.close.builders import NOW, CloseWorld, item, period

pytestmark = pytest.mark.django_db
CLOSE = "/close/HV-UK/2026-11/"


@pytest.fixture
def world(domains: Any) -> CloseWorld:
    set_business_clock(NOW)
    return CloseWorld()


def test_pages_open_for_those_who_see_exceptions_and_for_nobody_else(
    world: CloseWorld, browse: Any, finn: Any, mallory: Any
) -> None:
    period()
    for path in (
        "/periods/",
        "/periods/hv-uk-2026-11/",
        "/close/",
        CLOSE,
        f"{CLOSE}pack/",
        "/periods.csv",
        "/close.csv",
    ):
        assert browse(finn).get(path).status_code == 200, path
        assert browse(mallory).get(path).status_code == 403, path


def test_a_close_that_nobody_planned_is_shown_where_the_legal_entity_is_known(
    world: CloseWorld, browse: Any, finn: Any
) -> None:
    assert browse(finn).get("/close/HV-DE/2026-10/").status_code == 200
    assert browse(finn).get("/close/HV-FR/2026-10/").status_code == 404
    assert browse(finn).get("/close/HV-DE/2026-13/").status_code == 404


def test_who_may_clear_one_domain_does_not_change_the_firms_periods(
    world: CloseWorld, browse: Any, make_person: Any
) -> None:
    period()
    own = browse(make_person("Oscar", ("finance", "project-wbs")))
    assert own.get("/periods/").status_code == 200
    for path in ("new/", "year/", "import/", "hv-uk-2026-11/edit/"):
        assert own.get(f"/periods/{path}").status_code == 403
    assert own.post(f"{CLOSE}sign/", {"note": "x"}).status_code == 403
    assert own.post("/periods/hv-uk-2026-11/freeze/", {"frozen": "yes", "reason": "x"}).status_code == 403


def test_a_year_is_shown_before_it_is_made(world: CloseWorld, browse: Any, finn: Any) -> None:
    asked = {
        "legal_entities": "HV-UK, HV-DE", "first_period": "2026-11", "months": "3", "close_after": "4",
        "close_time": "17:30", "time_zone": "Europe/London", "late_policy": "next_period",
    }  # fmt: skip
    page = browse(finn).post("/periods/year/", {**asked, "do": "show"})
    assert page.status_code == 200
    assert page.content.count(b"HV-DE 20") == 3
    assert not Period.objects.exists()
    browse(finn).post("/periods/year/", {**asked, "do": "save"})
    assert Period.objects.count() == 6
    assert browse(finn).post("/periods/year/", {**asked, "first_period": "Nov", "do": "save"}).status_code == 422


def test_the_file_that_was_taken_out_comes_back_and_changes_nothing(world: CloseWorld, browse: Any, finn: Any) -> None:
    period(note="=HYPERLINK(1)", status="closing")
    period("HV-DE")
    before = list(Period.objects.values())
    text = b"".join(browse(finn).get("/periods.csv").streaming_content)
    Period.objects.filter(legal_entity="HV-DE").delete()
    text = text.replace(b"'=HYPERLINK", b"=HYPERLINK")
    answer = browse(finn).post("/periods/import/", {"file": SimpleUploadedFile("periods.csv", text)})
    assert answer.status_code == 302
    after = list(Period.objects.values())
    assert [{**row, "id": 0} for row in after] == [{**row, "id": 0} for row in before]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("HV-UK,2026-11,2026-11-01,2026-10-30,2026-12-04", "before it starts"),
        ("HV-UK,2026-11,2026-11-01,x,2026-12-04", "line 3"),
        ("HV-UK,2026-11,2026-11-01,2026-11-30,", "close_date"),
        ("HV-FR,2026-10,2026-10-20,2026-11-19,2026-12-04", "Use them apart"),
    ],
)
def test_a_file_with_one_wrong_line_is_refused_whole(
    world: CloseWorld, browse: Any, finn: Any, line: str, sentence: str
) -> None:
    good = "HV-FR,2026-11,2026-11-01,2026-11-30,2026-12-04"
    text = f"legal_entity,period,start_date,end_date,close_date\n{good}\n{line}\n"
    answer = browse(finn).post("/periods/import/", {"file": SimpleUploadedFile("p.csv", text.encode())})
    assert answer.status_code == 422
    sentence = "HV-FR 2026-11 starts on 2026-11-01" if sentence == "Use them apart" else sentence
    assert sentence in answer.content.decode()
    assert not Period.objects.exists()


def test_freezing_is_told_to_the_audit_with_its_reason(world: CloseWorld, browse: Any, finn: Any) -> None:
    from governance.models import AuditEntry

    period()
    browse(finn).post("/periods/hv-uk-2026-11/freeze/", {"frozen": "yes", "reason": "Auditors are in"})
    assert Period.objects.get().is_frozen
    entry = AuditEntry.objects.filter(act="period.frozen").get()
    assert "Auditors are in" in str(entry.__dict__)


# Signatures ----------------------------------------------------------------------------------------------------
def test_two_people_sign_a_close(world: CloseWorld, browse: Any, finn: Any, ada: Any) -> None:
    period()
    browse(finn).post(f"{CLOSE}sign/", {"note": ""})
    browse(finn).post(f"{CLOSE}sign/", {"note": "again"})
    assert [(one.step, one.by) for one in CloseSignature.objects.all()] == [("prepared", finn)]
    browse(ada).post(f"{CLOSE}sign/", {"note": ""})
    assert [(one.step, one.by) for one in CloseSignature.objects.all()] == [("prepared", finn), ("reviewed", ada)]


def test_the_database_itself_refuses_one_person_twice(world: CloseWorld, finn: Any) -> None:
    given = {"legal_entity": "HV-UK", "period": "2026-11", "by": finn, "at": NOW, "figures": {}, "digest": "0"}
    CloseSignature.objects.create(step="prepared", **given)
    with pytest.raises(IntegrityError), transaction.atomic():
        CloseSignature.objects.create(step="reviewed", **given)


def test_a_close_with_something_in_its_way_is_signed_with_a_reason(world: CloseWorld, browse: Any, finn: Any) -> None:
    item(world)
    browse(finn).post(f"{CLOSE}sign/", {"note": ""})
    assert not CloseSignature.objects.exists()
    browse(finn).post(f"{CLOSE}sign/", {"note": "Accrued in the ERP"})
    assert CloseSignature.objects.get().figures["count"] == 1


def test_figures_that_change_after_a_signature_are_noticed(world: CloseWorld, browse: Any, finn: Any, ada: Any) -> None:
    browse(finn).post(f"{CLOSE}sign/", {"note": ""})
    world.delivery(world.entry(), DeliveryState.DEAD)
    assert "no longer those that were signed" in browse(ada).get(CLOSE).content.decode()
    browse(ada).post(f"{CLOSE}sign/", {"note": "Fine"})
    assert CloseSignature.objects.count() == 1
    browse(ada).post(f"{CLOSE}withdraw/", {"reason": "New figures"})
    browse(ada).post(f"{CLOSE}sign/", {"note": "Accrued"})
    assert [one.withdrawn_at is None for one in CloseSignature.objects.all()] == [False, True]


# Files -----------------------------------------------------------------------------------------------------------
def test_the_pack_holds_every_record_and_its_amounts_are_numbers(world: CloseWorld, browse: Any, finn: Any) -> None:
    import xml.etree.ElementTree as ET

    item(world, title="=cmd|' /C calc'!A0", amount=Decimal("1234.50"))
    world.delivery(world.entry("100.25"), DeliveryState.DEAD)
    answer = browse(finn).get("/close/HV-UK/2026-11.xlsx")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        sheets = {n: ET.fromstring(archive.read(f"xl/worksheets/sheet{n}.xml")) for n in range(1, 6)}
    name = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    rows = sheets[3].findall(".//m:row", name)
    assert len(rows) == 3
    numbers = [cell.text for cell in sheets[3].findall(f".//m:c[@s='{AMOUNT}']/m:v", name)]
    assert numbers == ["1234.5", "100.25"]
    assert not sheets[3].findall(".//m:f", name)
    assert any(text.text == "=cmd|' /C calc'!A0" for text in sheets[3].findall(".//m:is/m:t", name))


def test_a_workbook_keeps_digits_that_a_spreadsheet_would_lose_as_text() -> None:
    data = workbook([Sheet("A&B", ["x"], [[Decimal("12345678901234567.89")], ["a\x00b<"], [None], [True]])])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        text = archive.read("xl/worksheets/sheet1.xml").decode()
        assert 'name="A&amp;B"' in archive.read("xl/workbook.xml").decode()
    assert ">12345678901234567.89</t>" in text
    assert "ab&lt;" in text


def test_the_first_page_counts_down_to_the_next_close(world: CloseWorld, browse: Any, finn: Any) -> None:
    assert "closes" not in browse(finn).get("/").content.decode().split("tiles")[0]
    period()
    item(world)
    page = browse(finn).get("/").content.decode()
    assert "HV-UK 2026-11 closes" in page
    assert "2 d 05 h left" in page
    assert "1 in the way, GBP 250.00" in page
    assert readiness(bare_scope("HV-UK", "2026-11", finn)).count == 1
