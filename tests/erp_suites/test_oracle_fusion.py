"""Oracle Fusion as declared: the framework's manners, and costs that are laid down, imported and read back."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors import catalog
from connectors.jobs import MemoryBook
from connectors.simulators.fusion import BASE, PASSWORD, USER, FusionSimulator
from hub.common.errors import PermanentError, RecordError, TransientError
from hub.common.records import StreamSpec
from tests.erp_suites.bench import Bench, item, last_cursor, read_all, write
from tests.erp_suites.dying_worker import FolderBook
from tests.worker import eventually

TABLES = {
    "projects": "projects",
    "project_tasks": "Tasks",
    "project_costs": "projectExpenditureItems",
    "pending_costs": "unprocessedProjectCosts",
    "customers": "customerAccounts",
    "suppliers": "suppliers",
    "purchase_orders": "purchaseOrders",
    "invoices": "receivablesInvoices",
    "journal_lines": "journalLines",
}
COSTS = {"import_parameters": "IMPORT_AND_PROCESS,204,ALL,#NULL"}


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = Bench(FusionSimulator)
    yield found
    found.close()


@pytest.fixture(scope="module")
def full() -> Iterator[Bench]:
    """A firm with hours and invoices; nobody writes here."""
    found = Bench(FusionSimulator, "small")
    yield found
    found.close()


def get(bench: Bench, path: str, version: int = 4, **query: str) -> httpx.Response:
    headers = {"REST-Framework-Version": str(version)}
    return httpx.get(f"{bench.server.url}{BASE}{path}", params=query, headers=headers, auth=(USER, PASSWORD))


# --- reading -------------------------------------------------------------------------------------------------------


def test_the_test_of_the_connection_passes_and_a_wrong_password_is_refused(bench: Bench) -> None:
    with bench.connect() as connector:
        assert all(step.ok for step in connector.check())
    with bench.connect(secrets={"password": "wrong"}) as connector:
        failed = list(connector.check())[-1]
    assert (failed.name, failed.ok) == ("authenticate", False)
    assert "not valid" in failed.cause


@pytest.mark.parametrize("stream", TABLES)
def test_every_stream_is_read_whole_whatever_the_page(full: Bench, stream: str) -> None:
    key = full.declaration().streams[stream]["key"]
    with full.connect() as connector:
        ids = [record[key] for record in read_all(connector, stream)]
        small = [record[key] for record in read_all(connector, stream, page_size=100)]
    assert len(ids) == len(set(ids)) == full.control.counts()[TABLES[stream]]
    assert sorted(small) == sorted(ids)


def test_a_page_size_that_is_cut_without_a_word_loses_nothing(full: Bench) -> None:
    with full.connect() as connector:
        found = read_all(connector, "project_costs", page_size=1000)
    assert len(found) == full.control.counts()["projectExpenditureItems"] > 499
    assert {entry["target"].count("limit=1000") for entry in full.asked("projectExpenditureItems.*limit=1000")} == {1}


def test_the_cursor_leads_to_what_changed_since(bench: Bench) -> None:
    with bench.connect() as connector:
        cursor = last_cursor(connector, "projects")
        write(connector, "projects", item("P-900", {"ProjectNumber": "P-900", "ProjectName": "New"}))
        changed = read_all(connector, "projects", cursor)
    assert "P-900" in {record["ProjectNumber"] for record in changed}
    assert len(changed) < bench.control.counts()["projects"]


# --- writing: one proof for each operation -------------------------------------------------------------------------

WRITES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "projects": ("ProjectNumber", {"ProjectName": "Move"}, {"ProjectName": "Move on"}),
    "customers": ("AccountNumber", {"PartyName": "Fenwick"}, {"PartyName": "Fenwick & Co"}),
    "suppliers": ("SupplierNumber", {"Supplier": "Wren Ltd"}, {"Supplier": "Wren PLC"}),
    "invoices": (
        "CrossReference",
        {"BillToCustomerNumber": "C-1001", "TransactionDate": "2026-11-20"},
        {"PaymentTerms": "60 Net"},
    ),
}


@pytest.mark.parametrize("stream", WRITES)
def test_writing_twice_makes_one_object(bench: Bench, stream: str) -> None:
    key, made, changed = WRITES[stream]
    before = bench.control.counts()[TABLES[stream]]
    with bench.connect() as connector:
        first = write(connector, stream, item("T-77", {key: "T-77", **made}))[0]
        again = write(connector, stream, item("T-77", {key: "T-77", **made} if stream != "invoices" else changed))[0]
        third = write(
            connector, stream, item("T-77", changed if stream == "invoices" else {key: "T-77", **made, **changed})
        )[0]
    assert [outcome.error for outcome in (first, again, third)] == [None, None, None]
    assert first.ref
    assert first.ref == again.ref == third.ref
    assert bench.control.counts()[TABLES[stream]] == before + 1
    row = next(row for row in bench.control.state(TABLES[stream]) if row[key] == "T-77")
    assert {name: row[name] for name in changed} == changed


def test_a_task_is_made_in_its_project_and_changed_by_its_id(bench: Bench) -> None:
    project = bench.control.state("projects")[0]["ProjectId"]
    with bench.connect() as connector:
        body = {"ProjectId": project, "TaskNumber": "9.9", "TaskName": "Close"}
        made = write(connector, "project_tasks", item("9.9", body, "create"))[0]
        changed = write(connector, "project_tasks", item("9.9", {**body, "TaskName": "Hand over"}, "update", made.ref))[
            0
        ]
    assert (made.status, changed.status) == ("created", "updated")
    tasks = [task["TaskName"] for task in bench.control.state("Tasks") if task["TaskNumber"] == "9.9"]
    assert tasks == ["Hand over"]


def test_a_change_of_somebody_else_in_between_is_not_overwritten(bench: Bench) -> None:
    row = bench.control.state("projects")[0]
    with bench.connect() as connector:
        connector.api._etag = None  # type: ignore[attr-defined]
        bench.control.add_fault("status", method="PATCH", status=412)
        refused = write(
            connector, "projects", item(row["ProjectNumber"], {"ProjectName": "Mine"}, "update", row["ProjectId"])
        )[0]
    assert isinstance(refused.error, TransientError)
    assert refused.error.code == "CONFLICT"
    stale = httpx.patch(
        f"{bench.server.url}{BASE}/projects/{row['ProjectId']}",
        json={"ProjectName": "Mine"}, headers={"If-Match": '"0"'}, auth=(USER, PASSWORD),
    )  # fmt: skip
    assert stale.status_code == 412


def test_what_may_not_be_changed_on_an_invoice_is_a_sentence_with_its_field(bench: Bench) -> None:
    with bench.connect() as connector:
        body = {"CrossReference": "X-1", "BillToCustomerNumber": "C-1001", "TransactionDate": "2026-11-20"}
        write(connector, "invoices", item("X-1", body))
        outcome = write(connector, "invoices", item("X-1", {"DueDate": "2026-12-31"}, attempt="2"))[0]
    assert isinstance(outcome.error, RecordError)
    assert "DueDate cannot be changed" in str(outcome.error)
    assert outcome.error.field == "/DueDate"


# --- costs: pending, then imported or rejected ---------------------------------------------------------------------


def cost(bench: Bench, reference: str, **more: Any) -> dict[str, Any]:
    task = bench.control.state("Tasks")[0]
    project = next(row for row in bench.control.state("projects") if row["ProjectId"] == task["ProjectId"])
    flex = {
        "_PROJECT_ID_Display": project["ProjectNumber"], "_TASK_ID_Display": task["TaskNumber"],
        "_EXPENDITURE_ITEM_DATE": "2026-11-20", "_EXPENDITURE_TYPE_ID_Display": "Professional",
    }  # fmt: skip
    flex |= more.pop("flex", {})
    return {
        "ExpenditureBatch": "HUB-1", "BusinessUnitId": "204", "OriginalTransactionReference": reference, "Quantity": 8,
        "ProjectStandardCostCollectionFlexfields": [flex], **more,
    }  # fmt: skip


def costs(bench: Bench, *references: str) -> list[Any]:
    return [item(reference, cost(bench, reference)) for reference in references]


def submissions(bench: Bench) -> int:
    return len(bench.simulator.scheduler.jobs)  # type: ignore[attr-defined]


def test_costs_are_laid_down_imported_by_one_job_and_read_back(bench: Bench) -> None:
    before = bench.control.counts()["projectExpenditureItems"]
    with bench.connect(config=COSTS) as connector:
        outcomes = write(connector, "project_costs", *costs(bench, "W-1", "W-2", "W-3"))
    assert [outcome.status for outcome in outcomes] == ["created"] * 3
    made = {
        row["ExpenditureItemId"]: row["OriginalTransactionReference"]
        for row in bench.control.state("projectExpenditureItems")
    }
    assert [made[outcome.ref] for outcome in outcomes] == ["W-1", "W-2", "W-3"]
    assert submissions(bench) == 1
    assert bench.control.counts()["projectExpenditureItems"] == before + 3
    assert bench.control.counts()["unprocessedProjectCosts"] == 0
    assert len(bench.asked("ESSJobStatusRF")) == 3  # waiting, running, over


def test_a_rejected_cost_carries_the_system_s_own_error_and_the_others_are_imported(bench: Bench) -> None:
    items = costs(bench, "W-1", "W-2", "W-3")
    items[1] = item("W-2", cost(bench, "W-2", flex={"_TASK_ID_Display": "404"}))
    with bench.connect(config=COSTS) as connector:
        outcomes = write(connector, "project_costs", *items)
        assert [outcome.status for outcome in outcomes] == ["created", "failed", "created"]
        error = outcomes[1].error
        assert isinstance(error, RecordError)
        assert "The task number 404 is not valid" in str(error)
        # corrected and sent again: what lies there is corrected too, and imported
        again = write(connector, "project_costs", item("W-2", cost(bench, "W-2"), attempt="2"))[0]
    assert again.status == "created"
    assert bench.control.counts()["unprocessedProjectCosts"] == 0


def test_a_cost_that_cannot_even_be_laid_down_keeps_no_other_from_the_job(bench: Bench) -> None:
    items = [*costs(bench, "W-1"), item("W-2", {**cost(bench, "W-2"), "Quantity": "eight"}), *costs(bench, "W-3")]
    with bench.connect(config=COSTS) as connector:
        outcomes = write(connector, "project_costs", *items)
    assert [outcome.status for outcome in outcomes] == ["created", "failed", "created"]
    assert "eight" in str(outcomes[1].error)


def test_a_part_of_the_job_that_failed_is_told_although_the_whole_succeeded(bench: Bench) -> None:
    bench.simulator.scheduler.child_fails = True  # type: ignore[attr-defined]
    with bench.connect(config=COSTS) as connector:
        failed = write(connector, "project_costs", *costs(bench, "W-1", "W-2"))
        assert [type(outcome.error) for outcome in failed] == [PermanentError] * 2
        told = str(failed[0].error)
        assert "ended as SUCCEEDED" in told
        assert "Import Costs: Child 1001 as ERROR" in told
        assert "ORA-06502" in told
        # a person has corrected the parameters: the same costs are taken up where they lie
        again = write(connector, "project_costs", *costs(bench, "W-1", "W-2"))
    assert [outcome.status for outcome in again] == ["created"] * 2
    assert bench.control.counts()["unprocessedProjectCosts"] == 0


def test_a_worker_that_ends_between_submitting_and_asking_is_followed_by_one_that_asks(bench: Bench) -> None:
    """The first has kept the request id when it is killed; the second is another process with the same book."""
    bench.control.settings(job_steps=2)
    book = MemoryBook()
    with bench.connect(config=COSTS, limits={"job_wait_seconds": 0}) as first:
        first.jobs = book
        waiting = write(first, "project_costs", *costs(bench, "W-1", "W-2"))
    assert {outcome.error.code for outcome in waiting if outcome.error} == {"RUNNING"}
    assert {job.handle for job in book.find("project_costs", ["W-1", "W-2"]).values()} == {"1000"}
    with bench.connect(config=COSTS) as second:
        second.jobs = book
        outcomes = write(second, "project_costs", *costs(bench, "W-2", "W-1"))
    assert [outcome.status for outcome in outcomes] == ["created"] * 2
    assert submissions(bench) == 1
    assert book.find("project_costs", ["W-1", "W-2"]) == {}


def test_a_lost_answer_to_the_submission_doubles_nothing(bench: Bench) -> None:
    bench.control.add_fault("drop", method="POST", path="erpintegrations", when="after")
    with bench.connect(config=COSTS) as connector:
        lost = write(connector, "project_costs", *costs(bench, "W-1"))[0]
        assert lost.status == "unsure"
        assert not connector.find(StreamSpec("project_costs"), ["W-1"])
        again = write(connector, "project_costs", *costs(bench, "W-1"))[0]
        assert again.status == "created"
        assert set(connector.find(StreamSpec("project_costs"), ["W-1"])) == {"W-1"}
    references = [row["OriginalTransactionReference"] for row in bench.control.state("projectExpenditureItems")]
    assert references.count("W-1") == 1


def test_trouble_in_asking_puts_nothing_in_doubt(bench: Bench) -> None:
    bench.control.add_fault("status", path="ESSJobStatusRF", status=503)
    with bench.connect(config=COSTS) as connector:
        later = write(connector, "project_costs", *costs(bench, "W-1"))[0]
        assert later.status == "failed"
        assert isinstance(later.error, TransientError)
        again = write(connector, "project_costs", *costs(bench, "W-1"))[0]
    assert again.status == "created"
    assert submissions(bench) == 1


# --- import by file ------------------------------------------------------------------------------------------------


def by_file(bench: Bench, columns: list[str]) -> catalog.Declaration:
    """The costs by a file: uploaded to the content server, loaded and imported by one job."""
    body = copy.deepcopy(dict(bench.declaration().body))
    stream = body["streams"]["project_costs"]
    create = stream["write"]["create"]
    create["json"] = {
        "OperationName": "submitESSJobRequest",
        "JobPackageName": "${config.import_package}",
        "JobDefName": "InterfaceLoaderController",
        "ESSParameters": "20,${job.document}",
    }
    del create["job"]["stage"]
    create["job"]["file"] = {"name": "PjcTxnXfaceStageAll.csv", "columns": columns}
    create["job"]["before"] = [
        {
            "path": "/erpintegrations",
            "json": {
                "OperationName": "uploadFileToUCM",
                "DocumentContent": "${job.file}",
                "DocumentAccount": "prj/projectCosting/import",
                "ContentType": "zip",
                "FileName": "hub_${job.key}.zip",
                "DocumentId": None,
            },
            "keep": {"document": "DocumentId"},
        }
    ]
    return catalog.parse(body)


COLUMNS = ["ref", "batch", "person", "project", "task", "day", "hours"]


def row(bench: Bench, reference: str, **more: Any) -> dict[str, Any]:
    flex = cost(bench, reference)["ProjectStandardCostCollectionFlexfields"][0]
    values = {"project": flex["_PROJECT_ID_Display"], "task": flex["_TASK_ID_Display"], "day": "2026-11-20"}
    return {"ref": reference, "batch": "HUB, 2", "person": "", "hours": "7.5", **values, **more}


def test_a_file_is_uploaded_loaded_and_imported_and_each_record_gets_its_own_result(bench: Bench) -> None:
    bodies = {"F-1": row(bench, "F-1"), "F-2": row(bench, "F-2", project="P-404"), "F-3": row(bench, "F-3")}
    with bench.connect(by_file(bench, COLUMNS)) as connector:
        outcomes = write(connector, "project_costs", *[item(key, body) for key, body in bodies.items()])
    assert [outcome.status for outcome in outcomes] == ["created", "failed", "created"]
    assert "P-404 is not valid" in str(outcomes[1].error)
    assert len(bench.simulator.scheduler.documents) == 1  # type: ignore[attr-defined]
    quantities = {
        r["OriginalTransactionReference"]: r["Quantity"] for r in bench.control.state("projectExpenditureItems")
    }
    assert (quantities["F-1"], quantities["F-3"]) == (7.5, 7.5)


def test_a_file_that_the_loader_refuses_fails_with_the_words_of_its_log(bench: Bench) -> None:
    with bench.connect(by_file(bench, COLUMNS[:4])) as connector:
        outcome = write(connector, "project_costs", item("F-1", row(bench, "F-1")))[0]
    assert isinstance(outcome.error, PermanentError)
    assert "ended as ERROR" in str(outcome.error)
    assert "7 columns are expected" in str(outcome.error)


# --- the simulator itself ------------------------------------------------------------------------------------------


def test_the_query_language_depends_on_the_version_of_the_framework(bench: Bench) -> None:
    old, new = "ProjectStatus=Active;ProjectTypeName=Billable", "ProjectStatus='Active' and ProjectTypeName='Billable'"
    answers = [get(bench, "/projects", version, q=q).status_code for version, q in ((1, old), (4, old), (4, new))]
    assert answers == [200, 400, 200]
    assert get(bench, "/projects", 1, q="Nonsense=1").headers["content-type"] == "text/plain"
    assert get(bench, "/projects", 4, q="Nonsense=1").json()["o:errorDetails"][0]["o:errorCode"]


def test_items_with_composed_keys_are_reached_by_their_links_alone(bench: Bench) -> None:
    supplier = get(bench, "/suppliers", limit="1").json()["items"][0]
    link = supplier["links"][0]["href"]
    assert httpx.get(link, auth=(USER, PASSWORD)).json()["SupplierId"] == supplier["SupplierId"]
    assert get(bench, f"/suppliers/{supplier['SupplierId']}").status_code == 404
    assert "links" not in get(bench, "/suppliers", onlyData="true").json()["items"][0]


def test_the_number_of_items_is_clamped_and_said(full: Bench) -> None:
    page = get(full, "/projectExpenditureItems", limit="500").json()
    assert (page["count"], page["limit"], page["hasMore"]) == (499, 499, True)


def test_a_request_that_nobody_signed_is_refused(bench: Bench) -> None:
    assert httpx.get(f"{bench.server.url}{BASE}/projects").status_code == 401


# --- a worker that is killed ---------------------------------------------------------------------------------------


def test_a_worker_that_is_killed_while_it_waits_is_followed_by_one_that_asks(bench: Bench, tmp_path: Path) -> None:
    bench.control.settings(job_steps=1_000_000)
    bodies = {reference: cost(bench, reference) for reference in ("W-1", "W-2")}
    order = {
        "config": {
            **COSTS, "user": USER, "allowed_networks": ["127.0.0.0/8"],
            "limits": {"job_every_seconds": 0.05, "job_wait_seconds": 300},
        },
        "secrets": {"password": PASSWORD}, "bodies": bodies,
    }  # fmt: skip
    (tmp_path / "order.json").write_text(json.dumps(order))
    command = [sys.executable, "-m", "tests.erp_suites.dying_worker", bench.server.url, str(tmp_path)]
    worker = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        eventually(lambda: bench.asked("ESSJobStatusRF"))
    finally:
        worker.kill()
        worker.wait()
    bench.control.settings(job_steps=1)
    with bench.connect(config=COSTS) as connector:
        connector.jobs = FolderBook(tmp_path)
        outcomes = write(connector, "project_costs", *[item(key, body) for key, body in bodies.items()])
    assert [outcome.status for outcome in outcomes] == ["created", "created"]
    assert submissions(bench) == 1
    assert len(bench.asked("unprocessedProjectCosts$", method="POST")) == 2
    assert not FolderBook(tmp_path).find("project_costs", list(bodies))
