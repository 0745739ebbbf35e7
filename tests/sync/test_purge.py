"""Purging a queue: counted first, dropped with a reason, kept in ledger and history; nothing that may be under way."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command
from django.db.models.functions import Now

from connectors import services as connectors_services
from hub.common.errors import ConfigError
from hub.sync import engine, history, purge, services
from hub.sync.models import Delivery, Run, Sync, Transaction
from hub.sync.states import DeliveryState, Outcome
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains):
    """Three projects wait for the ERP: EUR 3000 and CHF 50."""
    firm = worlds.make()
    rows = [build.project_row(n) for n in range(3)]
    firm.read(*rows, build.project_row(3, currency="CHF", budget="50.00"))
    return firm


@pytest.fixture
def paused(firm):
    services.set_paused(sync=firm.outbound, is_paused=True, reason="Wrong rates")
    return firm


def of(firm):
    return Sync.objects.filter(pk=firm.outbound.pk)


def manage(capsys, *words):
    """(exit code, document on stdout)"""
    try:
        call_command(*words, "--json")
        code = 0
    except SystemExit as left:
        code = int(left.code or 0)
    return code, json.loads(capsys.readouterr().out)


def test_the_plan_counts_with_amounts_by_currency_and_drops_nothing(firm):
    found = purge.plan(of(firm))
    assert (found.number, found.by_sync) == (4, [("erp-jobs", 4)])
    assert {currency: str(total) for currency, total in found.amounts} == {"EUR": "3000.0000", "CHF": "50.0000"}
    assert found.oldest_at == Delivery.objects.earliest("next_at").next_at
    assert set(Delivery.objects.values_list("state", flat=True)) == {DeliveryState.PENDING}


def test_a_purge_leaves_a_ledger_row_for_each_and_a_line_in_the_history(paused, ada):
    done = purge.purge(of(paused), reason="Sent by hand already", by=ada)
    assert done.number == 4
    assert set(Delivery.objects.values_list("state", flat=True)) == {DeliveryState.DISCARDED}
    rows = Transaction.objects.filter(sync_id=paused.outbound.pk, outcome=Outcome.DISCARDED)
    assert rows.count() == 4
    assert rows.filter(currency="EUR").first().error_detail == f"Purged by {ada}: Sent by hand already"
    newest = history.events_of(paused.outbound)[0]
    assert newest["title"] == "Purged 4 queued deliveries: Sent by hand already"
    assert newest["detail"] == f"by {ada}"


def test_what_was_purged_is_not_sent_but_a_later_change_is(paused, ada):
    purge.purge(of(paused), reason="Sent by hand already", by=ada)
    services.set_paused(sync=paused.outbound, is_paused=False)
    paused.deliver()
    assert paused.erp.writes == []
    paused.read(build.project_row(1, title="Renamed"))
    paused.deliver()
    assert [item.key for item in paused.erp.writes] == ["P-0001"]


def test_only_what_is_queued_goes(paused, ada):
    doubtful, dead = Delivery.objects.order_by("record_id")[:2]
    Delivery.objects.filter(record_id=doubtful.record_id).update(state=DeliveryState.UNSURE)
    Delivery.objects.filter(record_id=dead.record_id).update(state=DeliveryState.DEAD)
    assert purge.purge(of(paused), reason="Rates", by=ada).number == 2
    assert Delivery.objects.filter(state=DeliveryState.UNSURE).exists()


def test_a_sync_that_may_be_sending_is_not_purged(firm, ada):
    with pytest.raises(ConfigError, match="may be sending"):
        purge.purge(of(firm), reason="Rates", by=ada)


def test_a_run_that_has_not_stopped_yet_keeps_its_deliveries(paused, ada):
    Run.objects.filter(sync=paused.outbound).update(status="running", lease_until=Now())
    with pytest.raises(ConfigError, match="may be sending"):
        purge.purge(of(paused), reason="Rates", by=ada)
    assert not Delivery.objects.filter(state=DeliveryState.DISCARDED).exists()


def test_a_purge_needs_a_reason(paused, ada):
    with pytest.raises(ConfigError, match="Say why"):
        purge.purge(of(paused), reason="  ", by=ada)


def test_a_purge_of_a_connection_takes_all_its_syncs_and_no_other(firm, ada):
    erp, bi = firm.outbound.stream.connection, build.connection("bi")
    more = build.sync("erp-more", "out", build.stream(erp, "more"), firm.inbound.entity, build.OUT_RULES)
    other = build.sync("bi", "out", build.stream(bi, "rows"), firm.inbound.entity, build.OUT_RULES)
    firm.read(build.project_row(9))
    connectors_services.set_paused(connection=erp, is_paused=True, reason="Rates", by=ada)
    done = purge.purge(Sync.objects.filter(mapping__stream__connection=erp), reason="Rates", by=ada)
    assert dict(done.by_sync) == {"erp-jobs": 5, "erp-more": 1}
    assert Delivery.objects.get(sync=other).state == DeliveryState.PENDING
    assert not Delivery.objects.filter(sync=more, state=DeliveryState.PENDING).exists()


class TestTheCommands:
    def test_pause_plan_go_and_resume(self, firm, capsys):
        assert manage(capsys, "pause", "--sync", "erp-jobs", "--reason", "Rates") == (
            0,
            {"target": "erp-jobs", "is_paused": True, "reason": "Rates"},
        )
        code, found = manage(capsys, "purge", "--sync", "erp-jobs", "--plan")
        assert (code, found["number"], found["amounts"], found["is_done"]) == (
            0,
            4,
            {"EUR": "3000", "CHF": "50"},
            False,
        )
        code, found = manage(capsys, "purge", "--sync", "erp-jobs", "--go", "--reason", "Rates")
        assert (code, found["number"], found["is_done"]) == (0, 4, True)
        assert manage(capsys, "resume", "--sync", "erp-jobs")[0] == 0
        assert not Sync.objects.get(slug="erp-jobs").is_paused

    def test_a_pause_needs_a_reason_and_a_purge_a_pause(self, firm, capsys):
        code, found = manage(capsys, "pause", "--all")
        assert (code, found["code"]) == (1, "NEEDED")
        code, found = manage(capsys, "purge", "--connection", "erp", "--go", "--reason", "Rates")
        assert (code, found["code"]) == (1, "MOVING")

    def test_everything_can_be_stopped_from_the_shell(self, firm, capsys):
        assert manage(capsys, "pause", "--all", "--reason", "Backup")[0] == 0
        run = Run.objects.get(sync=firm.outbound)
        assert engine.execute(run.pk) is None
        assert manage(capsys, "resume", "--all")[0] == 0
        assert engine.execute(run.pk) is not None

    def test_a_name_that_is_not_there_is_answered_with_those_that_are(self, firm, capsys):
        code, found = manage(capsys, "pause", "--connection", "nope", "--reason", "x")
        assert code == 1
        assert "Known: erp, psa." in found["error"]

    def test_words_for_people(self, firm, capsys):
        call_command("purge", "--sync", "erp-jobs", "--plan")
        assert capsys.readouterr().out.startswith("4 queued deliveries (3000 EUR, 50 CHF), the oldest since 20")
