"""What makes a crawl suspect, in tables and as rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.sync.models import Crawl, Sync
from hub.sync.removals import judging
from hub.sync.removals.marks import Mark

LIMITS = Sync()


def codes(read: int, usual: list[int]) -> list[str]:
    return [doubt.code for doubt in judging.of_volume(read, usual, LIMITS)]


@pytest.mark.parametrize(
    ("read", "usual", "found"),
    [
        (0, [], []),
        (0, [1], ["ZERO_RECORDS"]),
        (0, [0, 0, 0], []),
        (49, [100], []),  # one run is no custom
        (49, [100, 100, 100], ["FEWER_RECORDS"]),
        (50, [100, 100, 100], []),
        (301, [100, 100, 100], ["MORE_RECORDS"]),
        (300, [100, 100, 100], []),
        (2, [11, 11, 11], []),  # nine fewer is chance
        (90, [100, 20, 400, 100, 100], []),  # the median does not mind single runs
    ],
)
def test_a_volume_is_compared_with_the_median(read: int, usual: list[int], found: list[str]) -> None:
    assert codes(read, usual) == found


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=20))
def test_nothing_after_something_is_always_suspect(usual: list[int]) -> None:
    assert codes(0, usual) == ["ZERO_RECORDS"]


@given(st.integers(1, 5_000), st.integers(1, 5_000), st.integers(0, 100), st.integers(0, 50))
def test_no_more_goes_than_is_allowed(known: int, missing: int, percent: int, unasked: int) -> None:
    missing = min(missing, known)
    crawl = Crawl(is_whole=True, read=1, first_passed=True, known=known, missing=missing)
    limits = Sync(max_removed_percent=percent, removed_unasked=unasked)
    doubts = list(judging.of_removals(crawl, limits, is_same_source=True))
    assert bool(doubts) == (missing > unasked and missing / known > percent / 100)


def test_no_setting_lets_an_empty_crawl_remove_anything() -> None:
    crawl = Crawl(is_whole=True, read=0, known=5, missing=5)
    generous = Sync(max_removed_percent=100, removed_unasked=1_000)
    assert [d.code for d in judging.of_removals(crawl, generous, is_same_source=True)] == ["ZERO_RECORDS"]


def test_a_few_changes_tell_nothing_about_fields() -> None:
    few = Crawl(is_whole=False, read=19, seen_fields=["id"])
    enough = Crawl(is_whole=False, read=20, seen_fields=["id"])
    assert list(judging.of_fields(few, ["id", "title"])) == []
    assert [d.code for d in judging.of_fields(enough, ["id", "title"])] == ["FIELD_GONE"]


@pytest.mark.parametrize(
    ("mark", "record", "is_on"),
    [
        (Mark(), {"deleted": True}, False),
        (Mark("deleted"), {"deleted": True}, True),
        (Mark("deleted"), {"deleted": False}, False),
        (Mark("deleted"), {"deleted": "No"}, False),
        (Mark("deleted"), {"deleted": 0}, False),
        (Mark("deleted"), {"deleted": "2026-11-03"}, True),
        (Mark("deleted"), {}, False),
        (Mark("meta.state", ["gone", "true"]), {"meta": {"state": "gone"}}, True),
        (Mark("meta.state", ["gone", "true"]), {"meta": {"state": True}}, True),
        (Mark("meta.state", ["gone"]), {"meta": {"state": "here"}}, False),
    ],
)
def test_a_mark_is_read_where_it_stands(mark: Mark, record: dict[str, object], is_on: bool) -> None:
    assert mark.is_on(record) is is_on
