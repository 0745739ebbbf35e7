"""What a table decides about one case. Pure: the same table and case give the same decision, for ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from governance.billing.conditions import Formula, compute, parse_value, shown_value
from governance.billing.table import Input, Output, Table
from hub.common.errors import HubError, RecordError
from hub.common.money import currency_digits

MONEY_DIGITS = 2


@dataclass(frozen=True, slots=True)
class Decision:
    """The numbers of the rows that counted (none: what comes out otherwise), and for each the outputs by name.

    Amounts and numbers are Decimal, days are dates, booleans "yes" and "no".
    """

    rows: tuple[int, ...]
    results: tuple[dict[str, Any], ...]

    @property
    def result(self) -> dict[str, Any]:
        """The one result of a table that does not collect."""
        return self.results[0] if self.results else {}

    def as_data(self) -> dict[str, Any]:
        results = [{name: shown_value(value) for name, value in result.items()} for result in self.results]
        return {"rows": list(self.rows), "results": results}


def decide(table: Table, case: Mapping[str, Any]) -> Decision:
    """Which rows match and what comes out.

    RecordError for an input that is missing or no value of its type, for a case that no row covers, and, where one row has to
    match, for one that several cover.
    """
    given = {column.name: _value(column, case) for column in table.inputs}
    matching = [
        row for row in table.rows if all(given[c.name] in part for c, part in zip(table.inputs, row.box, strict=True))
    ]
    if table.policy == "unique" and len(matching) > 1:
        names = " and ".join(row.name for row in matching)
        raise RecordError(f"{names} match both, where one row has to.", code="SEVERAL_ROWS")
    if table.policy == "first":
        matching = matching[:1]
    if matching or table.policy == "collect":
        results = tuple(_results(table, row.formulas, given) for row in matching)
        return Decision(tuple(row.number for row in matching), results)
    if table.otherwise is None:
        raise RecordError("No row of the table matches.", code="NO_ROW", fix="Add a row for it to the billing rule.")
    return Decision((), (_results(table, table.otherwise_formulas, given),))


def _value(column: Input, case: Mapping[str, Any]) -> Any:
    raw = case.get(column.name)
    if raw is None or raw == "":
        raise RecordError(f"{column.label} is missing.", field=column.name, code="MISSING")
    try:
        value = parse_value(raw, column.type)
    except HubError as error:
        raise RecordError(f"{column.label}: {error.what}", field=column.name, fix=error.fix, code=error.code) from None
    if value not in column.whole:
        allowed = f"one of {', '.join(column.values)}" if column.values else f"at least {column.at_least}"
        raise RecordError(
            f"{column.label}: {shown_value(value)} is not {allowed}.", field=column.name, code="NOT_ALLOWED"
        )
    return value


def _results(table: Table, formulas: tuple[Formula | None, ...], given: dict[str, Any]) -> dict[str, Any]:
    pairs = zip(table.outputs, formulas, strict=True)
    return {column.name: compute(formula, given, _digits(column, given)) for column, formula in pairs}


def _digits(column: Output, given: Mapping[str, Any]) -> int | None:
    """Decimals of an amount: those of its currency, else two; None for what is no amount."""
    if column.type != "money":
        return None
    return currency_digits(given[column.currency]) if column.currency else MONEY_DIGITS
