"""The demo firm's processes, from the won deal to the project that every system knows."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.simulators.client import Controls
from hub.common import registry
from hub.events import business
from hub.events.models import Event
from hub.processes import engine, queries, starting
from hub.processes import services as processes
from hub.processes.models import Process, ProcessInstance
from hub.records.models import CanonicalRecord
from hub.sync import services
from hub.sync.models import Sync
from tests.simulators.conftest import crm_client
from tests.simulators.test_demo import demo_folder, run_everything

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["demo_folder"]


@pytest.fixture
def firm(systems: Controls, demo_folder: Any) -> Controls:
    business.forget()
    starting.forget()
    return systems


def lead_all() -> None:
    for _ in range(3):
        for instance in ProcessInstance.objects.filter(state__in=("running", "waiting", "failed")):
            engine.advance(instance.pk)


def test_every_process_is_valid_has_an_owner_and_comes_back_as_it_was_written(firm: Controls) -> None:
    kind = registry.kind("Process")
    assert Process.objects.count() == 5
    for process in Process.objects.all():
        document = kind.dump(process.slug)
        assert document is not None
        assert kind.validate(document) == []
        assert kind.diff(document) == []
        assert process.purpose
        assert process.owner


def test_won_deals_are_led_to_projects_that_every_system_knows(firm: Controls) -> None:
    run_everything()
    won = set(Event.objects.filter(type="deal.won").values_list("data__key", flat=True))
    started = ProcessInstance.objects.filter(process__slug="engagement-onboarding")
    assert won
    assert {instance.key for instance in started} == won
    lead_all()
    states = {instance.key: queries.as_data(instance) for instance in started.all()}
    open_ones = {key: data for key, data in states.items() if data["state"] not in ("done", "waiting")}
    assert open_ones == {}
    for data in states.values():
        for step in data["steps"]:
            assert step["state"] in ("done", "skipped", "waiting", "pending"), step
    assert any(data["state"] == "done" for data in states.values())


def test_a_deal_without_a_tax_id_stops_with_its_reason_and_goes_on_once_it_is_there(firm: Controls) -> None:
    run_everything()
    process = Process.objects.get(slug="engagement-onboarding")
    deal = CanonicalRecord.objects.filter(entity__slug="opportunity", body__status="won").latest("pk")
    ProcessInstance.objects.all().delete()
    row = next(row for row in firm.crm.state("Account") if row["AccountNumber"] == deal.body["customer"])
    _set_tax_id(firm, row["Id"], None)
    again = processes.start(process, deal.key, by=None)
    assert _tax(again) == ("failed", "The client has no tax id.")
    _set_tax_id(firm, row["Id"], "GB123456789")
    assert _tax(again) == ("done", "")


def _set_tax_id(firm: Controls, account: str, value: str | None) -> None:
    """As somebody at the CRM does, and the hub reads it."""
    crm_client(firm).patch(f"/sobjects/Account/{account}", json={"Tax_Id__c": value}).raise_for_status()
    services.run_here(sync=Sync.objects.get(slug="crm-accounts"))


def _tax(instance: ProcessInstance) -> tuple[str, str]:
    engine.advance(instance.pk)
    step = next(one for one in queries.as_data(queries.fresh(instance))["steps"] if one["step"] == "tax")
    return step["state"], step["error"]
