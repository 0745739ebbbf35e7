"""Keys of one or several columns as one text, and back."""

from __future__ import annotations

from collections.abc import Sequence

from hub.common.records import Record


def join_key(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else "|".join(part.replace("|", "||") for part in parts)


def split_key(key: str, count: int) -> tuple[str, ...]:
    if count == 1:
        return (key,)
    parts = key.replace("||", "\x00").split("|")
    return tuple(part.replace("\x00", "|") for part in parts)


def row_keys(bodies: Sequence[Record], key: Sequence[str]) -> list[str] | None:
    """The key of each row; None when one is missing or stands twice, which one statement cannot hold."""
    if len(key) == 1:
        name = key[0]
        keys = [value if value.__class__ is str else _text(value) for value in [body.get(name) for body in bodies]]
    else:
        keys = [_joined([body.get(name) for name in key]) for body in bodies]
    return keys if all(keys) and len(set(keys)) == len(keys) else None


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _joined(parts: Sequence[object]) -> str:
    return "" if None in parts else join_key([str(part) for part in parts])
