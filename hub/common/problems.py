"""Every error of the API as RFC 9457 problem+json."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import ProtectedError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from hub.common.errors import AuthError, ConfigError, HubError, TransientError
from hub.common.governed import Held

PROBLEM = "application/problem+json"


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Every error as RFC 9457 problem+json: type, title, status, detail, code, and errors by field.

    Held is none: 202, and where the change request stands.
    """
    if isinstance(error, Held):
        body = {"held": True, "said": error.put.said, "url": error.put.url}
        return Response(body, status=202, headers={"Location": error.put.url})
    if isinstance(error, HubError):
        return _problem(_status_of(error), error.what, code=error.code, where=error.where, fix=error.fix)
    if isinstance(error, DjangoValidationError):
        error = exceptions.ValidationError(
            error.message_dict if hasattr(error, "error_dict") else {"non_field_errors": error.messages}
        )
    if isinstance(error, ProtectedError):
        return _problem(409, "This is still used and cannot be deleted.", code="IN_USE")
    response = exception_handler(error, context)
    if response is None:
        return None
    problem = _problem(response.status_code, _sentence(error), code=_code(error))
    if isinstance(error, exceptions.ValidationError):
        problem.data["errors"] = response.data
    for header in ("WWW-Authenticate", "Retry-After"):
        if header in response:
            problem[header] = response[header]
    return problem


def _status_of(error: HubError) -> int:
    if error.code in ("IN_USE", "CHANGED_MEANWHILE"):
        return 409
    if error.code == "CONTRACT_RETIRED":
        return 410
    return 502 if isinstance(error, AuthError | TransientError) else 422 if isinstance(error, ConfigError) else 400


def _sentence(error: Exception) -> str:
    if isinstance(error, exceptions.ValidationError):
        return "Some fields are not right; see `errors`."
    if isinstance(error, Http404):
        return "There is nothing here, or your roles do not include it."
    detail = getattr(error, "detail", None)
    return str(detail or error)


def _code(error: Exception) -> str:
    if isinstance(error, Http404):
        return "NOT_FOUND"
    if isinstance(error, PermissionDenied):
        return "PERMISSION_DENIED"
    return str(getattr(error, "default_code", "error")).upper()


def _problem(status: int, detail: str, *, code: str, where: str = "", fix: str = "") -> Response:
    body = OrderedDict(type="about:blank", title=TITLES.get(status, "Error"), status=status, detail=detail, code=code)
    body |= {name: value for name, value in (("where", where), ("fix", fix)) if value}
    return Response(body, status=status, content_type=PROBLEM)


TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "In conflict",
    410: "Gone",
    422: "Cannot be done",
    429: "Too many requests",
    502: "The other system did not answer well",
}
