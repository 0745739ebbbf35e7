"""Jobs over many exceptions: fixed when made, made once, carried out once whatever happens to the worker, taken back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.db.models.functions import Now
from django.utils import timezone

from governance.models import AuditEntry
from hub.common.errors import ConfigError, PermanentError
from hub.sync.models import Delivery, HeldRecord, Replay
from monitoring.exceptions import acts, choosing, jobs, sending, work
from monitoring.models import ExceptionEvent, ExceptionItem, ExceptionJob, ExceptionJobItem
from tests.exception_acts import builders as build
from tests.sync import builders as rows

pytestmark = pytest.mark.django_db(transaction=True)
Status = ExceptionJobItem.Status


def choice(user=None, **asked):
    return choosing.of({key: str(value) for key, value in asked.items()}, user=user)


def start(action, given=None, *, by=None, asked=None, **more):
    return jobs.start(choice(by, **(asked or {})), action, given, by=by, **more)


class TestOneJob:
    def test_it_does_the_act_on_all_that_match_and_on_nothing_else(self, ada, finn):
        build.items(3, client="Acme")
        other = build.item(client="Beta")
        job, made = start("assign", {"assignee": finn.pk}, by=ada, asked={"client": "Acme"})
        assert made
        assert build.finish(job) == {"done": 3}
        assert job.state == "done"
        assert ExceptionItem.objects.filter(assignee=finn).count() == 3
        other.refresh_from_db()
        assert other.assignee is None

    def test_it_is_one_act_of_the_audit_and_an_event_of_each_item(self, ada, finn, domains):
        build.items(3)
        job, _ = start("assign", {"assignee": finn.pk}, by=ada)
        build.finish(job)
        assert AuditEntry.objects.filter(act="exception_job.started", name=str(job.pk)).count() == 1
        assert ExceptionEvent.objects.filter(act="assigned", by=ada).count() == 3

    def test_a_second_click_is_the_same_job(self, ada, finn, domains):
        build.items(2)
        first = start("assign", {"assignee": finn.pk}, by=ada)
        assert start("assign", {"assignee": finn.pk}, by=ada) == (first[0], False)
        assert ExceptionJobItem.objects.count() == 2

    def test_the_same_token_is_the_same_job_even_when_that_has_ended(self, ada, finn, domains):
        build.items(2)
        job, _ = start("tag", {"add": "close"}, by=ada, token="t-1")
        build.finish(job)
        assert start("tag", {"add": "other"}, by=ada, token="t-1") == (job, False)

    def test_what_comes_after_it_was_made_is_not_in_it(self, ada, domains):
        build.item()
        job, _ = start("tag", {"add": "close"}, by=ada)
        late = build.item()
        build.finish(job)
        late.refresh_from_db()
        assert late.tags == []

    def test_nothing_that_matches_makes_no_job(self, ada, domains):
        assert start("tag", {"add": "close"}, by=ada) == (None, False)
        assert not ExceptionJob.objects.exists()

    def test_another_number_than_was_seen_is_looked_at_again(self, ada, domains):
        build.items(2)
        with pytest.raises(ConfigError, match="2 now, not 3"):
            start("tag", {"add": "close"}, by=ada, expect=3)
        assert not ExceptionJob.objects.exists()

    def test_it_takes_only_what_the_person_may_resolve(self, make_person, domains):
        otto = make_person("Otto", ("finance", "billing-gl"))
        mine = build.item(domain=domains["billing-gl"])
        build.item()
        build.item(domain=None)
        job, _ = start("tag", {"add": "close"}, by=otto)
        assert list(job.items.values_list("item", flat=True)) == [mine.pk]
        assert list(jobs.jobs_for(otto, "exceptions.view")) == [job]

    def test_nobody_sees_a_job_over_domains_that_are_not_theirs(self, make_person, ada, domains):
        otto = make_person("Otto", ("finance", "billing-gl"))
        build.item(domain=domains["billing-gl"])
        build.item()
        start("tag", {"add": "close"}, by=ada)
        assert not jobs.jobs_for(otto, "exceptions.view").exists()

    def test_a_filter_that_is_not_understood_takes_nothing(self, domains):
        with pytest.raises(ConfigError, match="no filter 'clinet'"):
            choice(clinet="Acme")


class TestUndo:
    def test_it_puts_back_what_was_before(self, ada, finn, grace, domains):
        one = build.item(assignee=grace, team="Billing", tags=["vat"])
        job, _ = start("assign", {"assignee": finn.pk}, by=ada)
        build.finish(job)
        undone = jobs.undo(job=job, by=ada)
        assert build.finish(undone) == {"done": 1}
        one.refresh_from_db()
        assert (one.assignee, one.team, one.tags) == (grace, "Billing", ["vat"])
        assert one.events.last().act == "undone"

    def test_it_leaves_alone_what_somebody_has_changed_since(self, ada, finn, grace, domains):
        one, two = build.items(2)
        job, _ = start("assign", {"assignee": finn.pk}, by=ada)
        build.finish(job)
        acts.assign(item=one, assignee=grace, by=grace)
        assert build.finish(jobs.undo(job=job, by=ada)) == {"done": 1, "skipped": 1}
        one.refresh_from_db()
        two.refresh_from_db()
        assert (one.assignee, two.assignee) == (grace, None)

    def test_twice_is_once(self, ada, domains):
        build.item()
        job, _ = start("tag", {"add": "close"}, by=ada)
        build.finish(job)
        assert jobs.undo(job=job, by=ada) == jobs.undo(job=job, by=ada)

    def test_a_snooze_and_a_wake_are_taken_back_with_what_they_wait_for(self, ada, domains):
        one = build.item()
        acts.act(item=one, action="snooze", given={"until": "growth"}, by=ada)
        job, _ = start("wake", by=ada)
        build.finish(job)
        build.finish(jobs.undo(job=job, by=ada))
        one.refresh_from_db()
        assert (one.state, one.snooze.until, one.snooze.threshold) == ("snoozed", "growth", 2)

    def test_after_five_minutes_it_is_too_late(self, ada, domains):
        build.item()
        job, _ = start("tag", {"add": "close"}, by=ada)
        build.finish(job)
        ExceptionJob.objects.update(created_at=timezone.now() - timedelta(minutes=6))
        job.refresh_from_db()
        with pytest.raises(ConfigError, match="five minutes"):
            jobs.undo(job=job, by=ada)

    def test_what_left_the_hub_is_not_taken_back(self, ada, domains):
        build.item()
        job, _ = start("settle", by=ada, reason="Booked by hand.")
        build.finish(job)
        with pytest.raises(ConfigError, match="cannot be taken back"):
            jobs.undo(job=job, by=ada)


class TestRetry:
    def kill(self, firm, *numbers):
        firm.erp.refuse.update({f"P-{n:04d}": PermanentError("No such account.") for n in numbers})
        firm.read(*(rows.project_row(n) for n in numbers))
        firm.deliver()
        return build.of_deliveries()

    def test_what_passes_is_resolved_with_its_evidence(self, firm, finn):
        items = self.kill(firm, 1, 2)
        firm.erp.refuse.clear()
        job, _ = start("retry", by=finn)
        assert build.finish(job) == {"done": 2}
        for item in items:
            item.refresh_from_db()
            assert (item.state, item.resolution) == ("resolved", "passed")
            assert item.evidence_id is not None
            assert [event.act for event in item.events.all()] == ["retried", "passed"]
        items[0].group.refresh_from_db()
        assert items[0].group.open_items == 0

    def test_what_fails_again_is_open_with_the_new_reason(self, firm, finn):
        _, two = self.kill(firm, 1, 2)
        firm.erp.refuse = {"P-0002": PermanentError("The project is closed.")}
        job, _ = start("retry", by=finn)
        assert build.finish(job) == {"done": 1, "failed": 1}
        two.refresh_from_db()
        assert two.state == "open"
        assert two.events.last().act == "failed_again"
        assert "The project is closed." in two.events.last().text
        assert "The project is closed." in job.items.get(item=two).note

    def test_only_what_failed_is_retried_again(self, firm, finn):
        self.kill(firm, 1, 2)
        firm.erp.refuse = {"P-0002": PermanentError("The project is closed.")}
        job, _ = start("retry", by=finn)
        build.finish(job)
        firm.erp.refuse.clear()
        again, made = jobs.retry_failed(job=job, by=finn)
        assert made
        assert build.finish(again) == {"done": 1}
        assert jobs.retry_failed(job=job, by=finn) == (None, False)

    def test_it_goes_under_the_key_that_it_always_had(self, firm, finn):
        self.kill(firm, 1)
        first = firm.erp.writes[-1].idempotency_key
        firm.erp.refuse.clear()
        build.finish(start("retry", by=finn)[0])
        assert [write.idempotency_key for write in firm.erp.writes] == [first, first]

    def test_what_may_have_arrived_is_left_to_a_person(self, firm, finn):
        firm.lose_one()
        (item,) = build.of_deliveries()
        job, _ = start("retry", by=finn)
        assert build.finish(job) == {"left": 1}
        item.refresh_from_db()
        assert item.state == "open"
        assert len(firm.erp.writes) == 0

    def test_a_gap_has_nothing_to_be_sent_again(self, finn, domains):
        item = build.item()
        job, _ = start("retry", by=finn)
        assert build.finish(job) == {"left": 1}
        item.refresh_from_db()
        assert item.state == "open"

    def test_a_held_record_takes_the_whole_way_again(self, firm, finn):
        firm.hold_one()
        (item,) = build.of_held()
        HeldRecord.objects.update(body=rows.project_row(2))
        job, _ = start("retry", by=finn)
        assert build.finish(job) == {"done": 1}
        item.refresh_from_db()
        assert (item.state, item.evidence_id is not None) == ("resolved", True)

    def test_settling_by_hand_drops_what_would_otherwise_come_later(self, firm, finn):
        self.kill(firm, 1)
        job, _ = start("settle", by=finn, reason="Booked by hand in the ERP.")
        assert build.finish(job) == {"done": 1}
        item = ExceptionItem.objects.get()
        assert (item.state, item.resolution, item.resolved_by) == ("resolved", "by_hand", finn)
        assert Delivery.objects.get().get_state_display() == "Discarded"

    def test_settling_needs_a_reason(self, finn, domains):
        build.item()
        with pytest.raises(ConfigError, match="Say how"):
            start("settle", by=finn, reason=" ")

    def test_a_cancelled_job_puts_nothing_and_leaves_everything_open(self, firm, finn):
        self.kill(firm, 1)
        job, _ = start("retry", by=finn)
        assert jobs.cancel(job=job, by=finn)
        assert not jobs.cancel(job=job, by=finn)
        assert build.finish(job) == {"skipped": 1}
        assert ExceptionItem.objects.get().state == "open"
        assert Replay.objects.count() == 0


class TestAWorkerFalls:
    def test_another_one_finishes_and_everything_is_done_once(self, finn, monkeypatch, domains):
        monkeypatch.setattr(work, "CHUNK", 2)
        build.items(5)
        job, _ = start("comment", {"text": "Asked the client."}, by=finn)
        done = []

        def fall(*_):
            done.append(1)
            if len(done) == 3:
                raise KeyboardInterrupt
            return original(*_)

        original = work._act
        monkeypatch.setattr(work, "_act", fall)
        with pytest.raises(KeyboardInterrupt):
            work.execute(job.pk)
        assert work.execute(job.pk) is None  # the lease of the fallen one lasts
        ExceptionJob.objects.update(lease_until=Now())
        assert build.finish(job) == {"done": 5}
        assert ExceptionEvent.objects.filter(act="commented").count() == 5

    def test_a_retry_is_put_by_one_replay(self, firm, finn, monkeypatch):
        TestRetry().kill(firm, 1, 2)
        firm.erp.refuse.clear()
        job, _ = start("retry", by=finn)
        original = sending._without_letter

        def fall(_):
            raise KeyboardInterrupt

        monkeypatch.setattr(sending, "_without_letter", fall)
        with pytest.raises(KeyboardInterrupt):
            work.execute(job.pk)
        monkeypatch.setattr(sending, "_without_letter", original)
        ExceptionJob.objects.update(lease_until=Now())
        assert build.finish(job) == {"done": 2}
        assert Replay.objects.count() == 1
        assert len(firm.erp.writes) == 4

    def test_a_worker_that_was_overtaken_writes_nothing(self, finn, domains):
        build.item()
        job, _ = start("tag", {"add": "close"}, by=finn)
        slow = work._claim(job.pk)
        ExceptionJob.objects.update(epoch=job.epoch + 5)
        with pytest.raises(work.LostLease):
            work._do_chunk(slow)
        assert ExceptionItem.objects.get().tags == []

    def test_one_that_cannot_be_changed_keeps_no_other_from_it(self, finn, monkeypatch, domains):
        bad, good = build.items(2)
        original = acts.carry_out

        def refuse(action, ids, *args, **more):
            if bad.pk in ids:
                raise DatabaseError("no")
            return original(action, ids, *args, **more)

        monkeypatch.setattr(acts, "carry_out", refuse)
        job, _ = start("tag", {"add": "close"}, by=finn)
        assert build.finish(job) == {"done": 1, "failed": 1}
        assert "could not do it: no" in job.items.get(item=bad).note
        good.refresh_from_db()
        assert good.tags == ["close"]

    def test_a_job_that_the_hub_cannot_do_ends_and_says_why(self, firm, finn, monkeypatch):
        TestRetry().kill(firm, 1)

        def refuse(*_, **__):
            raise ConfigError("The setup is wrong.")

        monkeypatch.setattr(sending.replays, "go", refuse)
        job, _ = start("retry", by=finn)
        assert build.finish(job) == {"skipped": 1}
        assert (job.state, job.error) == ("failed", "The setup is wrong.")
        assert ExceptionItem.objects.get().state == "open"
