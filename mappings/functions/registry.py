"""What a named conversion is, how its arguments are checked, and how it is bound to a rule.

A conversion declares what it takes; the value is brought into that form first, so its code sees one kind of value only.
Null stays null and skips the conversion unless it declares `nulls`. It raises RecordError for a value it cannot take.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from functools import partial
from typing import Any, Final, Literal

from hub.common.errors import ConfigError, RecordError
from hub.common.money import CURRENCY_DIGITS, ROUNDINGS, parse_decimal, shown
from hub.common.times import parse_datetime, time_zone
from mappings.convert import is_blank, parse_number, to_boolean, to_date, to_integer, to_text
from mappings.functions.pictures import is_picture
from mappings.paths import MISSING, Path, parse_path, read_path

Takes = Literal["any", "text", "number", "whole", "boolean", "date", "instant", "list"]
ArgKind = Literal[
    "text",
    "texts",
    "whole",
    "number",
    "choice",
    "any",
    "table",
    "path",
    "paths",
    "item_path",
    "currency",
    "time_zone",
    "picture",
]
REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class Arg:
    """One argument of a conversion, with what a form needs to ask for it.

    `path` and `paths` name fields of the record: the conversion receives their values, None where there is none.
    `item_path` names a field inside the items of a list: the conversion receives the parsed path.
    """

    name: str
    kind: ArgKind
    help: str
    default: Any = REQUIRED
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """A named conversion: `run(value, *values of path arguments, **other arguments)`."""

    name: str
    group: str
    help: str
    run: Callable[..., Any]
    takes: Takes
    gives: str
    args: tuple[Arg, ...] = ()
    one_of: tuple[str, ...] = ()
    inverse: str = ""
    inline: str = ""
    nulls: bool = False
    fills_missing: bool = False


FUNCTIONS: dict[str, Function] = {}


def function(
    group: str, help: str, *, takes: Takes = "text", gives: str = "text", **options: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the decorated function as a conversion under its own name (a trailing underscore is dropped).

    `inline` is the same work as a Python expression, over a text `{v}` or, with path arguments, over decimals; arguments
    stand in it by name. It never contains anything a user wrote.
    """

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        name = run.__name__.rstrip("_")
        FUNCTIONS[name] = Function(name=name, group=group, help=help, run=run, takes=takes, gives=gives, **options)
        return run

    return register


ROUNDING_ARG = Arg("rounding", "choice", "How a lost digit rounds.", "half_up", tuple(ROUNDINGS))


def digits_arg(default: int) -> Arg:
    return Arg("digits", "whole", "Decimals of the result.", default)


# --- checking -------------------------------------------------------------------------------------------------------


def check_conversion(name: str, args: Mapping[str, Any]) -> Iterator[str]:
    """Problems of a named conversion and its arguments, each a sentence."""
    found = FUNCTIONS.get(name)
    if found is None:
        near = difflib.get_close_matches(name, FUNCTIONS, 1)
        yield f"{name!r} is not a known conversion{f'; did you mean {near[0]}?' if near else '.'}"
        return
    known = {arg.name: arg for arg in found.args}
    for key in args:
        if key not in known:
            yield f"{name} has no argument {key!r}; it takes {', '.join(known) or 'none'}."
    for arg in found.args:
        if arg.name in args:
            yield from (f"{name}: {problem}" for problem in _arg_problems(arg, args[arg.name]))
        elif arg.default is REQUIRED:
            yield f"{name} needs {arg.name}: {arg.help}"
    given = [key for key in found.one_of if args.get(key) not in (None, "")]
    if found.one_of and len(given) != 1:
        yield f"{name} needs exactly one of {', '.join(found.one_of)}."


def _arg_problems(arg: Arg, value: Any) -> Iterator[str]:
    problem = _KIND_CHECKS[arg.kind](value)
    if arg.kind == "choice" and value not in arg.choices:
        problem = f"must be one of {', '.join(arg.choices)}"
    if problem:
        yield f"{arg.name} is {shown(value)}; it {problem}."


def _check_text(value: Any) -> str:
    return "" if isinstance(value, str) else "must be text"


def _check_texts(value: Any) -> str:
    ok = isinstance(value, list | tuple) and value and all(isinstance(each, str) for each in value)
    return "" if ok else "must be a list of texts"


def _check_whole(value: Any) -> str:
    return "" if type(value) is int and 0 <= value <= 10_000 else "must be a whole number from 0 to 10000"


def _check_number(value: Any) -> str:
    try:
        parse_decimal(value)
    except RecordError:
        return "must be a number"
    return ""


def _check_path(value: Any) -> str:
    try:
        parse_path(value if isinstance(value, str) else "")
    except ConfigError:
        return "must be the path of a field"
    return ""


def _check_paths(value: Any) -> str:
    return _check_texts(value) or next(filter(None, map(_check_path, value)), "")


def _check_table(value: Any) -> str:
    ok = isinstance(value, Mapping) and value and all(isinstance(key, str | int) for key in value)
    return "" if ok else "must be a table of value: value"


def _check_currency(value: Any) -> str:
    return "" if isinstance(value, str) and value in CURRENCY_DIGITS else "must be a currency code such as EUR"


def _check_zone(value: Any) -> str:
    try:
        time_zone(value if isinstance(value, str) else "?")
    except ConfigError:
        return "must be a time zone such as Europe/Berlin"
    return ""


def _check_any(_: Any) -> str:
    return ""


def _check_picture(value: Any) -> str:
    return "" if isinstance(value, str) and is_picture(value) else "must show year, month and day, such as DD.MM.YYYY"


_KIND_CHECKS: dict[ArgKind, Callable[[Any], str]] = {
    "text": _check_text,
    "texts": _check_texts,
    "whole": _check_whole,
    "number": _check_number,
    "choice": _check_any,
    "any": _check_any,
    "table": _check_table,
    "path": _check_path,
    "paths": _check_paths,
    "item_path": _check_path,
    "currency": _check_currency,
    "time_zone": _check_zone,
    "picture": _check_picture,
}


# --- binding --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FieldRef:
    """A field of the record that a conversion reads besides the value, or several of them as one tuple."""

    paths: tuple[Path, ...]
    is_many: bool = False

    def read(self, record: Any) -> Any:
        """What the conversion gets: missing counts as null."""
        values = tuple(None if (found := read_path(record, path)) is MISSING else found for path in self.paths)
        return values if self.is_many else values[0] if values else None


@dataclass(frozen=True, slots=True)
class Bound:
    """A conversion ready to run: `call(value, *values of the fields)`, fields in the order of its arguments."""

    function: Function
    call: Callable[..., Any]
    constants: Mapping[str, Any]
    fields: tuple[FieldRef, ...] = ()

    @property
    def name(self) -> str:
        return self.function.name


def bind(name: str, args: Mapping[str, Any], zone: tzinfo) -> Bound:
    """Bind a checked conversion to its arguments; `zone` stands in for a time zone that is not named."""
    found = FUNCTIONS[name]
    fields: list[FieldRef] = []
    constants: dict[str, Any] = {}
    for arg in found.args:
        value = args.get(arg.name, arg.default)
        if arg.kind == "path":
            fields.append(FieldRef((parse_path(value),) if value else ()))
        elif arg.kind == "paths":
            fields.append(FieldRef(tuple(parse_path(each) for each in value), is_many=True))
        else:
            constants[arg.name] = _constant(arg, value, zone)
    run = partial(found.run, **constants) if constants else found.run
    return Bound(found, _guard(found, run), constants, tuple(fields))


def _constant(arg: Arg, value: Any, zone: tzinfo) -> Any:
    if arg.kind == "time_zone":
        return time_zone(value) if value else zone
    if arg.kind == "item_path":
        return parse_path(value) if value else ()
    if arg.kind == "number" and value is not None:
        return parse_decimal(value)
    return value


def _guard(found: Function, run: Callable[..., Any]) -> Callable[..., Any]:
    """Bring the value into the form that the conversion takes, and let null pass by."""
    if found.takes == "any" and found.nulls:
        return run
    take, form, nulls = _TAKERS[found.takes], _FORMS.get(found.takes), found.nulls

    def call(value: Any, *fields: Any) -> Any:
        if type(value) is not form:
            value = take(value)
            if value is None and not nulls:
                return None
        try:
            return run(value, *fields)
        except ArithmeticError:
            raise RecordError(f"{shown(value)} has too many digits to compute with.", code="NUMBER") from None

    return call


# A value of this class needs no bringing into form.
_FORMS: dict[Takes, type] = {"text": str, "whole": int, "boolean": bool, "list": list}


def _take_date(value: Any) -> date | None:
    text = to_date(value)
    return None if text is None else date.fromisoformat(text)


def _take_instant(value: Any) -> datetime | None:
    if is_blank(value):
        return None
    instant = parse_datetime(value.strip()) if isinstance(value, str) else value
    if not isinstance(instant, datetime):
        raise RecordError(f"{shown(value)} is not a date and time.", code="DATETIME")
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def _take_list(value: Any) -> list[Any] | None:
    if value is None or isinstance(value, list):
        return value
    if isinstance(value, tuple):
        return list(value)
    raise RecordError(f"{shown(value)} is not a list.", code="LIST")


_TAKERS: dict[Takes, Callable[[Any], Any]] = {
    "any": lambda value: value,
    "text": to_text,
    "number": parse_number,
    "whole": to_integer,
    "boolean": to_boolean,
    "date": _take_date,
    "instant": _take_instant,
    "list": _take_list,
}
