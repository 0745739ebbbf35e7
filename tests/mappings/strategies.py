"""Random rules and records for the property tests: names and values that try to break out included."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from mappings.compile import ValueMapData, ValueMapEntryData
from mappings.paths import format_path
from mappings.rules import Conversion, FieldRule

HOSTILE = (
    "'",
    '"',
    "\\",
    "\\'",
    "{x}",
    "{{",
    "}",
    "\n        raise SystemExit",
    "']; __import__('os')._exit(7); r['",
    "'''",
    "\x00",
    "\ud800",
    "$eval",
    "k1",
    "r",
    "MISSING",
    "\N{RIGHT-TO-LEFT OVERRIDE}",
    "f'{r}'",
    "a.b",
    "0",
)
names = st.sampled_from(["a", "b", "c", "0", "1"]) | st.sampled_from(HOSTILE) | st.text(min_size=1, max_size=6)
paths = st.lists(names, min_size=1, max_size=3).map(lambda steps: format_path(tuple(steps)))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["", " ", "1.50", "-0.005", "2026-03-29T02:30:00", "2026-03-31T09:30:00Z", "2026-02-30", "Yes", "1e30"]
    )
    | st.sampled_from(["2026-03-31", "2026-W01-1T10:00:00Z", "2026-03-31T24:00:00Z", "20260331", "A", "7:30", "[]"])
    | st.sampled_from(HOSTILE)
    | st.sampled_from([Decimal("1.005"), Decimal("NaN"), Decimal("1E+60"), date(2026, 3, 31), datetime(2026, 3, 31, 9)])
    | st.sampled_from([datetime(2026, 3, 31, 9, tzinfo=UTC), Decimal("-0"), 2.675, 0.1])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)
records = st.dictionaries(names, values, max_size=8)

VALUE_MAPS = {
    "plain": ValueMapData("plain", (ValueMapEntryData("A", "one"), ValueMapEntryData("1", "1.50")), "keep"),
    "dated": ValueMapData(
        "dated", (ValueMapEntryData("A", "old", None, date(2026, 3, 30)), ValueMapEntryData("A", "new"))
    ),
}

_PLAIN = ("trim", "upper", "title", "collapse_blanks", "empty_to_null", "strip_leading_zeros", "negate", "absolute")
_OTHERS = ("to_boolean", "invert", "from_boolean", "first", "count", "sum", "join", "minutes_to_hours", "hm_to_hours")
_DATES = ("date_part", "local_to_utc", "utc_to_local", "utc_to_local_date", "yyyymmdd_to_date", "utc_to_epoch_ms")


@st.composite
def conversions(draw: st.DrawFn) -> Conversion:
    """A conversion with arguments that fit."""
    other = draw(paths)
    return draw(
        st.sampled_from(_PLAIN + _OTHERS + _DATES).map(Conversion)
        | st.sampled_from(["multiply", "add", "subtract", "divide"]).map(
            lambda name: Conversion(name, {"field": other})
        )
        | st.sampled_from([0, 2, 4]).map(lambda digits: Conversion("round", {"digits": digits}))
        | scalars.filter(_is_json).map(lambda value: Conversion("default_if_empty", {"value": value}))
        | st.just(Conversion("default_if_empty", {"value": []}))
        | st.tuples(scalars.filter(_is_json), scalars.filter(_is_json)).map(
            lambda pair: Conversion("only_when", {"field": other, "equals": pair[0], "otherwise": pair[1]})
        )
        | st.sampled_from(["coalesce", "concat"]).map(lambda name: Conversion(name, {"fields": [other, "a"]}))
        | st.sampled_from(HOSTILE).map(lambda text: Conversion("prefix", {"text": text}))
        | st.sampled_from(HOSTILE).map(lambda text: Conversion("join", {"separator": text}))
    )


def _is_json(value: Any) -> bool:
    return not isinstance(value, Decimal | date) and value == value


@st.composite
def rules(draw: st.DrawFn, target: str) -> FieldRule:
    """One rule of any kind but expression."""
    kind = draw(st.sampled_from(["direct", "direct", "direct", "constant", "value_map", "reference", "template"]))
    cast = draw(st.sampled_from(["string", "integer", "decimal", "boolean", "date", "datetime", "json"]))
    digits = draw(st.sampled_from([None, 0, 2, 4])) if cast == "decimal" else None
    texts = st.lists(
        paths.filter(lambda path: not set("{}") & set(path)).map("{{{}}}".format) | st.just("'{{"), max_size=3
    )
    return FieldRule(
        target=target,
        kind=kind,  # type: ignore[arg-type]
        source=draw(paths) if kind in ("direct", "value_map", "reference") else "",
        text="".join(draw(texts)) or "x",
        entity="project" if kind == "reference" else "",
        value_map=draw(st.sampled_from(sorted(VALUE_MAPS))) if kind == "value_map" else "",
        effective_date=draw(st.sampled_from(["", "a"])) if kind == "value_map" else "",
        convert=tuple(draw(st.lists(conversions(), max_size=3))) if kind != "constant" else (),
        type=cast,  # type: ignore[arg-type]
        digits=digits,
        rounding=draw(st.sampled_from(["", "half_up", "down"])) if digits is not None else "",  # type: ignore[arg-type]
        on_missing=draw(st.sampled_from(["omit", "null", "default", "fail"])),  # type: ignore[arg-type]
    )


@st.composite
def rule_sets(draw: st.DrawFn) -> list[FieldRule]:
    """Up to four rules whose targets do not clash; some are nested."""
    steps = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    return [draw(rules(format_path(("nest", step) if draw(st.booleans()) else (f"top {step}",)))) for step in steps]
