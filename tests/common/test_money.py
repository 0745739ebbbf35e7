"""Amounts are exact, bounded, and round only when told how."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.common.errors import RecordError
from hub.common.money import (
    CURRENCY_DIGITS,
    allocate,
    decimal_text,
    from_minor_units,
    parse_decimal,
    quantize,
    quantize_money,
    split,
    to_minor_units,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1250.00", "1250.00"),
        (" -0.5 ", "-0.5"),
        ("+7", "7"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e3", "1000"),
        (0.1, "0.1"),
        (2.675, "2.675"),
        (1e22, "10000000000000000000000"),
        (2**70, "1180591620717411303424"),
        (Decimal("1E+3"), "1000"),
        ("-0", "0"),
        ("0e99", "0"),
        (Decimal("-0.00"), "0.00"),
    ],
)
def test_number_is_read_exactly(value: Any, text: str) -> None:
    assert decimal_text(parse_decimal(value)) == text


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "1,5",
        "1_000",
        "1 000",
        "0x10",
        "١٢",
        "NaN",
        "inf",
        "--1",
        True,
        None,
        [],
        {},
        b"1",
        float("nan"),
        float("inf"),
    ],
)
def test_what_is_no_number_is_refused_by_name(value: Any) -> None:
    with pytest.raises(RecordError, match=r"not a (finite )?number"):
        parse_decimal(value)


@pytest.mark.parametrize("value", ["1e999", "1e38", 10**38, 1e300, 5e-324, Decimal("1E+1000000"), "9" * 152])
def test_numbers_out_of_bounds_are_refused_instead_of_printed(value: Any) -> None:
    with pytest.raises(RecordError, match=r"38 digits|not a number"):
        parse_decimal(value)


def test_an_integer_too_long_to_print_is_refused_all_the_same() -> None:
    with pytest.raises(RecordError, match="thousands of digits"):
        parse_decimal(10**5000)


def test_a_very_long_value_is_cut_in_the_sentence() -> None:
    with pytest.raises(RecordError) as caught:
        parse_decimal("x" * 10_000)
    assert len(caught.value.what) < 100


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30, places=6))
def test_text_of_a_decimal_reads_back_to_it(number: Decimal) -> None:
    text = decimal_text(number)
    assert parse_decimal(text) == number
    assert "E" not in text


@given(st.floats(-1e20, 1e20, allow_subnormal=False).filter(lambda number: number == 0 or abs(number) > 1e-15))
def test_a_float_counts_as_its_shortest_text(number: float) -> None:
    assert parse_decimal(number) == Decimal(repr(number))
    assert float(parse_decimal(number)) == number


def test_a_text_and_a_number_that_are_equal_do_not_meet_in_the_memo() -> None:
    assert decimal_text(parse_decimal("1.00")) == "1.00"
    assert decimal_text(parse_decimal(1)) == "1"
    with pytest.raises(RecordError):
        parse_decimal(True)


def test_losing_a_digit_needs_a_named_rounding() -> None:
    with pytest.raises(RecordError, match="no rounding is named"):
        quantize(Decimal("2.675"), 2)
    assert str(quantize(Decimal("2.670"), 2)) == "2.67"
    assert [str(quantize(Decimal("2.675"), 2, mode)) for mode in ("half_up", "half_even", "down", "up")] == [
        "2.68", "2.68", "2.67", "2.68",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("currency", "digits"),
    [("EUR", 2), ("JPY", 0), ("KWD", 3), ("BHD", 3), ("CLF", 4), ("HUF", 2), ("ISK", 0), ("MRU", 2)],
)
def test_currency_has_its_iso_4217_decimals(currency: str, digits: int) -> None:
    assert CURRENCY_DIGITS[currency] == digits
    assert -quantize_money("1", currency).as_tuple().exponent == digits  # type: ignore[operator]


def test_every_active_currency_is_listed_once() -> None:
    assert len(CURRENCY_DIGITS) == 165
    assert all(len(code) == 3 and code.isalpha() and code.isupper() for code in CURRENCY_DIGITS)


@pytest.mark.parametrize("code", ["eur", "EURO", "XAU", "", None, []])
def test_unknown_currency_is_refused(code: Any) -> None:
    with pytest.raises(RecordError, match="not a currency code"):
        quantize_money("1", code)


@given(st.integers(-(10**18), 10**18), st.sampled_from(sorted(CURRENCY_DIGITS)))
def test_minor_units_come_back(units: int, currency: str) -> None:
    assert to_minor_units(from_minor_units(units, currency), currency) == units


@given(
    st.integers(-(10**12), 10**12),
    st.lists(st.decimals(0, 10**6, places=3), min_size=1, max_size=12).filter(any),
    st.sampled_from([0, 2, 3]),
)
def test_shares_add_up_to_the_amount_and_stay_near_their_weight(
    units: int, weights: list[Decimal], digits: int
) -> None:
    amount = Decimal(units).scaleb(-digits)
    shares = allocate(amount, weights, digits)
    assert sum(shares) == amount
    total = sum(weights)
    unit = Decimal(1).scaleb(-digits)
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share * total - amount * weight) < unit * total
        assert weight or not share


def test_split_gives_the_odd_units_to_the_first() -> None:
    assert [str(share) for share in split(Decimal("100.00"), 3, 2)] == ["33.34", "33.33", "33.33"]
    assert [str(share) for share in split(Decimal("-0.05"), 2, 2)] == ["-0.03", "-0.02"]


def test_weights_must_make_sense() -> None:
    for weights in ([], [0, 0], [1, -1]):
        with pytest.raises(RecordError, match="Weights"):
            allocate(Decimal(1), weights, 2)
    with pytest.raises(RecordError, match="no rounding"):
        allocate(Decimal("0.001"), [1], 2)
