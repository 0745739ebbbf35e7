"""What the shadow compares, what counts as a difference, and what a person's explanation does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from hub.common.errors import ConfigError
from hub.cutover import queries, services
from hub.cutover.models import CutoverMove, CutoverRoute, ShadowCheck, ShadowDay, ShadowDiff
from hub.cutover.projection import pattern_of
from mappings.services import activate_rules
from tests import memory
from tests.cutover.conftest import MONDAY, NEW_RULES, World

pytestmark = pytest.mark.django_db(transaction=True)


def shadowed(world: World, **given: Any) -> None:
    world.make(**given)
    services.advance(world.cutover, "UK", reason="Look at it.", by=None)  # type: ignore[arg-type]


def rules(world: World, *changed: dict[str, Any]) -> None:
    """The new side's mapping with other rules for these targets."""
    targets = {rule["target"] for rule in changed}
    kept = [rule for rule in NEW_RULES if rule["target"] not in targets]
    activate_rules(mapping=world.new.mapping, rules=[*kept, *changed], by=None)


def differences() -> list[tuple[str, str, str, str]]:
    return [(d.field, d.pattern, d.legacy_value, d.new_value) for d in ShadowDiff.objects.all()]


def test_nothing_is_sent_while_the_new_payload_is_built_and_compared(world: World) -> None:
    shadowed(world)
    world.change(1)
    world.change(2, company="DE")
    world.deliver()
    assert world.compare(MONDAY) == 1
    assert memory.system("bc").writes == []
    day = ShadowDay.objects.get()
    assert (day.legal_entity, day.day, day.compared, day.equal, day.unexplained) == ("UK", MONDAY, 1, 1, 0)
    assert world.compare(MONDAY) == 0  # once for each version


def test_money_is_compared_to_the_cent_across_units(world: World) -> None:
    shadowed(world)
    world.change(1, budget="1000.5")  # 1000.5 at the one side, 100050 cents at the other
    world.deliver()
    world.compare(MONDAY)
    assert differences() == []
    rules(world, {"target": "budgetCents", "kind": "constant", "value": 100050})
    assert queries.left_out_of(world.cutover)[0]["budget"] == "only the legacy mapping reads it"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"target": "displayName", "source": "name", "convert": [{"fn": "truncate", "args": {"length": 4}}]},
         ("name", "cut short", "Project 1", "Proj")),
        ({"target": "displayName", "source": "name", "on_missing": "null", "convert": ["upper"]}, None),
        ({"target": "budgetCents", "source": "budget", "type": "decimal"}, None),
        ({"target": "budgetCents", "source": "currency"}, None),
    ],
)  # fmt: skip
def test_a_field_is_compared_where_both_mappings_can_be_read_backwards(
    world: World, rule: dict[str, Any], expected: tuple[str, ...] | None
) -> None:
    shadowed(world)
    rules(world, rule)
    world.change(1)
    world.deliver()
    world.compare(MONDAY)
    assert differences() == ([expected] if expected else [])


def test_a_record_that_the_new_side_would_not_get_or_cannot_build_differs(world: World) -> None:
    shadowed(world)
    world.new.only_when = {"status": ["closed"]}
    world.new.save()
    world.change(1)
    world.deliver()
    world.compare(MONDAY)
    assert [(field, pattern) for field, pattern, _, _ in differences()] == [
        ("(condition)", "not wanted at the new side")
    ]


def test_a_tolerance_lets_a_small_difference_pass(world: World) -> None:
    legacy = world.legacy.mapping
    shadowed(world, tolerances={"budget": "0.50"})
    activate_rules(mapping=legacy, by=None, rules=[
        {"target": "number", "source": "code"}, {"target": "description", "source": "name"},
        {"target": "amount", "source": "budget", "type": "decimal", "digits": 0, "rounding": "half_up"}])  # fmt: skip
    world.change(1, budget="1000.40")
    world.change(2, budget="1000.40", company="UK")
    world.deliver()
    world.compare(MONDAY)
    assert differences() == []
    services.save_cutover(world.document(tolerances={"budget": "0.10"}), by=None)
    world.change(1, budget="1001.40")
    world.deliver()
    world.compare(MONDAY + timedelta(days=1))
    assert differences() == [("budget", "another amount", "1001.00", "1001.40")]


@pytest.mark.parametrize(
    ("legacy", "new", "kind", "pattern"),
    [
        ("a", "", "", "missing at the new side"),
        ("", "a", "", "missing at the legacy side"),
        ("10.00", "10.01", "money", "a cent or less"),
        ("10.00", "12.00", "money", "another amount"),
        ("Main  Street", "main street", "", "letter case or blanks"),
        ("Project one", "Project", "", "cut short"),
        ("a", "b", "", "another value"),
    ],
)
def test_a_pattern_says_in_which_way_values_differ(legacy: str, new: str, kind: str, pattern: str) -> None:
    assert pattern_of(legacy, new, kind) == pattern


def differing(world: World, *numbers: int) -> None:
    shadowed(world)
    rules(world, {"target": "displayName", "source": "name", "convert": [{"fn": "truncate", "args": {"length": 4}}]})
    for number in numbers:
        world.change(number)
    world.deliver()
    world.compare(MONDAY)


def test_a_person_explains_one_difference_or_all_of_a_cause(world: World, ada: Any) -> None:
    differing(world, 1, 2, 3)
    assert ShadowDay.objects.get().unexplained == 3
    first = ShadowDiff.objects.order_by("pk")[0]
    cutover = world.cutover
    assert cutover is not None
    assert services.explain(cutover, diff=first.pk, reason="Known.", by=ada) == 1
    assert ShadowDay.objects.get().unexplained == 2
    cause = ("UK", "name", "cut short")
    assert services.explain(cutover, cause=cause, reason="The new ERP takes four letters.", by=ada) == 2
    day = ShadowDay.objects.get()
    assert (day.unexplained, day.different, day.compared) == (0, 3, 3)
    with pytest.raises(ConfigError, match="Nothing of this is open"):
        services.explain(cutover, cause=cause, reason="Again.", by=ada)


def test_an_explanation_needs_words(world: World, ada: Any) -> None:
    differing(world, 1)
    with pytest.raises(ConfigError, match="Say what explains it"):
        services.explain(world.cutover, cause=("UK", "name", "cut short"), reason="  ", by=ada)  # type: ignore[arg-type]
    with pytest.raises(IntegrityError), transaction.atomic():
        ShadowDiff.objects.update(state="explained")


def test_a_second_look_on_a_day_replaces_the_first_and_keeps_what_was_said(world: World, ada: Any) -> None:
    differing(world, 1)
    services.explain(world.cutover, cause=("UK", "name", "cut short"), reason="Known.", by=ada)  # type: ignore[arg-type]
    world.change(1, budget="7.00")
    world.deliver()
    world.compare(MONDAY)
    assert [(d.state, d.reason) for d in ShadowDiff.objects.all()] == [("explained", "Known.")]
    world.change(1, title="Another name")
    world.deliver()
    world.compare(MONDAY)
    assert [(d.state, d.new_value) for d in ShadowDiff.objects.all()] == [("open", "Anot")]
    assert ShadowCheck.objects.count() == 1


# The gate --------------------------------------------------------------------------------------------------
def test_the_gate_wants_clean_days_in_a_row_and_says_which_are_missing(world: World) -> None:
    shadowed(world)
    world.change(1)
    world.deliver()
    world.compare(MONDAY)
    with pytest.raises(
        ConfigError, match=r"1 of 2 days in a row are clean; 1 more is needed. On 2026-10-30"
    ) as refused:
        services.advance(world.cutover, "UK", reason="Go.", by=None)  # type: ignore[arg-type]
    assert "/cutovers/projects/" in refused.value.fix
    world.change(2)
    world.deliver()
    world.compare(MONDAY + timedelta(days=1))
    assert services.advance(world.cutover, "UK", reason="Go.", by=None).state == "dual"  # type: ignore[arg-type]


def test_an_unexplained_day_begins_the_count_anew_and_there_is_no_way_around_it(world: World, ada: Any) -> None:
    differing(world, 1)
    world.clean_days(until=MONDAY - timedelta(days=1), number=5)
    with pytest.raises(ConfigError, match=r"0 of 2 days .* On 2026-11-02 1 record has unexplained differences"):
        services.advance(world.cutover, "UK", reason="I know better.", by=ada)  # type: ignore[arg-type]
    services.explain(world.cutover, cause=("UK", "name", "cut short"), reason="Known.", by=ada)  # type: ignore[arg-type]
    assert services.advance(world.cutover, "UK", reason="Go.", by=ada).state == "dual"  # type: ignore[arg-type]


def test_a_weekend_without_work_is_passed_over_and_a_working_day_is_not(world: World) -> None:
    shadowed(world)
    for day in (MONDAY, MONDAY - timedelta(days=3)):  # Monday and Friday
        world.clean_days(until=day, number=1)
    world.compare(MONDAY)
    assert services.advance(world.cutover, "UK", reason="Go.", by=None).state == "dual"  # type: ignore[arg-type]
    world.compare(MONDAY + timedelta(days=3))  # Tuesday and Wednesday showed nothing
    with pytest.raises(ConfigError, match=r"0 of 2 days .* On 2026-11-04 nothing was compared"):
        services.advance(world.cutover, "UK", reason="Go.", by=None)  # type: ignore[arg-type]


# The database ----------------------------------------------------------------------------------------------
def test_the_database_refuses_states_and_steps_that_there_are_not(world: World) -> None:
    shadowed(world)
    with pytest.raises(IntegrityError), transaction.atomic():
        CutoverRoute.objects.update(state="gone")
    with pytest.raises(IntegrityError), transaction.atomic():
        CutoverMove.objects.create(cutover=world.cutover, legal_entity="UK", before="legacy", after="new", reason="x")
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        CutoverMove.objects.update(reason="Another one")


def test_going_back_needs_a_reason_and_an_earlier_state(world: World) -> None:
    shadowed(world)
    with pytest.raises(ConfigError, match="Say why it goes back"):
        services.roll_back(world.cutover, "UK", "legacy", reason="", by=None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="cannot go back to 'dual'"):
        services.roll_back(world.cutover, "UK", "dual", reason="x", by=None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"no route for 'FR'.*Known: \*, UK"):
        services.advance(world.cutover, "FR", reason="x", by=None)  # type: ignore[arg-type]
