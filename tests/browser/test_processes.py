"""Processes as people see them: empty, made by form step by step, running, asking, stopped, taken back."""

from __future__ import annotations

from typing import Any

import pytest

from hub.processes import engine
from hub.processes.models import Process, ProcessInstance
from tests.processes.conftest import ACTION, ASK, CHECK, ENSURE, World
from tests.sync import builders as build


@pytest.fixture
def world(domains: Any) -> World:
    return World()


def test_a_process_is_made_by_forms_and_tried_on_records(visit: Any, ada: Any, world: World) -> None:
    here = visit(ada)
    here.inspect("/processes/", "processes_empty")
    here.inspect("/processes/runs/", "process_runs_empty")
    here.inspect("/event-types/", "event_types_full")
    here.inspect("/event-types/project-active/", "event_type")
    here.inspect("/event-types/new/", "event_type_new")
    here.inspect("/events/", "facts_empty")
    page = here.go("/processes/new/")
    page.get_by_label("Name", exact=True).fill("Set up a project")
    page.get_by_label("Domain").select_option("project-wbs")
    page.get_by_label("About").select_option("project")
    page.get_by_label("Active (project.active)").check()
    page.get_by_label("In use").check()
    here.shoot("process_form")
    page.get_by_role("button", name="Make the process").click()
    page.wait_for_url("**/processes/set-up-a-project/")
    page.get_by_role("link", name="check", exact=True).click()
    page.get_by_label("Name", exact=True).fill("budget")
    page.get_by_label("Holds when").fill("record.(")
    page.get_by_label("Else").fill("The project has no budget.")
    page.get_by_role("button", name="Add the step").click()
    page.get_by_text("before end of expression").first.wait_for()
    here.shoot("step_form_wrong")
    page.get_by_label("Holds when").fill("$number(record.budget) > 500")
    page.get_by_role("button", name="Add the step").click()
    page.wait_for_url("**/processes/set-up-a-project/")
    process = Process.objects.get()
    assert [step["name"] for step in process.newest.definition["steps"]] == ["begun", "budget"]
    world.firm.read(build.project_row(1), build.project_row(2, budget="10.00"))
    here.inspect("/processes/set-up-a-project/rehearsal/", "process_rehearsal")
    assert "P-0002" in page.content()
    here.inspect("/processes/set-up-a-project/", "process_detail")
    here.inspect("/processes/set-up-a-project/steps/new/ask/", "step_form")
    here.inspect("/events/", "facts_full")
    page.get_by_role("link", name="project/P-0001").click()
    here.inspect(here.path, "fact")


def test_what_runs_is_answered_settled_and_taken_back(visit: Any, ada: Any, world: World) -> None:
    refuses = {
        **CHECK,
        "name": "closed",
        "that": "record.status = 'closed'",
        "message": "It is not closed.",
        "after": ["rate"],
    }
    undo = {**ACTION, "undo_task": "Delete the note in the ERP."}
    world.define(CHECK, undo, ENSURE, {**ASK, "role": "integration_admin"}, refuses)
    world.firm.read(build.project_row(1))
    here = visit(ada)
    page = here.go("/processes/set-up/")
    page.get_by_role("button", name="Start…").click()
    page.get_by_label("Key of the project").fill("P-0001")
    page.get_by_role("dialog").get_by_role("button", name="Start").click()
    page.wait_for_url("**/processes/set-up/*/")
    found = ProcessInstance.objects.get()
    engine.advance(found.pk)
    world.firm.deliver()
    engine.advance(found.pk)
    here.inspect(found.get_absolute_url(), "instance_asks")
    here.go("/").get_by_role("link", name="Answer").first.click()
    page.get_by_label("Rate card", exact=True).select_option("DE")
    page.get_by_role("button", name="Answer").click()
    page.wait_for_load_state()
    engine.advance(found.pk)
    here.inspect(found.get_absolute_url(), "instance_stopped")
    assert "It is not closed." in page.content()
    here.inspect("/processes/runs/?state=failed", "process_runs_stopped")
    here.inspect("/processes/", "processes_full")
    here.go(found.get_absolute_url()).get_by_role("button", name="Cancel…").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("The client left.")
    page.get_by_role("button", name="Cancel it").click()
    page.wait_for_load_state()
    engine.advance(found.pk)
    here.inspect(found.get_absolute_url(), "instance_undoing")
    page.get_by_role("button", name="It is done").click()
    page.wait_for_load_state()
    engine.advance(found.pk)
    assert world.look(found).state == "cancelled"
    assert here.complaints == []
