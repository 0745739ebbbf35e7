"""Workday by its three doors: web services, REST and reports, through the shipped declarations."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from connectors.base import Connector
from connectors.simulators.workday import data
from connectors.simulators.workday.simulator import OWNER, PASSWORD, TENANT, USER
from hub.common.errors import AuthError, ConfigError, RecordError, TransientError
from hub.common.records import StreamSpec, WriteItem
from tests.simulators.vendors import Vendor, running


@pytest.fixture
def workday() -> Iterator[Vendor]:
    with running("workday") as vendor:
        yield vendor


@pytest.fixture
def soap(workday: Vendor) -> Iterator[Connector]:
    with workday.connect() as connector:
        yield connector


def numbers(records) -> set[str]:
    return {record["Worker_Data"]["Worker_ID"] for record in records}


def title(record) -> str:
    return record["Worker_Data"]["Employment_Data"]["Worker_Job_Data"][0]["Position_Data"]["Business_Title"]


# --- sign-in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["workday", "workday_rest", "workday_raas"])
def test_the_account_works_by_every_door(workday, name):
    with workday.connect(name) as connector:
        steps = list(connector.check())
    assert all(step.ok for step in steps), steps
    assert [step.name for step in steps] == ["resolve", "connect", "authenticate", "read"]


@pytest.mark.parametrize("name", ["workday", "workday_rest", "workday_raas"])
def test_wrong_credentials_are_refused_in_a_sentence(workday, name):
    wrong = {"workday_rest": {"client_secret": "wrong-secret"}}.get(name, {"password": "wrong-secret"})
    with workday.connect(name, **wrong) as connector:
        last = list(connector.check())[-1]
        with pytest.raises(AuthError) as caught:
            workday.read(connector, "workers")
    assert (last.ok, bool(last.cause), bool(last.fix)) == (False, True, True)
    assert "wrong-secret" not in f"{last}{caught.value}"


def test_the_user_belongs_to_its_tenant(workday):
    with workday.connect(tenant="other") as connector, pytest.raises(AuthError):
        workday.read(connector, "workers")


def test_a_token_is_renewed_in_passing(workday):
    with workday.connect("workday_rest") as connector:
        workday.read(connector, "workers")
        workday.control.add_fault("expire_token", path="workers")
        assert workday.read(connector, "workers")


# --- reading by the web services -----------------------------------------------------------------------------------


def test_every_object_is_read_whole_in_pages_of_any_size(workday, soap):
    for info in soap.discover():
        if not info.readable:
            continue
        whole = workday.read(soap, info.name)
        assert whole, info.name
        assert workday.read(soap, info.name, page_size=2) == whole, info.name
        assert {path.path for path in info.fields}, info.name
    people = workday.simulator.firm.people
    assert len(workday.read(soap, "workers")) == len(people)
    assert len(workday.read(soap, "companies")) == len(workday.simulator.firm.legal_entities)


def test_a_worker_has_the_ids_and_data_that_the_mapping_needs(workday, soap):
    person = workday.simulator.firm.people[0]
    record = next(r for r in workday.read(soap, "workers") if r["Worker_Data"]["Worker_ID"] == person.number)
    assert record["Worker_Reference"]["ID"] == {"WID": data.wid("worker", person.number), "Employee_ID": person.number}
    assert record["Worker_Data"]["Personal_Data"]["Contact_Data"]["Email_Address_Data"] == [
        {"Email_Address": person.email}
    ]
    assert record["Worker_Data"]["Employment_Data"]["Worker_Status_Data"]["Active"] is True
    kinds = [
        entry["Organization_Data"]["Organization_Type_Reference"]["ID"]["Organization_Type_ID"]
        for entry in record["Worker_Data"]["Organization_Data"]["Worker_Organization_Data"]
    ]
    assert kinds == ["COMPANY", "COST_CENTER"]


def test_all_pages_show_the_moment_of_the_first(workday, soap):
    """Somebody is hired while the pages are read: nobody is skipped or seen twice, and the next reading finds the hire."""
    before = numbers(workday.read(soap, "workers"))
    pages = soap.read(StreamSpec("workers", page_size=2), cursor=None)
    first = next(pages)
    workday.control.advance(60)
    workday.control.act("hire", worker="000001", effective="2026-11-24", given="Ada", family="First", company="HV-UK")
    rest = list(pages)
    assert [record["Worker_Data"]["Worker_ID"] for page in [first, *rest] for record in page.records] == sorted(before)
    cursor = rest[-1].cursor
    assert cursor == data.stamp(data.parse_instant("2026-11-24T12:00:00+00:00"))
    assert "000001" in numbers(workday.read(soap, "workers", cursor))


def test_a_crawl_goes_on_at_its_moment_in_another_process(workday, soap):
    whole = workday.read(soap, "workers", page_size=2)
    first = next(soap.read(StreamSpec("workers", page_size=2), cursor=None))
    workday.control.advance(60)
    workday.control.act("hire", worker="000001", effective="2026-11-24", given="Ada", family="First")
    with workday.connect() as other:
        rest = list(other.read(StreamSpec("workers", page_size=2), cursor=None, resume=first.resume))
    assert [*first.records, *(record for page in rest for record in page.records)] == whole


def test_only_what_was_entered_since_is_read(workday, soap):
    person = workday.simulator.firm.people[0].number
    cursor = workday.pages(soap, "workers")[-1].cursor
    workday.control.advance(3_600)
    workday.control.act("change", worker=person, effective="2026-11-01", title="Partner")
    records = workday.read(soap, "workers", cursor)
    assert [(record["Worker_Data"]["Worker_ID"], title(record)) for record in records] == [(person, "Partner")]


def test_a_hire_of_next_month_arrives_on_its_day(workday, soap):
    entered = workday.pages(soap, "workers")[-1].cursor
    effective = workday.pages(soap, "workers_taking_effect")[-1].cursor
    assert effective == "2026-11-24"
    workday.control.advance(3_600)
    workday.control.act("hire", worker="000002", effective="2026-12-15", given="Eve", family="Next", company="HV-UK")
    assert "000002" not in numbers(workday.read(soap, "workers", entered))
    workday.control.advance(3_600)
    later = workday.pages(soap, "workers", entered)[-1].cursor
    workday.control.set_clock("2026-12-16T12:00:00+00:00")
    assert "000002" not in numbers(workday.read(soap, "workers", later)), "the window of entries is over"
    assert "000002" in numbers(workday.read(soap, "workers_taking_effect", effective))


def test_a_rescinded_change_brings_the_worker_as_before(workday, soap):
    person = workday.simulator.firm.people[0]
    workday.control.advance(60)
    event = workday.control.act("change", worker=person.number, effective="2026-11-20", title="Partner")
    workday.control.advance(3_600)
    cursor = workday.pages(soap, "workers")[-1].cursor
    workday.control.advance(3_600)
    workday.control.act("rescind", event=event["id"])
    records = workday.read(soap, "workers", cursor)
    assert [(record["Worker_Data"]["Worker_ID"], title(record)) for record in records] == [(person.number, person.role)]


def test_a_rescinded_hire_is_gone_from_a_full_reading(workday, soap):
    workday.control.advance(60)
    event = workday.control.act("hire", worker="000003", effective="2026-11-20", given="Ann", family="Gone")
    assert "000003" in numbers(workday.read(soap, "workers"))
    workday.control.advance(60)
    workday.control.act("rescind", event=event["id"])
    assert "000003" not in numbers(workday.read(soap, "workers"))


# --- faults --------------------------------------------------------------------------------------------------------


def test_a_page_of_zero_and_too_large_a_page_are_validation_faults(workday, soap):
    with pytest.raises(ConfigError, match="Count may not exceed 999"):
        workday.read(soap, "workers", page_size=1_000)


def test_elements_in_the_wrong_order_are_refused_by_the_tenant(workday):
    body = re.sub(r"\s+", " ", f"""<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Header>
      <s:Security xmlns:s="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd">
      <s:UsernameToken><s:Username>{USER}@{TENANT}</s:Username><s:Password Type="x#PasswordText">{PASSWORD}</s:Password>
      </s:UsernameToken></s:Security></env:Header><env:Body><w:Get_Workers_Request xmlns:w="urn:com.workday/bsvc">
      <w:Response_Filter/><w:Request_Criteria/></w:Get_Workers_Request></env:Body></env:Envelope>""")  # fmt: skip
    answer = httpx.post(f"{workday.url}/ccx/service/{TENANT}/Human_Resources/v45.2", content=body)
    assert answer.status_code == 500
    assert "starting with element 'Request_Criteria'" in answer.text


def test_a_fault_hits_its_record_and_names_the_field(workday, soap):
    bodies = {"CC-1": {"Name": "One"}, "CC-2": {"Name": "Two", "Company": "NOWHERE"}, "CC-3": {"Name": "Three"}}
    items = [WriteItem(key, "upsert", body) for key, body in bodies.items()]
    outcomes = soap.write(StreamSpec("cost_centers"), items)
    assert [outcome.status for outcome in outcomes] == ["created", "failed", "created"]
    error = outcomes[1].error
    assert isinstance(error, RecordError)
    assert (error.code, error.field) == ("VALIDATION", "Cost_Center_Data.Restricted_to_Companies_Reference")
    assert "'NOWHERE' is not a valid ID value" in str(error)
    held = {row["reference_id"] for row in workday.rows("organizations").values()}
    assert held & set(bodies) == {"CC-1", "CC-3"}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("name", ["workday", "workday_rest", "workday_raas"])
def test_throttling_is_obeyed(workday, name, status):
    with workday.connect(name) as connector:
        workday.read(connector, "workers")
        workday.control.add_fault("status", status=status, retry_after=7, path="/ccx/(service|api)/")
        with pytest.raises(TransientError) as caught:
            workday.read(connector, "workers")
    assert caught.value.retry_after == 7


@pytest.mark.parametrize("kind", ["drop", "partial", "truncate", "html"])
def test_a_broken_answer_is_asked_for_again(workday, soap, kind):
    workday.read(soap, "workers")
    workday.control.add_fault(kind, status=503, times=None)
    with pytest.raises((TransientError, ConfigError)):
        workday.read(soap, "workers")


# --- writing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "table", "key_field", "body"),
    [
        ("cost_centers", "organizations", "reference_id", {"Name": "Hub", "Code": "HUB", "Company": "HV-UK"}),
        ("projects", "projects", "project_id", {"Name": "Hub roll-out", "Currency": "GBP", "Company": "HV-UK"}),
    ],
)
def test_an_upsert_twice_is_one_object(workday, soap, stream, table, key_field, body):
    outcomes = [workday.write(soap, stream, "NEW-1", body) for _ in range(2)]
    assert [outcome.status for outcome in outcomes] == ["created", "updated"], outcomes
    assert outcomes[0].ref == outcomes[1].ref
    assert [row[key_field] for row in workday.rows(table).values()].count("NEW-1") == 1
    assert soap.find(StreamSpec(stream), ["NEW-1", "NEW-2"]).keys() == {"NEW-1"}


def test_a_cost_center_that_was_written_is_read_back(workday, soap):
    workday.write(soap, "cost_centers", "CC-9", {"Name": "Nine", "Code": "9", "Company": "HV-DE", "Active": False})
    record = soap.find(StreamSpec("cost_centers"), ["CC-9"])["CC-9"]
    assert record["Cost_Center_Data"]["Organization_Data"] == {
        "ID": "CC-9", "Organization_Name": "Nine", "Organization_Code": "9", "Organization_Active": False,
    }  # fmt: skip
    companies = record["Cost_Center_Data"]["Restricted_to_Companies_Reference"]
    assert companies[0]["ID"]["Company_Reference_ID"] == "HV-DE"


def test_a_class_b_create_that_is_sent_again_after_a_lost_answer_is_one_object(workday, soap):
    workday.control.add_fault("drop", when="after", method="POST", body="Put_Cost_Center")
    first = workday.write(soap, "cost_centers", "CC-8", {"Name": "Eight"})
    again = workday.write(soap, "cost_centers", "CC-8", {"Name": "Eight"})
    assert (first.status, again.status) == ("failed", "updated")
    assert isinstance(first.error, TransientError)
    assert [row["reference_id"] for row in workday.rows("organizations").values()].count("CC-8") == 1


def test_a_class_c_create_whose_answer_is_lost_can_be_found(workday, soap):
    workday.control.add_fault("drop", when="after", method="POST", body="Submit_Project")
    lost = workday.write(soap, "projects", "P-8", {"Name": "Eight"})
    assert lost.status == "unsure"
    assert soap.find(StreamSpec("projects"), ["P-8"])["P-8"]["Project_Data"]["Project_Name"] == "Eight"


def test_a_class_d_import_whose_answer_is_lost_is_unsure_and_would_double(workday, soap):
    person = workday.simulator.firm.people[0].number
    block = {"Worker": person, "Date": "2026-11-20", "Quantity": "7.25", "Comment": "On site"}
    workday.control.add_fault("drop", when="after", method="POST", body="Import_Reported")
    lost = workday.write(soap, "time_blocks", "T-1", block, "create", idempotency_key="k-1")
    assert lost.status == "unsure"
    again = workday.write(soap, "time_blocks", "T-1", block, "create", idempotency_key="k-1")
    assert again.status == "created"
    assert [row["data"]["Quantity"] for row in workday.rows("time_blocks").values()] == ["7.25", "7.25"]


def test_the_declared_classes_are_these(soap):
    found = {info.name: info.safety for info in soap.discover() if info.writable}
    assert found == {"cost_centers": "B", "projects": "C", "time_blocks": "D"}


# --- REST and reports ----------------------------------------------------------------------------------------------


def test_rest_cuts_a_page_at_a_hundred_and_the_total_leads_on(workday):
    for number in range(120):
        hire = {"effective": "2026-01-01", "given": "A", "family": f"{number}"}
        workday.simulator.act("hire", {"worker": f"9{number:05d}", **hire})
    expected = 120 + len(workday.simulator.firm.people)
    with workday.connect("workday_rest") as connector:
        pages = workday.pages(connector, "workers", page_size=500)
    assert len(pages[0].records) == 100
    assert len({record["id"] for page in pages for record in page.records}) == expected


def test_rest_reads_the_time_off_of_every_worker(workday):
    with workday.connect("workday_rest") as connector:
        records = workday.read(connector, "time_off")
        profiles = workday.read(connector, "job_profiles")
    assert len(records) == len(workday.rows("time_off"))
    assert all(record["worker"] and record["units"] == "8" for record in records)
    assert profiles


def test_a_report_is_read_and_its_prompt_asks_for_changes(workday):
    person = workday.simulator.firm.people[0].number
    with workday.connect("workday_raas") as connector:
        pages = workday.pages(connector, "workers")
        assert len(pages[0].records) == len(workday.simulator.firm.people)
        assert len(workday.read(connector, "absences")) == len(workday.rows("time_off"))
        workday.control.advance(3_600)
        workday.control.act("change", worker=person, effective="2026-11-24", title="Partner")
        records = workday.read(connector, "workers", pages[-1].cursor)
    assert {record["Employee_ID"]: record["Business_Title"] for record in records}[person] == "Partner"
    assert len(records) < len(pages[0].records)


def test_a_report_comes_as_xml_and_describes_itself(workday):
    address = f"{workday.url}/ccx/service/customreport2/{TENANT}/{OWNER}/Syncline_Workers"
    with httpx.Client(auth=(USER, PASSWORD)) as client:
        listed, schema = client.get(address, params={"format": "simplexml"}), client.get(f"{address}?xsds")
        missing = client.get(f"{address}_2", params={"format": "json"})
    assert listed.text.count("<wd:Report_Entry>") == len(workday.simulator.firm.people)
    assert 'name="Employee_ID"' in schema.text
    assert missing.status_code == 404
