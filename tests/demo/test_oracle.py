"""The oracle speaks of every planted fault, and of nothing that the firm does not have."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from connectors.simulators.firm import build_firm
from monitoring.demo.oracle import expected_of, kept_of

TODAY = date(2026, 11, 30)


@pytest.mark.parametrize(("profile", "number"), [("tiny", 5), ("small", 25)])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_fault_has_one_answer(profile, number, seed):
    firm = build_firm(profile, today=TODAY, seed=seed)
    expected, kept = expected_of(firm), kept_of(firm)
    assert len(expected) + len(kept) == len(firm.faults) == number
    assert all(each.cause and each.team for each in expected.values())


def test_money_is_what_the_firms_story_says():
    firm = build_firm("small", today=TODAY)
    by_code = {each.fault.code: each for each in expected_of(firm).values()}
    long_day, negative = by_code["DAY_OF_25_HOURS"].money, by_code["NEGATIVE_HOURS"].money
    assert long_day
    assert (long_day[0] / Decimal(25)) % 1 == 0  # whole units an hour
    assert by_code["MISSING_EMAIL"].money is None
    assert negative
    assert negative[0] < 0
