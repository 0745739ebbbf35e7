"""A decision table as the cells of a form, and back. Works without a script: buttons redraw what was typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from governance.billing.conditions import TYPES
from governance.billing.table import MOST_COLUMNS, MOST_ROWS, POLICIES

_LISTS = {"in": "inputs", "out": "outputs", "row": "rows"}


@dataclass(slots=True)
class Cell:
    """One field: its name in the form, what stands in it, and what a screen reader calls it."""

    name: str
    value: str
    label: str


@dataclass(slots=True)
class GridRow:
    number: int
    when: list[Cell]
    then: list[Cell]
    note: Cell


@dataclass(slots=True)
class Grid:
    """What is typed, right or wrong; `table()` is the document that it says."""

    policy: str = "unique"
    inputs: list[dict[str, str]] = field(default_factory=list)
    outputs: list[dict[str, str]] = field(default_factory=list)
    # Cells by position of the column: {"when": [...], "then": [...], "note": ""}.
    rows: list[dict[str, Any]] = field(default_factory=list)
    otherwise: list[str] = field(default_factory=list)

    def table(self) -> dict[str, Any]:
        ins, outs = [c["name"] for c in self.inputs], [c["name"] for c in self.outputs]
        data: dict[str, Any] = {
            "hit_policy": self.policy,
            "inputs": [_input(column) for column in self.inputs],
            "outputs": [{name: value for name, value in column.items() if value} for column in self.outputs],
            "rows": [
                {"when": _named(ins, row["when"]), "then": _named(outs, row["then"]), "note": row["note"]}
                for row in self.rows
            ],
        }
        return data | ({"otherwise": _named(outs, self.otherwise)} if any(self.otherwise) else {})

    # For the template ----------------------------------------------------------------------------------
    @property
    def counts(self) -> list[tuple[str, int]]:
        return [("in", len(self.inputs)), ("out", len(self.outputs)), ("row", len(self.rows))]

    @property
    def columns(self) -> list[tuple[str, int, dict[str, str]]]:
        """(in or out, position, column) of all."""
        return [
            *(("in", number, column) for number, column in enumerate(self.inputs)),
            *(("out", number, column) for number, column in enumerate(self.outputs)),
        ]

    @property
    def lines(self) -> list[GridRow]:
        return [self._line(number, row) for number, row in enumerate(self.rows)]

    def _line(self, number: int, row: Mapping[str, Any]) -> GridRow:
        def cells(part: str, columns: list[dict[str, str]], words: str) -> list[Cell]:
            return [
                Cell(f"{part}-{number}-{at}", value, f"Row {number + 1}, {words} {column['label'] or column['name']}")
                for at, (column, value) in enumerate(zip(columns, row[part], strict=True))
            ]

        when, then = cells("when", self.inputs, "when"), cells("then", self.outputs, "then")
        return GridRow(number, when, then, Cell(f"note-{number}", row["note"], f"Row {number + 1}, note"))

    @property
    def otherwise_cells(self) -> list[Cell]:
        return [
            Cell(f"otherwise-{at}", value, f"Otherwise, {column['label'] or column['name']}")
            for at, (column, value) in enumerate(zip(self.outputs, self.otherwise, strict=True))
        ]

    policies = property(lambda self: list(POLICIES.items()))
    types = property(lambda self: list(TYPES.items()))


def _input(column: Mapping[str, str]) -> dict[str, Any]:
    values = [value.strip() for value in column["values"].split(",") if value.strip()]
    data = {"name": column["name"], "label": column["label"], "type": column["type"], "at_least": column["at_least"]}
    return data | ({"values": values} if values else {})


def _named(names: list[str], cells: list[str]) -> dict[str, str]:
    return {name: text for name, text in zip(names, cells, strict=True) if text}


def grid_of(table: Mapping[str, Any]) -> Grid:
    """A stored table as cells."""
    inputs, outputs = table["inputs"], table["outputs"]
    otherwise = table.get("otherwise") or {}
    return Grid(
        table["hit_policy"],
        [
            {
                "name": c["name"],
                "label": c.get("label", ""),
                "type": c["type"],
                "values": ", ".join(c.get("values", ())),
                "at_least": c.get("at_least", ""),
            }
            for c in inputs
        ],
        [{name: c.get(name, "") for name in ("name", "label", "type", "currency")} for c in outputs],
        [
            {
                "when": [row["when"].get(c["name"], "") for c in inputs],
                "then": [row["then"].get(c["name"], "") for c in outputs],
                "note": row.get("note", ""),
            }
            for row in table["rows"]
        ],
        [otherwise.get(c["name"], "") for c in outputs],
    )


def grid_from(data: Mapping[str, Any]) -> Grid:
    """What was sent, after the button that was pressed: `do` may be add-in, add-out, add-row, drop-row-3, up-row-2, …"""
    ins, outs, rows = (_count(data, name) for name in _LISTS)
    grid = Grid(
        _said(data, "hit_policy"),
        [_column(data, f"in-{at}", ("name", "label", "type", "values", "at_least")) for at in range(ins)],
        [_column(data, f"out-{at}", ("name", "label", "type", "currency")) for at in range(outs)],
        [
            {
                "when": [_said(data, f"when-{row}-{at}") for at in range(ins)],
                "then": [_said(data, f"then-{row}-{at}") for at in range(outs)],
                "note": _said(data, f"note-{row}"),
            }
            for row in range(rows)
        ],
        [_said(data, f"otherwise-{at}") for at in range(outs)],
    )
    _act(grid, _said(data, "do"))
    return grid


def _said(data: Mapping[str, Any], name: str) -> str:
    return str(data.get(name, "")).strip()[:500]


def _column(data: Mapping[str, Any], prefix: str, names: tuple[str, ...]) -> dict[str, str]:
    return {name: _said(data, f"{prefix}-{name}") for name in names}


def _count(data: Mapping[str, Any], name: str) -> int:
    text, most = _said(data, f"{name}-count"), MOST_ROWS if name == "row" else MOST_COLUMNS
    return min(int(text), most) if text.isascii() and text.isdigit() else 0


def _act(grid: Grid, do: str) -> None:
    verb, _, rest = do.partition("-")
    what, _, position = rest.partition("-")
    if what not in _LISTS:
        return
    found: list[Any] = getattr(grid, _LISTS[what])
    at = int(position) if position.isascii() and position.isdigit() else -1
    if verb == "add" and len(found) < (MOST_ROWS if what == "row" else MOST_COLUMNS):
        _add(grid, what)
    elif verb == "drop" and 0 <= at < len(found) > 1:
        _drop(grid, what, at)
    elif verb == "up" and 0 < at < len(found):
        found[at - 1], found[at] = found[at], found[at - 1]


def _add(grid: Grid, what: str) -> None:
    if what == "row":
        grid.rows.append({"when": [""] * len(grid.inputs), "then": [""] * len(grid.outputs), "note": ""})
        return
    part = "when" if what == "in" else "then"
    more = ("values", "at_least") if what == "in" else ("currency",)
    getattr(grid, _LISTS[what]).append({"name": "", "label": "", "type": "text", **dict.fromkeys(more, "")})
    for row in grid.rows:
        row[part].append("")
    if what == "out":
        grid.otherwise.append("")


def _drop(grid: Grid, what: str, at: int) -> None:
    del getattr(grid, _LISTS[what])[at]
    if what == "row":
        return
    for row in grid.rows:
        del row["when" if what == "in" else "then"][at]
    if what == "out":
        del grid.otherwise[at]
