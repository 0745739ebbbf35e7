"""Decisions about records that did not pass: each is taken once, in a person's name, and the ledger says so."""

from __future__ import annotations

import pytest
from django.db import ProgrammingError, connection

from hub.common import facts
from hub.common.errors import ConfigError, PermanentError, TransientError
from hub.records.models import CanonicalRecord, Crosswalk
from hub.sync import engine, trouble
from hub.sync.models import Delivery, HeldRecord, Run, Transaction
from hub.sync.states import DeliveryState, HeldState, Outcome
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains):
    return worlds.make()


@pytest.fixture
def told(monkeypatch):
    """Facts that were published, by name."""
    heard = {}
    for name in ("held_retried", "held_discarded", "deliveries_retried", "delivery_discarded", "delivery_confirmed"):
        monkeypatch.setitem(facts._subscribers, name, [lambda _name=name, **details: heard.setdefault(_name, details)])
    return heard


class TestHeldRecords:
    def test_a_retry_takes_the_whole_path_again(self, firm, olga, told):
        held = firm.hold_one()
        assert trouble.retry_held(held=held, by=olga)
        run = Run.objects.get(trigger=Run.Trigger.RELEASE)
        engine.execute(run.pk)
        assert HeldRecord.objects.get().state == HeldState.QUARANTINED
        assert told["held_retried"]["by"] == olga

    def test_a_second_click_does_nothing(self, firm, olga):
        held = firm.hold_one()
        assert trouble.retry_held(held=held, by=olga)
        assert not trouble.retry_held(held=held, by=olga)
        assert Run.objects.filter(trigger=Run.Trigger.RELEASE).count() == 1

    def test_a_paused_sync_is_not_started(self, firm, olga):
        held = firm.hold_one()
        firm.inbound.is_paused = True
        firm.inbound.save()
        assert trouble.retry_held(held=held, by=olga)
        assert not Run.objects.filter(trigger=Run.Trigger.RELEASE).exists()

    def test_a_record_without_an_id_cannot_be_tried_by_itself(self, firm, olga):
        firm.read(build.project_row(1, id=""))
        held = HeldRecord.objects.get()
        with pytest.raises(ConfigError, match="no id"):
            trouble.retry_held(held=held, by=olga)
        assert trouble.retry_all_held(HeldRecord.objects.all(), by=olga) == 0

    def test_a_discard_leaves_its_reason_in_the_ledger(self, firm, olga, told):
        held = firm.hold_one()
        assert trouble.discard_held(held=held, reason="A test record.", by=olga)
        assert not HeldRecord.objects.exists()
        row = Transaction.objects.get(outcome=Outcome.DISCARDED)
        assert (row.external_id, row.run_id, row.error_detail) == ("2", 0, "Discarded by Olga: A test record.")
        assert row.correlation_id == held.transaction_id
        assert told["held_discarded"]["reason"] == "A test record."

    def test_a_discard_happens_once(self, firm, olga):
        held = firm.hold_one()
        assert trouble.discard_held(held=held, reason="Test.", by=olga)
        assert not trouble.discard_held(held=held, reason="Test.", by=olga)
        assert Transaction.objects.filter(outcome=Outcome.DISCARDED).count() == 1

    @pytest.mark.parametrize("reason", ["", "   ", "\x00"])
    def test_a_discard_needs_a_reason(self, firm, olga, reason):
        held = firm.hold_one()
        with pytest.raises(ConfigError, match="Say why"):
            trouble.discard_held(held=held, reason=reason, by=olga)
        assert HeldRecord.objects.exists()


class TestDeliveries:
    def test_a_dead_letter_is_sent_again_with_all_its_attempts(self, firm, olga, told):
        firm.kill_one()
        firm.erp.refuse.clear()
        assert trouble.retry_deliveries(Delivery.objects.all(), by=olga) == 1
        delivery = Delivery.objects.get()
        assert (delivery.state, delivery.attempts, delivery.error_detail) == (DeliveryState.PENDING, 0, None)
        firm.deliver()
        assert Delivery.objects.get().state == DeliveryState.DELIVERED
        assert told["deliveries_retried"]["number"] == 1

    def test_a_second_click_does_nothing(self, firm, olga):
        firm.kill_one()
        assert trouble.retry_deliveries(Delivery.objects.all(), by=olga) == 1
        assert trouble.retry_deliveries(Delivery.objects.all(), by=olga) == 0

    def test_a_retry_that_waits_for_its_time_is_sent_at_once(self, firm, olga):
        firm.read(build.project_row(1))
        firm.erp.refuse["P-0001"] = TransientError("Down.")
        firm.deliver()
        assert Delivery.objects.get().attempts == 1
        firm.erp.refuse.clear()
        assert trouble.retry_deliveries(Delivery.objects.all(), by=olga) == 1
        firm.deliver()
        assert Delivery.objects.get().state == DeliveryState.DELIVERED

    def test_what_is_in_doubt_is_not_sent_again_with_the_rest(self, firm, olga):
        firm.lose_one()
        assert trouble.retry_deliveries(Delivery.objects.all(), by=olga) == 0
        assert Delivery.objects.get().state == DeliveryState.UNSURE

    def test_a_discarded_version_is_not_sent_but_the_next_one_is(self, firm, olga, told):
        delivery = firm.kill_one()
        assert trouble.discard_delivery(delivery=delivery, reason="Closed there.", by=olga)
        assert not trouble.discard_delivery(delivery=delivery, reason="Closed there.", by=olga)
        row = Transaction.objects.get(outcome=Outcome.DISCARDED)
        assert (row.key, row.correlation_id) == ("P-0001", delivery.cause_id)
        firm.erp.refuse.clear()
        firm.read(build.project_row(1, title="Opened again"))
        firm.deliver()
        assert firm.erp.targets["jobs"]["P-0001"]["description"] == "Opened again"

    def test_it_is_there_counts_as_delivered_under_the_targets_id(self, firm, olga, told):
        delivery = firm.lose_one()
        assert trouble.confirm_delivery(delivery=delivery, ref="J-9", by=olga)
        delivery.refresh_from_db()
        assert (delivery.state, delivery.target_ref, delivery.delivered_version) == (DeliveryState.DELIVERED, "J-9", 1)
        assert Crosswalk.objects.get(stream=firm.outbound.stream).external_id == "J-9"
        row = Transaction.objects.latest("pk")
        assert (row.outcome, row.target_ref, row.error_detail) == (
            Outcome.CREATED,
            "J-9",
            "Olga found it at the target.",
        )
        assert not firm.erp.writes
        assert told["delivery_confirmed"]["ref"] == "J-9"

    def test_a_version_that_came_after_the_doubt_is_sent_next(self, firm, olga):
        firm.lose_one()
        firm.read(build.project_row(1, title="Newer"))
        delivery = Delivery.objects.select_related("record").get()
        assert delivery.version == 2
        assert trouble.confirm_delivery(delivery=delivery, ref="J-9", by=olga)
        firm.deliver()
        (sent,) = firm.erp.writes
        assert (sent.ref, sent.body["description"]) == ("J-9", "Newer")

    def test_it_is_not_there_sends_again(self, firm, olga):
        delivery = firm.lose_one()
        assert trouble.resend_unsure(delivery=delivery, by=olga)
        assert not trouble.resend_unsure(delivery=delivery, by=olga)
        firm.deliver()
        assert len(firm.erp.writes) == 1

    def test_a_decision_about_doubt_is_taken_once(self, firm, olga):
        delivery = firm.lose_one()
        assert trouble.confirm_delivery(delivery=delivery, ref="J-9", by=olga)
        assert not trouble.resend_unsure(delivery=delivery, by=olga)
        assert not trouble.confirm_delivery(delivery=delivery, ref="J-10", by=olga)
        assert Delivery.objects.get().target_ref == "J-9"

    def test_confirming_needs_the_targets_id(self, firm, olga):
        with pytest.raises(ConfigError, match="target's own id"):
            trouble.confirm_delivery(delivery=firm.lose_one(), ref=" ", by=olga)

    def test_children_that_waited_for_a_confirmed_parent_are_due(self, firm, olga):
        delivery = firm.lose_one()
        child = CanonicalRecord.objects.create(
            id=10**9, entity=firm.inbound.entity, key="C-1", version=1, body={}, hash=b"0" * 16,
            provenance_id=delivery.record.provenance_id, updated_at=delivery.record.updated_at,
        )  # fmt: skip
        Delivery.objects.create(
            sync=firm.outbound, record=child, version=1, state=DeliveryState.WAITING, next_at=child.updated_at,
            missing_entity_id=firm.inbound.entity.pk, missing_key="P-0001",
        )  # fmt: skip
        trouble.confirm_delivery(delivery=delivery, ref="J-9", by=olga)
        assert Delivery.objects.get(record=child).state == DeliveryState.PENDING


class TestTheWebProcessMayDecideAndNothingElse:
    @pytest.fixture
    def as_web(self, firm):
        """What follows is done with the rights of the web process; the firm stands already."""
        held, delivery = firm.hold_one(), None
        firm.erp.refuse["P-0001"] = PermanentError("No such account.")
        firm.deliver()
        delivery = Delivery.objects.select_related("record").get()
        with connection.cursor() as cursor:
            cursor.execute("set role syncline_web")
        yield held, delivery
        with connection.cursor() as cursor:
            cursor.execute("reset role")

    def test_a_person_decides_through_the_web_process(self, olga, as_web):
        held, delivery = as_web
        assert trouble.retry_deliveries(Delivery.objects.all(), by=olga) == 1
        Delivery.objects.update(state=DeliveryState.UNSURE)
        assert trouble.confirm_delivery(delivery=delivery, ref="J-9", by=olga)
        assert trouble.discard_held(held=held, reason="Test.", by=olga)
        assert Transaction.objects.filter(run_id=0).count() == 2

    def test_a_decision_is_never_another_outcome(self, as_web):
        with connection.cursor() as cursor, pytest.raises(Exception, match="created, updated or discarded"):
            cursor.execute(
                "select sync_append_decision(1, null, 'x', null, 3::smallint, 1, 'X', 'x', null, null, null, null)"
            )

    @pytest.mark.parametrize("table", ["sync_transaction", "sync_transaction_default"])
    def test_the_ledger_itself_stays_closed(self, as_web, table):
        with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
            cursor.execute(f"delete from {table}")

    @pytest.mark.parametrize("role", ["syncline_web", "syncline_engine"])
    def test_no_months_partition_can_be_changed_behind_the_ledgers_back(self, firm, role):
        with connection.cursor() as cursor:
            cursor.execute(
                "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid"
                " where i.inhparent = 'sync_transaction'::regclass and"
                " has_table_privilege(%s, c.oid, 'update, delete, truncate')",
                [role],
            )
            assert cursor.fetchall() == []
