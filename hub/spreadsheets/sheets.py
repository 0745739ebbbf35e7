"""The columns of an entity as a spreadsheet has them, and the template that people fill in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from governance.models import ContractVersion, Entity
from governance.schemas import Field, fields_of
from hub.common.errors import ConfigError
from hub.common.xlsx import Sheet, workbook

# Objects and lists have no place in a cell.
_NO_CELL = frozenset({"object", "array"})
_FILE_TYPES = frozenset({"decimal", "integer", "number", "boolean", "date", "date-time"})
_EXPLAINED = ["Column", "Name", "Type", "Required", "Allowed values", "What it is", "Example"]
REFUSED_ROW, REFUSED_WHY = "Row in file", "Refused because"


def columns_of(entity: Entity) -> list[Field]:
    """The fields of the active contract that a cell can hold, keys first. Raises ConfigError when there is none."""
    version = ContractVersion.objects.filter(contract__entity=entity, status=ContractVersion.Status.ACTIVE).first()
    if version is None:
        raise ConfigError(
            f"{entity.name} has no active contract.", fix="Activate a version of its contract.", code="CONTRACT"
        )
    found = [field for field in fields_of(version.schema) if field.type not in _NO_CELL]
    return sorted(found, key=lambda field: (not field.is_key, not field.required))


def file_fields(fields: Sequence[Field]) -> dict[str, str]:
    """Field → the type that its cells are read as."""
    return {field.name: field.type if field.type in _FILE_TYPES else "string" for field in fields}


def template(entity: Entity) -> bytes:
    """A workbook to fill in: headings with an example row, and a sheet that explains every column."""
    fields = columns_of(entity)
    example = [[example_of(field) for field in fields]]
    return workbook(
        [
            Sheet(entity.name, [field.title for field in fields], example),
            Sheet(
                "Columns",
                ["Column", "Name", "Type", "Required", "Allowed values", "What it is", "Example"],
                _explained(fields),
            ),
        ]
    )


def _explained(fields: Sequence[Field]) -> Iterator[list[Any]]:
    for field in fields:
        needed = "yes, it identifies the record" if field.is_key else "yes" if field.required else "no"
        about = (
            f"{field.description} Key of a {field.ref.replace('_', ' ')}.".strip() if field.ref else field.description
        )
        allowed = "true, false" if field.type == "boolean" else ", ".join(field.enum)
        yield [field.title, field.name, field.type_word, needed, allowed, about, field.example]


def column_in(sentence: str, names: Iterable[str]) -> str:
    """The field that a refusal speaks of; empty text when it names none."""
    return next((name for name in names if re.search(rf"\b{re.escape(name)}\b", sentence)), "")


def example_of(field: Field) -> Any:
    """The contract's example as a cell of its type."""
    text = field.example
    try:
        if field.type in ("decimal", "integer", "number"):
            return Decimal(text) if text else None
        if field.type == "date":
            return date.fromisoformat(text) if text else None
        if field.type == "date-time":
            return datetime.fromisoformat(text) if text else None
    except (ValueError, InvalidOperation):
        return text
    return text == "true" if field.type == "boolean" and text else text
