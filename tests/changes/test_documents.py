"""Documents side by side: what differs, which pattern covers it, and two edits put together. Pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.changes.documents import covers, differences, leaves, merge
from governance.changes.wording import in_words

value = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
document = st.dictionaries(st.sampled_from("abcd"), value, max_size=4)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("**", "a.b", True),
        ("**.rate", "schema.properties.rate.type", True),
        ("**.rate", "rate", True),
        ("**.rate", "schema.properties.rates", False),
        ("rules.*.source", "rules.hours.source", True),
        ("rules.*.source", "rules.hours.target", False),
        ("rules.bill_*", "rules.bill_rate.source", True),
        ("name", "name", True),
        ("name", "names", False),
        ("a.**.z", "a.z", True),
    ],
)
def test_a_pattern_covers_a_path_and_what_stands_below(pattern, path, expected):
    assert covers(pattern, path) is expected


def test_items_of_lists_are_known_by_name():
    before = {"rules": [{"target": "hours", "source": "h"}, {"target": "rate", "source": "r"}]}
    after = {"rules": [{"target": "rate", "source": "r"}, {"target": "hours", "source": "hrs"}]}
    assert [in_words(found) for found in differences(before, after)] == ["rules.hours.source: h → hrs"]


def test_values_of_a_list_are_told_as_come_and_gone():
    [found] = differences({"enum": ["a", "internal"]}, {"enum": ["a", "external"]})
    assert in_words(found) == "enum: − internal, + external"


def test_what_comes_as_a_whole_is_known_down_to_its_leaves():
    [found] = differences({"p": {"a": 1}}, {"p": {"a": 1, "rate": {"type": "text", "x-money": "c"}}})
    assert list(leaves(found)) == ["p.rate", "p.rate.type", "p.rate.x-money"]


@given(document)
def test_a_document_does_not_differ_from_itself(given_document):
    assert differences(given_document, given_document) == []


@given(document, document)
def test_without_another_edit_an_edit_is_what_it_is(base, later):
    assert merge(base, base, later) == later
    assert merge(base, later, base) == later


@given(document, st.integers(), st.integers())
def test_edits_of_different_places_are_both_kept(base, one, two):
    merged = merge(base, base | {"x": one}, base | {"y": two})
    assert merged == base | {"x": one, "y": two}


def test_entries_of_a_list_are_merged_one_by_one():
    base = [{"target": "a", "source": "1"}, {"target": "b", "source": "2"}]
    earlier = [{"target": "a", "source": "9"}, {"target": "b", "source": "2"}, {"target": "c", "source": "3"}]
    later = [{"target": "a", "source": "1"}, {"target": "b", "source": "8"}]
    assert merge(base, earlier, later) == [
        {"target": "a", "source": "9"},
        {"target": "b", "source": "8"},
        {"target": "c", "source": "3"},
    ]


def test_plain_lists_are_merged_as_sets_in_order():
    assert merge(["a", "b"], ["a", "b", "c"], ["b", "d"]) == ["b", "c", "d"]
