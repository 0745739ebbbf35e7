"""Values as OData V4 writes them in addresses and filters, and the keys that are made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from connectors.template import to_text
from hub.common.errors import RecordError

Fields = Mapping[str, Any]

_EDM_OF: Mapping[str, str] = {
    "boolean": "Edm.Boolean", "integer": "Edm.Int64", "decimal": "Edm.Decimal", "number": "Edm.Double",
    "date": "Edm.Date", "date-time": "Edm.DateTimeOffset",
}  # fmt: skip
_NUMBERS = frozenset({"Edm.Byte", "Edm.SByte", "Edm.Int16", "Edm.Int32", "Edm.Int64", "Edm.Decimal", "Edm.Double"})
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")


def edm_type(fields: Fields, name: str) -> str:
    """The Edm type of a field: as declared, else what its plain type stands for; text when nothing is declared."""
    declared = fields.get(name, "string")
    if isinstance(declared, str):
        return _EDM_OF.get(declared, "Edm.String")
    return str(declared.get("edm") or _EDM_OF.get(declared["type"], "Edm.String"))


def literal(value: Any, edm: str = "Edm.String", *, field: str = "") -> str:
    """A value as a literal of a filter or a key; raises RecordError when it is none of that type."""
    if value is None:
        return "null"
    text = to_text(value)
    try:
        return _written(text, edm)
    except (ValueError, InvalidOperation):
        raise RecordError(
            f"{text!r} is no value of the type {edm}.", field=field, fix="Correct the mapping of this field."
        ) from None


def _written(text: str, edm: str) -> str:
    if edm == "Edm.Guid":
        return str(UUID(text))
    if edm == "Edm.Boolean":
        return {"true": "true", "false": "false"}[text.lower()] if text.lower() in ("true", "false") else _wrong(text)
    if edm in _NUMBERS:
        return f"{_finite(text):f}"
    if edm == "Edm.Date":
        return date.fromisoformat(text[:10]).isoformat()
    if edm == "Edm.DateTimeOffset":
        return text if _TIME.fullmatch(text) else _with_offset(text)
    quoted = "'" + text.replace("'", "''") + "'"
    # the type of an enum stands before its member
    return quoted if edm.startswith("Edm.") else f"{edm}{quoted}"


def _finite(text: str) -> Decimal:
    number = Decimal(text)
    return number if number.is_finite() else Decimal(_wrong(text))


def _wrong(text: str) -> str:
    raise ValueError(text)


def _with_offset(text: str) -> str:
    moment = datetime.fromisoformat(text)
    return moment.isoformat() if moment.tzinfo else f"{moment.isoformat()}Z"


def predicate(values: Sequence[Any], names: Sequence[str], fields: Fields, *, named: bool = False) -> str:
    """What stands in the brackets of an entity's address: `'x'` for a single key, `a='x',b=1` for several."""
    parts = [
        (name, literal(value, edm_type(fields, name), field=name)) for name, value in zip(names, values, strict=True)
    ]
    if len(parts) == 1 and not named:
        return parts[0][1]
    return ",".join(f"{name}={text}" for name, text in parts)


def equalities(values: Sequence[Any], names: Sequence[str], fields: Fields) -> str:
    """The filter that only the record with these values meets."""
    pairs = zip(names, values, strict=True)
    return " and ".join(f"{name} eq {literal(value, edm_type(fields, name), field=name)}" for name, value in pairs)


def split_key(key: str, names: Sequence[str]) -> list[str]:
    """The values of a key that `joined_key` made; raises RecordError when it has another number of parts."""
    if len(names) == 1:
        return [key]
    parts = [part.replace("\0", "|") for part in key.replace("||", "\0").split("|")]
    if len(parts) != len(names):
        raise RecordError(
            f"The key {key!r} does not hold the {len(names)} values {', '.join(names)}.",
            fix="Give each of them to the record, with bars between.",
            code="KEY",
        )
    return parts
