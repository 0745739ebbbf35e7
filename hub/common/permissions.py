"""Every view declares the permission it needs; a view without a declaration is refused, and stops the start.

A permission is `<area>.<verb>` ("connections.edit"). Two words stand for the rest: `PUBLIC` (anyone, signed in or not)
and `SIGNED_IN` (any person with an account). Which role holds which permission is the business of `hub.accounts.roles`;
here only `user.has_hub_perm(name)` is called.

    @requires("connections.edit")                                   # function view, or class decorator
    @requires(GET="connections.view", POST="connections.edit")      # by method; a method not named is refused
    path("schema/", requires(SIGNED_IN)(SpectacularAPIView.as_view()))
    path("admin/", declare(admin.site.urls, "access.manage"))       # a whole third-party URL module
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from django.http import HttpRequest
from django.urls import URLPattern, URLResolver
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

PUBLIC = "public"
SIGNED_IN = "signed-in"
ATTRIBUTE = "required_permission"

Declaration = str | Mapping[str, str]
View = TypeVar("View", bound=Callable[..., Any])


def requires(permission: str = "", **by_method: str) -> Callable[[View], View]:
    """Declare what a view needs: one permission for all methods, or one for each HTTP method."""
    if bool(permission) == bool(by_method):
        raise TypeError("requires() takes either one permission or one for each HTTP method.")
    declaration: Declaration = permission or by_method

    def mark(view: View) -> View:
        setattr(view, ATTRIBUTE, declaration)
        return view

    return mark


public = requires(PUBLIC)
signed_in = requires(SIGNED_IN)


def declare(urls: Any, permission: str) -> Any:
    """Declare one permission for every view of a third-party URL module; takes and returns what `path()` accepts."""
    module: Any = urls[0] if isinstance(urls, tuple) else urls
    for pattern in iter_patterns(getattr(module, "urlpatterns", module)):
        setattr(pattern.callback, ATTRIBUTE, permission)
    return urls


def iter_patterns(patterns: Iterable[URLPattern | URLResolver]) -> Iterable[URLPattern]:
    """Every view's pattern below these, depth first."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from iter_patterns(pattern.url_patterns)
        else:
            yield pattern


def declaration_of(view: Callable[..., Any]) -> Declaration | None:
    """What a resolved view declares, looking at the function first and then at the class behind it."""
    declared = getattr(view, ATTRIBUTE, None)
    return declared or getattr(class_of(view), ATTRIBUTE, None)


def class_of(view: Callable[..., Any]) -> type | None:
    """The class behind `as_view()`, be it Django's or DRF's."""
    return getattr(view, "view_class", None) or getattr(view, "cls", None)


def needed_for(declaration: Declaration | None, method: str | None) -> str | None:
    """The permission for this method; None means refuse. HEAD and OPTIONS ask no more than GET does."""
    if declaration is None or isinstance(declaration, str):
        return declaration
    verb = "GET" if method in ("HEAD", "OPTIONS") else method or ""
    return declaration.get(verb)


def is_allowed(user: Any, needed: str | None) -> bool:
    """Whether this person may use something that needs `needed`; an undeclared need is always refused."""
    if needed == PUBLIC:
        return True
    if needed is None or not user.is_authenticated:
        return False
    return needed == SIGNED_IN or user.has_hub_perm(needed)


class HasHubPermission(BasePermission):
    """The API's default: the view's `required_permission` decides, and a view or method without one is refused.

    A token that may only read is refused everything but safe methods.
    """

    message = "Your roles do not include what this request needs."

    def has_permission(self, request: Request, view: Any) -> bool:
        needed = needed_for(_declared_by(view, request), request.method)
        if not is_allowed(request.user, needed):
            self.message = (
                f"This needs the permission {needed}, which your roles do not include." if needed else self.message
            )
            return False
        self.message = "This token may only read."
        return request.method in SAFE_METHODS or not getattr(request.auth, "is_read_only", False)


def _declared_by(view: Any, request: Request) -> Declaration | None:
    """What the class declares, or else what `requires()` put on the function in the URL module."""
    match = getattr(request, "resolver_match", None)
    return getattr(view, ATTRIBUTE, None) or (declaration_of(match.func) if match else None)


def may(request: HttpRequest, permission: str) -> bool:
    """Whether the person of this request holds a permission somewhere; for buttons and links."""
    return is_allowed(request.user, permission)
