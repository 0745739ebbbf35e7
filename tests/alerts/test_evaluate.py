"""From what is found to notices: one for each change, with money, to whom it concerns."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.models import Circuit
from hub.common.errors import ConfigError
from hub.sync.models import Run
from hub.sync.states import RunStatus
from monitoring.alerts import services, shipped
from monitoring.alerts.evaluate import GRACE, evaluate_now
from monitoring.alerts.telling import headline, lines
from monitoring.models import Alert, AlertChange, AlertNotice, AlertRoute, AlertRule
from tests.alerts.builders import HOUR, MINUTE, World, notices, state_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(domains: Any) -> World:
    return World()


def test_a_change_is_told_once_and_not_with_every_run(world: World) -> None:
    rule = world.rule("failed_run")
    world.route()
    for _ in range(2):
        world.ran(RunStatus.FAILED, error="The system does not answer.")
        world.look()
        world.look()
    assert notices() == [("ok", "warning", "mail")]
    world.ran(RunStatus.FAILED)
    world.look()
    assert notices()[1:] == [("warning", "critical", "mail")]
    world.ran()
    world.look()
    world.look()
    assert notices()[2:] == [("critical", "ok", "mail")]
    assert state_of(rule) == "ok"


def test_a_recovery_needs_no_finding(world: World) -> None:
    """A subject that is no longer found is in order."""
    rule = world.rule("dead_letters")
    world.route()
    record = world.dead()
    world.look()
    world.mend(record)
    world.look()
    assert [after for _, after, _ in notices()] == ["warning", "ok"]
    assert state_of(rule) == "ok"


def test_a_notice_says_how_much_money_hangs_on_it(world: World) -> None:
    world.rule("dead_letters")
    world.route()
    world.dead("80000.00")
    world.dead("4200.00")
    world.dead("10.00", "CHF")
    world.look()
    change = AlertChange.objects.get()
    assert headline(change, "GBP") == (
        "Critical: Rule of dead_letters: time-to-erp (GBP 84,200.00 and CHF 10.00 without a rate in 3 records)"
    )
    assert any("/alerts/" in line for line in lines(change))


def test_amounts_without_a_rate_are_named_and_never_counted(world: World) -> None:
    rule = world.rule("dead_letter_amount", "50", "1000")
    world.dead("100000.00", "CHF")
    world.look()
    assert not Alert.objects.filter(rule=rule).exists()
    world.dead("60.00")
    world.look()
    alert = Alert.objects.get(rule=rule)
    assert (alert.state, alert.amount_firm, alert.unconverted) == ("warning", 60, {"CHF": "100000.0000"})


def test_a_muted_rule_is_told_when_its_mute_ends_and_it_still_holds(world: World, ada: Any) -> None:
    rule = world.rule("failed_run")
    world.route()
    services.mute(rule=rule, until=timezone.now() + HOUR, reason="The ERP is being moved.", by=ada)
    world.ran(RunStatus.FAILED)
    world.look()
    assert notices() == []
    assert AlertChange.objects.get().untold_why == "muted"
    world.look(2 * HOUR)
    assert notices() == [("ok", "warning", "mail")]


def test_what_recovers_while_it_is_muted_is_never_told(world: World, ada: Any) -> None:
    rule = world.rule("failed_run")
    world.route()
    services.mute(rule=rule, subject=f"sync:{world.reads.pk}", until=timezone.now() + HOUR, reason="Known.", by=ada)
    world.ran(RunStatus.FAILED)
    world.look()
    world.ran()
    world.look()
    world.look(2 * HOUR)
    assert notices() == []


@pytest.mark.parametrize(("until", "reason"), [(-HOUR, "x"), (timedelta(days=91), "x"), (HOUR, "  ")])
def test_a_mute_needs_a_reason_and_a_near_end(world: World, ada: Any, until: timedelta, reason: str) -> None:
    with pytest.raises(ConfigError):
        services.mute(rule=world.rule("failed_run"), until=timezone.now() + until, reason=reason, by=ada)


def test_an_acknowledgement_ends_when_it_gets_worse(world: World, ada: Any) -> None:
    rule = world.rule("failed_run", "1", "2")
    world.ran(RunStatus.FAILED)
    world.look()
    assert services.acknowledge(Alert.objects.get(rule=rule), by=ada)
    world.look()
    assert Alert.objects.get(rule=rule).acknowledged_by == ada
    world.ran(RunStatus.FAILED)
    world.look()
    assert Alert.objects.get(rule=rule).acknowledged_by is None


def test_a_connection_that_is_down_is_told_instead_of_what_fails_because_of_it(world: World) -> None:
    rule = world.rule("connection_down", "0", "600")
    AlertRule.objects.filter(slug="runs-fail").update(warning=1)
    world.route()
    world.circuit()
    world.ran(RunStatus.FAILED, error="psa does not answer.")
    world.look()
    assert list(AlertNotice.objects.values_list("change__alert__rule", "change__after")) == [(rule.pk, "warning")]
    change = AlertChange.objects.get(is_told=True)
    assert change.details[0] == "Hangs on it: 1 sync, 0 service levels."
    assert "psa-time" in change.details[1]
    effect = Alert.objects.get(rule__slug="runs-fail")
    assert effect.cause == Alert.objects.get(rule=rule)


def test_what_recovers_soon_after_its_connection_makes_no_noise(world: World) -> None:
    world.rule("connection_down", "0", "600")
    AlertRule.objects.filter(slug="runs-fail").update(warning=1)
    world.route()
    world.circuit()
    world.ran(RunStatus.FAILED)
    world.look()
    world.circuit(Circuit.State.CLOSED)
    world.look()
    world.ran()
    world.look()
    world.look(2 * GRACE)
    assert [after for _, after, _ in notices()] == ["warning", "ok"]


def test_what_still_fails_long_after_its_connection_works_again_is_told(world: World) -> None:
    world.rule("connection_down", "0", "600")
    AlertRule.objects.filter(slug="runs-fail").update(warning=1)
    world.route()
    world.circuit()
    world.ran(RunStatus.FAILED)
    world.look()
    world.circuit(Circuit.State.CLOSED)
    world.look()
    world.look(GRACE + MINUTE)
    assert [after for _, after, _ in notices()] == ["warning", "ok", "warning"]


def test_a_rule_of_a_domain_sees_no_other(world: World, domains: Any) -> None:
    other = next(domain for domain in domains.values() if domain != world.entity.domain)
    rule = world.rule("failed_run", domain=other)
    world.ran(RunStatus.FAILED)
    world.look()
    assert not Alert.objects.filter(rule=rule).exists()


def test_nobody_is_told_of_what_no_route_wants_and_the_history_says_so(world: World) -> None:
    world.rule("failed_run")
    world.ran(RunStatus.FAILED)
    world.look()
    assert (AlertChange.objects.get().untold_why, AlertNotice.objects.count()) == ("no_route", 0)


def test_one_rule_that_cannot_be_evaluated_keeps_no_other(world: World, monkeypatch: Any) -> None:
    rule = world.rule("failed_run")
    broken = AlertRule.objects.create(slug="odd", name="Odd", what="from_a_later_version", warning=1)
    world.ran(RunStatus.FAILED)
    world.look()
    assert state_of(rule) == "warning"
    broken.refresh_from_db()
    assert "from_a_later_version" in broken.problem


def test_shipped_rules_are_made_once_and_keep_what_was_tuned(world: World, ada: Any) -> None:
    assert shipped.ensure() == len(shipped.documents())
    AlertRule.objects.filter(slug="slow-run").update(critical=20)
    assert shipped.ensure() == 0
    assert AlertRule.objects.get(slug="slow-run").critical == 20
    with pytest.raises(ConfigError, match="ships with the hub"):
        services.delete_rule(AlertRule.objects.get(slug="slow-run"), by=ada)


def test_an_evaluation_answers_every_rule_worst_first(world: World) -> None:
    rule = world.rule("failed_run")
    world.ran(RunStatus.FAILED)
    found = evaluate_now()
    assert (found[0]["rule"], found[0]["state"]) == (rule.slug, "warning")
    assert found[0]["alerts"][0]["subject"] == f"sync:{world.reads.pk}"
    assert {row["state"] for row in found[1:]} == {"ok"}


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(sequence=st.lists(st.sampled_from(["fail", "pass", "look", "mute", "unmute"]), max_size=14))
def test_no_change_is_told_twice_whatever_happens(world: World, sequence: list[str]) -> None:
    """Through the database: what people were told in a row never repeats, and begins with trouble."""
    AlertRule.objects.filter(what="failed_run").delete()
    Run.objects.all().delete()
    AlertRoute.objects.all().delete()
    rule = world.rule("failed_run")
    world.route()
    for word in sequence:
        if word in ("fail", "pass"):
            world.ran(RunStatus.FAILED if word == "fail" else RunStatus.SUCCEEDED)
        elif word == "mute":
            services.mute(rule=rule, until=timezone.now() + 300 * HOUR, reason="Known.", by=None)
        elif word == "unmute":
            for mute in rule.mutes.filter(ended_at__isnull=True):
                services.unmute(mute, by=None)
        world.look()
    known = "ok"
    for before, after, _ in notices():
        assert before == known != after
        known = after
    assert not AlertNotice.objects.filter(change__is_told=False).exists()
    alert = Alert.objects.filter(rule=rule).first()
    assert known == (alert.told if alert else "ok")
