"""In-memory tables of a simulated system, checked as its real model would check what is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

Row = dict[str, Any]
FieldType = Literal["id", "string", "decimal", "integer", "boolean", "date", "date-time", "object", "array"]
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object. `read_only` fields are set by the system, `references` names the object it points to."""

    name: str
    type: FieldType = "string"
    label: str = ""
    required: bool = False
    max_length: int = 0
    unique: bool = False
    external_id: bool = False
    read_only: bool = False
    options: tuple[str, ...] = ()
    references: str = ""


@dataclass(frozen=True, slots=True)
class ObjectType:
    """An object of a system: `path` is its name in addresses, `key` the field with its id."""

    name: str
    fields: tuple[Field, ...]
    key: str = "id"
    modified: str = ""
    label: str = ""
    writable: bool = True

    def field(self, name: str) -> Field | None:
        return next((field for field in self.fields if field.name == name), None)


class Problem(Exception):
    """A write that the system refuses; each simulator says it in its own words."""

    def __init__(
        self,
        kind: Literal["unknown", "read_only", "required", "length", "value", "duplicate", "reference", "rule"],
        field: str,
        message: str,
    ) -> None:
        super().__init__(message)
        self.kind, self.field, self.message = kind, field, message


class Table:
    """The rows of one object by id, with the instant of each one's last change.

    `load` takes rows as they are (seed data may be wrong on purpose); `insert` and `update` check.
    """

    def __init__(self, kind: ObjectType) -> None:
        self.kind = kind
        self.rows: dict[str, Row] = {}
        self.changed_at: dict[str, datetime] = {}
        self.removed: dict[str, tuple[Row, datetime]] = {}
        self._ordered: list[str] | None = None
        self._unique: dict[str, dict[Any, str]] = {f.name: {} for f in kind.fields if f.unique}

    def load(self, row: Row, changed_at: datetime) -> None:
        self._store(str(row[self.kind.key]), row, changed_at)

    def insert(self, row: Row, changed_at: datetime) -> Row:
        """`row` is complete with its id; raises Problem when it breaks a rule."""
        key = str(row[self.kind.key])
        self._check_required(row)
        self._check_unique(row, key)
        self._store(key, row, changed_at)
        return row

    def update(self, key: str, changes: Mapping[str, Any], changed_at: datetime) -> Row:
        row = {**self.rows[key], **changes}
        self._check_required(row, changes)
        self._check_unique(changes, key)
        self._store(key, row, changed_at)
        return row

    def delete(self, key: str, at: datetime) -> None:
        row = self.rows.pop(key)
        del self.changed_at[key]
        for name, index in self._unique.items():
            index.pop(row.get(name), None)
        self.removed[key] = (row, at)
        self._ordered = None

    def find(self, field: str, value: Any) -> list[Row]:
        """Rows whose `field` holds `value`, compared as text."""
        index = self._unique.get(field)
        if index is not None:
            return [self.rows[index[value]]] if value in index else []
        return [row for row in self.rows.values() if row.get(field) is not None and str(row[field]) == str(value)]

    def by_change(self) -> Iterator[Row]:
        """All rows, the one that changed longest ago first."""
        if self._ordered is None:
            self._ordered = sorted(self.rows, key=lambda key: (self.changed_at[key], key))
        return (self.rows[key] for key in self._ordered)

    def check_values(self, values: Mapping[str, Any], *, strict: bool = True) -> Row:
        """The writable part of `values`; unknown and read-only fields raise when `strict`, else are dropped."""
        checked: Row = {}
        for name, value in values.items():
            field = self.kind.field(name)
            if field is not None and not field.read_only:
                checked[name] = _checked(field, value)
            elif strict:
                raise _unwritable(field, name)
        return checked

    def copy_indices(self, other: Table) -> None:
        """Take over how `other` finds its rows, so that the two may go different ways from here."""
        self._unique, self._ordered = {name: dict(index) for name, index in other._unique.items()}, None

    def _store(self, key: str, row: Row, changed_at: datetime) -> None:
        old = self.rows.get(key, {})
        for name, index in self._unique.items():
            if old.get(name) is not None:
                index.pop(old[name], None)
            if row.get(name) not in (None, ""):
                index[row[name]] = key
        self.rows[key], self.changed_at[key] = row, changed_at
        self._ordered = None

    def _check_required(self, row: Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> None:
        for field in self.kind.fields:
            touched = changes is None or field.name in changes
            if field.required and touched and row.get(field.name) in (None, ""):
                raise Problem("required", field.name, f"The field {field.name} must be filled.")

    def _check_unique(self, row: Mapping[str, Any], key: str) -> None:
        for name, index in self._unique.items():
            owner = index.get(row.get(name))
            if owner is not None and owner != key:
                raise Problem("duplicate", name, f"{self.kind.name} with {name} {row[name]!r} already exists: {owner}")


def _unwritable(field: Field | None, name: str) -> Problem:
    if field is None:
        return Problem("unknown", name, f"The field {name} does not exist.")
    return Problem("read_only", name, f"The field {name} cannot be written.")


def _checked(field: Field, value: Any) -> Any:
    if value is None:
        return None
    if not _fits(field.type, value):
        raise Problem("value", field.name, f"{value!r} is no valid value for {field.name} ({field.type}).")
    if field.options and value not in field.options:
        raise Problem("value", field.name, f"{value!r} is not one of {', '.join(field.options)}.")
    if field.max_length and isinstance(value, str) and len(value) > field.max_length:
        raise Problem("length", field.name, f"{field.name} may have {field.max_length} characters, not {len(value)}.")
    return Decimal(value) if field.type == "decimal" else value


def _fits(kind: FieldType, value: Any) -> bool:
    match kind:
        case "boolean":
            return isinstance(value, bool)
        case "decimal":
            return isinstance(value, int | Decimal) and not isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "date":
            return isinstance(value, str) and _is_date(value)
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, str)


def _is_date(text: str) -> bool:
    try:
        return bool(_DATE.fullmatch(text)) and bool(date.fromisoformat(text))
    except ValueError:
        return False
