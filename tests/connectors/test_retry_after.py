"""When a system wants to be asked again: every spelling is read, garbage says nothing, and nothing that is said crashes."""

from __future__ import annotations

import email.utils
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from connectors.failures import Classifier
from connectors.retry_after import LONGEST_SECONDS, asked_seconds, reset_seconds

DAY = LONGEST_SECONDS
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOON = NOW + timedelta(hours=1)
PAST = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
RFC_850 = "%A, %d-%b-%y %H:%M:%S GMT"
ASCTIME = "%a %b %e %H:%M:%S %Y"
AN_HOUR = (3500.0, 3600.0)


@pytest.fixture(autouse=True, scope="module")
def clock_stands_still() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def exactly(seconds: float) -> tuple[float, float]:
    return seconds, seconds


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, exactly(7)),
        ({"retry-after": " 7 "}, exactly(7)),
        ({"retry-after": "+7"}, exactly(7)),
        ({"retry-after": "7s"}, exactly(7)),
        ({"retry-after": "0.5"}, exactly(0.5)),
        ({"retry-after": "7, 7"}, exactly(7)),
        ({"retry-after": "0"}, exactly(0)),
        ({"retry-after": "-5"}, exactly(0)),
        ({"retry-after": "999999999"}, exactly(DAY)),
        ({"retry-after": "9" * 400}, exactly(DAY)),
        ({"retry-after": email.utils.format_datetime(SOON, usegmt=True)}, AN_HOUR),
        ({"retry-after": SOON.strftime(RFC_850)}, AN_HOUR),
        ({"retry-after": SOON.strftime(ASCTIME)}, AN_HOUR),
        ({"retry-after": SOON.isoformat()}, AN_HOUR),
        ({"retry-after": email.utils.format_datetime(PAST, usegmt=True)}, exactly(0)),
        ({"retry-after": PAST.strftime(RFC_850)}, exactly(0)),
        ({"retry-after": PAST.strftime(ASCTIME)}, exactly(0)),
        ({"retry-after": "Fri, 31 Dec 2199 23:59:59 GMT"}, exactly(DAY)),
        ({"retry-after-ms": "1500"}, exactly(1.5)),
        ({"x-ms-retry-after-ms": "250"}, exactly(0.25)),
        ({"retry-after-ms": "1500", "retry-after": "2"}, exactly(1.5)),
        ({"retry-after-ms": "soon", "retry-after": "2"}, exactly(2)),
    ],
)
def test_what_an_answer_asks_for_is_read(headers, expected):
    low, high = expected
    assert low <= asked_seconds(headers) <= high


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf", "1_000", "٣", "1e3", "Mon, 99 Foo 2000 99:99:99 GMT", ";"])
def test_what_cannot_be_read_says_nothing(value):
    assert asked_seconds({"retry-after": value}) is None
    assert reset_seconds({"x-ratelimit-reset": value}) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-ratelimit-reset": str(int(SOON.timestamp()))}, AN_HOUR),
        ({"x-ratelimit-reset": str(int(SOON.timestamp() * 1000))}, AN_HOUR),
        ({"x-ratelimit-reset": SOON.isoformat()}, AN_HOUR),
        ({"x-ratelimit-reset": "42"}, exactly(42)),
        ({"x-ratelimit-reset": str(int(PAST.timestamp()) + 10**9)}, exactly(0)),
        ({"x-rate-limit-reset": "42"}, exactly(42)),
        ({"x-ratelimit-reset-after": "1.25"}, exactly(1.25)),
        ({"ratelimit-reset": "50"}, exactly(50)),
        ({"ratelimit": "limit=100, remaining=0, reset=50"}, exactly(50)),
        ({"ratelimit": '"default";r=0;t=30'}, exactly(30)),
        ({"x-ratelimit-reset": "42", "x-ratelimit-remaining": "0"}, exactly(42)),
        ({"ratelimit-reset": "999999"}, exactly(DAY)),
    ],
)
def test_an_allowance_that_is_used_up_says_when_it_is_full_again(headers, expected):
    low, high = expected
    assert low <= reset_seconds(headers) <= high


@pytest.mark.parametrize(
    "headers",
    [{"x-ratelimit-reset": "42", "x-ratelimit-remaining": "7"}, {"ratelimit": '"default";r=7;t=30'}, {}],
)
def test_an_allowance_that_is_not_used_up_says_nothing(headers):
    assert reset_seconds(headers) is None


@pytest.mark.parametrize(
    ("status", "headers", "kind", "seconds"),
    [
        (429, {"retry-after-ms": "1500"}, "throttled", 1.5),
        (429, {"x-ratelimit-reset": "42"}, "throttled", 42),
        (503, {"retry-after": "7"}, "throttled", 7),
        (503, {"x-ratelimit-reset": "42"}, "server_transient", None),
        (400, {"x-ratelimit-reset": "42"}, "validation", None),
    ],
)
def test_an_allowance_counts_for_a_refusal_that_is_about_it(status, headers, kind, seconds):
    failure = Classifier({}).judge(status=status, data={}, headers=headers)
    assert (failure.kind, failure.retry_after) == (kind, seconds)


ODD_TEXT = st.one_of(
    st.text(),
    st.text(alphabet="0123456789+-.eE,;:= "),
    st.datetimes().map(lambda moment: email.utils.format_datetime(moment)),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    st.floats().map(str),
)
NAMES = [
    "retry-after",
    "retry-after-ms",
    "x-ms-retry-after-ms",
    "x-ratelimit-reset",
    "ratelimit",
    "ratelimit-remaining",
]


@given(st.dictionaries(st.sampled_from(NAMES), ODD_TEXT))
def test_no_spelling_crashes_or_leads_beyond_a_day(headers):
    for found in (asked_seconds(headers), reset_seconds(headers)):
        assert found is None or 0 <= found <= DAY
