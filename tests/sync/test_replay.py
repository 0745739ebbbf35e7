"""Replays: a plan that tells what go will do, each letter put once under its own key, doubt never sent blindly."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.models.functions import Now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.common.errors import ConfigError, PermanentError, TransientError, UnknownOutcome
from hub.sync import engine, history, sweeper
from hub.sync.models import Delivery, HeldRecord, Replay, ReplayItem, Run, Transaction
from hub.sync.outbox import NEVER
from hub.sync.replays import jobs, letters, outcomes, work
from hub.sync.replays.plan import Wanted, plan
from hub.sync.states import DeliveryState, HeldState, Outcome
from mappings.services import activate_rules
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)
Status = ReplayItem.Status


@pytest.fixture
def firm(domains):
    return worlds.make()


def kill(firm, *numbers, error=None, **changes):
    """The ERP refuses these projects for good."""
    firm.erp.refuse.update({f"P-{n:04d}": error or PermanentError("No such account.") for n in numbers})
    firm.read(*(build.project_row(n, **changes) for n in numbers))
    firm.deliver()


def wanted(text="", **more):
    return Wanted(letters.parse(text), **more)


def go(text="", *, by=None, **more):
    keep = {name: more.pop(name) for name in ("reason", "token", "expect") if name in more}
    return jobs.go(wanted(text, **more), by=by, **keep)


def finish(firm, replay):
    """What the workers and the tick would do: put, read what was released, deliver, look."""
    for _ in range(4):
        work.execute(replay.pk)
        sweeper.start_due_deliveries()
        for run in Run.objects.filter(status="queued"):
            engine.execute(run.pk)
    replay.refresh_from_db()
    return outcomes.counts(replay)


class TestOneJob:
    def test_dead_letters_are_sent_again_and_the_job_ends_when_they_have_arrived(self, firm, olga):
        kill(firm, 1, 2)
        firm.erp.refuse.clear()
        replay, made = go("state=dead", by=olga)
        assert made
        assert replay.planned == 2
        assert finish(firm, replay) == {"done": 2}
        assert replay.state == Replay.State.DONE
        assert sorted(firm.erp.targets["jobs"]) == ["P-0001", "P-0002"]

    def test_what_fails_again_is_told_apart(self, firm, olga):
        kill(firm, 1, 2)
        del firm.erp.refuse["P-0002"]
        replay, _ = go("state=dead", by=olga)
        assert finish(firm, replay) == {"done": 1, "failed": 1}
        assert replay.items.get(status=Status.FAILED).note == "PERMANENT"

    def test_a_replay_is_a_new_attempt_under_the_same_key(self, firm, olga):
        kill(firm, 1)
        first = firm.erp.writes[-1].idempotency_key
        firm.erp.refuse.clear()
        finish(firm, go("state=dead", by=olga)[0])
        assert [item.idempotency_key for item in firm.erp.writes] == [first, first]

    def test_a_second_click_is_the_same_job(self, firm, olga):
        kill(firm, 1)
        replay, _ = go("state=dead", by=olga)
        assert go("state=dead", by=olga) == (replay, False)
        assert go("state=dead", by=olga, versions="as_ran") == (replay, False)
        assert ReplayItem.objects.count() == 1

    def test_the_same_token_is_the_same_job_even_when_that_has_ended(self, firm, olga):
        kill(firm, 1)
        replay, _ = go("state=dead", by=olga, token="t-1")
        finish(firm, replay)
        assert go("sync=erp-jobs", by=olga, token="t-1") == (replay, False)

    def test_nothing_left_makes_no_job(self, firm, olga):
        assert go("state=dead", by=olga) == (None, False)

    def test_a_letter_stands_in_one_open_job_only(self, firm, olga):
        kill(firm, 1, 2)
        go("state=dead", by=olga)
        other, _ = go("sync=erp-jobs", by=olga)
        assert other.planned == 0

    def test_a_plan_that_has_changed_is_looked_at_again(self, firm, olga):
        kill(firm, 1, 2)
        with pytest.raises(ConfigError, match="2 now, not 1"):
            go("state=dead", by=olga, expect=1)
        assert not Replay.objects.exists()

    def test_it_stands_in_the_history_of_the_sync(self, firm, olga):
        kill(firm, 1)
        replay, _ = go("state=dead", by=olga)
        assert history.events_of(firm.outbound)[0]["title"] == f"{replay}, put again: 1"

    def test_a_cancelled_job_puts_nothing_more(self, firm, olga):
        kill(firm, 1)
        replay, _ = go("state=dead", by=olga)
        assert jobs.cancel(replay=replay, by=olga)
        assert not jobs.cancel(replay=replay, by=olga)
        assert finish(firm, replay) == {"skipped": 1}
        assert Delivery.objects.get().state == DeliveryState.DEAD
        assert replay.state == Replay.State.CANCELLED

    def test_what_was_put_before_a_cancel_is_still_followed(self, firm, olga):
        kill(firm, 1)
        firm.erp.refuse.clear()
        replay, _ = go("state=dead", by=olga)
        work.execute(replay.pk)
        jobs.cancel(replay=replay, by=olga)
        assert finish(firm, replay) == {"done": 1}
        assert replay.state == Replay.State.CANCELLED
        assert work.ring_open() == 0

    def test_a_paused_sync_keeps_what_was_put(self, firm, olga):
        kill(firm, 1)
        type(firm.outbound).objects.update(is_paused=True)
        replay, _ = go("state=dead", by=olga)
        assert finish(firm, replay) == {"put": 1}
        assert replay.state == Replay.State.RUNNING

    def test_what_was_settled_meanwhile_is_skipped(self, firm, olga):
        kill(firm, 1)
        replay, _ = go("state=dead", by=olga)
        Delivery.objects.update(state=DeliveryState.DELIVERED)
        assert finish(firm, replay) == {"skipped": 1}


class TestOrder:
    def test_a_version_that_came_after_the_letter_is_the_only_one_sent(self, firm, olga):
        kill(firm, 1)
        replay, _ = go("state=dead", by=olga)
        firm.erp.refuse.clear()
        firm.read(build.project_row(1, title="Newer"))
        before = len(firm.erp.writes)
        finish(firm, replay)
        assert [item.body["description"] for item in firm.erp.writes[before:]] == ["Newer"]

    def test_what_changes_while_it_is_put_ends_as_the_newest(self, firm, olga):
        kill(firm, 1, 2)
        firm.erp.refuse.clear()
        replay, _ = go("state=dead", by=olga)
        work.execute(replay.pk)
        firm.read(build.project_row(1, title="Newer"), build.project_row(2))
        finish(firm, replay)
        assert firm.erp.targets["jobs"]["P-0001"]["description"] == "Newer"
        assert [item.body["description"] for item in firm.erp.writes if item.key == "P-0001"][-1] == "Newer"

    def test_items_follow_the_order_in_which_a_run_works(self, firm, olga):
        kill(firm, *range(1, 8))
        replay, _ = go("state=dead", by=olga)
        found = list(replay.items.order_by("pk").values_list("record_id", flat=True))
        assert found == sorted(found)


class TestAWorkerThatIsKilled:
    def test_between_two_chunks_the_next_one_goes_on(self, firm, olga, monkeypatch):
        monkeypatch.setattr(work, "CHUNK", 2)
        kill(firm, *range(1, 6))
        firm.erp.refuse.clear()
        replay, _ = go("state=dead", by=olga)
        claimed = work._claim(replay.pk)
        assert work.put_chunk(claimed)
        assert outcomes.counts(replay) == {"planned": 3, "put": 2}
        Replay.objects.update(lease_until="2020-01-01T00:00Z")
        assert finish(firm, replay) == {"done": 5}
        keys = [item.key for item in firm.erp.writes[5:]]
        assert sorted(keys) == sorted(set(keys))

    def test_who_comes_back_after_the_lease_writes_nothing(self, firm, olga):
        kill(firm, 1)
        replay, _ = go("state=dead", by=olga)
        frozen = work._claim(replay.pk)
        Replay.objects.update(lease_until="2020-01-01T00:00Z")
        assert work.execute(replay.pk) is not None
        with pytest.raises(work.LostLease):
            work.put_chunk(frozen)

    def test_the_tick_rings_for_a_job_that_nobody_works_on(self, firm, olga, monkeypatch):
        rung = []
        kill(firm, 1)
        replay, _ = go("state=dead", by=olga)
        monkeypatch.setattr("hub.sync.bell.ring_replay", rung.append)
        sweeper.tick()
        assert rung == [replay.pk]


class TestDoubt:
    def lose(self, firm, safety, **more):
        firm.erp.safety, firm.erp.settle_seconds = safety, more.get("settle", 0.0)
        firm.read(build.project_row(1))
        firm.erp.fail_with = [UnknownOutcome("The connection broke after the request was sent.")]
        firm.deliver()
        assert Delivery.objects.get().state == DeliveryState.UNSURE

    @pytest.mark.parametrize("text", ["", "state=unsure", "sync=erp-jobs"])
    def test_class_d_is_left_to_a_person_whatever_the_filter_says(self, firm, olga, text):
        self.lose(firm, "D")
        found = plan(wanted(text), by=olga)
        assert (found.number, found.left) == (0, 1)
        assert go(text, by=olga) == (None, False)
        assert not firm.erp.writes

    @pytest.mark.parametrize("arrived", [True, False])
    def test_class_c_is_asked_and_sent_only_when_it_is_missing(self, firm, olga, arrived):
        self.lose(firm, "C")
        Delivery.objects.update(next_at=NEVER)
        if arrived:
            firm.erp.targets["jobs"] = {"P-0001": {"number": "P-0001", "description": "Project 1", "amount": "1000.00"}}
        assert plan(wanted(), by=olga).by_act == {"ask": 1}
        assert finish(firm, go(by=olga)[0]) == {"done": 1}
        assert len(firm.erp.writes) == (0 if arrived else 1)

    def test_class_c_is_never_asked_before_it_has_settled(self, firm, olga):
        self.lose(firm, "C", settle=3600.0)
        Delivery.objects.update(next_at=NEVER)
        replay, _ = go(by=olga)
        assert finish(firm, replay) == {"put": 1}
        assert not firm.erp.writes
        due_in = "select extract(epoch from next_at - now()) > 3500 from sync_delivery"
        with connection.cursor() as cursor:
            cursor.execute(due_in)
            assert cursor.fetchone() == (True,)

    def test_a_doubt_of_a_target_that_was_harmless_once_is_left(self, firm, olga):
        kill(firm, 1, error=UnknownOutcome("Lost."))
        Delivery.objects.update(state=DeliveryState.DEAD)
        firm.erp.safety = "D"
        assert plan(wanted(), by=olga).by_act == {"leave": 1}

    def test_class_a_is_not_sent_under_another_key_after_a_lost_answer(self, firm, olga):
        firm.erp.safety = "A"
        kill(firm, 1, error=UnknownOutcome("Lost."))
        Delivery.objects.update(state=DeliveryState.DEAD)
        assert plan(wanted(), by=olga).by_act == {"send": 1}
        other = [*build.OUT_RULES, {"target": "state", "source": "status"}]
        activate_rules(mapping=firm.outbound.mapping, rules=other, by=None)
        assert plan(wanted(), by=olga).by_act == {"leave": 1}
        assert plan(wanted(versions="as_ran"), by=olga).by_act == {"send": 1}

    def test_what_was_sent_again_and_is_in_doubt_now_has_failed(self, firm, olga):
        firm.erp.safety = "D"
        kill(firm, 1)
        firm.erp.refuse.clear()
        replay, _ = go("state=dead", by=olga)
        firm.erp.fail_with = [UnknownOutcome("Lost.")]
        assert finish(firm, replay) == {"failed": 1}
        assert Delivery.objects.get().state == DeliveryState.UNSURE


class TestVersions:
    @pytest.fixture
    def moved_on(self, firm):
        """Killed by the old mapping's target; the new mapping sends a status as well."""
        kill(firm, 1, 2)
        firm.erp.refuse.clear()
        other = [*build.OUT_RULES, {"target": "state", "source": "status"}]
        activate_rules(mapping=firm.outbound.mapping, rules=other, by=None)
        return firm

    def test_current_maps_with_what_is_active_now(self, moved_on, olga):
        finish(moved_on, go("state=dead", by=olga)[0])
        assert moved_on.erp.writes[-1].body["state"] == "active"

    def test_as_it_ran_maps_with_what_it_ran_with(self, moved_on, olga):
        finish(moved_on, go("state=dead", by=olga, versions="as_ran")[0])
        assert "state" not in moved_on.erp.writes[-1].body
        row = Transaction.objects.filter(sync_id=moved_on.outbound.pk, outcome=Outcome.CREATED).last()
        with connection.cursor() as cursor:
            cursor.execute("select mapping_version_id from sync_batch where id = %s", [row.batch_id])
            assert cursor.fetchone()[0] == moved_on.outbound.mapping.versions.order_by("number").first().pk

    def test_both_in_one_queue_keep_their_own(self, moved_on, olga):
        finish(moved_on, go("text=P-0001", by=olga, versions="as_ran")[0])
        finish(moved_on, go("text=P-0002", by=olga)[0])
        bodies = {item.key: item.body for item in moved_on.erp.writes[2:]}
        assert "state" not in bodies["P-0001"]
        assert bodies["P-0002"]["state"] == "active"

    def test_a_newer_version_of_the_record_is_not_pinned(self, moved_on, olga):
        go("state=dead", by=olga, versions="as_ran")
        moved_on.read(build.project_row(1, title="Newer"), build.project_row(2))
        moved_on.deliver()
        assert moved_on.erp.targets["jobs"]["P-0001"]["state"] == "active"

    def test_a_later_replay_ends_the_pin_of_an_earlier_one(self, moved_on, olga):
        moved_on.erp.refuse["P-0001"] = PermanentError("Still closed.")
        replay, _ = go("text=P-0001", by=olga, versions="as_ran")
        work.execute(replay.pk)
        moved_on.deliver()
        moved_on.erp.refuse.clear()
        later, _ = go("sync=erp-jobs", by=olga)
        finish(moved_on, later)
        assert moved_on.erp.targets["jobs"]["P-0001"]["state"] == "active"
        assert outcomes.counts(replay) == {"skipped": 1}

    def test_a_held_record_is_read_with_either(self, firm, olga):
        firm.hold_one()
        rules = [r if r["target"] != "currency" else {"target": "currency", "kind": "constant", "value": "EUR"}
                 for r in build.PROJECT_RULES]  # fmt: skip
        activate_rules(mapping=firm.inbound.mapping, rules=rules, by=None)
        replay, _ = go("leg=in", by=olga, versions="as_ran")
        assert finish(firm, replay) == {"failed": 1}
        replay, _ = go("leg=in", by=olga)
        assert finish(firm, replay) == {"done": 1}
        assert not HeldRecord.objects.exists()


class TestFromTheStart:
    def test_the_source_is_mapped_again_before_it_is_sent(self, firm, olga):
        kill(firm, 1)
        firm.erp.refuse.clear()
        rules = [r if r["target"] != "name" else {"target": "name", "kind": "constant", "value": "Corrected"}
                 for r in build.PROJECT_RULES]  # fmt: skip
        activate_rules(mapping=firm.inbound.mapping, rules=rules, by=None)
        replay, _ = go("state=dead", by=olga, scope="start")
        assert finish(firm, replay) == {"done": 1}
        assert firm.erp.targets["jobs"]["P-0001"]["description"] == "Corrected"

    def test_what_does_not_pass_any_more_fails_there_and_is_not_sent(self, firm, olga):
        kill(firm, 1)
        firm.erp.refuse.clear()
        rules = [r if r["target"] != "currency" else {"target": "currency", "kind": "constant", "value": "euro"}
                 for r in build.PROJECT_RULES]  # fmt: skip
        activate_rules(mapping=firm.inbound.mapping, rules=rules, by=None)
        before = len(firm.erp.writes)
        replay, _ = go("state=dead", by=olga, scope="start")
        assert finish(firm, replay) == {"failed": 1}
        assert HeldRecord.objects.get().state == HeldState.QUARANTINED
        assert len(firm.erp.writes) == before

    def test_an_old_reading_never_replaces_a_newer_one(self, firm, olga):
        kill(firm, 1)
        Delivery.objects.update(cause_id=Delivery.objects.get().cause_id)
        firm.read(build.project_row(1, title="Newer"))
        firm.deliver()
        first = Transaction.objects.filter(sync_id=firm.inbound.pk).earliest("pk")
        Delivery.objects.update(cause_id=first.pk)
        firm.erp.refuse.clear()
        replay, _ = go("state=dead", by=olga, scope="start")
        assert finish(firm, replay) == {"done": 1}
        assert firm.erp.targets["jobs"]["P-0001"]["description"] == "Newer"


class TestRecover:
    def test_needs_a_moment(self, firm):
        with pytest.raises(ConfigError, match="since when"):
            wanted(action="recover")

    def test_failed_pages_are_read_again_and_letters_are_put(self, firm, olga):
        kill(firm, 1)
        firm.erp.refuse.clear()
        firm.psa.fail_with = [PermanentError("The export is broken.")]
        firm.read(build.project_row(1), build.project_row(2))
        assert Run.objects.filter(sync=firm.inbound).latest("pk").status == "failed"
        found = plan(wanted("since=1h", action="recover"), by=olga)
        assert (found.number, len(found.runs)) == (2, 1)
        assert finish(firm, go("since=1h", by=olga, action="recover")[0]) == {"done": 2}
        assert sorted(firm.erp.targets["jobs"]) == ["P-0001", "P-0002"]

    def test_what_failed_before_stays(self, firm, olga):
        kill(firm, 1)
        Delivery.objects.update(next_at="2020-01-01T00:00Z")
        assert plan(wanted("since=1h", action="recover"), by=olga).number == 0

    def test_a_failure_that_was_made_good_is_not_read_again(self, firm, olga):
        firm.psa.fail_with = [PermanentError("The export is broken.")]
        firm.read(build.project_row(1))
        firm.read(build.project_row(1))
        assert plan(wanted("since=1h", action="recover"), by=olga).runs == []


class TestDiscard:
    def test_each_stands_in_the_ledger_with_the_reason(self, firm, olga):
        kill(firm, 1)
        firm.hold_one()
        replay, _ = go(by=olga, action="discard", reason="Entered by hand")
        assert finish(firm, replay) == {"done": 2}
        rows = Transaction.objects.filter(outcome=Outcome.DISCARDED, run_id=0)
        assert {row.error_detail for row in rows} == {f"Discarded by Olga ({replay}): Entered by hand"}
        assert rows.count() == 2
        assert Delivery.objects.get(record__key="P-0001").state == DeliveryState.DISCARDED
        assert not HeldRecord.objects.exists()

    def test_needs_a_reason(self, firm, olga):
        kill(firm, 1)
        with pytest.raises(ConfigError, match="Say why"):
            go(by=olga, action="discard", reason=" ")

    def test_what_is_on_its_way_is_left(self, firm, olga):
        kill(firm, 1, error=TransientError("Down."))
        assert plan(wanted(action="discard"), by=olga).by_act == {"leave": 1}


class TestASecondPerson:
    @pytest.fixture
    def large(self, firm, settings):
        settings.HUB_REPLAY_RECORDS = 2
        kill(firm, 1, 2, 3)
        firm.erp.refuse.clear()
        return firm

    def test_a_large_replay_waits_for_somebody_else(self, large, olga, grace):
        replay, _ = go("state=dead", by=olga)
        assert replay.state == Replay.State.NEEDS_APPROVAL
        assert work.execute(replay.pk) is None
        with pytest.raises(ConfigError, match="of their own"):
            jobs.approve(replay=replay, by=olga)
        assert jobs.approve(replay=replay, by=grace)
        assert not jobs.approve(replay=replay, by=grace)
        assert finish(large, replay) == {"done": 3}

    def test_many_small_ones_count_together(self, large, olga):
        for text in ("text=P-0001", "text=P-0002"):
            assert go(text, by=olga)[0].state == Replay.State.RUNNING
        assert go("text=P-0003", by=olga)[0].state == Replay.State.NEEDS_APPROVAL

    def test_amounts_count_by_currency(self, firm, settings, olga):
        settings.HUB_REPLAY_AMOUNT = 1500
        kill(firm, 1)
        assert not plan(wanted(), by=olga).approval
        kill(firm, 1, 2)
        assert "EUR" in plan(wanted(), by=olga).approval


class TestFilters:
    @pytest.mark.parametrize(
        "text", ["state=odd", "sync=nowhere", "since=soon", "amount=much", "odd=1", "plain", "class=x"]
    )
    def test_what_is_not_understood_is_refused_and_never_widens(self, firm, text):
        with pytest.raises(ConfigError):
            letters.parse(text)

    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("", ["2", "P-0001"]),
            ("leg=in", ["2"]),
            ("state=dead,unsure", ["P-0001"]),
            ("system=erp", ["P-0001"]),
            ("connection=psa", ["2"]),
            ("class=record", ["2", "P-0001"]),
            ("class=system", []),
            ("code=PERMANENT", ["P-0001"]),
            ("field=currency", ["2"]),
            ("amount=1000.01", []),
            ("amount=>=1000", ["2", "P-0001"]),
            ("text=P-0001", ["P-0001"]),
            ('text="No such account"', ["P-0001"]),
            ("since=1h", ["2", "P-0001"]),
        ],
    )
    def test_each_word_narrows(self, firm, text, names):
        firm.erp.refuse["P-0001"] = PermanentError("No such account.")
        firm.hold_one()
        firm.deliver()
        found = letters.parse(text).rows(None).order_by("name")
        assert [letter.name for letter in found] == names

    def test_other_syncs_do_not_exist_for_a_person(self, firm):
        kill(firm, 1)
        assert not letters.parse("").rows([firm.inbound.pk]).exists()


STATES = st.sampled_from(["dead", "held", "waiting", "unsure", "retrying", "delivered"])
CODES = st.sampled_from(["PERMANENT", "UNSURE", "TRANSIENT", None])


class TestThePlanTellsTheTruth:
    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        rows=st.lists(st.tuples(STATES, CODES, st.integers(1, 3)), min_size=1, max_size=12),
        safety=st.sampled_from("ABCD"),
        action=st.sampled_from(["retry", "discard"]),
        text=st.sampled_from(["", "state=dead", "state=unsure,held", "class=doubt", "class=record"]),
    )
    def test_go_does_what_the_plan_has_counted(self, firm, olga, rows, safety, action, text):
        self.lay(firm, rows)
        firm.erp.safety = safety
        asked = wanted(text, action=action)
        seen = plan(asked, by=olga)
        replay, _ = jobs.go(asked, by=olga, reason="Test")
        if replay is None:
            assert seen.number == 0
            return
        assert (replay.planned, replay.left) == (seen.number, seen.left)
        work.execute(replay.pk)
        counts = outcomes.counts(replay)
        assert counts.pop("left", 0) == seen.left
        assert "skipped" not in counts
        assert sum(counts.values()) == seen.number
        assert sum(seen.by_state.values()) == sum(seen.by_sync.values()) == seen.number + seen.left

    def lay(self, firm, rows):
        """Deliveries in these states, whatever happened before."""
        ReplayItem.objects.all().delete()
        Replay.objects.all().delete()
        firm.read(*(build.project_row(n) for n in range(12)))
        for delivery, row in zip(Delivery.objects.order_by("record_id"), [*rows, *[None] * 12], strict=False):
            state, code, attempts = row or ("delivered", None, 0)
            Delivery.objects.filter(record_id=delivery.record_id).update(
                state=DeliveryState.PENDING if state == "retrying" else DeliveryState[state.upper()],
                error_code=code,
                attempts=attempts,
                failing_since=Now() if state == "retrying" else None,
                next_at=NEVER if state == "unsure" else delivery.next_at,
            )
