"""Acts on exceptions as people see them: plan and job, two people, write-offs, a rule made of it, nothing at all."""

from __future__ import annotations

from typing import Any

import pytest

from hub.common.errors import PermanentError
from hub.records.models import CanonicalRecord
from mappings.models import ValueMap
from mappings.services import activate_rules
from monitoring.exceptions import writeoffs
from monitoring.models import ExceptionItem, ExceptionJob
from tests.exception_acts import builders as build
from tests.sync import builders as rows
from tests.sync import worlds


@pytest.fixture(autouse=True)
def mounted(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.exception_acts.mount"


@pytest.fixture
def firm(domains: Any) -> worlds.Firm:
    build.firm()
    return build.world()


def stop(firm: worlds.Firm, number: int) -> ExceptionItem:
    """One cause: a status that the value map does not know stops all of these projects."""
    value_map = ValueMap.objects.create(slug="status", name="Project status")
    for word in ("active", "closed", "draft"):
        value_map.entries.create(source=word, target=word)
    kept = [rule for rule in rows.PROJECT_RULES if rule["target"] != "status"]
    kept.append({"target": "status", "source": "status", "kind": "value_map", "value_map": "status"})
    activate_rules(mapping=firm.inbound.mapping, rules=kept, by=None)
    firm.read(*(rows.project_row(n, status="running") for n in range(1, number + 1)))
    return build.of_held(build.group("unmapped", "'running' is not in Project status"))[0]


def test_two_hundred_of_one_cause_are_fixed_and_retried_in_five_clicks(visit: Any, finn: Any, firm: Any) -> None:
    one = stop(firm, 200)
    here = visit(finn)
    clicks = 1  # the cause in the list
    page = here.go(f"/exceptions/fix/?group={one.group_id}")
    page.get_by_label("running becomes").fill("active")
    page.get_by_role("button", name="Plan").first.click()
    clicks += 1
    page.get_by_role("button", name="Fix and retry 200").click()
    clicks += 1
    page.wait_for_url("**/exceptions/jobs/*/")
    assert build.finish(ExceptionJob.objects.get()) == {"done": 200}
    page.get_by_text("200", exact=True).first.wait_for()
    assert CanonicalRecord.objects.count() == 200
    assert not ExceptionItem.objects.exclude(state="resolved").exists()
    assert clicks <= 5


def test_the_plan_and_a_job_that_fails_in_part(visit: Any, finn: Any, firm: Any) -> None:
    of = stop(firm, 3).group
    firm.read(
        *(rows.project_row(n, status="running") for n in (1, 2, 3)),
        rows.project_row(4, status="running", currency="euro"),
    )
    ExceptionItem.objects.all().delete()
    one = build.of_held(of)[0]
    here = visit(finn)
    here.inspect(f"/exceptions/fix/?group={one.group_id}", "exception_fix")
    here.page.get_by_label("running becomes").fill("active")
    here.page.get_by_role("button", name="Plan").first.click()
    here.page.get_by_role("button", name="Fix and retry 4").wait_for()
    here.shoot("exception_plan_1440")
    here.assert_accessible()
    here.page.set_viewport_size({"width": 360, "height": 1000})
    here.page.emulate_media(color_scheme="dark")
    here.shoot("exception_plan_360_dark")
    here.assert_accessible()
    here.page.get_by_role("button", name="Fix and retry 4").click()
    here.page.wait_for_url("**/exceptions/jobs/*/")
    here.inspect(here.path, "exception_job_running")
    url = here.path
    here.go("/exceptions/jobs/")
    build.finish(ExceptionJob.objects.get())
    here.inspect(url, "exception_job_failed_in_part")
    here.inspect("/exceptions/jobs/", "exception_jobs")


def test_the_second_of_two_people_sees_both_sides(visit: Any, finn: Any, ada: Any, domains: Any) -> None:
    item = build.item(title="No bill rate: Senior Consultant × Acme")
    here = visit(finn)
    here.go(f"/exceptions/act/?ids={item.pk}")
    here.inspect(here.path, "exception_bulk")
    here.page.evaluate(
        """([url, person]) => {
          const form = document.createElement("form");
          form.method = "post"; form.action = url;
          const add = (name, value) => {
            const field = document.createElement("input");
            field.type = "hidden"; field.name = name; field.value = value; form.append(field);
          };
          add("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
          add("assignee", person); add("version", "0");
          document.body.append(form); form.submit();
        }""",
        [f"/exceptions/{item.pk}/assign/", str(finn.pk)],
    )
    here.page.get_by_role("heading", name="Somebody was faster").wait_for()
    here.shoot("exception_conflict_1440")
    here.assert_accessible()


def test_a_write_off_that_waits_and_is_agreed_to(
    visit: Any, finn: Any, grace: Any, settings: Any, domains: Any
) -> None:
    settings.HUB_WRITE_OFF_AMOUNT = 150
    build.firm()
    of = build.group()
    build.items(2, of, client="Acme", client_name="Acme Industries")
    here = visit(finn)
    here.inspect("/exceptions/write-offs/", "write_offs_empty")
    here.inspect(f"/exceptions/write-offs/new/?group={of.pk}", "write_off_new")
    here.page.get_by_label("Why").select_option("goodwill")
    here.page.get_by_label("Reason, for whoever").fill("The client was right.")
    here.page.get_by_label("Type").fill(writeoffs.CONFIRM)
    here.page.get_by_role("button", name="Ask for approval").click()
    here.page.wait_for_url("**/exceptions/write-offs/*/")
    other = visit(grace)
    other.inspect(here.path, "write_off_to_decide")
    other.page.get_by_role("button", name="Approve…").click()
    other.page.get_by_label("Type").fill(writeoffs.CONFIRM)
    other.page.locator("#approve").get_by_role("button", name="Approve").click()
    other.page.get_by_text("Written off").first.wait_for()
    other.inspect("/exceptions/write-offs/", "write_offs")


def test_nothing_was_done_yet(visit: Any, finn: Any, domains: Any) -> None:
    here = visit(finn)
    here.inspect("/exceptions/jobs/", "exception_jobs_empty")
    here.inspect("/exceptions/overrides/", "overrides_empty")
    here.inspect("/exceptions/fix/?ids=999", "exception_fix_nothing")
    here.inspect("/exceptions/act/?clinet=Acme", "exception_bulk_wrong")


def test_a_job_that_waits_for_the_target(visit: Any, finn: Any, firm: Any) -> None:
    firm.erp.refuse["P-0001"] = PermanentError("The account 4711 is closed.", fix="Open it, or book elsewhere.")
    firm.read(rows.project_row(1))
    firm.deliver()
    (item,) = build.of_deliveries()
    here = visit(finn)
    here.inspect(f"/exceptions/fix/?ids={item.pk}", "exception_fix_one")
