"""The demo's configuration, applied to an empty hub and run against the simulated systems."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.simulators.client import Controls
from connectors.simulators.firm import build_firm, sound_entries, totals
from connectors.simulators.firm.faults import MANUAL_TIME
from connectors.simulators.server import Landscape
from hub.config import services as config
from hub.records.models import CanonicalRecord, Crosswalk
from hub.sync import demo, services
from hub.sync.models import Delivery, HeldRecord, Run, Sync
from hub.sync.states import DeliveryState, HeldState

from .conftest import TODAY, crm_client

pytestmark = pytest.mark.django_db(transaction=True)

OUTBOUND = ("customer-to-erp", "customer-to-psa", "project-to-erp", "project-to-psa", "time-to-erp")
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def demo_folder(landscape: Landscape, domains: Any, tmp_path: Path) -> Path:
    """The demo's documents with the ports of this session, applied."""
    for file in demo.DOCUMENTS.glob("*.yaml"):
        text = file.read_text()
        for name, place in landscape.ports().items():
            text = text.replace(f"${{demo.{name}}}", place["url"])
        (tmp_path / file.name).write_text(text)
    config.apply(tmp_path)
    return tmp_path


def run_everything() -> dict[str, Run]:
    """Each inbound sync in the order of the chain, then the outbound ones."""
    runs: dict[str, Run] = {}
    sync = Sync.objects.filter(slug="hris-org-units").first()
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


def test_the_documents_are_what_an_export_would_say(systems: Controls, demo_folder: Path) -> None:
    assert config.plan(demo_folder).steps == []


def test_every_sync_runs_after_one_other_and_none_is_left_out(systems: Controls, demo_folder: Path) -> None:
    assert set(run_everything()) == set(Sync.objects.values_list("slug", flat=True))


def test_a_first_load_meets_exactly_the_planted_faults(small: Controls, demo_folder: Path) -> None:
    firm = build_firm("small", today=TODAY)
    run_everything()
    expected = {f.external_id: f.expected for f in firm.faults if f.expected in ("quarantined", "waiting")}
    states = {HeldState.QUARANTINED: "quarantined", HeldState.WAITING: "waiting"}
    found = {_id(held): states[HeldState(held.state)] for held in HeldRecord.objects.all()}
    assert found == expected
    _refused_by_the_erp(firm)
    _normalised(firm)
    _entered_twice(firm)
    _totals_agree(firm, small)


def _id(held: HeldRecord) -> str:
    """A record that could not be read has no id of its own; the page says what it looked like."""
    if not held.external_id.startswith("#"):
        return held.external_id
    return str(held.body["raw"]).partition("'id': '")[2].partition("'")[0]


def _refused_by_the_erp(firm: Any) -> None:
    closed = next(fault for fault in firm.faults if fault.expected == "rejected")
    refused = Delivery.objects.exclude(state=DeliveryState.DELIVERED).select_related("record")
    assert [delivery.sync.slug for delivery in refused] == ["time-to-erp"]
    linked = Crosswalk.objects.filter(record=refused[0].record, stream__slug="psa-time")
    assert [link.external_id for link in linked] == [closed.external_id]
    assert "is blocked" in str(refused[0].error_detail)


def _normalised(firm: Any) -> None:
    values = {fault.code: fault for fault in firm.faults if fault.expected == "normalised"}
    assert body("contract", "D-2001")["value"] == values["FLOAT_NOISE"].value
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


def test_writing_ends_when_the_hub_has_read_back_what_it_wrote(systems: Controls, demo_folder: Path) -> None:
    """The second round takes up what the systems added to new records (empty fields, a financial state)."""
    run_everything()
    assert written(systems)
    run_everything()
    for control in systems.all.values():
        control.clear_journal()
    again = run_everything()
    assert written(systems) == []
    assert sum(run.created + run.failed for run in again.values()) == 0


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
    assert body("project", "NEW-777")["contract"] == deal["Deal_Number__c"]


def test_a_client_that_the_erp_does_not_know_is_created_there_once(small: Controls, demo_folder: Path) -> None:
    run_everything()
    numbers = [row["number"] for row in small.erp.state("customers")]
    assert numbers.count("C-1003") == 1
    assert {row["customerNumber"] for row in small.erp.state("projects") if row["number"].startswith("CRS")} == {
        "C-1003"
    }
    assert body("customer", "C-1001")["erp_customer_no"] == "C-1001"
