"""Nothing is written twice and nothing stays behind: cancelling, retrying and undoing while a system answers badly."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.db.models.functions import Now

from hub.common.errors import ConfigError, PermanentError, TransientError, UnknownOutcome
from hub.processes import calling, outcomes, queries, services, starting
from hub.processes.models import Process, ProcessInstance, ProcessMessage, ProcessNote, StepRun
from tests.processes.conftest import ACTION, ASK, CHECK, World
from tests.sync import builders as build

pytestmark = pytest.mark.django_db(transaction=True)
UNDO = {**ACTION, "undo": {"operation": "update", "body": {"text": "'Taken back'"}}}


@pytest.fixture
def firm(world: World) -> World:
    world.firm.read(build.project_row(1))
    return world


def doubt(firm: World, safety: str, *steps: dict[str, Any]) -> ProcessInstance:
    """An instance whose first action may have arrived."""
    firm.erp.safety = safety
    process = firm.define(*(steps or (ACTION,)))
    firm.erp.fail_with = [UnknownOutcome("The connection broke.")]
    return firm.start(process)


def due() -> None:
    StepRun.objects.filter(retry_at__isnull=False).update(retry_at=Now())


class TestCancelling:
    def test_a_write_that_succeeds_while_it_is_cancelled_is_taken_back(
        self, firm: World, ada: Any, monkeypatch: Any
    ) -> None:
        made = services.start(firm.define(UNDO), "P-0001", by=None)
        make = calling.make

        def cancelled_meanwhile(call: calling.Call) -> calling.Answer:
            services.cancel(made, reason="The client left.", by=ada)
            monkeypatch.setattr(calling, "make", make)
            return make(call)

        monkeypatch.setattr(calling, "make", cancelled_meanwhile)
        found = firm.look(made)
        assert (found.state, firm.states(found)) == ("cancelled", {"book": "undone"})
        assert [write.body["text"] for write in firm.erp.writes] == ["Opened by the hub", "Taken back"]

    @pytest.mark.parametrize("safety", ["A", "B", "C", "D"])
    def test_a_write_in_doubt_is_not_made_again_once_it_is_cancelled(
        self, firm: World, ada: Any, safety: str, monkeypatch: Any
    ) -> None:
        firm.erp.safety = safety
        made = services.start(firm.define(UNDO), "P-0001", by=None)

        def breaks(call: calling.Call) -> calling.Answer:
            services.cancel(made, reason="The client left.", by=ada)
            return calling.Answer(error=UnknownOutcome("The connection broke."), is_unsure=True)

        with monkeypatch.context() as patch:
            patch.setattr(calling, "make", breaks)
            found = firm.look(made)
        assert (found.state, firm.step(found, "book").state, firm.erp.writes) == ("undoing", "unsure", [])
        services.settle(firm.step(found, "book"), reason="It is there.", ref="ref-1", by=ada)
        assert firm.look(found).state == "cancelled"
        assert [write.ref for write in firm.erp.writes] == ["ref-1"]

    def test_taking_back_is_tried_again_when_the_system_is_busy(self, firm: World, ada: Any) -> None:
        found = firm.start(firm.define(UNDO, ASK))
        services.cancel(found, reason="Wrong.", by=ada)
        firm.erp.fail_with = [TransientError("Too busy.")]
        found = firm.look(found)
        assert (found.state, firm.step(found, "book").state) == ("undoing", "done")
        due()
        assert firm.look(found).state == "cancelled"
        assert len(firm.erp.writes) == 2

    def test_what_the_system_does_not_take_back_a_person_tries_again_or_does_by_hand(
        self, firm: World, ada: Any
    ) -> None:
        found = firm.start(firm.define(UNDO, ASK))
        services.cancel(found, reason="Wrong.", by=ada)
        firm.erp.refuse["P-0001"] = PermanentError("The period is closed.")
        found = firm.look(found)
        run = firm.step(found, "book")
        assert (found.state, run.state, run.fix) == ("undoing", "unsure", outcomes.BY_HAND)
        with pytest.raises(ConfigError, match="It is being taken back"):
            services.settle(run, reason="There.", ref="x", by=ada)
        services.retry(found, by=ada)
        assert firm.step(firm.look(found), "book").state == "unsure"
        del firm.erp.refuse["P-0001"]
        services.retry(found, by=ada)
        assert firm.look(found).state == "cancelled"
        with pytest.raises(ConfigError, match="has ended"):
            services.retry(found, by=ada)

    def test_an_undo_that_cannot_be_computed_asks_a_person_and_stops_nobody(self, firm: World, ada: Any) -> None:
        bad = {**ACTION, "undo": {"operation": "update", "body": {"text": "$number(record.name)"}}}
        found = firm.start(firm.define(bad, ASK))
        services.cancel(found, reason="Wrong.", by=ada)
        found = firm.look(found)
        assert (found.state, "cannot be computed" in firm.step(found, "book").error) == ("undoing", True)
        services.confirm_undone(firm.step(found, "book"), by=ada)
        assert firm.look(found).state == "cancelled"

    def test_a_worker_that_falls_while_it_takes_back_is_replaced_where_that_does_no_harm(
        self, firm: World, ada: Any, monkeypatch: Any
    ) -> None:
        firm.erp.safety = "A"
        found = firm.start(firm.define(UNDO, ASK))
        services.cancel(found, reason="Wrong.", by=ada)

        def fall(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(calling, "make", fall)
            with pytest.raises(KeyboardInterrupt):
                firm.look(found)
        StepRun.objects.update(lease_until=Now() - timedelta(seconds=1))
        assert firm.look(found).state == "cancelled"
        assert len({write.idempotency_key for write in firm.erp.writes}) == len(firm.erp.writes) == 2


class TestRetrying:
    @pytest.mark.parametrize("safety", ["A", "B", "C", "D"])
    @pytest.mark.parametrize("step", ["start", "book"])
    def test_a_write_that_was_confirmed_is_not_made_again(self, firm: World, ada: Any, safety: str, step: str) -> None:
        firm.erp.safety = safety
        found = firm.start(firm.define(ACTION, ASK))
        services.retry(found, step=step, by=ada)
        found = firm.look(found)
        assert (firm.step(found, "book").state, len(firm.erp.writes)) == ("done", 1)

    @pytest.mark.parametrize("safety", ["C", "D"])
    def test_a_write_in_doubt_is_made_again_only_when_it_is_named(self, firm: World, ada: Any, safety: str) -> None:
        found = doubt(firm, safety, CHECK, ACTION)
        for step in ("", "start", "budget"):
            with pytest.raises(ConfigError, match="Nobody knows whether Book has arrived"):
                services.retry(found, step=step, by=ada)
        assert len(firm.erp.writes) == 0
        services.retry(found, step="book", by=ada)
        assert (firm.look(found).state, len(firm.erp.writes)) == ("done", 1)

    @pytest.mark.parametrize("safety", ["A", "B"])
    def test_doubt_that_does_not_end_is_given_to_a_person_after_the_last_rung(self, firm: World, safety: str) -> None:
        found = doubt(firm, safety)
        firm.erp.fail_with = [UnknownOutcome("The connection broke.")] * 20
        for _ in range(len(outcomes.RETRY_SECONDS) + 3):
            due()
            found = firm.look(found)
        run = firm.step(found, "book")
        assert (run.state, run.attempts, run.retry_at) == ("unsure", len(outcomes.RETRY_SECONDS) + 1, None)
        assert found.state == "failed"

    def test_what_cannot_be_said_yet_is_a_failure_with_a_fix_and_goes_on_by_itself(self, firm: World) -> None:
        found = firm.start(firm.define({**ACTION, "key": "record.status = 'closed' ? key : ''"}))
        run = firm.step(found, "book")
        assert (found.state, run.state, run.error_code) == ("failed", "failed", "CHECK")
        assert "not known under which key" in run.error
        firm.firm.read(build.project_row(1, status="closed"))
        found = firm.look(found)
        assert (found.state, [write.key for write in firm.erp.writes]) == ("done", ["P-0001"])


class TestBranches:
    def test_a_step_that_a_branch_did_not_choose_is_left_out_whatever_else_leads_to_it(self, firm: World) -> None:
        choose = {
            "name": "size", "kind": "branch",
            "choose": [{"when": "$number(record.budget) > 5000", "then": ["big"]}, {"then": ["small"]}],
        }  # fmt: skip
        values = {"kind": "set", "values": {"x": "1"}}
        steps = [choose, {"name": "other", "after": [], **values}, {"name": "big", "after": ["size", "other"], **values},
                 {"name": "small", "after": ["size", "other"], **values}]  # fmt: skip
        found = firm.start(firm.define(*steps))
        assert firm.states(found) == {"size": "done", "other": "done", "big": "skipped", "small": "done"}


class TestTelling:
    TELL = {"name": "tell", "kind": "notify", "role": "finance", "text": "'Bill ' & key"}

    def test_the_people_of_the_role_are_told_until_one_has_seen_it(self, firm: World, finn: Any, olga: Any) -> None:
        firm.start(firm.define(self.TELL))
        message = ProcessMessage.objects.get()
        assert [m.text for m in queries.messages_for(finn)] == ["Bill P-0001"]
        assert queries.messages_for(olga) == []
        services.see(message, by=finn)
        services.see(message, by=olga)
        message.refresh_from_db()
        assert (queries.messages_for(finn), message.seen_by) == ([], finn)

    def test_a_question_is_found_behind_many_steps_that_wait(self, firm: World, finn: Any) -> None:
        process = firm.define({"name": "w", "kind": "wait", "until": "false"})
        firm.start(process)
        waiting = StepRun.objects.get()
        rows = [ProcessInstance(process=process, version=process.newest, key=f"X{n}", cause=f"x{n}", trigger="api",
                                started_at=waiting.begun_at, state="waiting") for n in range(600)]  # fmt: skip
        made = ProcessInstance.objects.bulk_create(rows)
        StepRun.objects.bulk_create(StepRun(instance=each, step="w", kind="wait", state="waiting") for each in made)
        firm.start(firm.define(ASK, slug="other", name="Other"))
        assert [run.step for run, _ in queries.questions_for(finn)] == ["rate"]


class TestEvents:
    def test_a_page_of_events_starts_them_in_one_statement_and_says_so(
        self, firm: World, django_assert_max_num_queries: Any
    ) -> None:
        firm.define(ASK, triggers=[{"event": "project.active"}])
        firm.firm.read(*(build.project_row(n) for n in range(2, 42)))
        assert Process.objects.get().instances.count() == 40
        assert ProcessNote.objects.filter(what="started", detail="project.active").count() == 40

    def test_a_page_that_changes_what_a_worker_has_in_hand_does_not_wait_for_it(self, firm: World) -> None:
        firm.start(firm.define(ASK, triggers=[{"event": "project.active"}]))
        from concurrent.futures import ThreadPoolExecutor

        def read() -> None:
            from django.db import connection

            firm.firm.read(build.project_row(1, title="Anew", status="draft"))
            firm.firm.read(build.project_row(1, title="Anew"))
            connection.close()

        starting.wanting("project.active")
        with transaction.atomic():
            ProcessInstance.objects.select_for_update().get()
            with ThreadPoolExecutor(1) as pool:
                pool.submit(read).result(timeout=60)

    def test_what_happened_is_not_rewritten(self, firm: World) -> None:
        firm.start(firm.define(ASK))
        with pytest.raises(DatabaseError, match="is not rewritten"), transaction.atomic():
            ProcessNote.objects.update(what="done")
