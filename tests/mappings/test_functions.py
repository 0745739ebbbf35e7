"""Conversions: pairs undo each other, arguments are checked, and every one tells what a form needs."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.common.errors import RecordError
from hub.common.money import CURRENCY_DIGITS
from hub.common.times import time_zone
from mappings.functions import FUNCTIONS, bind, check_conversion
from mappings.functions.registry import REQUIRED
from mappings.functions.truth import STYLES

BERLIN = time_zone("Europe/Berlin")


def run(name: str, value: Any, *fields: Any, **args: Any) -> Any:
    assert not list(check_conversion(name, args))
    return bind(name, args, BERLIN).call(value, *fields)


# --- pairs that undo each other -------------------------------------------------------------------------------------

whole = st.integers(-(10**17), 10**17)


@given(whole, st.sampled_from(sorted(CURRENCY_DIGITS)))
def test_cents_and_money_undo_each_other_in_every_currency(cents: int, currency: str) -> None:
    amount = run("cents_to_money", cents, None, currency=currency)
    assert -amount.as_tuple().exponent == CURRENCY_DIGITS[currency]
    assert run("money_to_cents", amount, None, currency=currency) == cents


@given(whole)
def test_minutes_and_hours_undo_each_other(minutes: int) -> None:
    assert run("hours_to_minutes", run("minutes_to_hours", minutes)) == minutes


@given(whole)
def test_seconds_and_hours_undo_each_other(seconds: int) -> None:
    assert run("hours_to_seconds", run("seconds_to_hours", seconds, digits=4)) == seconds


@given(st.integers(-99999 * 60, 99999 * 60))
def test_clock_notation_and_hours_undo_each_other(minutes: int) -> None:
    text = run("hours_to_hm", Decimal(minutes) / 60)
    assert run("hours_to_hm", run("hm_to_hours", text)) == text
    assert run("hours_to_minutes", run("hm_to_hours", text)) == minutes


@given(st.integers(-(10**9), 10**9))
def test_durations_and_hours_undo_each_other(minutes: int) -> None:
    text = run("hours_to_duration", run("minutes_to_hours", minutes))
    assert run("hours_to_minutes", run("duration_to_hours", text)) == minutes


decimals = st.decimals(-(10**15), 10**15, allow_nan=False, places=4)


@given(decimals)
def test_decimal_comma_undoes_itself(number: Decimal) -> None:
    assert run("decimal_comma", run("to_decimal_comma", number)) == number


@given(decimals)
def test_percent_and_fraction_undo_each_other(number: Decimal) -> None:
    assert run("fraction_to_percent", run("percent_to_fraction", number)) == number


@given(decimals)
def test_negate_undoes_itself(number: Decimal) -> None:
    assert run("negate", run("negate", number)) == number


@given(st.booleans(), st.sampled_from(sorted(STYLES)))
def test_booleans_come_back_in_every_style(flag: bool, style: str) -> None:
    assert run("to_boolean", run("from_boolean", flag, style=style), blank_is="false") is flag
    assert run("invert", run("invert", flag)) is flag


@given(st.dates())
def test_dates_come_back_from_numbers_and_pictures(day: date) -> None:
    assert run("yyyymmdd_to_date", run("date_to_yyyymmdd", day)) == day
    for picture in ("DD.MM.YYYY", "M/D/YYYY", "YYYY-MMM-DD"):
        assert run("parse_date", run("format_date", day, picture=picture), picture=picture) == day


instants = st.datetimes(datetime(1950, 1, 2), datetime(2150, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC))


@given(instants)
def test_instants_come_back_from_epochs(at: datetime) -> None:
    assert run("epoch_seconds_to_utc", run("utc_to_epoch_seconds", at)) == at
    assert run("epoch_ms_to_utc", run("utc_to_epoch_ms", at)) == at
    millisecond = at.replace(microsecond=at.microsecond // 1000 * 1000)
    assert run("odata_to_utc", run("utc_to_odata", millisecond)) == millisecond


@given(instants, st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "UTC"]))
def test_instants_come_back_from_wall_clocks_except_the_repeated_hour(at: datetime, zone: str) -> None:
    text = run("utc_to_local", at, zone=zone)
    again = {run("local_to_utc", text, zone=zone, fold=fold) for fold in ("first", "second")}
    assert at in again


@given(instants.map(lambda at: at.replace(second=0, microsecond=0)))
def test_wall_clock_pictures_come_back(at: datetime) -> None:
    picture = "DD.MM.YYYY hh:mm A"
    text = run("format_datetime", at, picture=picture)
    back = run("parse_datetime", text, picture=picture)
    assert back == at or abs(back - at) <= timedelta(hours=3)
    assert run("format_datetime", back, picture=picture) == text


@given(st.from_regex(r"[1-9A-Z][0-9A-Z]{0,5}", fullmatch=True))
def test_padding_and_stripping_zeros_undo_each_other(text: str) -> None:
    assert run("strip_leading_zeros", run("pad_left", text, length=8)) == text


@given(st.text(max_size=8), st.text(max_size=8))
def test_prefix_and_suffix_come_off_again(text: str, other: str) -> None:
    assert run("remove_prefix", run("prefix", text, text=other), text=other) == text
    assert run("remove_suffix", run("suffix", text, text=other), text=other) == text


@given(st.lists(st.text(st.characters(exclude_characters=";", exclude_categories=["Z", "C"]), min_size=1), max_size=5))
def test_join_and_split_undo_each_other(parts: list[str]) -> None:
    assert run("split", run("join", parts, separator=";"), separator=";") == parts


@given(
    st.dictionaries(st.integers().map(str), st.text(), min_size=1, max_size=5).filter(
        lambda t: len(set(t.values())) == len(t)
    )
)
def test_code_tables_undo_each_other(table: dict[str, str]) -> None:
    for code in table:
        assert run("picklist_to_code", run("picklist", code, table=table), table=table) == code


def test_declared_inverses_point_at_each_other() -> None:
    for name, found in FUNCTIONS.items():
        if found.inverse:
            assert FUNCTIONS[found.inverse].inverse == name


# --- what a form and a saved rule need ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_conversion_and_argument_says_in_a_line_what_it_is(name: str) -> None:
    found = FUNCTIONS[name]
    assert 10 < len(found.help) < 130
    assert found.help.endswith(".")
    assert all(arg.help.endswith(".") for arg in found.args)
    assert all(arg.choices for arg in found.args if arg.kind == "choice")


@pytest.mark.parametrize(
    ("name", "args", "problem"),
    [
        ("trimm", {}, "did you mean trim?"),
        ("trim", {"length": 3}, "has no argument 'length'"),
        ("truncate", {}, "needs length"),
        ("truncate", {"length": -1}, "whole number from 0"),
        ("truncate", {"length": True}, "whole number from 0"),
        ("round", {"rounding": "nearest"}, "one of half_up"),
        ("multiply", {}, "exactly one of by, field"),
        ("multiply", {"by": 2, "field": "rate"}, "exactly one of by, field"),
        ("multiply", {"by": "two"}, "must be a number"),
        ("multiply", {"field": "a..b"}, "path of a field"),
        ("cents_to_money", {"currency": "EURO"}, "currency code"),
        ("local_to_utc", {"zone": "Berlin"}, "time zone"),
        ("parse_date", {"picture": "HH:mm"}, "year, month and day"),
        ("concat", {"fields": "a"}, "list of texts"),
        ("picklist", {"table": {}}, "table of value"),
    ],
)
def test_wrong_arguments_are_told_before_a_record_meets_them(name: str, args: dict[str, Any], problem: str) -> None:
    assert problem in " ".join(check_conversion(name, args))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@pytest.mark.parametrize("value", ["", "x", -1, 1.5, True, [], {}, ["a"], Decimal("NaN"), date(2026, 1, 1), "9" * 200])
def test_a_conversion_answers_or_refuses_the_record_and_nothing_else(name: str, value: Any) -> None:
    found = FUNCTIONS[name]
    samples = {
        "text": "-", "texts": ["a"], "whole": 2, "number": 2, "any": 1, "table": {"a": "b"}, "path": "p", "paths": ["p"],
        "item_path": "p", "currency": "EUR", "time_zone": "UTC", "picture": "DD.MM.YYYY",
    }  # fmt: skip
    args = {arg.name: samples[arg.kind] for arg in found.args if arg.default is REQUIRED}
    if found.one_of:
        args[found.one_of[0]] = samples[next(arg.kind for arg in found.args if arg.name == found.one_of[0])]
    bound = bind(name, args, BERLIN)
    with suppress(RecordError):
        bound.call(value, *(() if ref.is_many else None for ref in bound.fields))


def test_null_skips_every_conversion_that_does_not_ask_for_it() -> None:
    for name, found in FUNCTIONS.items():
        if not found.nulls and not found.one_of and not any(arg.default is REQUIRED for arg in found.args):
            assert run(name, None) is None
