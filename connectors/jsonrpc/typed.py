"""Typed JSON, in which Tryton writes what JSON has no type for: `{"__class__": "Decimal", "decimal": "1.10"}`."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from connectors.exact_json import number_text


def untype(value: Any) -> Any:
    """The value with decimals as text, dates and times as ISO 8601, and durations as text of their seconds."""
    if isinstance(value, list):
        return [untype(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if "__class__" in value:
        return _plain(value)
    # Fields of a related record come under the name of the relation with a full stop behind it.
    return {name.rstrip(".") or name: untype(entry) for name, entry in value.items()}


def _plain(value: dict[str, Any]) -> Any:
    kind, parts = value["__class__"], {name: entry for name, entry in value.items() if name != "__class__"}
    try:
        match kind:
            case "Decimal":
                return str(parts["decimal"])
            case "date":
                return date(**parts).isoformat()
            case "datetime":
                return datetime(**parts).isoformat()
            case "time":
                return time(**parts).isoformat()
            case "timedelta":
                return number_text(parts["seconds"]).removesuffix(".0")
            case "bytes" | "bytearray":
                return parts["base64"]
    except (KeyError, TypeError, ValueError):
        return value
    return value
