"""The demo's configuration, applied to an empty hub and run against the simulated systems."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.declared import field_infos
from connectors.models import Stream
from connectors.services import declaration_of
from connectors.simulators.client import Controls
from connectors.simulators.firm import build_firm, sound_entries, totals
from connectors.simulators.firm.faults import MANUAL_TIME
from connectors.simulators.server import Landscape
from governance.canonical_model import shipped_documents
from governance.models import BillingRule, Contract, Drift, ServiceLevel
from governance.services import load_canonical_model
from hub.config import documents
from hub.config import services as config
from hub.records.models import CanonicalRecord, Crosswalk
from hub.records.rates import rates_on
from hub.sync import demo, services
from hub.sync.models import Delivery, HeldRecord, Run, Sync, SyncState
from hub.sync.states import DeliveryState, HeldState
from monitoring.service_levels.measuring import measure_now

from .conftest import TODAY, crm_client

pytestmark = pytest.mark.django_db(transaction=True)

OUTBOUND = ("customer-to-erp", "customer-to-psa", "project-to-erp", "project-to-psa", "time-to-erp")
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def demo_folder(landscape: Landscape, domains: Any, tmp_path: Path) -> Path:
    """The demo's documents with the ports of this session, applied to a hub with the shipped model."""
    load_canonical_model()
    folder = shutil.copytree(demo.DOCUMENTS, tmp_path / "demo")
    for file in folder.rglob("*.yaml"):
        text = file.read_text()
        for name, place in landscape.ports().items():
            text = text.replace(f"${{demo.{name}}}", place["url"])
        file.write_text(demo.dated(text, TODAY))
    config.apply(folder)
    return folder


def run_everything() -> dict[str, Run]:
    """Each inbound sync in the order of the chain, then the outbound ones."""
    runs: dict[str, Run] = {}
    sync = Sync.objects.filter(slug="hris-companies").first()
    while sync is not None:
        runs[sync.slug] = services.run_here(sync=sync)
        sync = Sync.objects.filter(after=sync).first()
    for slug in OUTBOUND:
        runs[slug] = services.run_here(sync=Sync.objects.get(slug=slug))
    return runs


def keys(entity: str) -> set[str]:
    return set(CanonicalRecord.objects.filter(entity__slug=entity).values_list("key", flat=True))


def body(entity: str, key: str) -> dict[str, Any]:
    found: dict[str, Any] = CanonicalRecord.objects.get(entity__slug=entity, key=key).body
    return found


def written(systems: Controls) -> list[tuple[str, str]]:
    """Every write that reached a system, calls for tokens left out."""
    return [
        (name, entry["target"])
        for name, control in systems.all.items()
        for entry in control.journal(path="^(?!.*oauth2)")
        if entry["method"] in WRITES
    ]


def test_the_documents_are_what_an_export_would_say(systems: Controls, demo_folder: Path, tmp_path: Path) -> None:
    assert config.plan(demo_folder).steps == []
    exported = tmp_path / "exported"
    documents.write(exported, config.export())
    assert config.apply(exported).steps == []
    assert config.plan(demo_folder).steps == []


def test_the_firms_contracts_are_the_shipped_ones_and_stricter(systems: Controls, demo_folder: Path) -> None:
    """Nothing shipped is lost but what a rule of the firm replaces, and each is the second version of its contract."""
    shipped = {contract["slug"]: contract for _, contract in shipped_documents()}
    firms = [source.document for source in documents.read(demo_folder) if source.name[0] == "Contract"]
    assert len(firms) == 8
    for contract in firms:
        before, after = shipped[contract["slug"]]["schema"], contract["schema"]
        assert list(after["properties"]) == list(before["properties"])
        assert set(after["required"]) >= set(before["required"])
        assert after.get("allOf", [])[: len(before.get("allOf", []))] == before.get("allOf", [])
        for name, spec in before["properties"].items():
            assert _meaning(after["properties"][name]) == _meaning(spec), f"{contract['slug']}.{name}"
        versions = Contract.objects.get(slug=contract["slug"]).versions
        assert list(versions.values_list("number", "status")) == [(2, "active"), (1, "deprecated")]


def _meaning(spec: dict[str, Any]) -> dict[str, Any]:
    """What a field is about, apart from which values it takes."""
    told = ("title", "description", "examples")
    return {name: spec[name] for name in spec if name in told or (name.startswith("x-") and name != "x-expects")}


def test_streams_show_the_fields_of_their_declarations(systems: Controls, demo_folder: Path) -> None:
    for stream in Stream.objects.select_related("connection"):
        declaration = declaration_of(stream.connection)
        assert declaration
        declared = field_infos(declaration.streams[stream.name])
        assert stream.fields == [info.as_data() for info in declared], stream.slug


def test_every_sync_runs_after_one_other_and_none_is_left_out(systems: Controls, demo_folder: Path) -> None:
    assert set(run_everything()) == set(Sync.objects.values_list("slug", flat=True))


def test_no_stream_of_the_firm_has_drifted_from_its_declaration(systems: Controls, demo_folder: Path) -> None:
    run_everything()
    assert list(Drift.objects.values_list("stream__slug", "broken_paths")) == []


def test_a_first_load_meets_exactly_the_planted_faults(small: Controls, demo_folder: Path) -> None:
    firm = build_firm("small", today=TODAY)
    run_everything()
    expected = {f.external_id: f.expected for f in firm.faults if f.expected in ("quarantined", "waiting")}
    states = {HeldState.QUARANTINED: "quarantined", HeldState.WAITING: "waiting"}
    found = {held.external_id: states[HeldState(held.state)] for held in HeldRecord.objects.all()}
    assert found == expected
    _refused_by_the_erp(firm)
    _normalised(firm)
    _entered_twice(firm)
    _totals_agree(firm, small)


def _refused_by_the_erp(firm: Any) -> None:
    closed = next(fault for fault in firm.faults if fault.expected == "rejected")
    refused = Delivery.objects.exclude(state=DeliveryState.DELIVERED).select_related("record")
    assert [delivery.sync.slug for delivery in refused] == ["time-to-erp"]
    linked = Crosswalk.objects.filter(record=refused[0].record, stream__slug="psa-time")
    assert [link.external_id for link in linked] == [closed.external_id]
    assert "is blocked" in str(refused[0].error_detail)


def _normalised(firm: Any) -> None:
    values = {fault.code: fault for fault in firm.faults if fault.expected == "normalised"}
    assert body("opportunity", "D-2001")["amount"] == values["FLOAT_NOISE"].value
    assert body("resource", "000435")["given_name"] == values["EMOJI_NAME"].value
    for code, stream in (("HUGE_ID", "psa-time"), ("STRIPPED_EMPLOYEE_NUMBER", "psa-users")):
        link = Crosswalk.objects.get(stream__slug=stream, external_id=values[code].external_id)
        assert code == "HUGE_ID" or link.record.key == values[code].value


def _entered_twice(firm: Any) -> None:
    """Both ids of the line that was approved twice lead to one record."""
    twin = next(fault for fault in firm.faults if fault.code == "APPROVED_TWICE")
    record = Crosswalk.objects.get(stream__slug="psa-time", external_id=twin.external_id).record
    assert Crosswalk.objects.filter(record=record, stream__slug="psa-time").count() == 2


def _totals_agree(firm: Any, systems: Controls) -> None:
    bodies = list(CanonicalRecord.objects.filter(entity__slug="time_entry").values_list("body", flat=True))
    approved = [each for each in bodies if each["status"] == "approved"]
    assert len(bodies) == totals(firm)["time_entries"]
    assert sum(Decimal(each["hours"]) for each in approved) == Decimal(totals(firm)["approved_hours"])
    for currency, amount in totals(firm)["approved_amounts"].items():
        found = sum(Decimal(each["amount"]) for each in approved if each["currency"] == currency)
        assert found == Decimal(amount)
    blocked = next(p.code for p in firm.projects if p.status == "closed")
    sound = {e.reference for e in sound_entries(firm) if e.status == "approved"}
    late = {e.reference for e in sound_entries(firm) if e.project == blocked and e.day >= firm.posted_until}
    in_erp = systems.erp.state("timeRegistrationEntries")
    assert {row["externalReference"] for row in in_erp} == sound - late | {MANUAL_TIME}
    assert len(in_erp) == len(sound - late) + 1


def test_a_second_full_round_writes_nothing(systems: Controls, demo_folder: Path) -> None:
    """What the systems add to records that the hub made there is taken up, and goes nowhere again."""
    run_everything()
    assert written(systems)
    again = quiet_round(systems)
    assert sum(run.created + run.failed for run in again.values()) == 0
    third = quiet_round(systems)
    assert sum(run.created + run.updated + run.failed for run in third.values()) == 0


def test_faulty_records_do_not_keep_the_systems_busy(small: Controls, demo_folder: Path) -> None:
    """Everything is read again from its beginning, as after a forgotten cursor."""
    run_everything()
    held = set(HeldRecord.objects.values_list("sync__slug", "external_id"))
    SyncState.objects.update(cursor=None)
    quiet_round(small)
    assert set(HeldRecord.objects.values_list("sync__slug", "external_id")) == held


def quiet_round(systems: Controls) -> dict[str, Run]:
    """Every sync once more; no system is written to, and nothing stays due."""
    for control in systems.all.values():
        control.clear_journal()
    runs = run_everything()
    assert written(systems) == []
    assert not Delivery.objects.filter(state=DeliveryState.PENDING).exists()
    return runs


def test_what_the_psa_owns_is_not_changed_by_what_the_hub_sends_back(systems: Controls, demo_folder: Path) -> None:
    before = {row["id"]: row for row in systems.psa.state("workspaces")}
    run_everything()
    for row in systems.psa.state("workspaces"):
        if row["id"] in before:
            assert {**row, "updated_at": ""} == {**before[row["id"]], "updated_at": ""}


def test_a_deal_that_is_won_becomes_a_project_in_psa_and_erp(systems: Controls, demo_folder: Path) -> None:
    run_everything()
    deal = next(row for row in systems.crm.state("Opportunity") if row["StageName"] == "Negotiation")
    with crm_client(systems) as client:
        won = {"StageName": "Closed Won", "Project_Code__c": "NEW-777"}
        client.patch(f"/sobjects/Opportunity/{deal['Id']}", json=won).raise_for_status()
    run_everything()
    in_psa = next(row for row in systems.psa.state("workspaces") if row["external_reference"] == "NEW-777")
    in_erp = next(row for row in systems.erp.state("projects") if row["number"] == "NEW-777")
    assert (in_psa["workspace_group_id"], in_psa["status"]["key"]) == ("3001", "approved")
    assert (in_erp["customerNumber"], in_erp["budgetRevenue"]) == ("C-1001", float(deal["Amount"]))
    assert body("project", "NEW-777")["opportunity"] == deal["Deal_Number__c"]
    quiet_round(systems)


def test_a_client_that_the_erp_does_not_know_is_created_there_once(small: Controls, demo_folder: Path) -> None:
    run_everything()
    numbers = [row["number"] for row in small.erp.state("customers")]
    assert numbers.count("C-1003") == 1
    assert {row["customerNumber"] for row in small.erp.state("projects") if row["number"].startswith("CRS")} == {
        "C-1003"
    }
    assert body("customer", "C-1001")["erp_number"] == "C-1001"


def test_references_lead_from_record_to_record(small: Controls, demo_folder: Path) -> None:
    """Managers and phases come in one page with those below them; companies, deals and contracts in syncs of their own."""
    run_everything()
    assert body("cost_center", "CC-110")["legal_entity"] == "HV-UK"
    assert {body("resource", key)["manager"] for key in keys("resource")} - {None} <= keys("resource")
    task, phase = body("work_item", "NLL-101|1.1"), body("work_item", "NLL-101|1")
    assert (task["parent"], phase["parent"], phase["kind"]) == ("NLL-101|1", None, "phase")
    project, contract = body("project", "NLL-101"), body("contract", "K-5001")
    assert project["opportunity"] == contract["opportunity"] == "D-2001"
    assert project["legal_entity"] in keys("legal_entity")


def test_amounts_in_other_currencies_can_be_added_up_in_pounds(systems: Controls, demo_folder: Path) -> None:
    run_everything()
    rates = rates_on(TODAY)
    worth = {code: rates.value(Decimal(100), code) for code in ("EUR", "USD", "GBP", "CHF")}
    assert worth == {"EUR": Decimal("83.95"), "USD": Decimal("76.15"), "GBP": Decimal(100), "CHF": None}
    assert rates.by_currency["EUR"].source == "ERP"


def test_the_service_levels_of_the_demo_are_measured_from_its_first_day_on(
    systems: Controls, demo_folder: Path
) -> None:
    run_everything()
    found = {level.slug: measure_now(level)[1] for level in ServiceLevel.objects.all()}
    assert set(found) == {"approved-time-to-erp", "project-set-up"}
    assert all(each.tally.met for each in found.values())
    assert BillingRule.objects.get().active is not None
