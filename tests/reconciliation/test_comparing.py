"""What agrees, what does not, and what may not be compared at all."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from hub.common.errors import TransientError
from hub.common.records import Page
from monitoring.models import Reconciliation, ReconciliationGap, ReconciliationRun
from monitoring.reconciliation import services
from monitoring.reconciliation.results import as_data
from tests import memory

from .builders import World, entry, gaps, labels, posted

pytestmark = pytest.mark.django_db
Status = ReconciliationRun.Status


def test_equal_sides_match(world: World) -> None:
    world.psa += [entry(n) for n in range(5)]
    world.erp += [posted(n) for n in range(5)]
    run = world.compare()
    assert (run.status, run.left, run.right, run.matched, run.gaps, run.unexplained) == (Status.DONE, 5, 5, 5, 0, 0)


def test_each_gap_says_what_it_is(world: World) -> None:
    world.psa += [entry(1), entry(2), entry(3, hours="7.5")]
    world.erp += [posted(1), posted(3), posted(4)]
    run = world.compare()
    found = {gap.key: gap for gap in gaps(run)}
    assert {key: gap.kind for key, gap in found.items()} == {
        "T-2": "only_left",
        "T-3": "differing",
        "T-4": "only_right",
    }
    assert found["T-3"].fields == ["hours"]
    assert found["T-3"].pairs == [("hours", "7.5", "8")]
    assert (run.matched, run.only_left, run.only_right, run.differing, run.unexplained) == (1, 1, 1, 1, 3)
    assert found["T-2"].difference == Decimal("-800")


def test_control_totals_are_by_currency_and_period_and_differ_by_the_gaps(world: World) -> None:
    world.psa += [entry(1), entry(2, currency="EUR"), entry(3, date="2026-10-31", period="2026-10")]
    world.erp += [posted(1), posted(3, day="2026-10-31", quantity="6", lineAmount="600")]
    data = as_data(world.compare())
    rows = {(row["currency"], row["period"]): row for row in data["totals"]}
    assert rows["GBP", "2026-11"]["difference"] == "0.00"
    assert rows["EUR", "2026-11"]["difference"] == "-800.00"
    assert rows["GBP", "2026-10"]["difference"] == "-200.00"
    assert rows["GBP", "2026-10"]["sums"] == {"hours": ["8", "6"]}


@pytest.mark.parametrize(
    ("left", "right", "tolerance", "agrees"),
    [
        ("8.00", "8", {}, True),
        ("8.00", "8.01", {}, False),
        ("8.00", "8.01", {"absolute": "0.01"}, True),
        ("8.00", "8.0101", {"absolute": "0.01"}, False),
        ("100", "101", {"percent": "1"}, True),
        ("100", "102", {"percent": "1"}, False),
        ("-100", "-101", {"percent": "1"}, True),
        ("8.00", None, {"absolute": "100"}, False),
        (None, None, {}, True),
        ("", None, {}, True),
        ("eight", "8", {}, False),
    ],
)
def test_amounts_agree_within_their_tolerance(
    world: World, left: Any, right: Any, tolerance: dict[str, str], agrees: bool
) -> None:
    world.psa.append(entry(1, hours=left))
    world.erp.append(posted(1, quantity=right))
    run = world.compare(compare=[{"field": "hours", "type": "decimal", **tolerance}])
    assert (run.matched == 1) is agrees


@pytest.mark.parametrize(
    ("left", "right", "compare", "agrees"),
    [
        ("Depot", "depot", {}, False),
        ("Depot", "depot", {"ignore_case": True}, True),
        ("De pot ", "Depot", {"ignore_space": True}, True),
        ("2026-11-05", "2026-11-06", {"type": "date"}, False),
        ("2026-11-05", "2026-11-06", {"type": "date", "days": 1}, True),
        ("2026-11-05", "2026-11-07", {"type": "date", "days": 1}, False),
        ("2026-11-05T10:00:00Z", "2026-11-05T11:00:00+01:00", {"type": "instant"}, True),
        ("2026-11-05T10:00:00Z", "2026-11-05T10:00:31Z", {"type": "instant", "seconds": 30}, False),
        ("true", True, {"type": "boolean"}, True),
        ("no", "true", {"type": "boolean"}, False),
    ],
)
def test_values_agree_by_their_type(world: World, left: Any, right: Any, compare: dict[str, Any], agrees: bool) -> None:
    world.psa.append(entry(1, notes=left))
    world.erp.append(posted(1, description=right))
    run = world.compare(compare=[{"field": "notes", **compare}])
    assert (run.matched == 1) is agrees


def test_a_record_twice_is_a_duplicate_and_the_one_that_agrees_stands_for_it(world: World) -> None:
    world.psa += [entry(1, amount="1.00"), {**entry(1), "id": "1b"}]
    world.erp.append(posted(1))
    run = world.compare()
    assert (run.matched, run.duplicates_left, run.differing, run.unexplained) == (1, 1, 0, 0)
    assert [(gap.kind, gap.left_id, gap.label) for gap in gaps(run)] == [("duplicate_left", "1", "duplicate")]


def test_a_filter_leaves_records_out_on_its_side(world: World) -> None:
    world.psa += [entry(1), entry(2, status="draft")]
    world.erp.append(posted(1))
    run = world.compare(left={"stream": "psa-time", "filter": {"status": ["approved"]}})
    assert (run.left, run.matched, run.gaps) == (1, 1, 0)


def test_the_hub_is_a_side(world: World) -> None:
    world.psa += [entry(1), entry(2)]
    world.read()
    world.erp.append(posted(1))
    run = world.compare(left={"hub": True})
    assert (run.left, run.matched, run.only_left) == (2, 1, 1)


def test_a_window_keeps_a_pair_whose_halves_are_in_two_periods(world: World) -> None:
    from datetime import UTC, datetime

    from hub.common.times import set_business_clock

    set_business_clock(datetime(2026, 11, 20, tzinfo=UTC))
    world.psa += [
        entry(1),
        entry(2, date="2026-10-31", period="2026-10"),
        entry(3, date="2026-09-01", period="2026-09"),
    ]
    world.erp += [posted(1), posted(2, day="2026-11-01")]
    run = world.compare(periods=1, compare=[{"field": "date", "type": "date"}])
    assert (run.left, run.right, run.matched, run.differing, run.only_left) == (2, 2, 1, 1, 0)
    assert labels(run) == {"T-2": "cut_off"}


# Not comparable --------------------------------------------------------------------------------------------
def test_a_side_that_breaks_off_leaves_the_gaps_of_before(world: World) -> None:
    world.psa += [entry(1), entry(2)]
    world.erp.append(posted(1))
    before = world.compare()
    memory.system("erp").fail_with.append(TransientError("The ERP does not answer."))
    run = world.compare()
    assert (run.status, run.unexplained) == (Status.NOT_COMPARABLE, 0)
    assert run.reason.startswith("ERP broke off after 0 records: The ERP does not answer.")
    assert [gap.key for gap in gaps(before)] == ["T-2"]


def test_a_side_that_breaks_off_half_way_makes_no_gap(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.psa += [entry(n) for n in range(10)]
    world.erp += [posted(n) for n in range(10)]
    reconciliation = world.reconciliation()

    def half(self: Any, stream: Any, *, cursor: Any, resume: Any = None) -> Any:
        rows = self.memory.sources[stream.name]
        yield Page(rows[:5], resume=5)
        if self.config["name"] == "erp":
            raise TransientError("Connection reset.")
        yield Page(rows[5:])

    monkeypatch.setattr(memory.MemoryConnector, "read", half)
    run = world.compare(reconciliation)
    assert run.status == Status.NOT_COMPARABLE
    assert not gaps(run)


@pytest.mark.parametrize("left", [0, 4])
def test_no_records_or_few_are_no_gaps_until_somebody_says_so(world: World, left: int) -> None:
    world.psa += [entry(n) for n in range(10)]
    world.erp += [posted(n) for n in range(10)]
    world.compare()
    del world.erp[left:]
    run = world.compare()
    assert run.status == Status.NOT_COMPARABLE
    assert not gaps(run)
    run = services.compare_here(run.reconciliation, is_small_accepted=True)
    assert (run.status, run.only_left) == (Status.DONE, 10 - left)


def test_records_of_which_none_agree_in_their_key_are_not_comparable(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitoring.reconciliation.work.MOST_GAPS", 3)
    world.psa += [entry(n) for n in range(3)]
    world.erp += [posted(n) for n in range(3, 6)]
    run = world.compare()
    assert run.status == Status.NOT_COMPARABLE
    assert "hardly the same things" in run.reason


# Again and again -------------------------------------------------------------------------------------------
def test_a_gap_stays_the_same_row_until_it_is_gone(world: World) -> None:
    world.psa += [entry(1), entry(2)]
    world.erp.append(posted(1))
    (first,) = gaps(world.compare())
    (second,) = gaps(world.compare())
    assert (first.pk, first.opened_at) == (second.pk, second.opened_at)
    world.erp.append(posted(2))
    run = world.compare()
    assert not gaps(run)
    assert ReconciliationGap.objects.get(pk=first.pk).state == "gone"


def test_what_a_person_decided_holds_until_the_record_changes(world: World) -> None:
    world.psa += [entry(1), entry(2)]
    world.erp.append(posted(1))
    (gap,) = gaps(world.compare())
    ReconciliationGap.objects.filter(pk=gap.pk).update(state="explained", reason="Timing")
    run = world.compare()
    assert (run.explained, run.unexplained) == (1, 0)
    world.psa[1]["hours"] = "4.00"
    run = world.compare()
    assert (run.explained, run.unexplained) == (0, 1)


# Properties ------------------------------------------------------------------------------------------------
ROWS = st.lists(
    st.tuples(st.integers(1, 8), st.sampled_from(["1.00", "2.50", "2.51"]), st.sampled_from(["GBP", "EUR"])),
    max_size=12,
)


class Properties(TestCase):
    """For any two sides: every record is counted once, the sides may change places, and totals are the sums of rows."""

    def setUp(self) -> None:
        import importlib

        from hub.accounts.models import Domain

        for order, (slug, name, description) in enumerate(
            importlib.import_module("hub.accounts.migrations.0002_domains").DOMAINS, start=1
        ):
            Domain.objects.get_or_create(slug=slug, defaults={"name": name, "description": description, "order": order})
        memory.SYSTEMS.clear()
        self.world = World()
        sides: dict[str, Any] = {
            "left": {"stream": "psa-time"},
            "right": {
                "stream": "erp-time",
                "fields": {name: name for name in ("number", "amount", "currency", "date")},
            },
        }
        compare = [{"field": "amount", "type": "decimal", "absolute": "0.01"}, {"field": "currency"}]
        common: dict[str, Any] = {"compare": compare, "totals": {"date": "date"}}
        self.there = self.world.reconciliation(slug="there", **sides, **common)
        self.back = self.world.reconciliation(slug="back", left=sides["right"], right=sides["left"], **common)

    @settings(max_examples=25)
    @given(ROWS, ROWS)
    def test_the_account_adds_up_both_ways(self, left: list[Any], right: list[Any]) -> None:
        self.world.psa[:] = [self._row(at, *row) for at, row in enumerate(left)]
        self.world.erp[:] = [self._row(at, *row) for at, row in enumerate(right)]
        there = services.compare_here(self.there, is_small_accepted=True)
        back = services.compare_here(self.back, is_small_accepted=True)
        assert there.status == back.status == Status.DONE, there.reason
        assert there.matched + there.only_left + there.differing + there.duplicates_left == there.left == len(left)
        assert there.matched + there.only_right + there.differing + there.duplicates_right == there.right == len(right)
        assert there.explained + there.unexplained == there.gaps == len(gaps(there))
        assert (there.matched, there.only_left, there.only_right, there.differing) == (
            back.matched, back.only_right, back.only_left, back.differing,
        )  # fmt: skip
        keys = Counter(row[0] for row in left).keys() & Counter(row[0] for row in right).keys()
        assert there.matched + there.differing == len(keys)
        self._totals(there, left, right)

    def _row(self, at: int, number: int, amount: str, currency: str) -> dict[str, Any]:
        return {**entry(number, amount=amount, currency=currency), "id": f"{at}"}

    def _totals(self, run: ReconciliationRun, left: list[Any], right: list[Any]) -> None:
        totals = {row["currency"]: row for row in as_data(run)["totals"]}
        for currency in {row[2] for row in (*left, *right)}:
            for side, rows in (("left", left), ("right", right)):
                amounts = [Decimal(amount) for _, amount, its in rows if its == currency]
                assert Decimal(totals[currency][f"{side}_amount"]) == sum(amounts)
                assert totals[currency][side] == len(amounts)
        assert sum(row["matched"] for row in totals.values()) == run.matched


def test_the_document_is_what_an_export_says(world: World) -> None:
    from hub.common.registry import kind

    world.reconciliation()
    document = kind("Reconciliation").dump("time")
    assert document
    assert kind("Reconciliation").diff(document) == []
    assert Reconciliation.objects.get(slug="time").name == "Time, PSA ↔ ERP"
