"""What stands still is kept: circuits, refused credentials, pauses. No attempt is burnt, nothing dies, everything goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from connectors import circuits, pace
from connectors import services as connectors_services
from connectors.models import Circuit, Stream
from hub.common.errors import AuthError, ConfigError, PermanentError, TransientError, UnknownOutcome
from hub.common.records import CheckStep
from hub.sync import engine, gate, probing, services, sweeper
from hub.sync.models import Delivery, Run, Standstill, Transaction
from hub.sync.states import DeliveryState, Outcome
from tests import memory
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains):
    return worlds.make()


@pytest.fixture
def erp(firm):
    return firm.outbound.stream.connection


def down(firm, times):
    firm.erp.fail_with = [TransientError("No answer.") for _ in range(times)]


def make_due():
    Delivery.objects.update(next_at=Now())


def work(firm, times=1):
    """What workers do when they are rung for, `times` times; returns the newest run of the ERP."""
    for _ in range(times):
        sweeper.start_due_deliveries()
        for run in Run.objects.filter(status__in=["queued", "running"], lease_until=None):
            engine.execute(run.pk)
        make_due()
    return Run.objects.filter(sync=firm.outbound).latest("pk")


def break_down(firm, erp, *rows):
    """The ERP stops answering before these are delivered; afterwards the circuit is open."""
    firm.read(*(rows or [build.project_row(n) for n in range(3)]))
    erp.failure_limit = 3
    erp.save()
    down(firm, 3)
    work(firm, 4)
    assert circuits.look(erp.pk).state == "open"


def probe(erp):
    Circuit.objects.filter(connection=erp).update(probe_at=Now())
    return probing.probe(erp.pk)


class TestACircuit:
    def test_an_outage_burns_no_attempt_once_it_is_known_and_kills_nothing(self, firm, erp):
        break_down(firm, erp)
        calls, before = len(firm.erp.writes), list(Delivery.objects.values_list("attempts", flat=True))
        work(firm, 5)
        assert len(firm.erp.writes) == calls
        assert list(Delivery.objects.values_list("attempts", flat=True)) == before == [2, 2, 2]
        assert Run.objects.filter(sync=firm.outbound).latest("pk").status == "queued"

    def test_a_long_outage_kills_nothing_even_with_one_record_and_few_attempts(self, firm, erp):
        firm.outbound.max_attempts = 3
        firm.outbound.save()
        firm.read(build.project_row(1))
        down(firm, 50)
        work(firm, 6)
        assert circuits.look(erp.pk).state == "open"  # at the last attempt, long before ten failures
        assert Delivery.objects.get().state == DeliveryState.PENDING
        assert not Transaction.objects.filter(outcome=Outcome.DEAD).exists()

    def test_when_it_answers_again_everything_drains_by_itself(self, firm, erp):
        break_down(firm, erp)
        assert probe(erp)
        assert circuits.look(erp.pk).state == "half_open"
        run = work(firm)
        assert circuits.look(erp.pk).state == "closed"
        assert len(firm.erp.targets["jobs"]) == 3
        assert not Delivery.objects.exclude(state=DeliveryState.DELIVERED).exists()
        # a retry that was due at once met the outage in the same run, and counts in it
        assert run.status == ("completed_with_errors" if run.failed else "succeeded")

    def test_retries_that_the_outage_put_off_are_due_when_it_ends(self, firm, erp):
        break_down(firm, erp)
        Delivery.objects.update(next_at=Now() + timedelta(hours=1))
        circuits.close(erp.pk)
        assert not Delivery.objects.filter(next_at__gt=Now()).exists()
        assert Run.objects.filter(sync=firm.outbound, status="queued").exists()

    def test_a_probe_without_work_that_waits_closes_it(self, firm, erp):
        break_down(firm, erp)
        Delivery.objects.all().delete()
        Run.objects.all().delete()
        assert probe(erp)
        assert circuits.look(erp.pk).state == "closed"

    def test_a_probe_that_fails_waits_longer(self, firm, erp, monkeypatch):
        break_down(firm, erp)
        steps = [CheckStep("connect", False, "Nothing listens there.")]
        monkeypatch.setattr(memory.MemoryConnector, "check", lambda self: iter(steps))
        assert not probe(erp)
        found = Circuit.objects.get()
        assert (found.state, found.trips, found.error) == ("open", 2, "Nothing listens there.")

    def test_a_probe_that_is_not_let_in_waits_for_a_person(self, firm, erp, monkeypatch):
        break_down(firm, erp)
        steps = [CheckStep("authenticate", False, "Wrong password.")]
        monkeypatch.setattr(memory.MemoryConnector, "check", lambda self: iter(steps))
        assert not probe(erp)
        assert circuits.look(erp.pk).state == "paused_auth"

    def test_one_run_tries_and_the_others_wait(self, firm, erp):
        other = build.sync("erp-more", "out", build.stream(erp, "more"), firm.inbound.entity, build.OUT_RULES)
        break_down(firm, erp)
        Delivery.objects.filter(sync=other).update(attempts=0)
        probe(erp)
        first = Run.objects.get(sync=firm.outbound, status="queued")
        second = Run.objects.get(sync=other, status="queued")
        gate.knock(first.pk)
        assert engine.execute(second.pk) is None
        engine.execute(first.pk)
        assert engine.execute(second.pk) is not None

    def test_a_record_that_breaks_a_system_which_passes_its_test_dies_at_last(self, firm, erp):
        firm.outbound.max_attempts = 3
        firm.outbound.save()
        break_down(firm, erp, build.project_row(1))
        down(firm, 50)
        for _ in range(3):
            probe(erp)
            work(firm)
        assert Delivery.objects.get().state == DeliveryState.DEAD

    def test_a_record_that_fails_among_others_that_pass_counts_its_attempts(self, firm, erp):
        firm.erp.refuse["P-0001"] = TransientError("HTTP 500")
        firm.read(build.project_row(1), build.project_row(2))
        run = work(firm)
        assert (run.created, run.failed) == (1, 1)
        assert circuits.look(erp.pk).failures == 0

    @pytest.mark.parametrize(
        "error",
        [PermanentError("No such account."), TransientError("Too many.", retry_after=30)],
    )
    def test_refusals_and_busy_answers_do_not_open_it(self, firm, erp, error):
        firm.read(build.project_row(1))
        for _ in range(12):
            firm.erp.fail_with = [error]
            Delivery.objects.update(state=DeliveryState.PENDING, attempts=0)
            make_due()
            work(firm)
        assert circuits.look(erp.pk).state == "closed"

    def test_what_may_have_arrived_stays_in_doubt_though_the_circuit_opens(self, firm, erp):
        firm.erp.safety = "D"
        erp.failure_limit = 1
        erp.save()
        firm.read(build.project_row(1))
        firm.erp.fail_with = [UnknownOutcome("The connection broke.")]
        work(firm)
        assert circuits.look(erp.pk).state == "open"
        assert Delivery.objects.get().state == DeliveryState.UNSURE

    def test_a_source_that_fails_is_left_alone_too_and_its_run_is_kept(self, firm):
        psa = firm.inbound.stream.connection
        psa.failure_limit = 2
        psa.save()
        for expected in ("failed", "queued"):
            run, _ = services.start_run(sync=firm.inbound)
            firm.psa.fail_with = [TransientError("No answer.")]
            engine.execute(run.pk)
            run.refresh_from_db()
            assert run.status == expected
        assert (run.stage, run.error) == (gate.WAITS, "No answer.")
        assert engine.execute(run.pk) is None
        probe(psa)
        engine.execute(run.pk)
        run.refresh_from_db()
        assert (run.status, run.error) == ("succeeded", "")

    def test_who_waits_for_a_run_is_told_why_it_takes_long(self, firm, erp):
        break_down(firm, erp)
        with pytest.raises(ConfigError, match="does not answer"):
            services.run_here(sync=firm.outbound)

    def test_runs_behind_a_shut_gate_are_not_rung_for_again_and_again(self, firm, erp):
        break_down(firm, erp)
        Run.objects.update(created_at=Now() - timedelta(hours=1), heartbeat_at=Now() - timedelta(hours=1))
        assert sweeper.ring_stranded_runs() == 0


class TestRefusedCredentials:
    def test_the_queue_waits_and_nothing_dies(self, firm, erp):
        firm.read(build.project_row(1))
        firm.erp.fail_with = [AuthError("The key has expired.")]
        run = work(firm, 3)
        assert circuits.look(erp.pk).state == "paused_auth"
        assert (run.status, run.stage) == ("queued", gate.WAITS)
        assert (Delivery.objects.get().state, Delivery.objects.get().attempts) == (DeliveryState.PENDING, 0)

    def test_refused_item_by_item_it_is_the_same(self, firm, erp):
        firm.erp.refuse = {f"P-000{n}": AuthError("The key has expired.") for n in range(1, 3)}
        firm.read(build.project_row(1), build.project_row(2))
        work(firm, 2)
        assert circuits.look(erp.pk).state == "paused_auth"
        assert set(Delivery.objects.values_list("state", "attempts")) == {(DeliveryState.PENDING, 0)}

    def test_a_passed_test_lets_it_go_on(self, firm, erp):
        firm.read(build.project_row(1))
        firm.erp.fail_with = [AuthError("The key has expired.")]
        work(firm)
        connectors_services.check_connection(erp)
        assert work(firm).status == "succeeded"

    def test_a_source_waits_too(self, firm):
        run, _ = services.start_run(sync=firm.inbound)
        firm.psa.fail_with = [AuthError("The key has expired.")]
        engine.execute(run.pk)
        run.refresh_from_db()
        assert run.status == "queued"


class TestAStop:
    def test_a_busy_system_is_left_alone_by_every_run(self, firm, erp):
        firm.read(build.project_row(1))
        pace.stop(erp.pk, 60)
        run = work(firm)
        assert (run.status, len(firm.erp.writes)) == ("queued", 0)

    def test_a_short_pause_in_the_middle_of_a_run_is_sat_out(self, firm, erp, monkeypatch):
        firm.read(*(build.project_row(n) for n in range(4)))
        write, sizes = memory.MemoryConnector.write, []

        def write_and_ask_for_a_pause(connector, stream, items):
            pace.stop(erp.pk, 0.3)
            sizes.append(len(items))
            return write(connector, stream, items)

        monkeypatch.setattr(memory.MemoryConnector, "write", write_and_ask_for_a_pause)
        Stream.objects.filter(pk=firm.outbound.stream.pk).update(page_size=2)
        assert work(firm).status == "succeeded"
        assert sizes == [2, 2]

    def test_a_busy_answer_to_the_last_attempt_kills_nothing(self, firm, erp):
        firm.outbound.max_attempts = 1
        firm.outbound.save()
        firm.read(build.project_row(1))
        firm.erp.fail_with = [TransientError("Too many.", retry_after=30)]
        run = Run.objects.get(sync=firm.outbound)
        engine.execute(run.pk)
        assert not Delivery.objects.filter(state=DeliveryState.DEAD).exists()


class TestAPause:
    def test_a_run_stops_at_its_next_page_and_goes_on_from_there(self, firm, monkeypatch):
        firm.psa.sources["projects"] = [build.project_row(n) for n in range(30)]
        firm.psa.page_size = 10
        run, _ = services.start_run(sync=firm.inbound)
        pause_in_the_middle(monkeypatch, lambda: services.set_paused(sync=firm.inbound, is_paused=True, reason="Audit"))
        engine.execute(run.pk)
        run.refresh_from_db()
        assert (run.status, run.stage, run.read) == ("queued", gate.WAITS, 10)
        assert engine.execute(run.pk) is None
        monkeypatch.undo()
        services.set_paused(sync=firm.inbound, is_paused=False)
        engine.execute(run.pk)
        run.refresh_from_db()
        assert (run.status, run.read) == ("succeeded", 30)

    def test_a_delivery_run_stops_at_its_next_batch(self, firm, erp, monkeypatch):
        firm.outbound.stream.page_size = 1
        firm.outbound.stream.save()
        firm.read(*(build.project_row(n) for n in range(5)))
        write = memory.MemoryConnector.write

        def pause_and_write(connector, stream, items):
            connectors_services.set_paused(connection=erp, is_paused=True, reason="Month end", by=None)
            return write(connector, stream, items)

        monkeypatch.setattr(memory.MemoryConnector, "write", pause_and_write)
        run = work(firm)
        assert (run.status, len(firm.erp.writes)) == ("queued", 1)
        monkeypatch.undo()
        connectors_services.set_paused(connection=erp, is_paused=False)
        assert work(firm).status == "succeeded"
        assert len(firm.erp.writes) == 5

    def test_everything_stands_still_and_goes_on(self, firm, ada):
        firm.read(build.project_row(1))
        services.set_standstill(is_paused=True, reason="Restoring a backup", by=ada)
        run = work(firm)
        assert (run.status, len(firm.erp.writes)) == ("queued", 0)
        with pytest.raises(ConfigError, match="All work of the hub is paused"):
            services.start_run(sync=firm.inbound)
        services.set_standstill(is_paused=False, reason="", by=ada)
        assert work(firm).status == "succeeded"
        assert [row.by for row in Standstill.history.order_by("history_id")] == [ada, ada]

    def test_everything_is_not_stopped_without_a_reason(self, firm, ada):
        with pytest.raises(ConfigError, match="Say why"):
            services.set_standstill(is_paused=True, reason="  ", by=ada)
        assert not Standstill.objects.exists()


def pause_in_the_middle(monkeypatch, act):
    store = gate.check

    def check(run):
        act()
        store(run)

    monkeypatch.setattr(gate, "check", check)
