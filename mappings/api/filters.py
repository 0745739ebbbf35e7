"""Filters of the lists, in the query of their addresses."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from hub.common.filters import MAX_LENGTH


def text(name: str, description: str) -> OpenApiParameter:
    """A filter as the API describes it."""
    return OpenApiParameter(name, OpenApiTypes.STR, description=description)


def asked(request: Request, name: str) -> str:
    """What a filter asks for; empty when it is not used."""
    return request.query_params.get(name, "").replace("\x00", "")[:MAX_LENGTH]
