"""Pages of syncs, runs, the ledger and records in trouble: as people see them, and what works in the browser only."""

from __future__ import annotations

from typing import Any

import pytest

from hub.common.errors import ConfigError, PermanentError, UnknownOutcome
from hub.sync import configure, services
from hub.sync.keys import delivery_key, held_key
from hub.sync.models import Delivery, HeldRecord, Run, Schedule, Sync, Transaction
from hub.sync.states import DeliveryState, Outcome
from tests.sync import builders as build
from tests.sync import worlds

EMPTY = {
    "syncs_empty": "/syncs/",
    "runs_empty": "/runs/",
    "transactions_empty": "/transactions/",
    "held_empty": "/held/",
    "deliveries_empty": "/deliveries/",
    "sync_new_empty": "/syncs/new/",
}
FULL = {
    "home_syncs": "/",
    "syncs": "/syncs/",
    "sync_in": "/syncs/psa-projects/",
    "sync_out": "/syncs/erp-jobs/",
    "sync_runs": "/syncs/psa-projects/runs/",
    "sync_trouble": "/syncs/psa-projects/trouble/",
    "sync_trouble_out": "/syncs/erp-jobs/trouble/",
    "sync_settings": "/syncs/psa-projects/settings/",
    "sync_settings_out": "/syncs/erp-jobs/settings/",
    "sync_history": "/syncs/psa-projects/history/",
    "schedule": "/syncs/psa-projects/schedules/weekdays/",
    "dry_run_form": "/syncs/psa-projects/dry-run/",
    "dry_run": "/syncs/psa-projects/dry-run/?sample=50",
    "dry_run_out": "/syncs/erp-jobs/dry-run/?sample=50",
    "mapping_dry_run": "/syncs/mapping/psa-projects/dry-run/?sample=50",
    "runs": "/runs/",
    "run_troubled": "/runs/{troubled}/",
    "run_failed": "/runs/{failed}/",
    "run_active": "/runs/{active}/",
    "run_out": "/runs/{out}/",
    "transactions": "/transactions/",
    "transactions_none": "/transactions/?q=nothing",
    "transaction": "/transactions/{updated}/",
    "transaction_out": "/transactions/{sent}/",
    "transaction_rejected": "/transactions/{rejected}/",
    "held": "/held/",
    "held_one": "/held/{held}/",
    "deliveries": "/deliveries/",
    "delivery_dead": "/deliveries/{dead}/",
    "delivery_unsure": "/deliveries/{unsure}/",
}


@pytest.fixture
def firm(domains: Any) -> worlds.Firm:
    return worlds.make()


@pytest.fixture
def full(firm: worlds.Firm, ada: Any) -> dict[str, Any]:
    """A firm in the middle of its work: good runs, a failed one, one under way, and every kind of trouble."""
    configure.save_schedule(
        schedule=Schedule(slug="weekdays", sync=firm.inbound, cron="30 6 * * 1-5", time_zone="Europe/London"), by=ada
    )
    for slug, name in (("psa-projects", "Projects from the PSA"), ("erp-jobs", "Projects to the ERP")):
        Sync.objects.filter(slug=slug).update(name=name)
    firm.erp.refuse |= {
        f"P-000{n}": PermanentError("The ERP has no cost centre 4420-ADV.", code="HTTP_422") for n in (2, 4)
    }
    rows = [
        build.project_row(
            n, id=f"53666a50-d9e7-534c-91ed-f23fc2{n:06d}", title=f"Audit of client {n}", budget=f"{n * 1250}.00"
        )
        for n in range(1, 40)
    ]
    firm.read(*rows)
    firm.deliver()
    rows[0] = {**rows[0], "title": "Statutory audit 2026", "budget": "99000.00"}
    firm.read(*rows)
    firm.deliver()
    firm.erp.safety = "D"
    rows[6] = {**rows[6], "title": "Renamed"}
    firm.read(*rows)
    firm.erp.fail_with = [UnknownOutcome("The connection broke after the request was sent.")]
    out = firm.deliver()
    rows[10] = {**rows[10], "currency": "euro"}
    rows[11] = {**rows[11], "status": "opened"}
    firm.psa.sources["projects"] = rows
    troubled = services.run_here(sync=firm.inbound, by=ada)
    firm.psa.fail_with = [
        ConfigError(
            "The table `projects` is gone.", where="psa: projects", fix="Choose the object again.", code="CONFIG"
        )
    ]
    failed = services.run_here(sync=firm.inbound, by=ada)
    firm.psa.sources["projects"] = [
        *rows,
        build.project_row(77, code="p-0001", title="A new one"),
        build.project_row(78),
    ]
    active, _ = services.start_run(sync=firm.inbound, by=ada)
    Run.objects.filter(pk=active.pk).update(
        status="running",
        stage="reading",
        started_at=active.created_at,
        read=1326,
        created=1288,
        unchanged=38,
        page_no=14,
    )
    by_state = {delivery.state: delivery for delivery in Delivery.objects.all()}
    row = lambda **by: Transaction.objects.filter(**by).order_by("-pk").first().pk  # noqa: E731
    return {
        "troubled": troubled.pk,
        "failed": failed.pk,
        "active": active.pk,
        "out": out.pk,
        "updated": row(outcome=Outcome.UPDATED, sync_id=firm.inbound.pk),
        "sent": row(outcome=Outcome.UPDATED, sync_id=firm.outbound.pk),
        "rejected": row(outcome=Outcome.QUARANTINED),
        "held": held_key(HeldRecord.objects.order_by("external_id").first()),
        "dead": delivery_key(by_state[DeliveryState.DEAD]),
        "unsure": delivery_key(by_state[DeliveryState.UNSURE]),
    }


@pytest.mark.parametrize("name", EMPTY)
def test_pages_of_an_empty_hub(visit: Any, ada: Any, name: str) -> None:
    visit(ada).inspect(EMPTY[name], name)


def test_pages_of_a_busy_hub(visit: Any, ada: Any, full: dict[str, Any]) -> None:
    """One firm for all pages: filling it takes longer than looking at it."""
    here = visit(ada)
    for name, path in FULL.items():
        here.inspect(path.format(**full), name)


def test_choosing_a_mapping_and_a_field_redraws_the_form(visit: Any, ada: Any, firm: worlds.Firm) -> None:
    page = visit(ada).go("/syncs/new/")
    page.select_option("#id_mapping", "erp-jobs")
    page.wait_for_selector("#conditions")
    page.fill("#id_name", "Projects to the ERP")
    page.select_option("#id_when-0-name", "status")
    page.wait_for_selector("input[name='when-0-values'][value='closed']")
    assert page.input_value("#id_name") == "Projects to the ERP"
    page.check("input[value='closed']")
    page.click("text=Add a condition")
    page.wait_for_selector("#id_when-1-name")
    assert page.is_checked("input[value='closed']")
    page.select_option("#id_mapping", "psa-projects")
    page.wait_for_selector("#conditions", state="detached")


def test_a_schedule_is_explained_while_it_is_typed(visit: Any, ada: Any, firm: worlds.Firm) -> None:
    page = visit(ada).go("/syncs/psa-projects/settings/")
    page.fill("#id_cron", "0 6 * * 1-5")
    page.wait_for_selector("#schedule-preview >> text=At 06:00, Monday through Friday")
    assert page.locator("#schedule-preview tbody th").count() >= 10
    page.fill("#id_cron", "0 6 * *")
    page.wait_for_selector("#schedule-preview >> text=is not a cron expression")


def test_progress_moves_and_the_page_settles_when_the_run_ends(visit: Any, ada: Any, firm: worlds.Firm) -> None:
    run, _ = services.start_run(sync=firm.inbound, by=ada)
    page = visit(ada).go(f"/runs/{run.pk}/")
    page.wait_for_selector("text=Waiting for a worker")
    Run.objects.filter(pk=run.pk).update(status="running", stage="reading", read=123, created=123, page_no=2)
    page.wait_for_selector("text=123 records")
    Run.objects.filter(pk=run.pk).update(status="succeeded", stage="")
    page.wait_for_selector("h1 >> text=Succeeded")
    assert page.locator("[data-poll]").count() == 0


def test_cancelling_asks_for_a_reason_first(visit: Any, ada: Any, firm: worlds.Firm) -> None:
    run, _ = services.start_run(sync=firm.inbound, by=ada)
    page = visit(ada).go(f"/runs/{run.pk}/")
    page.click("text=Cancel…")
    page.fill("#cancel-run-reason", "Wrong month")
    page.click("text=Cancel the run")
    page.wait_for_selector("text=Cancelled by Ada: Wrong month")


def test_a_dry_run_appears_in_the_page_and_in_its_address(visit: Any, ada: Any, firm: worlds.Firm) -> None:
    firm.psa.sources["projects"] = [build.project_row(1)]
    here = visit(ada)
    page = here.go("/syncs/psa-projects/dry-run/")
    page.click("#dry-run button")
    page.wait_for_selector("#would-create")
    assert "sample=50" in here.path
