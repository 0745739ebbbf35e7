"""A process goes on by itself, stops with a sentence, and does nothing twice whoever falls when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now

from hub.common.errors import ConfigError, PermanentError, TransientError, UnknownOutcome
from hub.common.times import business_now, set_business_clock
from hub.processes import calling, engine, services, starting
from hub.processes.models import ProcessInstance, ProcessNote, StepRun
from tests.processes.conftest import ACTION, ASK, CHECK, ENSURE, World
from tests.sync import builders as build

# Workers commit.
pytestmark = pytest.mark.django_db(transaction=True)


def test_steps_follow_each_other_to_the_end(world: World) -> None:
    world.firm.read(build.project_row(1))
    found = world.start(world.define(CHECK, {"name": "twice", "kind": "set", "values": {"sum": "record.budget & '!'"}}))
    assert (found.state, world.states(found)) == ("done", {"budget": "done", "twice": "done"})
    assert world.step(found, "twice").result == {"sum": "1000.00!"}
    assert found.finished_at is not None


def test_a_check_that_fails_names_its_reason_and_goes_on_once_the_record_is_right(world: World) -> None:
    world.firm.read(build.project_row(1, status="draft"))
    check = {**CHECK, "that": "record.status = 'closed'", "message": "It is not closed.", "fix": "Close it in the PSA."}
    found = world.start(world.define(check))
    run = world.step(found, "budget")
    assert (found.state, run.state, run.error, run.fix) == (
        "failed",
        "failed",
        "It is not closed.",
        "Close it in the PSA.",
    )
    world.firm.read(build.project_row(1, status="closed"))
    assert world.look(found).state == "done"


def test_a_record_is_ensured_at_its_target_and_its_confirmation_awaited(world: World) -> None:
    world.firm.read(build.project_row(1))
    found = world.start(world.define(ENSURE))
    assert (found.state, world.states(found)) == ("waiting", {"job": "waiting"})
    world.firm.deliver()
    found = world.look(found)
    assert (found.state, len(world.erp.writes)) == ("done", 1)
    assert world.step(found, "job").result["ref"]


def test_a_delivery_that_stopped_fails_the_step_with_its_sentence_and_clears_it_when_it_goes(world: World) -> None:
    world.erp.refuse["P-0001"] = PermanentError("The account 4711 is closed.", fix="Open it.")
    world.firm.read(build.project_row(1))
    process = world.define(ENSURE)
    world.firm.deliver()
    found = world.start(process)
    assert found.state == "failed"
    assert "4711" in world.step(found, "job").error
    del world.erp.refuse["P-0001"]
    world.firm.read(build.project_row(1, title="Once more"))
    world.firm.deliver()
    assert world.look(found).state == "done"


class TestPeople:
    def test_a_person_is_asked_and_the_answer_is_what_later_steps_see(self, world: World, ada: Any) -> None:
        world.firm.read(build.project_row(1))
        uses = {"name": "uses", "kind": "set", "values": {"card": "steps.rate.card"}}
        found = world.start(world.define(ASK, uses))
        assert found.state == "waiting"
        services.answer(world.step(found, "rate"), {"card": "DE"}, by=ada)
        assert world.look(found).state == "done"
        assert world.step(found, "uses").result == {"card": "DE"}
        assert world.step(found, "rate").answered_by == ada

    def test_an_answer_that_is_not_right_is_refused_by_name_and_the_second_of_two_as_well(
        self, world: World, ada: Any
    ) -> None:
        world.firm.read(build.project_row(1))
        found = world.start(world.define(ASK))
        with pytest.raises(ConfigError, match="Rate card is one of UK, DE"):
            services.answer(world.step(found, "rate"), {"card": "FR"}, by=ada)
        with pytest.raises(ConfigError, match="Rate card is missing"):
            services.answer(world.step(found, "rate"), {}, by=ada)
        services.answer(world.step(found, "rate"), {"card": "UK"}, by=ada)
        with pytest.raises(ConfigError, match="answered already"):
            services.answer(world.step(found, "rate"), {"card": "DE"}, by=ada)


class TestBranches:
    CHOOSE = {
        "name": "size", "kind": "branch",
        "choose": [{"when": "$number(record.budget) > 5000", "then": ["big"]}, {"then": ["small"]}],
    }  # fmt: skip
    REST = (
        {"name": "big", "kind": "set", "after": ["size"], "values": {"way": "'big'"}},
        {"name": "small", "kind": "set", "after": ["size"], "values": {"way": "'small'"}},
        {"name": "end", "kind": "set", "after": ["big", "small"], "values": {"end": "1"}},
    )

    @pytest.mark.parametrize(("budget", "taken", "left"), [("9000.00", "big", "small"), ("10.00", "small", "big")])
    def test_one_way_is_taken_and_both_meet_again(self, world: World, budget: str, taken: str, left: str) -> None:
        world.firm.read(build.project_row(1, budget=budget))
        found = world.start(world.define(self.CHOOSE, *self.REST))
        states = world.states(found)
        assert (states[taken], states[left], states["end"], found.state) == ("done", "skipped", "done", "done")

    def test_a_step_whose_condition_does_not_hold_is_skipped_and_so_is_what_hangs_on_it(self, world: World) -> None:
        world.firm.read(build.project_row(1))
        first = {"name": "a", "kind": "set", "when": "record.status = 'closed'", "values": {"x": "1"}}
        found = world.start(world.define(first, {"name": "b", "kind": "set", "values": {"y": "1"}}))
        assert (world.states(found), found.state) == ({"a": "skipped", "b": "skipped"}, "done")


class TestWaiting:
    def test_an_event_that_comes_after_the_step_began_ends_the_wait(self, world: World) -> None:
        world.firm.read(build.project_row(1), build.project_row(2, status="draft"))
        wait = {"name": "w", "kind": "wait", "event": "project.active", "subject": "'P-0002'"}
        found = world.start(world.define(wait))
        assert found.state == "waiting"
        world.firm.read(build.project_row(2))
        found = world.look(found)
        assert found.state == "done"
        assert world.step(found, "w").result["subject"] == "project/P-0002"

    def test_a_time_that_is_over_fails_or_goes_on_as_it_says(self, world: World) -> None:
        world.firm.read(build.project_row(1))
        wait = {"name": "w", "kind": "wait", "until": "record.status = 'closed'", "timeout_seconds": 3600}
        failing = world.start(world.define(wait))
        going = world.start(world.define({**wait, "on_timeout": "continue"}, slug="other", name="Other"))
        now = business_now()
        set_business_clock(now + timedelta(hours=2))
        try:
            assert (world.look(failing).state, world.look(going).state) == ("failed", "done")
        finally:
            set_business_clock(None)
        assert world.step(going, "w").result == {"timed_out": True}


class TestStarting:
    TRIGGER = ({"event": "project.active"},)

    def test_an_event_starts_it_once_in_the_transaction_in_which_it_happens(self, world: World) -> None:
        world.define(ASK, triggers=list(self.TRIGGER))
        world.firm.read(build.project_row(1), build.project_row(2, status="draft"))
        world.firm.read(build.project_row(1, title="Again"))
        assert [(i.key, i.trigger) for i in ProcessInstance.objects.all()] == [("P-0001", "project.active")]

    def test_one_that_lives_for_the_key_is_not_joined_by_another(self, world: World) -> None:
        process = world.define(ASK, triggers=list(self.TRIGGER))
        world.firm.read(build.project_row(1))
        world.firm.read(build.project_row(1, status="draft"))
        world.firm.read(build.project_row(1, status="active"))
        assert ProcessInstance.objects.count() == 1
        services.cancel(ProcessInstance.objects.get(), reason="Wrong", by=None, undo=False)
        assert world.start(process).pk != ProcessInstance.objects.earliest("pk").pk

    def test_only_events_that_meet_its_condition_start_it(self, world: World) -> None:
        world.define(ASK, triggers=[{"event": "project.active", "only_when": {"currency": ["USD"]}}])
        world.firm.read(build.project_row(1), build.project_row(2, currency="USD"))
        assert [i.key for i in ProcessInstance.objects.all()] == ["P-0002"]

    def test_the_same_cause_starts_it_once(self, world: World) -> None:
        world.firm.read(build.project_row(1))
        process = world.define(CHECK)
        first, again = (services.start(process, "P-0001", by=None, cause="order-17") for _ in range(2))
        world.look(first)
        assert first.pk == again.pk == services.start(process, "P-0001", by=None, cause="order-17").pk

    def test_a_schedule_starts_it_once_for_a_slot_that_was_missed(self, world: World) -> None:
        process = world.define({"name": "a", "kind": "set", "values": {"x": "1"}}, entity=None,
                               triggers=[{"cron": "0 * * * *"}])  # fmt: skip
        set_business_clock(business_now() + timedelta(hours=5))
        try:
            assert (starting.start_due(), starting.start_due()) == (1, 0)
        finally:
            set_business_clock(None)
        assert process.instances.count() == 1

    def test_nobody_starts_it_for_what_the_hub_does_not_have(self, world: World) -> None:
        with pytest.raises(ConfigError, match="There is no project 'P-9'"):
            services.start(world.define(CHECK), "P-9", by=None)

    def test_an_instance_keeps_the_version_that_it_began_with(self, world: World) -> None:
        world.firm.read(build.project_row(1))
        found = world.start(world.define(ASK))
        world.define(CHECK)
        found = world.look(found)
        assert (found.version.number, list(world.states(found))) == (1, ["rate"])


class TestActions:
    def test_it_writes_once_under_its_own_key(self, world: World) -> None:
        world.firm.read(build.project_row(1))
        found = world.start(world.define(ACTION))
        assert found.state == "done"
        assert world.written == [("P-0001", {"code": "P-0001", "text": "Opened by the hub"})]
        assert world.erp.writes[0].idempotency_key == str(world.step(found, "book").uid)

    def test_what_passes_is_tried_again_and_what_is_refused_is_not(self, world: World) -> None:
        world.firm.read(build.project_row(1))
        process = world.define(ACTION)
        world.erp.fail_with = [TransientError("Too busy.")]
        found = world.start(process)
        assert found.state == "failed"
        StepRun.objects.update(retry_at=Now())
        assert world.look(found).state == "done"
        world.erp.refuse["P-0002"] = PermanentError("No.")
        world.firm.read(build.project_row(2))
        refused = world.start(process, "P-0002")
        assert (world.look(refused).state, world.step(refused, "book").error) == ("failed", "No.")

    @pytest.mark.parametrize(("safety", "state"), [("A", "failed"), ("B", "failed"), ("C", "unsure"), ("D", "unsure")])
    def test_doubt_is_repeated_only_where_that_does_no_harm(self, world: World, safety: str, state: str) -> None:
        world.erp.safety = safety
        world.firm.read(build.project_row(1))
        process = world.define(ACTION)
        world.erp.fail_with = [UnknownOutcome("The connection broke.")]
        found = world.start(process)
        assert world.step(found, "book").state == state
        StepRun.objects.filter(retry_at__isnull=False).update(retry_at=Now())
        assert world.look(found).state == ("done" if safety in "AB" else "failed")

    @pytest.mark.parametrize("safety", ["A", "B", "C", "D"])
    def test_a_worker_that_falls_after_the_call_doubles_nothing(
        self, world: World, safety: str, monkeypatch: Any
    ) -> None:
        world.erp.safety = safety
        world.firm.read(build.project_row(1))
        process = world.define(ACTION)
        made = services.start(process, "P-0001", by=None)

        def fall(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(engine, "settle_call", fall)
            with pytest.raises(KeyboardInterrupt):
                engine.advance(made.pk)
        assert world.look(made).state == "waiting" or world.step(made, "book").state == "calling"
        StepRun.objects.update(lease_until=Now() - timedelta(seconds=1))
        found = world.look(made)
        keys = {write.idempotency_key for write in world.erp.writes}
        assert len(keys) == 1
        assert found.state == ("done" if safety in "AB" else "failed")
        assert len(world.erp.writes) == (2 if safety in "AB" else 1)

    def test_a_worker_that_falls_before_the_call_has_done_nothing_and_it_is_made(
        self, world: World, monkeypatch: Any
    ) -> None:
        world.erp.safety = "A"
        world.firm.read(build.project_row(1))
        made = services.start(world.define(ACTION), "P-0001", by=None)

        def fall(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(calling, "make", fall)
            with pytest.raises(KeyboardInterrupt):
                engine.advance(made.pk)
        StepRun.objects.update(lease_until=Now() - timedelta(seconds=1))
        assert world.look(made).state == "done"
        assert len(world.erp.writes) == 1

    def test_an_answer_that_comes_after_its_lease_was_taken_over_changes_nothing(self, world: World) -> None:
        world.erp.safety = "A"
        world.firm.read(build.project_row(1))
        found = world.start(world.define(ACTION))
        call = calling.Call("book", "erp-notes", "create", "P-0001", {}, None, "x")
        with transaction.atomic():
            engine.settle_call(found.pk, call, calling.Answer(error=PermanentError("Late.")), epoch=0)
        assert world.step(found, "book").state == "done"

    def test_a_person_says_that_it_is_there(self, world: World, ada: Any) -> None:
        world.erp.safety = "D"
        world.firm.read(build.project_row(1))
        process = world.define(ACTION)
        world.erp.fail_with = [UnknownOutcome("The connection broke.")]
        found = world.start(process)
        services.settle(world.step(found, "book"), reason="Found it at the ERP.", ref="4711", by=ada)
        assert world.look(found).state == "done"
        assert world.step(found, "book").result == {"ref": "4711"}


class TestEnding:
    UNDO = {**ACTION, "undo": {"operation": "update", "body": {"text": "'Taken back'"}}}

    def test_cancelling_takes_back_what_was_done_and_nothing_else_the_last_first(self, world: World, ada: Any) -> None:
        world.firm.read(build.project_row(1))
        second = {**self.UNDO, "name": "second", "key": "key & '-2'"}
        third = {**self.UNDO, "name": "third", "after": ["rate"]}
        found = world.start(world.define(self.UNDO, second, ASK, third))
        services.cancel(found, reason="The client left.", by=ada)
        services.cancel(found, reason="Twice.", by=ada)
        found = world.look(found)
        assert (found.state, found.note) == ("cancelled", "The client left.")
        assert world.states(found) == {"book": "undone", "second": "undone", "rate": "cancelled", "third": "cancelled"}
        assert [w.key for w in world.erp.writes[2:]] == ["P-0001-2", "P-0001"]
        assert [w.body for w in world.erp.writes[2:]] == [{"text": "Taken back"}] * 2

    def test_what_cannot_be_taken_back_by_itself_a_person_is_asked_to(self, world: World, ada: Any) -> None:
        world.firm.read(build.project_row(1))
        found = world.start(world.define({**ACTION, "undo_task": "Delete the note in the ERP."}, ASK))
        services.cancel(found, reason="Wrong client.", by=ada)
        assert world.look(found).state == "undoing"
        services.confirm_undone(world.step(found, "book"), by=ada)
        assert world.look(found).state == "cancelled"

    def test_from_a_step_on_it_is_done_again_and_what_was_before_stays(self, world: World, ada: Any) -> None:
        world.firm.read(build.project_row(1))
        found = world.start(
            world.define(CHECK, ASK, {"name": "last", "kind": "set", "values": {"c": "steps.rate.card"}})
        )
        services.answer(world.step(found, "rate"), {"card": "UK"}, by=ada)
        begun = world.step(found, "budget").ended_at
        services.retry(found, step="rate", by=ada)
        assert world.look(found).state == "waiting"
        services.answer(world.step(found, "rate"), {"card": "DE"}, by=ada)
        found = world.look(found)
        assert (found.state, world.step(found, "last").result) == ("done", {"c": "DE"})
        assert world.step(found, "budget").ended_at == begun

    def test_one_that_has_ended_is_not_retried(self, world: World, ada: Any) -> None:
        world.firm.read(build.project_row(1))
        found = world.start(world.define(CHECK))
        with pytest.raises(ConfigError, match="has ended"):
            services.retry(found, by=ada)

    def test_everything_that_happened_is_noted_in_order(self, world: World, ada: Any) -> None:
        world.firm.read(build.project_row(1))
        found = world.start(world.define(CHECK, ASK))
        services.answer(world.step(found, "rate"), {"card": "UK"}, by=ada)
        world.look(found)
        told = [(each.step, each.what, each.by) for each in ProcessNote.objects.all()]
        assert told == [
            ("", "started", None), ("budget", "done", None), ("rate", "answered", ada), ("", "done", None),
        ]  # fmt: skip


def test_two_workers_at_once_do_it_once(world: World) -> None:
    world.firm.read(build.project_row(1))
    made = services.start(world.define(ACTION), "P-0001", by=None)
    with transaction.atomic():
        assert engine.Work.take(made.pk) is not None
        from concurrent.futures import ThreadPoolExecutor

        def other() -> bool:
            from django.db import connection

            try:
                return engine.advance(made.pk)
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(other).result() is False
    assert world.look(made).state == "done"
    assert len(world.erp.writes) == 1
