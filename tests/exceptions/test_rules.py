"""How exceptions are understood, when they are due, and whose turn they are."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.calendars.services import save_calendar
from hub.common.errors import ConfigError
from hub.common.registry import kind
from hub.config import documents
from hub.config import services as config
from monitoring.exceptions import classify, routing, services
from monitoring.exceptions.classify import Rule
from monitoring.exceptions.forms import parse_when, when_text
from monitoring.exceptions.intake import Found
from monitoring.exceptions.queries import standings
from monitoring.exceptions.routing import Router, Subject
from monitoring.models import Classification, ExceptionItem, RoutingRule
from tests.exceptions.world import World, only, sweep

pytestmark = pytest.mark.django_db


def classification(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {"slug": "odd-hours", "name": "Odd hours", "position": 1, "when": [{"field": ["hours"]}]}
    return {**base, "facts": ["project"], "title": "Odd hours: {project}", "sla_hours": 4, **changes}


def route(**changes: Any) -> dict[str, Any]:
    return {"slug": "finance", "name": "To finance", "team": "Finance operations", **changes}


# Causes -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("found", "origin", "entity", "cause"),
    [
        ({"error_code": "UNSURE"}, "delivery", "time_entry", "doubt"),
        ({"error_code": "TIMEOUT"}, "delivery", "time_entry", "system-down"),
        ({"error_code": "AUTH"}, "delivery", "time_entry", "setup"),
        ({"error_code": "POSSIBLE_DUPLICATE"}, "held", "customer", "duplicate"),
        (
            {"error_code": "VALIDATION", "detail": "The posting period is closed."},
            "delivery",
            "time_entry",
            "closed-period",
        ),
        ({"error_code": "VALIDATION", "detail": "Job P-1 is blocked."}, "delivery", "time_entry", "closed-project"),
        ({"error_code": "CONTRACT", "detail": "No rate for Lead."}, "held", "time_entry", "missing-rate"),
        ({"error_code": "WAITING", "facts": {"missing_entity": "resource"}}, "held", "time_entry", "inactive-person"),
        ({"error_code": "WAITING", "facts": {"missing_entity": "project"}}, "held", "time_entry", "missing-project"),
        (
            {"error_code": "WAITED_TOO_LONG", "facts": {"missing_entity": "cost_center"}},
            "held",
            "resource",
            "reference-missing",
        ),
        ({"error_code": "CONTRACT", "field": "currency"}, "held", "expense", "currency-tax"),
        ({"error_code": "VALIDATION", "detail": "It exceeds the budget of P-1."}, "delivery", "invoice", "over-budget"),
        ({"error_code": "DATE"}, "held", "milestone", "milestone-not-triggered"),
        ({"error_code": "UNMAPPED"}, "held", "project", "value-not-mapped"),
        ({"error_code": "VALIDATION"}, "delivery", "time_entry", "unbilled-time"),
        ({"error_code": "CONTRACT", "field": "email"}, "held", "resource", "validation"),
        ({}, "late", "time_entry", "late"),
        ({}, "gap", "invoice", "gap"),
        ({}, "stale", "resource", "stale"),
        ({}, "blocked", "customer", "blocked-value"),
        ({}, "period", "invoice", "closed-period"),
        ({"error_code": "NEVER_HEARD_OF"}, "held", "resource", "other"),
    ],
)
def test_an_empty_hub_knows_the_causes(found: dict[str, Any], origin: str, entity: str, cause: str, db: Any) -> None:
    classifier = classify.Classifier()
    assert classifier.of(Found("1", "", **found), origin, entity, "erp").slug == cause


def test_the_shipped_causes_are_sound_and_no_two_stand_at_one_place() -> None:
    shipped = classify.shipped_documents()
    for document in shipped:
        assert kind("Classification").validate({"kind": "Classification", **document}) == [], document["slug"]
        assert document["fix"]
    positions = [document["position"] for document in shipped]
    assert len(set(positions)) == len(positions)


def test_a_cause_of_the_firm_takes_the_place_of_the_shipped_one(world: World) -> None:
    world.held()
    sweep()
    assert only().cause == "validation"
    services.save_classification(classification(), by=None)
    assert sweep().updated == 1
    item = only()
    assert (item.cause, item.classified_as, item.group.title) == ("odd-hours", "odd-hours", "Odd hours: P-1")
    assert item.times == 1
    services.save_classification(classification(is_active=False), by=None)
    sweep()
    assert only().cause == "validation"


def test_what_a_person_chose_stays_and_tells_how_often_a_cause_stood(world: World) -> None:
    world.held()
    world.held()
    sweep()
    first = ExceptionItem.objects.order_by("pk").first()
    assert first
    ExceptionItem.objects.filter(pk=first.pk).update(cause="over-budget")
    services.save_classification(classification(slug="odd", when=[{"field": ["nothing"]}]), by=None)
    sweep()
    first.refresh_from_db()
    assert (first.cause, first.classified_as, first.group.cause) == ("over-budget", "validation", "over-budget")
    assert standings()["validation"].percent == 50


def test_a_title_leaves_out_what_nobody_knows() -> None:
    rule = Rule("r", "Missing rate", title="No bill rate: {role} × {client}")
    titles = [
        classify.title_of(rule, facts, "Time entry")
        for facts in (
            {"role": "Lead", "client": "Acme"},
            {"role": classify.UNKNOWN, "client": "Acme"},
            {"role": classify.UNKNOWN, "client": classify.UNKNOWN},
            {"role": "{0}", "client": "{client.__class__}"},
        )
    ]
    assert titles == [
        "No bill rate: Lead × Acme", "No bill rate: Acme", "No bill rate", "No bill rate: {0} × {client.__class__}",
    ]  # fmt: skip
    assert (
        classify.title_of(Rule("r", "Odd", title="{client.__class__}: {x}"), {"client": "A"}, "T")
        == "{client.__class__}"
    )


def test_the_deadline_counts_by_the_business_calendar(world: World) -> None:
    week = {day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
    save_calendar({"slug": "office", "name": "Office", "time_zone": "UTC", "hours": week}, by=None)
    services.save_classification(classification(), by=None)
    world.held(at=datetime(2026, 11, 6, 15, tzinfo=UTC))
    sweep()
    assert only().due_at == datetime(2026, 11, 9, 11, tzinfo=UTC)


_WORDS = st.text(st.characters(codec="ascii", categories=("L", "N", "Zs")), min_size=1)
_VALUES = st.lists(_WORDS.map(str.strip).filter(bool), min_size=1, max_size=3)


@given(st.lists(st.dictionaries(st.sampled_from(classify.WORDS), _VALUES, min_size=1), max_size=4))
def test_what_the_form_shows_reads_back_as_it_was(when: list[dict[str, list[str]]]) -> None:
    assert parse_when(when_text(when)) == when


# Routing ------------------------------------------------------------------------------------------------------
def test_a_rule_sets_what_no_person_has_set(world: World, finn: Any, olga: Any) -> None:
    world.held()
    world.held()
    services.save_route(route(), by=None)
    sweep()
    assert set(ExceptionItem.objects.values_list("team", flat=True)) == {"Finance operations"}
    item = ExceptionItem.objects.order_by("pk").first()
    assert item
    ExceptionItem.objects.filter(pk=item.pk).update(assignee=olga)
    services.save_route(route(person=finn.email, team="Clearing"), by=None)
    sweep()
    found = set(ExceptionItem.objects.values_list("team", "assignee__name"))
    assert found == {("Finance operations", "Olga"), ("Clearing", "Finn")}


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ({}, True),
        ({"cause": "validation"}, True),
        ({"cause": "gap"}, False),
        ({"client": "acme"}, True),
        ({"client": "C-1"}, True),
        ({"client": "Bolt"}, False),
        ({"amount_from": "800"}, True),
        ({"amount_from": "800.01"}, False),
        ({"entity": "time_entry", "system": "psa"}, True),
        ({"system": "erp"}, False),
        ({"legal_entity": "HV-DE"}, False),
    ],
)
def test_conditions_hold_alike_for_one_item_and_for_all(world: World, condition: dict[str, Any], fits: bool) -> None:
    services.save_route(route(**condition), by=None)
    world.held()
    sweep()
    item, rule = only(), RoutingRule.objects.get()
    assert (item.team == "Finance operations") is fits
    assert ExceptionItem.objects.filter(routing.condition(rule)).exists() is fits
    assert routing.preview(rule).fits == int(fits)


def test_the_first_rule_counts_and_the_preview_says_what_the_others_would_get(world: World) -> None:
    for amount in ("10.00", "100.00", "1000.00"):
        world.held(body={"amount": amount})
    services.save_route(route(slug="large", name="Large", amount_from="500", position=1, team="Controller"), by=None)
    services.save_route(route(position=2), by=None)
    sweep()
    rules = list(RoutingRule.objects.all())
    assert routing.taken(rules) == {"large": (1, Decimal(1000)), "finance": (2, Decimal(110))}
    rest = routing.preview(rules[1])
    assert (rest.open, rest.fits, rest.before, rest.kept, rest.routes, rest.amount) == (3, 3, 1, 0, 2, 110)
    assert dict(ExceptionItem.objects.values_list("amount", "team"))[Decimal(1000)] == "Controller"


def test_nobody_is_routed_to_by_an_amount_that_is_not_known(db: Any) -> None:
    rule = RoutingRule(slug="x", name="x", amount_from=Decimal(0), team="T")
    subject = Subject(None, None, None, "gap", "", "", "", None)
    assert Router([rule]).of(subject) == routing.NOBODY


# Documents ----------------------------------------------------------------------------------------------------
def test_an_export_applies_to_nothing(world: World, tmp_path: Path) -> None:
    services.save_classification(classification(), by=None)
    services.save_route(route(amount_from="50000", entity="time_entry", system="psa", domain="project-wbs"), by=None)
    documents.write(tmp_path, config.export())
    assert config.plan(tmp_path).steps == []


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (classification(when={"field": ["x"]}), "when"),
        (classification(when=[{"colour": ["x"]}]), "when.0.colour"),
        (classification(when=[{"field": []}]), "when.0.field"),
        (classification(facts="role"), "facts"),
        (classification(slug="new"), "slug"),
    ],
)
def test_a_cause_that_says_nothing_sensible_is_refused(document: dict[str, Any], path: str, db: Any) -> None:
    with pytest.raises(ConfigError) as error:
        services.save_classification(document, by=None)
    assert path in str(error.value)
    assert not Classification.objects.exists()


def test_a_rule_to_nobody_is_refused(db: Any) -> None:
    with pytest.raises(ConfigError, match="whose turn"):
        services.save_route(route(team=""), by=None)
    with pytest.raises(ConfigError, match="nought"):
        services.save_route(route(amount_from="-1"), by=None)
