"""Feeds of canonical records for analytics: JSON in pages by cursor, and OData V4 to be read by Excel and BI tools."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.models import ContractVersion, Entity
from governance.queries import entities_for, find_entity
from hub.accounts.models import User
from hub.common.errors import ConfigError
from hub.publishing import feed, model, odata
from hub.records.queries import SEE

VERSION = {"OData-Version": "4.0"}
CONTENT = "application/json;odata.metadata=minimal;IEEE754Compatible=true"


def _text(name: str, words: str) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, description=words)


class Feed(APIView):
    """Records of an entity in the order of their keys, without masked values.

    With `updated_since`, those that changed or were deleted from then on; a page may then be empty and name a next one.
    """

    required_permission = SEE

    @extend_schema(
        operation_id="feeds_read",
        parameters=[
            _text("cursor", "`next` of the page before."),
            _text("updated_since", "An instant with its zone: 2026-11-30T00:00:00Z."),
            OpenApiParameter("page_size", OpenApiTypes.INT, description=f"At most {feed.MOST_ROWS}."),
        ],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request, entity: str) -> Response:
        found = find_entity(_person(request), entity, SEE)
        page = feed.page(
            found, cursor=request.query_params.get("cursor", ""), size=_size(request), since=_since(request)
        )
        return Response({"entity": found.slug, "next": page.next, "records": page.rows})


def _person(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


def _size(request: Request) -> int:
    text = request.query_params.get("page_size", str(feed.USUAL_ROWS))
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= feed.MOST_ROWS:
        raise ConfigError(f"page_size is between 1 and {feed.MOST_ROWS}.", where="page_size", code="PAGE_SIZE")
    return int(text)


def _since(request: Request) -> Any:
    text = request.query_params.get("updated_since", "")
    if not text:
        return None
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or is_naive(found):
        fix = "Write it as 2026-11-30T00:00:00Z, a plus sign as %2B."
        raise ConfigError("updated_since is no instant with a zone.", where="updated_since", fix=fix, code="TIME")
    return found


class ODataView(APIView):
    """A view of OData: answers say their version, and problems are told as OData clients read them."""

    required_permission = SEE

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, ConfigError):
            told = {"error": {"code": exc.code, "message": f"{exc.what} {exc.fix}".strip()}}
            return Response(told, status=400, headers=VERSION)
        return super().handle_exception(exc)

    def entities(self) -> list[Entity]:
        """Those that the person may see and that have a contract in force."""
        active = entities_for(_person(self.request), SEE).filter(
            contract__versions__status=ContractVersion.Status.ACTIVE
        )
        return list(active.distinct().order_by("slug"))

    def answer(self, data: Any) -> Response:
        return Response(data, headers=VERSION, content_type=CONTENT)

    def address(self) -> str:
        return self.request.build_absolute_uri(self.request.path).rstrip("/")


@extend_schema(exclude=True)
class Service(ODataView):
    """The service document: which entity sets there are."""

    def get(self, request: Request) -> Response:
        sets = [{"name": each.slug, "kind": "EntitySet", "url": each.slug} for each in self.entities()]
        return self.answer({"@odata.context": f"{self.address()}/$metadata", "value": sets})


@extend_schema(exclude=True)
class Metadata(ODataView):
    """Every entity set with its properties and types, as XML."""

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(model.metadata(self.entities()), content_type="application/xml", headers=VERSION)


@extend_schema(exclude=True)
class EntitySetView(ODataView):
    """Records of an entity set: $filter, $select, $orderby, $top, $skip, $count."""

    def get(self, request: Request, entity: str) -> Response:
        found = find_entity(_person(request), entity, SEE)
        return self.answer(odata.EntitySet(found, request.query_params.dict()).answer(self.address()))


@extend_schema(exclude=True)
class Count(ODataView):
    """How many records an entity set has, as plain text."""

    def get(self, request: Request, entity: str) -> HttpResponse:
        found = odata.EntitySet(find_entity(_person(request), entity, SEE), request.query_params.dict())
        return HttpResponse(str(found.matching().count()), content_type="text/plain", headers=VERSION)


@extend_schema(exclude=True)
class One(ODataView):
    """One record by its key: project('NLC-101')."""

    def get(self, request: Request, entity: str, key: str) -> Response:
        found = odata.one(find_entity(_person(request), entity, SEE), key.replace("''", "'"))
        if found is None:
            raise Http404
        place = f"{self.address().rpartition('/')[0]}/$metadata#{entity}/$entity"
        return self.answer({"@odata.context": place, **found})
