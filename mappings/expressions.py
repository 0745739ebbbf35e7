"""Expressions in JSONata, behind a small port: bounded in time and size, deterministic, exact where money is concerned.

The engine computes with binary floats, so amounts are computed by host functions on decimal strings (`$mul`, `$money`,
…) and numbers that came out of float arithmetic are not taken for a decimal unless the rule rounds them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import jlens

from hub.common.errors import ConfigError, HubError, RecordError
from hub.common.money import EXACT, decimal_text, parse_decimal, quantize, quantize_money, shown
from mappings.convert import is_blank, to_text
from mappings.functions.money import divide_exactly
from mappings.paths import MISSING

LIMITS: Mapping[str, Any] = {
    "timeout": 0.5,
    "max_depth": 100,
    "max_string_length": 1_000_000,
    "max_array_length": 100_000,
    "max_result_size": 5_000_000,
}
MAX_EXACT = 2**53
# $eval runs text as code; the others make the same record map differently each time, so that nothing is ever unchanged.
REFUSED: Mapping[str, str] = {
    "eval": "it runs text as code",
    "random": "the same record must always give the same result",
    "shuffle": "the same record must always give the same result",
    "now": "the same record must always give the same result",
    "millis": "the same record must always give the same result",
}

HostFunction = Callable[..., Any]
LookupMap = Callable[[str, Any], Any]


class ExpressionError(ConfigError):
    """The expression cannot be used; `line` and `column` count from 1."""

    code = "EXPRESSION"

    def __init__(self, sentence: str, *, line: int = 1, column: int = 1, fix: str = "") -> None:
        super().__init__(sentence, where=f"line {line}, column {column}", fix=fix)
        self.line, self.column, self.sentence = line, column, sentence


class Expression(Protocol):
    """A compiled expression; safe to share between threads."""

    text: str

    def evaluate(self, record: Any) -> Any:
        """The result, or MISSING when the expression has none. RecordError when this record cannot be evaluated."""
        ...


class ExpressionSet(Protocol):
    """Several expressions evaluated in one pass."""

    def evaluate(self, record: Any) -> dict[str, Any]:
        """Results by position ("0", "1", …); an expression without result is absent. RecordError when any fails."""
        ...


class ExpressionEngine(Protocol):
    """What the rest of the product knows about expressions."""

    def compile(self, text: str, lookup_map: LookupMap | None = None) -> Expression: ...

    def compile_set(self, texts: Sequence[str], lookup_map: LookupMap | None = None) -> ExpressionSet: ...


def compile_expression(text: str, lookup_map: LookupMap | None = None) -> Expression:
    """Compile with the product's engine. ExpressionError names line, column and the reason."""
    return JLensEngine().compile(text, lookup_map)


class JLensEngine:
    """JSONata by jlens."""

    def compile(self, text: str, lookup_map: LookupMap | None = None) -> Expression:
        _refuse(text)
        try:
            jlens.Expression(text)
        except jlens.JlensError as error:
            raise _syntax_error(text, error) from None
        return _One(text, lookup_map)

    def compile_set(self, texts: Sequence[str], lookup_map: LookupMap | None = None) -> ExpressionSet:
        for text in texts:
            self.compile(text, lookup_map)
        return _Many(texts, lookup_map)


# --- jlens ----------------------------------------------------------------------------------------------------------


class _Compiled:
    """A text of our own around the author's: helpers first, then an object, which keeps "no result" apart from null."""

    def __init__(self, texts: Mapping[str, str], lookup_map: LookupMap | None) -> None:
        used = {match["name"] for text in texts.values() for match in _TOKENS.finditer(text)}
        helpers = "".join(helper for name, helper in HELPERS.items() if name in used)
        fields = ",".join(f'"{key}":({text}\n)' for key, text in texts.items())
        self._offset = len(f'({helpers}{{"v":(')
        self._expression = jlens.Expression(f"({helpers}{{{fields}}})")
        for name, run in HOST_FUNCTIONS.items():
            self._expression.register_function(name, run)
        self._expression.register_function("_lookup_map", _looking_up(lookup_map))
        for name in REFUSED:
            self._expression.register_function(name, _refused)
        reads = self._expression.reads().get("input", {})
        self._keys = tuple(reads) if isinstance(reads, dict) else None

    def run(self, record: Any) -> dict[str, Any]:
        """Results by key. RecordError for what a host function refuses, JlensError for everything else."""
        try:
            return self._expression.evaluate(self._edge(record), **LIMITS) or {}
        except HubError as error:
            raise RecordError(error.what, code="EXPRESSION", fix=error.fix) from None

    def _edge(self, record: Any) -> Any:
        """What the engine can read exactly; only the top-level fields that the expression touches are looked at."""
        if self._keys is None or not isinstance(record, dict):
            return to_engine(record)
        return {key: to_engine(record[key]) for key in self._keys if key in record}


class _One(_Compiled):
    def __init__(self, text: str, lookup_map: LookupMap | None) -> None:
        super().__init__({"v": text}, lookup_map)
        self.text = text

    def evaluate(self, record: Any) -> Any:
        try:
            return self.run(record).get("v", MISSING)
        except jlens.JlensError as error:
            place = max((error.start or error.position or 0) - self._offset, 0)
            line, column = _line_column(self.text, place)
            raise RecordError(
                f"The expression failed at line {line}, column {column}: {_sentence(error)}", code="EXPRESSION"
            ) from None


class _Many(_Compiled):
    def __init__(self, texts: Sequence[str], lookup_map: LookupMap | None) -> None:
        super().__init__({str(at): text for at, text in enumerate(texts)}, lookup_map)

    def evaluate(self, record: Any) -> dict[str, Any]:
        try:
            return self.run(record)
        except jlens.JlensError as error:
            raise RecordError(f"An expression failed: {_sentence(error)}", code="EXPRESSION") from None


def to_engine(value: Any) -> Any:
    """A value that the engine reads exactly: decimals, dates and integers above 2^53 become text."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is int:
        return value if -MAX_EXACT <= value <= MAX_EXACT else str(value)
    if kind is dict:
        return {key: to_engine(inner) for key, inner in value.items()}
    if kind is list or kind is tuple:
        return [to_engine(inner) for inner in value]
    if kind is float:
        parse_decimal(value)
        return value
    return to_text(value)


def _syntax_error(text: str, error: jlens.JlensError) -> ExpressionError:
    line, column = _line_column(text, _offset(text, error))
    return ExpressionError(_sentence(error), line=line, column=column, fix="Correct the expression.")


def _sentence(error: jlens.JlensError) -> str:
    return f"{str(error).rstrip('.')}."


def _offset(text: str, error: jlens.JlensError) -> int:
    """Where the word begins at which the engine stopped: the engine itself tells where that word ends."""
    end = error.position or 0
    quoted = _QUOTED.search(str(error))
    return end - len(quoted[1]) if quoted and text[:end].endswith(quoted[1]) else end


def _line_column(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


_QUOTED = re.compile(r'"(.+?)"')

# --- what is refused or warned about when saving --------------------------------------------------------------------

_TOKENS = re.compile(
    r"""(?P<skip>/\*.*?\*/|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)|\$(?P<name>\w+)|(?P<null>\bnull\s*&|&\s*null\b)"""
    r"""|(?P<arithmetic>[*/%]|(?<![eE])[+-])""",
    re.DOTALL,
)


def _refuse(text: str) -> None:
    for match in _TOKENS.finditer(text):
        name = match["name"]
        if name in REFUSED:
            line, column = _line_column(text, match.start())
            raise ExpressionError(
                f"${name} is not allowed: {REFUSED[name]}.", line=line, column=column, fix=f"Write it without ${name}."
            )


def lint(text: str, *, for_decimal: bool = False) -> list[str]:
    """What an author should know about an expression that compiles: each a sentence."""
    found = {match.lastgroup for match in _TOKENS.finditer(text)}
    warnings = []
    if "null" in found:
        warnings.append('null & "text" gives the word null in the text; use $coalesce(value, "").')
    if for_decimal and "arithmetic" in found:
        warnings.append("Operators compute in binary floats; use $mul, $add, $sub, $div or $money for amounts.")
    return warnings


# --- host functions -------------------------------------------------------------------------------------------------


# The engine takes None from a host function for "no result" and a NaN for null.
_NULL = float("nan")


def _money(amount: Any, currency: Any) -> Any:
    return _NULL if is_blank(amount) else decimal_text(quantize_money(amount, currency, "half_up"))


def _round_half_up(number: Any, digits: Any) -> Any:
    return _NULL if is_blank(number) else decimal_text(quantize(parse_decimal(number), _places(digits, 0), "half_up"))


def _places(digits: Any, default: int) -> int:
    if digits is None:
        return default
    if isinstance(digits, bool) or not isinstance(digits, int) or not 0 <= digits <= 18:
        raise RecordError(f"{shown(digits)} is not a number of decimals from 0 to 18.", code="EXPRESSION")
    return digits


def _arithmetic(compute: Callable[[Decimal, Decimal], Decimal]) -> HostFunction:
    def run(left: Any, right: Any) -> Any:
        if is_blank(left) or is_blank(right):
            return _NULL
        try:
            return decimal_text(compute(parse_decimal(left), parse_decimal(right)))
        except ArithmeticError:
            raise RecordError(f"{shown(left)} has too many digits to compute with.", code="NUMBER") from None

    return run


def _div(left: Any, right: Any, digits: Any) -> Any:
    if is_blank(left) or is_blank(right):
        return _NULL
    return decimal_text(divide_exactly(parse_decimal(left), parse_decimal(right), _places(digits, 2), "half_up"))


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if not is_blank(value)), None)


def _looking_up(lookup_map: LookupMap | None) -> HostFunction:
    def run(name: Any, value: Any) -> Any:
        if lookup_map is None:
            raise RecordError("There are no value maps here.", code="EXPRESSION")
        found = lookup_map(str(name), value)
        return _NULL if found is None else found

    return run


def _refused(*_: Any) -> Any:
    raise RecordError("The expression calls a function that is not allowed.", code="EXPRESSION")


HOST_FUNCTIONS: Mapping[str, HostFunction] = {
    "_money": _money,
    "_round_half_up": _round_half_up,
    "_mul": _arithmetic(EXACT.multiply),
    "_add": _arithmetic(EXACT.add),
    "_sub": _arithmetic(EXACT.subtract),
    "_div": _div,
    "coalesce": _coalesce,
}
# What authors call: amounts go in and come out as decimal strings, null gives null and a missing operand no result. The
# engine hands null and missing to a host function alike, so they are told apart here.
HELPERS: Mapping[str, str] = {
    "money": "$money:=function($a,$b){$exists($a)?$_money($a,$b)};",
    "round_half_up": "$round_half_up:=function($a,$b){$exists($a)?$_round_half_up($a,$b)};",
    "mul": "$mul:=function($a,$b){$exists($a) and $exists($b)?$_mul($a,$b)};",
    "add": "$add:=function($a,$b){$exists($a) and $exists($b)?$_add($a,$b)};",
    "sub": "$sub:=function($a,$b){$exists($a) and $exists($b)?$_sub($a,$b)};",
    "div": "$div:=function($a,$b,$c){$exists($a) and $exists($b)?$_div($a,$b,$c)};",
    "lookup_map": "$lookup_map:=function($a,$b){$exists($b)?$_lookup_map($a,$b)};",
}
FUNCTION_HELP: Mapping[str, str] = {
    "$money(amount, currency)": "The amount with the decimals of its currency, rounded half up.",
    "$round_half_up(number, digits)": "The number rounded half up; without digits to a whole number.",
    "$mul(a, b)": "The exact product.",
    "$add(a, b)": "The exact sum.",
    "$sub(a, b)": "The exact difference.",
    "$div(a, b, digits)": "The quotient rounded half up; without digits to two.",
    "$coalesce(a, b, …)": "The first that is neither missing, null nor blank.",
    "$lookup_map(name, value)": "What a value map says for the value, today and by the map's own policy.",
}


def exact_result(value: Any, *, rounds: bool) -> Any:
    """A result on its way into a decimal: numbers whose digits the engine may have changed raise RecordError."""
    if type(value) is int and abs(value) > MAX_EXACT:
        raise RecordError(
            f"{value} is too large for the expression engine to be exact.",
            code="FLOAT",
            fix="Compute with $mul or $add.",
        )
    if type(value) is float and not rounds:
        raise RecordError(
            f"{value!r} came out of binary arithmetic, so its last digits are not certain.",
            code="FLOAT",
            fix="Compute with $mul, $add, $sub, $div or $money, or name digits and a rounding in the rule.",
        )
    return value
