"""A version of a contract walks to its sunset in a browser; breaches and drifts are read and decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from governance import breaches, deprecation, drift, lifecycle, traffic
from governance.models import Contract
from governance.treatment import Breach
from hub.common.times import business_today
from hub.records.store import forget_profiles
from hub.sync.models import Run
from tests.browser.tools import Visit
from tests.sync import builders

Open = Callable[..., Visit]
FIELDS = [{"path": name, "type": "string", "required": True} for name in ("id", "code", "title", "budget", "status")]


@pytest.fixture
def contract(domains: Any, ada: Any) -> Contract:
    forget_profiles()
    source = builders.stream(builders.connection("crm"), "projects")
    target = builders.entity("project", builders.PROJECT)
    inbound = builders.sync("projects-in", "in", source, target, builders.PROJECT_RULES)
    builders.sync(
        "projects-out", "out", builders.stream(builders.connection("erp"), "jobs"), target, builders.OUT_RULES
    )
    run = Run.objects.create(sync=inbound, trigger=Run.Trigger.MANUAL, status="succeeded")
    version = target.contract.versions.get(status="active")
    traffic.note(version.pk, "Sync", "projects-in", uses=12)
    traffic.note(version.pk, "ApiToken", "Power BI (ada@example.com)", uses=340)
    enum = "status is 'paused', which is not one of draft, active, closed."
    decimal = "budget is '1,200', which is not a decimal number such as 1250.00."
    rows = [
        ("P-0002", Breach("status", "enum", '"paused"', enum, "quarantined"), False),
        ("P-0007", Breach("budget", "pattern", '"1,200"', decimal, "value_dropped"), True),
    ]
    breaches.write(version_id=version.pk, sync="projects-in", run_id=run.pk, rows=rows)
    drift.note(source, FIELDS, [each for each in FIELDS if each["path"] != "budget"], seen_in="payload")
    return target.contract


def test_a_break_is_shown_with_whom_it_hits_and_put_in_force_with_a_reason(
    visit: Open, ada: Any, grace: Any, contract: Contract
) -> None:
    schema = builders.PROJECT | {"required": ["code", "name", "status"]}
    version = lifecycle.propose(contract=contract, schema=schema, by=grace)
    here = visit(ada)
    path = f"/contracts/project/versions/{version.number}/"
    page = here.go(path)
    page.get_by_role("button", name="Hand to the reviewers").click()
    page.get_by_text("Version 3 is in review.").wait_for()
    lifecycle.approve(version, by=ada)
    here.inspect(path, "version-approved")
    page.get_by_text("Breaks none of the").wait_for()
    page.get_by_label("Why the break is accepted").fill("Every project has a status since May.")
    page.get_by_role("button", name="Put in force").click()
    page.get_by_text("Version 3 is in force.").wait_for()


def test_pages_of_versions_breaches_and_drifts_are_accessible(visit: Open, ada: Any, contract: Contract) -> None:
    lifecycle.walk(lifecycle.propose(contract=contract, schema=builders.PROJECT | {"title": "Project"}, by=ada), by=ada)
    old = contract.versions.get(number=2)
    deprecation.announce_sunset(old, sunset_date=business_today().replace(year=2099), by=ada)
    deprecation.acknowledge(old, kind="ApiToken", name="Power BI (ada@example.com)", by=ada, note="")
    here = visit(ada)
    for path, name in (
        ("/contracts/project/versions/", "versions"),
        ("/contracts/project/versions/2/", "version-deprecated"),
        ("/contracts/project/versions/new/", "version-new"),
        ("/contracts/project/settings/", "contract-settings"),
        ("/contracts/breaches/", "breaches"),
        ("/contracts/breaches/?field=nothing", "breaches-none"),
        ("/drifts/", "drifts"),
        (f"/drifts/{drift.drifts_for(ada).get().pk}/", "drift"),
    ):
        here.inspect(path, name)
