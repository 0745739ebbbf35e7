"""The start fails when a view can be reached that nobody declared a permission for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.views import APIView

from hub.common.permissions import (
    PUBLIC,
    HasHubPermission,
    class_of,
    declaration_of,
    iter_patterns,
)


def check_views(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """All of the installation's views; registered as a system check by `hub.common.apps`."""
    return check_patterns(get_resolver().url_patterns)


def check_patterns(patterns: Iterable[URLPattern | URLResolver]) -> list[CheckMessage]:
    """One error for each view below these patterns that is undeclared, or declared but not enforced by the API."""
    problems: list[CheckMessage] = []
    for pattern in iter_patterns(patterns):
        view = pattern.callback
        if declaration_of(view) is None:
            problems.append(_undeclared(pattern))
        elif not _is_enforced(view):
            problems.append(_unenforced(pattern))
    return problems


def _is_enforced(view: Any) -> bool:
    """Pages are enforced by the middleware; API views by their own permission classes, which may have been replaced."""
    api_class = class_of(view)
    if api_class is None or not issubclass(api_class, APIView) or declaration_of(view) == PUBLIC:
        return True
    classes = getattr(view, "initkwargs", {}).get("permission_classes", api_class.permission_classes)
    return any(issubclass(item, HasHubPermission) for item in classes if isinstance(item, type))


def _undeclared(pattern: URLPattern) -> Error:
    return Error(
        f"The view behind {str(pattern.pattern)!r} ({pattern.lookup_str}) declares no permission.",
        hint="Decorate it with @requires(…), @signed_in or @public from hub.common.permissions; wrap third-party views "
        "where they are included.",
        id="hub.E001",
    )


def _unenforced(pattern: URLPattern) -> Error:
    return Error(
        f"The API view behind {str(pattern.pattern)!r} ({pattern.lookup_str}) has a permission that nothing enforces.",
        hint="Add HasHubPermission to its permission_classes, or leave them out: it is the default.",
        id="hub.E002",
    )
