"""Declarations that change another one: `extends: scim` takes everything from `scim` that is not stated again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connectors.declaration_schema import suggest
from hub.common.errors import ConfigError

# name -> the declaration as it was written, None where there is none; and all the names there are
Lookup = Callable[[str], Mapping[str, Any] | None]


def with_base(data: Any, lookup: Lookup, names: Callable[[], list[str]]) -> Any:
    """`data` laid over the declaration that it extends; data that extends nothing stays as it is.

    Raises ConfigError for a name that is not there, and for declarations that extend each other.
    """
    return _extended(data, lookup, names, ())


def _extended(data: Any, lookup: Lookup, names: Callable[[], list[str]], chain: tuple[str, ...]) -> Any:
    if not isinstance(data, Mapping) or not isinstance(data.get("extends"), str):
        return data
    base_name, chain = data["extends"], (*chain, str(data.get("name", "")))
    if base_name in chain:
        raise _problem(f"The declarations extend each other: {' → '.join([*chain, base_name])}.", "Break the circle.")
    base = lookup(base_name)
    if base is None:
        known = suggest(base_name, names(), everything=True)
        raise _problem(f"There is no declaration {base_name!r} to extend.{known}", "Name one of the catalogue.")
    own = {key: value for key, value in data.items() if key != "extends"}
    return laid_over(_extended(base, lookup, names, chain), own)


def laid_over(base: Any, changes: Any) -> Any:
    """`changes` over `base`, section by section; `null` leaves a section out, anything else replaces."""
    if not isinstance(base, Mapping) or not isinstance(changes, Mapping):
        return changes
    merged = dict(base)
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = laid_over(merged[key], value) if key in merged else value
    return merged


def _problem(what: str, fix: str) -> ConfigError:
    return ConfigError(what, where="extends", fix=fix, code="EXTENDS")
