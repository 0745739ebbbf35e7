"""A decision table: inputs, rows of conditions, what comes out, and which row counts when several match.

{"hit_policy": "unique", "inputs": [{"name": "status", "label": "Status", "type": "text", "values": ["draft", "completed"]}],
 "outputs": [{"name": "action", "type": "text"}], "rows": [{"when": {"status": "completed"}, "then": {"action": "bill"}}],
 "otherwise": {"action": "hold"}}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from governance.billing.conditions import (
    NUMBERS,
    TYPES,
    Formula,
    everything,
    parse_condition,
    parse_formula,
    parse_value,
    problem_of,
)
from governance.billing.regions import Region
from hub.common.errors import ConfigError, HubError

POLICIES = {
    "unique": "Unique: exactly one row matches",
    "first": "First: the topmost row that matches counts",
    "collect": "Collect: every row that matches counts",
}
MOST_ROWS, MOST_COLUMNS = 200, 12
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Input:
    name: str
    label: str
    type: str
    values: tuple[str, ...] = ()
    at_least: str = ""

    @property
    def whole(self) -> Region:
        return everything(self.type, self.values, self.at_least)


@dataclass(frozen=True, slots=True)
class Output:
    """`currency` names the input that holds the currency of an amount: its decimals are those of the result."""

    name: str
    label: str
    type: str
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """`when` and `then` as written; `box` and `formulas` are the same, ready to decide, in the order of the columns."""

    number: int
    when: Mapping[str, str]
    then: Mapping[str, str]
    note: str
    box: tuple[Region, ...]
    formulas: tuple[Formula | None, ...]

    @property
    def name(self) -> str:
        return f"row {self.number}{f' ({self.note})' if self.note else ''}"


@dataclass(frozen=True, slots=True)
class Table:
    policy: str
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    rows: tuple[Row, ...]
    otherwise: Mapping[str, str] | None = None
    otherwise_formulas: tuple[Formula | None, ...] = ()

    @property
    def whole(self) -> tuple[Region, ...]:
        return tuple(column.whole for column in self.inputs)

    def as_data(self) -> dict[str, Any]:
        """The table in one spelling: what equals a default is left out."""
        data: dict[str, Any] = {
            "hit_policy": self.policy,
            "inputs": [_column(column) for column in self.inputs],
            "outputs": [_column(column) for column in self.outputs],
            "rows": [_row(row) for row in self.rows],
        }
        return data | ({"otherwise": dict(self.otherwise)} if self.otherwise else {})


def _column(column: Input | Output) -> dict[str, Any]:
    data: dict[str, Any] = {"name": column.name, "label": column.label, "type": column.type}
    if isinstance(column, Output):
        return data | ({"currency": column.currency} if column.currency else {})
    more = {"values": list(column.values), "at_least": column.at_least}
    return data | {name: value for name, value in more.items() if value}


def _row(row: Row) -> dict[str, Any]:
    data: dict[str, Any] = {"when": dict(row.when), "then": dict(row.then)}
    return data | ({"note": row.note} if row.note else {})


def parse_table(data: Any) -> Table:
    """The table of a document. Raises ConfigError with the first thing that is wrong."""
    table, problems = read_table(data)
    if problems or table is None:
        path, sentence = problems[0]
        raise ConfigError(sentence, where=path)
    return table


def read_table(data: Any) -> tuple[Table | None, list[tuple[str, str]]]:
    """The table, or None and everything wrong with it as (path, sentence)."""
    if not isinstance(data, Mapping):
        return None, [("table", "A table has hit_policy, inputs, outputs and rows.")]
    problems: list[tuple[str, str]] = []
    inputs = _columns(data.get("inputs"), "inputs", _input, problems)
    outputs = _columns(data.get("outputs"), "outputs", _output, problems)
    if data.get("hit_policy") not in POLICIES:
        problems.append(("hit_policy", f"The hit policy is one of {', '.join(POLICIES)}."))
    rows = data.get("rows")
    if not isinstance(rows, list) or not 0 < len(rows) <= MOST_ROWS:
        problems.append(("rows", f"A table has between 1 and {MOST_ROWS} rows."))
    problems += _twins(inputs, outputs)
    if problems:
        return None, problems
    assert isinstance(rows, list)
    types = {column.name: column.type for column in inputs}
    read = [_read_row(number, row, inputs, outputs, types, problems) for number, row in enumerate(rows, 1)]
    otherwise, formulas = _read_otherwise(data.get("otherwise"), outputs, types, problems)
    table = Table(data["hit_policy"], inputs, outputs, tuple(row for row in read if row), otherwise, formulas)
    return (None, problems) if problems else (table, [])


def _columns(given: Any, where: str, read: Callable[[Mapping[str, Any]], Any], problems: list[tuple[str, str]]) -> Any:
    if not isinstance(given, list) or not 0 < len(given) <= MOST_COLUMNS:
        problems.append((where, f"A table has between 1 and {MOST_COLUMNS} {where}."))
        return ()
    found = []
    for number, column in enumerate(given):
        try:
            found.append(read(column))
        except HubError as error:
            problems.append((f"{where}.{number}", problem_of(error)))
    return tuple(found)


def _head(column: Any, known: set[str]) -> dict[str, str]:
    if not isinstance(column, Mapping) or set(column) - known:
        raise ConfigError(f"A column has {', '.join(sorted(known))}, and nothing else.")
    name, type_ = str(column.get("name", "")).strip(), str(column.get("type", "text"))
    if not NAME.fullmatch(name):
        raise ConfigError(f"{name!r} cannot be the name of a column.", fix="Use small letters, digits and underscores.")
    if type_ not in TYPES:
        raise ConfigError(f"{name}: there is no type {type_!r}.", fix=f"Use {', '.join(TYPES)}.")
    label = str(column.get("label") or "").strip()[:80]
    return {"name": name, "label": label or name.replace("_", " ").capitalize(), "type": type_}


def _input(column: Mapping[str, Any]) -> Input:
    head = _head(column, {"name", "label", "type", "values", "at_least"})
    values, at_least = column.get("values") or [], str(column.get("at_least") or "").strip()
    if not isinstance(values, list) or (values and head["type"] != "text"):
        raise ConfigError(f"{head['name']}: only a text has listed values, and they are a list.")
    if at_least:
        if head["type"] not in (*NUMBERS, "date"):
            raise ConfigError(f"{head['name']}: only numbers, amounts and days have a lowest value.")
        parse_value(at_least, head["type"])
    return Input(**head, values=tuple(dict.fromkeys(str(value).strip() for value in values)), at_least=at_least)


def _output(column: Mapping[str, Any]) -> Output:
    head = _head(column, {"name", "label", "type", "currency"})
    return Output(**head, currency=str(column.get("currency") or "").strip())


def _twins(inputs: tuple[Input, ...], outputs: tuple[Output, ...]) -> list[tuple[str, str]]:
    problems = []
    for where, columns in (("inputs", inputs), ("outputs", outputs)):
        names = [column.name for column in columns]
        problems += [
            (where, f"The column {name!r} stands twice.") for name in sorted({n for n in names if names.count(n) > 1})
        ]
    texts = {column.name for column in inputs if column.type == "text"}
    return problems + [
        ("outputs", f"{column.name}: there is no text input {column.currency!r} that could hold its currency.")
        for column in outputs
        if column.currency and column.currency not in texts
    ]


def _read_row(
    number: int,
    row: Any,
    inputs: tuple[Input, ...],
    outputs: tuple[Output, ...],
    types: dict[str, str],
    problems: list[tuple[str, str]],
) -> Row | None:
    where = f"rows.{number}"
    if not isinstance(row, Mapping) or not all(isinstance(row.get(part) or {}, Mapping) for part in ("when", "then")):
        problems.append((where, f"Row {number} has `when`, `then` and a `note`."))
        return None
    when, then = _cells(row.get("when")), _cells(row.get("then"))
    unknown = [*(set(when) - set(types)), *(set(then) - {column.name for column in outputs})]
    problems += [(where, f"Row {number} names {name!r}, which is no column.") for name in sorted(unknown)]
    box: list[Region] = []
    for column in inputs:
        try:
            box.append(parse_condition(when.get(column.name, ""), column.type, column.whole))
        except HubError as error:
            problems.append((f"{where}.when.{column.name}", f"Row {number}, {column.label}: {problem_of(error)}"))
    formulas = _formulas(then, outputs, types, f"{where}.then", f"Row {number}", problems)
    return Row(number, when, then, str(row.get("note") or "").strip()[:200], tuple(box), formulas)


def _cells(given: Any) -> dict[str, str]:
    """Written cells, as text; those that say nothing are left out."""
    texts = {str(name): str(value).strip() for name, value in (given or {}).items() if value is not None}
    return {name: text for name, text in texts.items() if text not in ("", "-")}


def _formulas(
    then: Mapping[str, str],
    outputs: tuple[Output, ...],
    types: dict[str, str],
    where: str,
    who: str,
    problems: list[tuple[str, str]],
) -> tuple[Formula | None, ...]:
    found: list[Formula | None] = []
    for column in outputs:
        try:
            found.append(parse_formula(then.get(column.name, ""), column.type, types))
        except HubError as error:
            problems.append((f"{where}.{column.name}", f"{who}, {column.label}: {problem_of(error)}"))
    return tuple(found)


def _read_otherwise(
    given: Any, outputs: tuple[Output, ...], types: dict[str, str], problems: list[tuple[str, str]]
) -> tuple[dict[str, str] | None, tuple[Formula | None, ...]]:
    if not given:
        return None, ()
    if not isinstance(given, Mapping):
        problems.append(("otherwise", "`otherwise` says what comes out when no row matches: {action: hold}."))
        return None, ()
    then = _cells(given)
    problems += [
        ("otherwise", f"`otherwise` names {name!r}, which is no column.")
        for name in sorted(set(then) - {column.name for column in outputs})
    ]
    return then, _formulas(then, outputs, types, "otherwise", "Otherwise", problems)
