"""The same by programs and commands: what is started, told, retried and cancelled, and what is refused."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from hub.accounts.models import RoleAssignment
from hub.processes import engine
from hub.processes.models import ProcessInstance
from monitoring.exceptions.intake import sources
from tests.processes.conftest import ASK, CHECK, World
from tests.sync import builders as build

pytestmark = pytest.mark.django_db(transaction=True)
WAITS = {"name": "go", "kind": "wait", "until": "given.signals.go.by = 'Ada'"}


@pytest.fixture
def api(ada: Any, client: Client) -> Any:
    client.force_login(ada, backend="django.contrib.auth.backends.ModelBackend")

    def ask(method: str, path: str, data: Any = None, **headers: str) -> Any:
        answer = client.generic(method, f"/api/v1/{path}", json.dumps(data or {}), "application/json", headers=headers)
        return answer.status_code, answer.json()

    return ask


def test_a_program_starts_it_once_for_its_key_and_follows_it(world: World, api: Any) -> None:
    world.firm.read(build.project_row(1))
    world.define(CHECK, WAITS)
    status, first = api(
        "POST", "processes/set-up/start/", {"key": "P-0001", "given": {"a": 1}}, **{"Idempotency-Key": "k1"}
    )
    assert (status, first["state"]) == (202, "running")
    assert (
        api("POST", "processes/set-up/start/", {"key": "P-0001"}, **{"Idempotency-Key": "k1"})[1]["id"] == first["id"]
    )
    engine.advance(first["id"])
    found = api("GET", f"process-runs/{first['id']}/")[1]
    assert [(step["step"], step["state"]) for step in found["steps"]] == [("budget", "done"), ("go", "waiting")]
    assert api("POST", f"process-runs/{first['id']}/signal/", {"name": "go", "given": {"by": "Ada"}})[0] == 200
    engine.advance(first["id"])
    assert api("GET", f"process-runs/{first['id']}/")[1]["state"] == "done"
    assert api("GET", "process-runs/?state=done")[1]["results"][0]["id"] == first["id"]


def test_what_cannot_be_is_refused_in_a_sentence(world: World, api: Any) -> None:
    world.firm.read(build.project_row(1))
    world.define(CHECK)
    status, said = api("POST", "processes/set-up/start/", {"key": "P-9"})
    assert status in (409, 422, 400)
    assert "There is no project 'P-9'" in json.dumps(said)
    assert api("POST", "processes/gone/start/", {"key": "P-1"})[0] == 404
    made = api("POST", "processes/set-up/start/", {"key": "P-0001"})[1]
    engine.advance(made["id"])
    assert "has ended" in json.dumps(api("POST", f"process-runs/{made['id']}/retry/")[1])


def test_only_people_of_the_role_that_is_asked_answer(world: World, api: Any, olga: Any, client: Client) -> None:
    world.firm.read(build.project_row(1))
    found = world.start(world.define({**ASK, "role": "approver"}))
    RoleAssignment.objects.filter(user=olga).delete()
    RoleAssignment.objects.create(user=olga, role="finance")
    client.force_login(olga, backend="django.contrib.auth.backends.ModelBackend")
    answer = {"step": "rate", "values": {"card": "UK"}}
    assert api("POST", f"process-runs/{found.pk}/answer/", answer)[0] == 403
    RoleAssignment.objects.create(user=olga, role="approver")
    assert api("POST", f"process-runs/{found.pk}/answer/", answer)[0] == 200
    assert world.look(found).state == "done"


def run(*arguments: str) -> tuple[int, Any]:
    out, code = StringIO(), 0
    try:
        call_command("process", *arguments, "--json", stdout=out, stderr=StringIO())
    except SystemExit as stopped:
        code = int(stopped.code or 0)
    return code, json.loads(out.getvalue())


def test_the_command_leads_it_as_far_as_it_goes_and_says_how_it_stands(world: World) -> None:
    world.firm.read(build.project_row(1))
    world.define(CHECK, {**CHECK, "name": "closed", "that": "record.status = 'closed'", "message": "It is not closed."})
    code, said = run("start", "set-up", "P-0001")
    assert (code, said["state"], said["steps"][1]["error"]) == (2, "failed", "It is not closed.")
    world.firm.read(build.project_row(1, status="closed"))
    assert run("retry", str(said["id"]))[1]["state"] == "done"
    assert run("status", str(said["id"]))[1]["state"] == "done"
    assert run("start", "gone", "x") == (1, {"error": "There is no process 'gone'. Known: set-up.", "code": "CONFIG"})
    assert run("status", "99999")[0] == 1


def test_what_has_stopped_stands_before_people_with_its_money_until_it_goes_on(world: World) -> None:
    world.firm.read(build.project_row(1))
    process = world.define(
        {**CHECK, "that": "record.status = 'closed'", "message": "It is not closed.", "fix": "Close it."}
    )
    found = world.start(process)
    (item,) = sources()["process"]()
    assert (item.business, item.facts, item.name) == (True, {"process": "set-up", "step": "budget"}, "P-0001")
    assert "It is not closed. Close it." in item.detail
    world.firm.read(build.project_row(1, status="closed"))
    world.look(found)
    assert list(sources()["process"]()) == []
    assert ProcessInstance.objects.get().state == "done"
