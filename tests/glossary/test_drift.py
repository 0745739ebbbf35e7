"""Semantic drift opens when numbers part, and closes only when they have met again; silence is no agreement."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command

from governance.models import AuditEntry
from hub.common.errors import PermanentError
from monitoring.glossary.measuring import measure
from monitoring.models import SemanticDrift, TermMeasurement
from monitoring.tasks import measure_term
from tests import memory
from tests.glossary import builders as build

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("model")]


@pytest.fixture
def term() -> Any:
    """Ten approved hours in the hub; the system shows what `shows` sets."""
    build.entries({"hours": "10", "status": "approved", "amount": "100", "currency": "EUR"})
    build.memory_connection("psa2", [])
    shows("10")
    return build.term(probes=[build.stream_probe("psa2")])


def shows(hours: str) -> None:
    memory.system("psa2").sources["timesheets"] = [{"id": 1, "hours": hours, "state": "OK"}]


def test_numbers_that_part_open_a_drift_and_meeting_closes_it(term: Any) -> None:
    measure(term)
    assert not SemanticDrift.objects.exists()
    shows("12.5")
    opened = measure(term)
    drift = SemanticDrift.objects.get()
    assert (drift.opened_at, drift.closed_at, drift.difference) == (opened.measured_at, None, Decimal("2.5"))
    assert [each["connection"] for each in drift.systems] == ["psa2"]
    shows("6")
    measure(term)
    drift.refresh_from_db()
    assert (drift.is_open, drift.difference, drift.measurements) == (True, Decimal(-4), 2)
    shows("10")
    met = measure(term)
    drift.refresh_from_db()
    assert drift.closed_at == met.measured_at
    shows("9")
    measure(term)
    assert SemanticDrift.objects.filter(closed_at=None).count() == 1
    assert SemanticDrift.objects.count() == 2


def test_a_system_that_falls_silent_keeps_its_drift_open(term: Any) -> None:
    shows("12")
    measure(term)
    memory.system("psa2").fail_with.append(PermanentError("Closed."))
    measure(term)
    drift = SemanticDrift.objects.get()
    assert drift.is_open
    assert drift.difference == 2


def test_two_systems_close_only_together(term: Any) -> None:
    build.memory_connection("legacy", [{"id": 1, "hours": "11", "state": "OK"}])
    both = build.term(probes=[build.stream_probe("psa2"), build.stream_probe("legacy")])
    shows("12")
    measure(both)
    assert len(SemanticDrift.objects.get().systems) == 2
    shows("10")
    measure(both)
    drift = SemanticDrift.objects.get()
    assert [each["connection"] for each in drift.systems] == ["legacy"]
    assert drift.is_open


def test_a_drift_of_money_says_how_much(term: Any) -> None:
    money = build.term(
        "unbilled", unit="money", currency="EUR", expression='sum(amount) of time_entry where currency = "EUR"',
        probes=[build.stream_probe("psa2")],
    )  # fmt: skip
    shows("70")
    measure(money)
    drift = SemanticDrift.objects.get()
    assert (drift.amount, drift.currency, drift.difference) == (30, "EUR", -30)


def test_opening_and_closing_are_told_to_the_audit(term: Any) -> None:
    for hours in ("12", "10"):
        shows(hours)
        measure(term)
    told = AuditEntry.objects.filter(act__startswith="semantic_drift").order_by("pk")
    assert [(each.act, each.kind, each.name) for each in told] == [
        ("semantic_drift.opened", "Term", "approved-time"),
        ("semantic_drift.closed", "Term", "approved-time"),
    ]


def test_subscribers_are_told_when_numbers_part_and_meet(term: Any) -> None:
    from hub.events import interests
    from hub.events.models import Event, Subscription

    Subscription.objects.create(
        slug="lake", name="Lake", url="https://lake.example.com/in", event_types=["term.parted", "term.met"]
    )
    interests.forget()
    for hours in ("12", "10"):
        shows(hours)
        measure(term)
    told = list(Event.objects.order_by("pk").values_list("type", "subject"))
    assert told == [("term.parted", "term/approved-time"), ("term.met", "term/approved-time")]
    data = Event.objects.get(type="term.parted").data
    assert (data["systems"], data["difference"], data["unit"]) == (["psa2"], "2", "hours")
    interests.forget()


def test_a_term_is_measured_once_a_day_however_many_beats_ring(term: Any) -> None:
    measure_term(term.pk)
    measure_term(term.pk)
    assert TermMeasurement.objects.count() == 1


def run(capsys: Any, *names: str) -> tuple[Any, int]:
    code = 0
    try:
        call_command("term", "measure", *names, "--json")
    except SystemExit as ended:
        code = int(ended.code or 0)
    return json.loads(capsys.readouterr().out), code


def test_the_command_says_every_number_and_exits_by_what_it_found(term: Any, capsys: Any) -> None:
    found, code = run(capsys)
    assert (found["ok"], found["measured"], code) == (True, 1, 0)
    assert found["terms"] == [
        {
            "name": "approved-time",
            "hub": "10",
            "note": "",
            "systems": [
                {
                    "system": "psa2",
                    "name": "PSA2",
                    "connection": "psa2",
                    "value": "10",
                    "difference": "0",
                    "state": "equal",
                    "note": "",
                }
            ],
            "state": "equal",
            "drift": False,
        }
    ]
    shows("11")
    found, code = run(capsys, "approved-time")
    assert (found["ok"], found["terms"][0]["drift"], code) == (False, True, 2)


def test_what_cannot_be_measured_is_not_ok(term: Any, capsys: Any) -> None:
    memory.system("psa2").fail_with.append(PermanentError("Closed."))
    found, code = run(capsys)
    assert (found["ok"], found["measured"], code) == (False, 0, 1)
    assert "Closed." in found["terms"][0]["systems"][0]["note"]


def test_an_unknown_term_is_one_json_document_and_exit_1(term: Any, capsys: Any) -> None:
    found, code = run(capsys, "aproved-time")
    assert code == 1
    assert "There is no term 'aproved-time'" in found["error"]


def test_an_empty_glossary_is_ok(capsys: Any) -> None:
    assert run(capsys) == ({"terms": [], "measured": 0, "ok": True}, 0)
