from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from hub.accounts.models import User
from hub.common import display
from hub.common.states import ICONS, STATES, TOKENS, state_of
from hub.common.templatetags.charts import SHAPES

NOW = datetime(2026, 11, 24, 10, 23, tzinfo=UTC)


def render(source: str, **context: Any) -> str:
    return Template("{% load ui charts %}" + source).render(Context(context))


@pytest.mark.parametrize(
    ("moment", "style", "words"),
    [
        (NOW.replace(hour=8), "local", "today 10:23"),
        (NOW.replace(hour=23), "local", "25 Nov 01:23"),
        (NOW.replace(hour=8), "utc", "today 08:23 UTC"),
        (NOW.replace(year=2025, hour=8, minute=5), "utc", "24 Nov 2025 08:05 UTC"),
        (NOW - timedelta(minutes=3), "relative", "3 m ago"),
        (NOW + timedelta(hours=2, minutes=59), "relative", "in 2 h"),
        (NOW - timedelta(days=40), "relative", "40 d ago"),
        (NOW + timedelta(seconds=2), "relative", "just now"),
    ],
)
def test_an_instant_is_shown_in_the_style_and_zone_of_the_person(moment: datetime, style: str, words: str) -> None:
    with timezone.override(ZoneInfo("Africa/Cairo")):
        assert display.time_in(moment, style, NOW) == words


def test_a_time_carries_utc_for_machines_and_as_a_tooltip() -> None:
    request = RequestFactory().get("/")
    request.user = User(time_style="utc")
    shown = render("{% when at %}", at="2025-01-02T03:04:05Z", request=request)
    assert shown == (
        '<time datetime="2025-01-02T03:04:05Z" title="2025-01-02 03:04:05 UTC">2 Jan 2025 03:04 UTC</time>'
    )


@given(day=st.dates(), zone=st.sampled_from(["Pacific/Kiritimati", "Pacific/Midway", "Europe/Berlin", "UTC"]))
def test_a_business_date_is_the_same_in_every_zone(day: date, zone: str) -> None:
    with timezone.override(ZoneInfo(zone)):
        assert f'datetime="{day.isoformat()}"' in render("{% day value %}", value=day)
        assert display.date_text(day) == f"{day.day} {day:%b} {day.year}"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (0, "0.0 s"), (1.42, "1.4 s"), (59.6, "1 m 00 s"), (12, "12 s"), (241, "4 m 01 s"),
     (10_200, "2 h 50 m"), (273_600, "3 d 04 h"), (timedelta(minutes=2), "2 m 00 s")],
)  # fmt: skip
def test_a_duration_has_two_units(seconds: Any, words: str) -> None:
    assert display.duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "currency", "digits"),
    [("61262.5", "EUR", "61,262.50"), ("-1236", "GBP", "-1,236.00"), ("1000", "JPY", "1,000"),
     ("0.12345", "EUR", "0.12345"), (Decimal("1E+3"), "", "1,000"), ("1.5", "KWD", "1.500"), ("n/a", "EUR", "n/a")],
)  # fmt: skip
def test_money_has_the_decimals_of_its_currency_and_loses_none(value: Any, currency: str, digits: str) -> None:
    assert display.money(value, currency) == digits


def test_an_amount_shows_its_own_currency_below() -> None:
    shown = render('{% amount "54720" "EUR" original="48000" of="GBP" %}')
    assert '<span class="cur">EUR</span> 54,720.00' in shown
    assert '<span class="orig">GBP 48,000.00</span>' in shown
    assert "orig" not in render('{% amount "1" "EUR" original="1" of="EUR" %}')


def test_every_state_has_a_known_token_an_icon_and_a_word() -> None:
    assert set(ICONS) == set(SHAPES) == set(TOKENS)
    assert all(state.token in TOKENS and state.word and state.icon for state in STATES.values())
    assert {state.token for state in STATES.values()} == set(TOKENS)


def test_states_are_told_apart_without_colour() -> None:
    assert len(set(ICONS.values())) == len(ICONS)
    assert len({shape.replace(f"-{token}", "") for token, shape in SHAPES.items()}) == len(SHAPES)


def test_an_unknown_state_is_shown_as_its_words() -> None:
    state = state_of("half_done")
    assert (state.token, state.word) == ("muted", "Half done")
    assert state_of("Completed with errors").token == "warn"


def test_a_state_is_icon_word_and_colour() -> None:
    shown = render('{% status "failed" %}{% status "failed" "2 late" %}')
    assert 'data-status="fail"' in shown
    assert "#i-x" in shown
    assert "Failed</span>" in shown
    assert "2 late</span>" in shown


def test_a_plan_has_the_same_five_words_in_the_same_order() -> None:
    shown = render("{% plan counts %}", counts={"update": 3, "reject": 1200})
    words = ["Create", "Update", "Skip", "Would duplicate", "Reject"]
    assert [shown.index(f"{word}</dt>") for word in words] == sorted(shown.index(f"{word}</dt>") for word in words)
    assert "1,200" in shown
    assert shown.count("data-zero") == 3


def test_masked_values_are_not_in_the_page() -> None:
    record = {"name": "J. Ruiz", "bank": {"iban": "DE02"}, "lines": [{"rate": 100}, {"rate": 120}], "empty": None}
    shown = display.mask(record, frozenset({"bank.iban", "lines.rate", "empty"}))
    assert shown == {
        "name": "J. Ruiz", "bank": {"iban": display.MASK}, "lines": [{"rate": display.MASK}] * 2, "empty": None,
    }  # fmt: skip
    assert "DE02" not in render("{% json_block record masked=paths %}", record=record, paths=["bank"])


def test_json_is_escaped() -> None:
    assert "<script" not in render("{% json_block record %}", record={"a": "</pre><script>"})


@given(st.integers(), st.integers())
def test_a_bar_is_never_full_before_the_end_nor_empty_after_the_start(done: int, total: int) -> None:
    share = display.share(done, total)
    assert 0 <= share <= 100
    if 0 < done < total:
        assert 1 <= share <= 99


def test_a_strip_says_in_words_what_it_draws() -> None:
    shown = render('{% strip marks "Time entry" %}', marks=["succeeded", "succeeded", ("failed", "run 7: failed")])
    assert 'aria-label="Time entry: 3, of which 2 Succeeded, 1 Failed"' in shown
    assert "<title>run 7: failed</title>" in shown
    assert shown.count("<g ") == 3


def test_a_spark_ends_in_its_newest_value() -> None:
    shown = render('{% spark values "10 days" %}', values=[1, 5, 3])
    assert 'points="3.0,17.0 36.0,3.0 69.0,10.0"' in shown
    assert 'cx="69.0" cy="10.0"' in shown
    assert render('{% spark values "x" %}', values=[]) == "–"
    assert json.dumps(render('{% spark values "x" %}', values=[2, 2]))
