"""A write takes the way of every record, once for its key; what may not pass is said before it is taken."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from hub.gateway import keeping, writing
from hub.gateway.models import KeptAnswer
from hub.processes import services as process_services
from hub.processes.models import ProcessInstance
from hub.records.models import CanonicalRecord
from hub.sync import engine
from hub.sync.models import Run
from hub.webhooks.models import Message
from tests.gateway.conftest import Portal
from tests.sync import builders as build

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "system/projects/v1/"
ROW = build.project_row(1)


@pytest.fixture
def world(portal: Portal) -> Portal:
    portal.endpoint()
    portal.offer("SystemApi", "projects", entity="project", operations=["read", "write"], endpoint="projects-in")
    portal.register({"system/projects": ["read", "write"]})
    return portal


def work() -> None:
    for run in Run.objects.filter(status="queued"):
        engine.execute(run.pk)


def test_a_record_is_taken_in_by_the_sync_of_its_webhook_and_its_standing_is_told(world: Portal) -> None:
    status, body, headers = world.call("POST", PATH, ROW)
    assert (status, body["would"], body["key"]) == (202, "create", "P-0001")
    work()
    assert CanonicalRecord.objects.get().body["code"] == "P-0001"
    _, told, _ = world.call("GET", headers["Location"].removeprefix("/gateway/"))
    assert (told["state"], told["outcome"], told["error"]) == ("done", "applied", "")


def test_a_record_that_the_contract_refuses_is_not_taken(world: Portal) -> None:
    status, body, _ = world.call("POST", PATH, {**ROW, "budget": "much"})
    assert (status, body["code"]) == (422, "CONTRACT")
    assert "budget" in body["detail"]
    assert not Message.objects.exists()
    assert world.call("POST", PATH, [1])[0] == 400


class TestOnce:
    def test_the_same_request_under_a_key_is_carried_out_once_and_answered_alike(self, world: Portal) -> None:
        first, again = (world.call("POST", PATH, ROW, Idempotency_Key="k1") for _ in range(2))
        assert first[:2] == again[:2]
        assert again[2]["Idempotent-Replayed"] == "true"
        assert Message.objects.count() == 1

    def test_a_key_that_came_with_another_request_is_refused(self, world: Portal) -> None:
        world.call("POST", PATH, ROW, Idempotency_Key="k1")
        status, body, _ = world.call("POST", PATH, build.project_row(2), Idempotency_Key="k1")
        assert (status, body["code"]) == (422, "KEY_REUSED")

    def test_the_same_while_it_is_at_work_waits_and_after_a_fall_goes_on(self, world: Portal) -> None:
        world.call("POST", PATH, ROW, Idempotency_Key="k1")
        KeptAnswer.objects.update(status=None, body=None)  # its worker fell before it had answered
        status, body, headers = world.call("POST", PATH, ROW, Idempotency_Key="k1")
        assert (status, body["code"], headers["Retry-After"]) == (409, "IN_FLIGHT", "1")
        KeptAnswer.objects.update(at=Now() - timedelta(minutes=2))
        assert world.call("POST", PATH, ROW, Idempotency_Key="k1")[0] == 202
        assert Message.objects.count() == 1

    def test_a_request_that_falls_is_not_taken_for_carried_out(
        self, world: Portal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fall(*_: Any, **__: Any) -> None:
            raise RuntimeError("The web process ends here.")

        with monkeypatch.context() as patch:
            patch.setattr(writing, "take", fall)
            with pytest.raises(RuntimeError):
                world.call("POST", PATH, ROW, Idempotency_Key="k1")
        assert not KeptAnswer.objects.exists()
        assert world.call("POST", PATH, ROW, Idempotency_Key="k1")[0] == 202

    def test_what_was_refused_may_be_corrected_under_the_same_key(self, world: Portal) -> None:
        assert world.call("POST", PATH, {**ROW, "budget": "much"}, Idempotency_Key="k1")[0] == 422
        assert world.call("POST", PATH, ROW, Idempotency_Key="k1")[0] == 202

    def test_kept_answers_go_after_a_day(self, world: Portal) -> None:
        world.call("POST", PATH, ROW, Idempotency_Key="k1")
        assert keeping.forget_old() == 0
        KeptAnswer.objects.update(at=Now() - timedelta(hours=25))
        assert keeping.forget_old() == 1


class TestMatch:
    def test_a_record_that_was_changed_meanwhile_is_not_overwritten(self, world: Portal) -> None:
        world.firm.read(ROW)
        etag = world.call("GET", PATH + "records/P-0001/")[2]["ETag"]
        world.firm.read(build.project_row(1, title="By another"))
        row = build.project_row(1, title="By the portal")
        status, body, _ = world.call("POST", PATH, row, If_Match=etag)
        assert (status, body["code"]) == (412, "CHANGED_MEANWHILE")
        etag = world.call("GET", PATH + "records/P-0001/")[2]["ETag"]
        assert world.call("POST", PATH, row, If_Match=etag)[0] == 202

    def test_a_new_record_is_made_only_where_there_is_none(self, world: Portal) -> None:
        assert world.call("POST", PATH, ROW, If_Match="*")[0] == 412
        assert world.call("POST", PATH, ROW, If_None_Match="*")[0] == 202
        work()
        assert world.call("POST", PATH, ROW, If_None_Match="*")[1]["code"] == "EXISTS"


class TestProcesses:
    @pytest.fixture
    def running(self, portal: Portal) -> Portal:
        portal.firm.read(ROW)
        wait = {"name": "go", "kind": "wait", "until": "given.signals.go"}
        document = {"slug": "set-up", "name": "Set up", "domain": "project-wbs", "entity": "project", "steps": [wait]}
        process_services.save_process(document, by=None)
        portal.offer("ProcessApi", "set-up", process="set-up", operations=["start", "status", "signal"])
        portal.register({"process/set-up": ["start", "status", "signal"]})
        return portal

    def test_it_is_started_once_for_its_key_followed_and_told(self, running: Portal) -> None:
        from hub.processes import engine as processes_engine

        path = "process/set-up/v1/"
        status, begun, headers = running.call("POST", path, {"key": "P-0001"}, Idempotency_Key="order-17")
        again = running.call("POST", path, {"key": "P-0001"}, Idempotency_Key="order-17")
        assert (status, again[0], again[1]["id"]) == (202, 202, begun["id"])
        assert ProcessInstance.objects.get().given == {"consumer": "portal"}
        at = headers["Location"].removeprefix("/gateway/")
        processes_engine.advance(begun["id"])
        assert running.call("GET", at)[1]["state"] == "waiting"
        assert running.call("POST", at + "signal/", {"name": "go"})[0] == 202
        processes_engine.advance(begun["id"])
        _, told, _ = running.call("GET", at)
        assert (told["state"], "result" in told["steps"][0]) == ("done", False)

    @pytest.mark.parametrize(("body", "status"), [({}, 400), ({"key": "P-9"}, 422), ([], 400)])
    def test_a_start_that_cannot_be_is_refused_with_a_sentence(self, running: Portal, body: Any, status: int) -> None:
        answer = running.call("POST", "process/set-up/v1/", body)
        assert (answer[0], bool(answer[1]["detail"])) == (status, True)

    def test_a_run_of_another_process_is_not_seen(self, running: Portal) -> None:
        assert running.call("GET", "process/set-up/v1/99999/")[0] == 404
