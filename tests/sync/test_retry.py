"""When a delivery is tried again, and when that ends: by attempts, by age, and never by what a busy system asks for."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from hypothesis import given
from hypothesis import strategies as st

from connectors import circuits, pace
from connectors.models import Connection, Pace
from connectors.retry_policy import policy_of
from hub.common.errors import PermanentError, TransientError
from hub.sync import engine, services, sweeper, trouble
from hub.sync.keys import delivery_key
from hub.sync.models import Delivery, Run, Suspect, Sync, Transaction
from hub.sync.retry import SHORTEST_PAUSE_SECONDS, Ladder
from hub.sync.states import DeliveryState, Outcome
from tests.sync import builders as build
from tests.sync import worlds

DAY = timedelta(days=1)


def ladder(**stored):
    policy = policy_of(stored)
    return Ladder(policy, policy.attempts)


class TestTheLadder:
    @given(st.integers(1, 100), st.integers())
    def test_the_wait_is_drawn_from_nothing_to_the_rung(self, attempt, seed):
        found = ladder(base_seconds=1, cap_seconds=60)
        wait = found.delay_seconds(attempt, TransientError("Down."), jitter=random.Random(seed))
        assert 0 <= wait <= found.policy.rungs.ceiling(attempt) <= 60

    @pytest.mark.parametrize(("asked", "wait"), [(0, SHORTEST_PAUSE_SECONDS), (30, 30), (86400, 3600)])
    def test_what_a_system_asks_for_wins_up_to_the_cap(self, asked, wait):
        assert ladder().delay_seconds(1, TransientError("Busy.", retry_after=asked)) == wait

    def test_a_kind_of_failure_has_rungs_of_its_own(self):
        found = ladder(conflict={"base_seconds": 0.1, "factor": 1})
        waits = [found.delay_seconds(8, TransientError("Locked.", code="LOCKED")) for _ in range(50)]
        assert max(waits) <= 0.1

    @pytest.mark.parametrize(
        ("attempt", "error", "failing", "over"),
        [
            (2, TransientError("Down."), None, ""),
            (3, TransientError("Down."), 60, "Given up after 3 attempts."),
            (3, TransientError("Busy.", retry_after=5), 60, ""),
            (1, TransientError("Busy.", retry_after=5), 7200, "Given up, because it has failed for 2 h 00 m."),
        ],
    )
    def test_it_ends_by_attempts_or_by_age(self, attempt, error, failing, over):
        assert ladder(attempts=3, max_age_seconds=3600).why_given_up(attempt, error, failing) == over


@pytest.fixture
def firm(domains):
    return worlds.make()


def erp(firm, **changes):
    Connection.objects.filter(pk=firm.outbound.stream.connection_id).update(**changes)
    firm.outbound = Sync.objects.get(pk=firm.outbound.pk)


def fail(firm, error):
    """One more attempt, which fails; a busy system is asked before the moment that it named."""
    Delivery.objects.update(next_at=Now())
    Pace.objects.all().delete()
    firm.erp.fail_with = [error]
    sweeper.start_due_deliveries()
    firm.deliver()
    firm.erp.fail_with = []
    return Delivery.objects.get()


@pytest.mark.django_db(transaction=True)
class TestADelivery:
    def test_the_connection_says_how_many_attempts(self, firm):
        erp(firm, retry={"attempts": 2}, failure_limit=100)
        firm.erp.refuse["P-0001"] = TransientError("Down.")
        firm.read(build.project_row(1), build.project_row(2))
        firm.deliver()
        Delivery.objects.update(next_at=Now())
        firm.read(build.project_row(1), build.project_row(2, title="Passes again"))
        firm.deliver()
        dead = Delivery.objects.get(state=DeliveryState.DEAD)
        assert (dead.attempts, dead.error_detail) == (2, "Down. Given up after 2 attempts.")
        assert Transaction.objects.get(outcome=Outcome.DEAD).error_detail == dead.error_detail

    def test_a_sync_has_its_own_number_where_it_says_one(self, firm):
        erp(firm, retry={"attempts": 2})
        assert Ladder.of(firm.outbound).attempts == 2
        firm.outbound.max_attempts = 5
        assert Ladder.of(firm.outbound).attempts == 5

    def test_a_busy_system_burns_no_attempt_and_its_age_ends_it(self, firm):
        erp(firm, retry={"max_age_seconds": 86400, "attempts": 1})
        firm.read(build.project_row(1))
        for _ in range(3):
            found = fail(firm, TransientError("Too many.", retry_after=30))
            assert (found.state, found.attempts) == (DeliveryState.PENDING, 0)
            assert Delivery.objects.filter(trouble.IN_TROUBLE & trouble.in_state("retrying")).get() == found
        Delivery.objects.update(failing_since=Now() - 2 * DAY)
        found = fail(firm, TransientError("Too many.", retry_after=30))
        assert found.state == DeliveryState.DEAD
        assert "it has failed for 2 d" in found.error_detail

    def test_what_is_refused_for_good_goes_straight_to_the_dead_letters(self, firm):
        firm.read(build.project_row(1))
        found = fail(firm, PermanentError("No such account."))
        assert (found.state, found.attempts, found.error_detail) == (DeliveryState.DEAD, 1, "No such account.")

    @pytest.mark.parametrize("how", ["delivered", "changed", "by hand", "outage"])
    def test_its_age_begins_anew(self, firm, how):
        firm.read(build.project_row(1))
        found = fail(firm, TransientError("Too many.", retry_after=30))
        since = found.failing_since
        assert since is not None
        assert fail(firm, TransientError("Too many.", retry_after=30)).failing_since == since
        if how == "delivered":
            Delivery.objects.update(next_at=Now())
            Pace.objects.all().delete()
            sweeper.start_due_deliveries()
            firm.deliver()
        elif how == "changed":
            firm.read(build.project_row(1, title="New"))
        elif how == "by hand":
            Delivery.objects.update(attempts=1)
            trouble.retry_deliveries(Delivery.objects.all(), by=None)
        else:
            circuits.note_failure(firm.outbound.stream.connection_id, "Down.", trip=True)
            circuits.close(firm.outbound.stream.connection_id)
        assert Delivery.objects.get().failing_since is None


@pytest.mark.django_db(transaction=True)
def test_a_source_that_asks_for_a_pause_gets_it_and_the_run_goes_on_after_it(firm):
    connection = firm.inbound.stream.connection
    firm.psa.sources["projects"] = [build.project_row(1)]
    firm.psa.fail_with = [TransientError("Too many.", retry_after=86400)]
    run, _ = services.start_run(sync=firm.inbound)
    engine.execute(run.pk)
    run.refresh_from_db()
    assert (run.status, run.stage) == ("queued", "waits")
    assert 3500 < pace.view(connection.pk).stop_seconds <= 3600
    Pace.objects.all().delete()
    engine.execute(run.pk)
    assert Run.objects.get(pk=run.pk).status == "succeeded"


@pytest.mark.django_db(transaction=True)
class TestItsPage:
    def page(self, browse, person):
        return browse(person).get(f"/deliveries/{delivery_key(Delivery.objects.get())}/").content.decode()

    def test_it_says_how_often_it_was_tried_and_when_it_goes_on_and_ends(self, browse, olga, firm):
        erp(firm, retry={"attempts": 5})
        firm.erp.refuse["P-0001"] = TransientError("Down.")
        firm.read(build.project_row(1))
        firm.deliver()
        page = self.page(browse, olga)
        assert f"{Delivery.objects.get().attempts} of 5, as the connection says" in page
        assert all(words in page for words in ("Failing since", "Next attempt", "Given up", "at the latest"))

    def test_it_says_why_and_when_it_was_given_up(self, browse, olga, firm):
        firm.read(build.project_row(1))
        Delivery.objects.update(failing_since=Now() - 3 * DAY)
        fail(firm, TransientError("Too many.", retry_after=30))
        page = self.page(browse, olga)
        assert "Given up, because it has failed for 3 d" in page
        assert "Next attempt" not in page
        assert "at the latest" not in page

    def test_it_says_that_workers_fell_over_it(self, browse, olga, firm):
        firm.read(build.project_row(1))
        found = Delivery.objects.get()
        Suspect.objects.create(sync_id=found.sync_id, key=str(found.record_id), crashes=2)
        assert "a worker fell over it 2 times" in self.page(browse, olga)
