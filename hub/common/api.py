"""What every API view shares: bearer tokens and keyset pages. Errors are in hub.common.problems."""

from __future__ import annotations

from typing import Any

from knox.auth import TokenAuthentication
from rest_framework.pagination import CursorPagination


class BearerAuthentication(TokenAuthentication):
    """`Authorization: Bearer <token>`; tokens are stored hashed."""

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"

    def validate_user(self, auth_token: Any) -> tuple[Any, Any]:
        found: tuple[Any, Any] = super().validate_user(auth_token)
        auth_token.mark_used()
        return found


class KeysetPagination(CursorPagination):
    """Pages by cursor: `?cursor=…&page_size=…`; stable while rows are added."""

    ordering = "-id"
    page_size_query_param = "page_size"
    max_page_size = 500


class BySlug(KeysetPagination):
    """Pages in the order of slugs, for what is configured."""

    ordering = "slug"


def permission_of(view: Any) -> str:
    """The permission that this request needs, as the view declares it."""
    needed = view.required_permission
    return needed if isinstance(needed, str) else str(needed[view.request.method or "GET"])
