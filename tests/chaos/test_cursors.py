"""Whatever way a source writes its times of change, reading on from the stored cursor misses no row.

The source is a list of rows with real moments; it compares as its own clock and precision do. The reader is what the
connectors use: the highest value as the source wrote it, moved back and sent.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.cursors import CursorFormat, HighWater, start_value

BERLIN = ZoneInfo("Europe/Berlin")
# One hour before the clocks of Berlin go back, so that stories of some hours cross the change.
BEFORE_THE_CHANGE = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
DAY = datetime(2026, 11, 24, 9, tzinfo=UTC)

Write = Callable[[datetime, int], str]


def digits(count: int, tail: str = "Z") -> Write:
    """ISO 8601 in UTC with so many digits of a second; nanoseconds come on top of the microseconds."""

    def write(at: datetime, nanos: int) -> str:
        fraction = f"{at.microsecond:06d}{nanos:03d}"[:count]
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if count else "") + tail

    return write


def local(pattern: str) -> Write:
    return lambda at, nanos: at.astimezone(BERLIN).strftime(pattern)


# how it is written, and the format that a declaration states for it
SHAPES: dict[str, tuple[Write, str]] = {
    "ns": (digits(9), "iso"),
    "us": (digits(6), "iso"),
    "ms": (digits(3, "+00:00"), "iso"),
    "s": (digits(0), "iso"),
    "unix": (lambda at, nanos: str(int(at.timestamp())), "unix"),
    "unix ms": (lambda at, nanos: str(int(at.timestamp() * 1000)), "unix_ms"),
    "odata": (lambda at, nanos: f"/Date({int(at.timestamp() * 1000)})/", "odata_v2"),
    "local": (local("%Y-%m-%dT%H:%M:%S"), "iso"),
    "local, as a pattern": (local("%Y-%m-%d %H:%M:%S"), "%Y-%m-%d %H:%M:%S"),
    "date": (local("%Y-%m-%d"), "date"),
}
# Seconds between a row and the one before it, parts of a second, and whether the hub reads after it. Ties are likely.
steps = st.lists(
    st.tuples(
        st.sampled_from((0, 0, 0, 1, 59, 1800, 3600)), st.integers(0, 999_999), st.integers(0, 999), st.booleans()
    ),
    min_size=1,
    max_size=30,
)


def read_all(story: list[tuple[int, int, int, bool]], start: datetime, shape: str) -> tuple[set[int], set[int]]:
    """(rows that there are, rows that were read) when the source grows by the story and is read now and then."""
    write, name = SHAPES[shape]
    form = CursorFormat("iso" if name == "date" else name, BERLIN)
    rows: list[str] = []
    seen: set[int] = set()
    cursor: str | None = None
    now = (start, 0)
    for seconds, micros, nanos, is_read in story:
        # Time never goes back, not by a nanosecond either: a row that is dated back is another story.
        moment = max(now[0], now[0].replace(microsecond=micros)) + timedelta(seconds=seconds)
        now = max(now, (moment, nanos))
        rows.append(write(*now))
        if is_read:
            cursor = _read(rows, seen, cursor, form)
    _read(rows, seen, cursor, form)
    return set(range(len(rows))), seen


def _read(rows: list[str], seen: set[int], cursor: str | None, form: CursorFormat) -> str | None:
    """One reading: the source filters by what it is asked from, as it compares its own texts and numbers."""
    asked = start_value(cursor, form=form, overlap_seconds=0) if cursor else None
    found = {n for n, raw in enumerate(rows) if asked is None or _order(raw) >= _order(asked)}
    seen |= found
    return HighWater("at", form, cursor).raise_to([{"at": rows[n]} for n in sorted(found)])


def _order(raw: str) -> tuple[float, str]:
    number = raw.removeprefix("/Date(").removesuffix(")/")
    return (float(number), "") if number.isdigit() else (0.0, raw)


@settings(max_examples=400)
@given(steps, st.sampled_from(sorted(SHAPES)), st.sampled_from((DAY, BEFORE_THE_CHANGE)))
def test_no_row_is_missed_whatever_the_precision_and_the_clock(
    story: list[tuple[int, int, int, bool]], shape: str, start: datetime
) -> None:
    there, seen = read_all(story, start, shape)
    assert there == seen


def test_a_cursor_is_sent_back_with_every_digit() -> None:
    """A watermark that is rounded up loses what lies between it and the next unit, for good."""
    for raw in ("2026-11-24T09:00:00.123456789Z", "2026-11-24T09:00:00.1Z", "0001700000000", "/Date(1700000000123)/"):
        name = "integer" if raw.isdigit() else "odata_v2" if raw.startswith("/") else "iso"
        assert start_value(raw, form=CursorFormat(name), overlap_seconds=0) == raw


def test_the_repeated_hour_is_read_again_even_without_an_overlap() -> None:
    form = CursorFormat("iso", BERLIN)
    assert start_value("2026-10-25T02:45:00", form=form, overlap_seconds=0) == "2026-10-25T01:45:00"
    assert start_value("2026-10-24T02:45:00", form=form, overlap_seconds=0) == "2026-10-24T02:45:00"
