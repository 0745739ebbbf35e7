"""Dotted paths into JSON: `data.items`, `errors.0.message`, `users.*.name`, `error."odd.key"`.

A whole path that is itself a key wins (`@odata.nextLink`), `*` is the first value, `$` or nothing is everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from hub.common.errors import ConfigError

_PART = re.compile(r'"([^"]*)"|([^."]+)')


@lru_cache(maxsize=4096)
def split_path(path: str) -> tuple[str, ...]:
    """The parts of a path; raises ConfigError when it cannot be read."""
    parts, position = [], 0
    while position < len(path):
        match = _PART.match(path, position)
        if match is None or (match.end() < len(path) and path[match.end()] != "."):
            raise ConfigError(
                f"The path {path!r} cannot be read.", fix='Write it as a.b.0.c, and odd names in quotes: a."b.c".'
            )
        parts.append(match[1] if match[1] is not None else match[2])
        position = match.end() + 1
    if path.endswith("."):
        raise ConfigError(f"The path {path!r} ends with a full stop.", fix="Remove it.")
    return tuple(parts)


def get(data: Any, path: str) -> Any:
    """What stands at `path`, None when there is nothing."""
    if path in ("", "$"):
        return data
    if isinstance(data, dict) and path in data:
        return data[path]
    for part in split_path(path):
        data = _step(data, part)
        if data is None:
            return None
    return data


def first(data: Any, paths: str | Iterable[str]) -> Any:
    """What stands at the first path that leads to something."""
    for path in (paths,) if isinstance(paths, str) else paths:
        value = get(data, path)
        if value is not None:
            return value
    return None


def _step(data: Any, part: str) -> Any:
    if isinstance(data, Mapping):
        return next(iter(data.values()), None) if part == "*" and "*" not in data else data.get(part)
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        index = 0 if part == "*" else int(part) if part.isdigit() else -1
        return data[index] if 0 <= index < len(data) else None
    return None
