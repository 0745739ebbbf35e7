"""The start fails when a view asks for a permission that no role could ever hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.urls import get_resolver

from hub.accounts.roles import PERMISSIONS
from hub.common.permissions import (
    PUBLIC,
    SIGNED_IN,
    Declaration,
    declaration_of,
    iter_patterns,
)

KNOWN = frozenset(PERMISSIONS) | {PUBLIC, SIGNED_IN}


def check_permission_names(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Every name that a view declares stands in the catalogue."""
    return [
        Error(
            f"The view {pattern.lookup_str} asks for the permission {name!r}, which does not exist.",
            hint="Use a name from hub/accounts/roles.py, or add it there with the roles that hold it.",
            id="accounts.E001",
        )
        for pattern in iter_patterns(get_resolver().url_patterns)
        for name in _names(declaration_of(pattern.callback))
        if name not in KNOWN
    ]


def _names(declaration: Declaration | None) -> Iterator[str]:
    if isinstance(declaration, str):
        yield declaration
    elif declaration:
        yield from declaration.values()
