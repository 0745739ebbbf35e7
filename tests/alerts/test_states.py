"""People are told of a change once, whatever happens in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitoring.alerts.states import CALM, CRITICAL, FLAPS, LEVELS, OK, RANK, WARNING, Standing, step

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
levels = st.sampled_from(LEVELS)
evaluations = st.integers(1, 4)
# (what is found, minutes since the last look, whether people are held back)
looks = st.lists(st.tuples(levels, st.integers(1, 40), st.booleans()), max_size=60)


def play(found: list[tuple[str, int, bool]], number: int = 1) -> tuple[Standing, list[tuple[str, str]], datetime]:
    """The last standing, and what people were told as (before, after)."""
    standing, now, told = Standing(), START, []
    for level, minutes, is_hushed in found:
        now += minutes * MINUTE
        done = step(standing, level, now=now, evaluations=number, is_hushed=is_hushed)
        if done.told_before is not None:
            assert not is_hushed
            told.append((done.told_before, done.after.told))
        standing = done.after
    return standing, told, now


def steady(level: str, times: int = 1) -> list[tuple[str, int, bool]]:
    return [(level, 1, False)] * times


@given(looks, evaluations)
def test_each_notice_says_something_new(found: list[tuple[str, int, bool]], number: int) -> None:
    _, told, _ = play(found, number)
    known = OK
    for before, after in told:
        assert before == known
        assert after != known
        known = after


@given(looks, evaluations)
def test_a_recovery_is_told_only_after_trouble_was(found: list[tuple[str, int, bool]], number: int) -> None:
    _, told, _ = play(found, number)
    assert not told or told[0][1] != OK


@given(looks, evaluations, levels)
def test_in_the_end_people_know_what_holds(found: list[tuple[str, int, bool]], number: int, level: str) -> None:
    """Once a level stays, and longer than flapping lasts, and nobody holds the notices back."""
    calm = [(level, 20, False)] * (4 + number)
    standing, _, _ = play(found + calm, number)
    assert standing.state == standing.told == level


@given(levels, evaluations, st.integers(1, 30))
def test_a_level_that_stays_is_told_once(level: str, number: int, times: int) -> None:
    _, told, _ = play(steady(level, number + times), number)
    assert told == ([] if level == OK else [(OK, level)])


@given(st.lists(st.tuples(levels, st.integers(1, 2)), min_size=10, max_size=60))
def test_flapping_within_an_hour_tells_few_times(found: list[tuple[str, int]]) -> None:
    """However wildly it changes: until the guard holds it, each change once; then only what is worse."""
    looks_ = [(level, minutes, False) for level, minutes in found][:28]
    _, told, _ = play(looks_)
    assert len(told) <= 3 * FLAPS


def test_so_many_evaluations_have_to_agree() -> None:
    assert play(steady(WARNING, 2), 3)[1] == []
    assert play([*steady(WARNING, 2), *steady(OK), *steady(WARNING, 2)], 3)[1] == []
    assert play(steady(WARNING, 3), 3)[1] == [(OK, WARNING)]


def test_critical_and_warning_in_turns_agree_on_warning() -> None:
    assert play([*steady(CRITICAL), *steady(WARNING), *steady(CRITICAL)], 3)[1] == [(OK, WARNING)]


def test_it_gets_worse_and_better_step_by_step() -> None:
    _, told, _ = play([*steady(WARNING), *steady(CRITICAL), *steady(WARNING), *steady(OK)])
    assert [after for _, after in told] == [WARNING, CRITICAL, WARNING, OK]


def test_what_flaps_is_held_at_its_worse_state_until_it_is_calm() -> None:
    turns = [*steady(CRITICAL), *steady(OK)] * 6
    standing, told, _ = play(turns)
    assert standing.state == CRITICAL
    assert standing.confirmed == OK
    standing, later, _ = play([*turns, (OK, int(CALM / MINUTE), False)])
    assert standing.state == OK
    assert later[len(told) :] == [(CRITICAL, OK)]


def test_what_ended_while_it_was_hushed_is_never_told() -> None:
    _, told, _ = play([(CRITICAL, 1, True), (CRITICAL, 1, True), (OK, 1, True), (OK, 1, False)])
    assert told == []


def test_what_still_holds_after_the_hush_is_told_then() -> None:
    _, told, _ = play([(WARNING, 1, True), (CRITICAL, 1, True), (CRITICAL, 1, False), (CRITICAL, 1, False)])
    assert told == [(OK, CRITICAL)]


def test_levels_are_in_order() -> None:
    assert [RANK[level] for level in (OK, WARNING, CRITICAL)] == [0, 1, 2]
