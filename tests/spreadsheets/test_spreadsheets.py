"""What a person uploads takes the way of every source, after it was shown what would happen."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from governance.models import AuditEntry, Entity
from hub.common.errors import ConfigError
from hub.common.xlsx import Sheet, workbook
from hub.common.xlsx_reader import WorkbookReader
from hub.records.models import CanonicalRecord
from hub.spreadsheets import queries, services, sheets
from hub.spreadsheets.models import Upload
from hub.sync import engine
from hub.sync.models import HeldRecord, Run, Sync
from tests.sync import builders

pytestmark = pytest.mark.django_db(transaction=True)
HEAD = "Code,Name,Budget,Currency,Status\n"


@pytest.fixture
def entity(domains: Any) -> Entity:
    return builders.entity("project", builders.PROJECT)


@pytest.fixture
def sync(entity: Entity, ada: Any) -> Sync:
    services.open_source(entity=entity, by=None)
    return Sync.objects.get(slug="sheet-project")


def bring(sync: Sync, by: Any, text: str | bytes, name: str = "projects.csv", **more: Any) -> Upload:
    data = text if isinstance(text, bytes) else text.encode()
    return services.upload(sync=sync, name=name, data=data, by=by, **more)[0]


def take_in(upload: Upload, by: Any) -> Run:
    run = services.confirm(upload=upload, by=by)
    engine.execute(run.pk)
    run.refresh_from_db()
    upload.refresh_from_db()
    return run


def bodies() -> dict[str, dict[str, Any]]:
    return dict(CanonicalRecord.objects.values_list("key", "body"))


# --- the template ----------------------------------------------------------------------------------------------------


def test_the_template_explains_every_column_and_its_example_row_is_not_taken_in(sync, entity, ada):
    data = sheets.template(entity)
    book = WorkbookReader(io.BytesIO(data), name="t")
    assert [each.name for each in book.sheets] == ["Project", "Columns"]
    explained = {row.values[1]: row.values for row in book.rows(book.sheets[1])}
    assert explained["status"][4] == "draft, active, closed"
    assert explained["code"][3] == "yes, it identifies the record"
    upload = bring(sync, ada, data, "t.xlsx")
    assert upload.preview["counts"]["create"] == 0


# --- the preview -----------------------------------------------------------------------------------------------------


def test_the_preview_counts_what_would_happen_and_writes_nothing(sync, ada):
    take_in(bring(sync, ada, HEAD + "P-1,Bridge,100.00,EUR,active\nP-2,Tunnel,200.00,EUR,active\n"), ada)
    before = bodies()
    upload = bring(
        sync, ada, HEAD + "P-1,Bridge,100.00,EUR,active\nP-2,Tunnel,250.00,EUR,closed\nP-3,Road,1,EUR,draft\n"
    )
    counts = upload.preview["counts"]
    assert (counts["create"], counts["update"], counts["skip"]) == (1, 1, 1)
    assert [
        (row["row"], row["key"], sorted(row["fields"])) for row in upload.preview["rows"] if row["would"] == "update"
    ] == [(3, "P-2", ["budget", "status"])]
    assert bodies() == before
    assert Run.objects.count() == 1


def test_a_cell_that_cannot_be_read_is_told_with_row_and_column(sync, ada):
    data = workbook(
        [Sheet("S", ["Code", "Name", "Budget"], [["P-1", "A", "much"], [None, "B", Decimal("2")], ["P-3", "C", 3]])]
    )
    upload = bring(sync, ada, data, "p.xlsx")
    assert upload.rows == 3
    assert [(each["row"], each["problems"][0][0]) for each in upload.refused] == [(2, "budget"), (3, "code")]
    assert "C2: 'much' is not a value of the type decimal" in upload.refused[0]["problems"][0][1]


def test_a_row_that_breaks_the_contract_is_told_before_it_is_taken_in(sync, ada):
    upload = bring(sync, ada, HEAD + "P-1,Bridge,1,EUR,sleeping\n")
    (row,) = [row for row in upload.preview["rows"] if row["would"] == "reject"]
    assert (row["row"], row["column"]) == (2, "status")


def test_two_rows_about_one_record_are_not_both_taken(sync, ada):
    upload = bring(sync, ada, HEAD + "P-1,Bridge,1,EUR,active\nP-1,Other,2,EUR,active\n")
    assert upload.refused[0]["row"] == 3
    assert "Row 2 is about the same record" in upload.refused[0]["problems"][0][1]


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "e.csv", "is empty"),
        (b"Code,Nome\n1,2\n", "a.csv", "Column B is headed 'Nome', which is no field"),
        (b"Name\nx\n", "a.csv", "The column 'Code' is missing"),
        (b"Code,code\n1,2\n", "a.csv", "Two columns are headed"),
        (b'Code,Name\n1,"x"y\n', "a.csv", "Line 2 cannot be taken apart"),
        (b"PK\x03\x04", "a.xlsx", "cannot be read as a workbook"),
        (b"\xd0\xcf\x11\xe0old", "a.xls", "Save it as an Excel workbook"),
        (b"x" * (10 * 1024 * 1024 + 1), "a.csv", "at most 10 MB"),
        (b"Code\n" + b"".join(b"%d\n" % n for n in range(20_001)), "a.csv", "more than 20,000 rows"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_words_and_nothing_is_kept(sync, ada, data, name, words):
    with pytest.raises(ConfigError, match=words) as refused:
        bring(sync, ada, data, name)
    assert words in str(refused.value)
    assert not Upload.objects.exists()


# --- taking in -------------------------------------------------------------------------------------------------------


def test_confirmed_rows_become_records_through_a_run_with_its_ledger(sync, ada):
    upload = bring(sync, ada, "\ufeffcode;name;budget;currency\nP-1;Brücke;1.250,50;EUR\n", decimal=",")
    run = take_in(upload, ada)
    assert bodies()["P-1"] | {"name": "Brücke", "budget": "1250.50", "currency": "EUR"} == bodies()["P-1"]
    assert (upload.state, upload.run_ids, run.trigger, run.created) == ("done", [run.pk], "upload", 1)
    assert queries.outcomes_of(upload) == {"Created": 1}


def test_an_empty_cell_leaves_what_the_hub_holds(sync, ada):
    take_in(bring(sync, ada, HEAD + "P-1,Bridge,100.00,EUR,active\n"), ada)
    take_in(bring(sync, ada, "Code,Name,Budget\nP-1,Renamed,\n"), ada)
    assert (bodies()["P-1"]["name"], bodies()["P-1"]["budget"]) == ("Renamed", "100.00")


def test_the_same_file_twice_is_the_upload_that_it_was(sync, ada):
    text = (HEAD + "P-1,Bridge,1,EUR,active\n").encode()
    first = bring(sync, ada, text)
    take_in(first, ada)
    again, is_new = services.upload(sync=sync, name="renamed.csv", data=text, by=ada)
    assert (again.pk, is_new, Upload.objects.count(), Run.objects.count()) == (first.pk, False, 1, 1)


def test_refused_rows_come_as_a_file_that_can_be_corrected_and_uploaded_again(sync, ada):
    upload = bring(sync, ada, HEAD + "P-1,Bridge,1,EUR,sleeping\nP-2,Tunnel,much,EUR,active\nP-3,Road,1,EUR,active\n")
    take_in(upload, ada)
    refused = queries.refused_of(upload, for_user=ada)
    assert [(each.row, each.column) for each in refused] == [(2, "status"), (3, "budget")]
    assert HeldRecord.objects.count() == 1
    data = queries.refused_workbook(upload, refused)
    book = WorkbookReader(io.BytesIO(data), name="r")
    head, *rows = [row.values for row in book.rows(book.sheets[0])]
    assert head[:3] == ["Row in file", "Refused because", "Code"]
    assert [row[2] for row in rows] == ["P-1", "P-2"]
    corrected = [[*row[:4], Decimal(5), "EUR", "active"] for row in rows]
    again = bring(sync, ada, workbook([Sheet("S", head, corrected)]), "corrected.xlsx")
    take_in(again, ada)
    assert sorted(bodies()) == ["P-1", "P-2", "P-3"]
    assert not HeldRecord.objects.exists()


def test_a_worker_that_dies_between_two_pages_loses_and_doubles_nothing(sync, ada, monkeypatch):
    rows = "".join(f"P-{n:04d},Project {n},1,EUR,active\n" for n in range(1_100))
    upload = bring(sync, ada, HEAD + rows)
    run = services.confirm(upload=upload, by=ada)
    engine.execute(run.pk, slice_seconds=0)
    upload.refresh_from_db()
    assert upload.state == "confirmed"
    assert 0 < CanonicalRecord.objects.count() < 1_100
    for _ in range(5):
        engine.execute(run.pk)
    upload.refresh_from_db()
    assert (upload.state, CanonicalRecord.objects.count()) == ("done", 1_100)


def test_what_is_confirmed_while_a_run_ends_gets_a_run_of_its_own(sync, ada):
    run, _ = engine.start(sync, trigger=Run.Trigger.MANUAL)
    upload = bring(sync, ada, HEAD + "P-1,Bridge,1,EUR,active\n")
    assert services.confirm(upload=upload, by=ada).pk == run.pk
    engine.execute(run.pk)
    upload.refresh_from_db()
    assert (upload.state, bodies()["P-1"]["name"]) == ("done", "Bridge")


def test_a_discarded_file_cannot_be_taken_in(sync, ada):
    upload = bring(sync, ada, HEAD + "P-1,Bridge,1,EUR,active\n")
    services.discard(upload=upload, by=ada)
    with pytest.raises(ConfigError, match="discarded already"):
        services.confirm(upload=upload, by=ada)
    assert not bodies()


def test_every_act_is_in_the_audit(sync, ada):
    upload = bring(sync, ada, HEAD + "P-1,Bridge,1,EUR,active\n")
    take_in(upload, ada)
    acts = set(AuditEntry.objects.filter(kind="Upload").values_list("act", flat=True))
    assert acts == {"spreadsheet.uploaded", "spreadsheet.confirmed"}


# --- pages and API ---------------------------------------------------------------------------------------------------


@pytest.fixture
def browse(client: Client) -> Any:
    def as_person(person: Any) -> Client:
        client.force_login(person)
        return client

    return as_person


def test_a_person_uploads_looks_and_confirms_in_the_browser(sync, ada, browse):
    web = browse(ada)
    assert "Project" in web.get("/spreadsheets/").content.decode()
    file = SimpleUploadedFile("p.csv", (HEAD + "P-1,Bridge,1,EUR,active\nP-2,Tunnel,x,EUR,active\n").encode())
    answer = web.post("/spreadsheets/sheet-project/", {"file": file, "decimal": "."})
    page = web.get(answer.url).content.decode()
    assert "Take the rows in" in page
    assert "C3: &#x27;x&#x27; is not a value of the type decimal." in page
    assert web.post(f"{answer.url}confirm/").status_code == 302
    engine.execute(Run.objects.get().pk)
    page = web.get(answer.url).content.decode()
    assert "Created" in page
    assert f"/runs/{Run.objects.get().pk}/" in page
    assert web.get(f"{answer.url}refused.xlsx").content[:2] == b"PK"
    file.seek(0)
    again = web.post("/spreadsheets/sheet-project/", {"file": file, "decimal": "."}, follow=True).content.decode()
    assert "nothing was done again" in again


def test_a_file_with_a_wrong_heading_stays_on_the_form(sync, ada, browse):
    file = SimpleUploadedFile("p.csv", b"Kode\n1\n")
    answer = browse(ada).post("/spreadsheets/sheet-project/", {"file": file, "decimal": "."})
    assert answer.status_code == 400
    assert "which is no field" in answer.content.decode()


def test_people_of_another_domain_neither_see_nor_upload(sync, ada, make_person, browse):
    upload = bring(sync, ada, HEAD + "P-1,Bridge,1,EUR,active\n")
    other = make_person("Nora", ("operator", "billing-gl"))
    web = browse(other)
    assert "projects.csv" not in web.get("/spreadsheets/").content.decode()
    for path in (
        f"/spreadsheets/uploads/{upload.pk}/",
        "/spreadsheets/sheet-project/",
        f"/spreadsheets/uploads/{upload.pk}/refused.xlsx",
    ):
        assert web.get(path).status_code in (403, 404)
    assert web.post(f"/spreadsheets/uploads/{upload.pk}/confirm/").status_code in (403, 404)
    assert Upload.objects.get().state == "previewed"


def test_the_source_of_an_entity_is_set_up_on_the_page(entity, ada, browse):
    answer = browse(ada).post("/spreadsheets/sources/", {"entity": "project"})
    assert answer.status_code == 302
    assert Sync.objects.get(slug="sheet-project").stream.key_fields == ["code"]


def test_a_program_uploads_and_confirms_over_the_api(sync, ada, browse):
    web = browse(ada)
    file = SimpleUploadedFile("p.csv", (HEAD + "P-1,Bridge,1,EUR,active\n").encode())
    made = web.post("/api/v1/uploads/", {"sync": "sheet-project", "file": file})
    assert made.status_code == 201
    found = made.json()
    assert found["preview"]["counts"]["create"] == 1
    assert web.post(f"/api/v1/uploads/{found['id']}/confirm/").status_code == 200
    engine.execute(Run.objects.get().pk)
    assert web.get(f"/api/v1/uploads/{found['id']}/").json()["state"] == "done"
