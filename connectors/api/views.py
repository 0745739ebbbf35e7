"""Systems, connections, streams and kinds over the API; every change goes through connectors.services."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from connectors import gallery, queries, services
from connectors.api.serializers import (
    AccountSerializer,
    ConnectionSerializer,
    KindSerializer,
    PauseReasonSerializer,
    StreamInfoSerializer,
    StreamSerializer,
    SystemSerializer,
    TestResultSerializer,
)
from connectors.gallery import Offer
from connectors.models import Connection, Stream, System
from hub.common.api import BySlug
from hub.common.permissions import HasHubPermission
from hub.common.records import CheckStep

READ_WRITE = {
    "GET": queries.VIEW,
    "POST": queries.EDIT,
    "PUT": queries.EDIT,
    "PATCH": queries.EDIT,
    "DELETE": queries.EDIT,
}
METHODS = ["get", "post", "patch", "delete", "head", "options"]
_FIELD = {"title": "", "help": "", "type": "string", "format": "", "required": False, "secret": False,
          "default": None, "example": "", "enum": [], "pattern": ""}  # fmt: skip


class Scoped(viewsets.ModelViewSet[Any]):
    """Rows that the person may see for a safe method, and may edit for any other. `reaches_out` asks for more."""

    required_permission: Any = READ_WRITE
    pagination_class = BySlug
    lookup_field = "slug"
    http_method_names = METHODS

    @property
    def needed(self) -> str:
        declared = self.required_permission
        return declared if isinstance(declared, str) else declared.get(self.request.method or "", queries.VIEW)


class SystemViewSet(Scoped):
    """The applications of the firm. Changed by those who may change all connections of a system."""

    serializer_class = SystemSerializer
    queryset = System.objects.none()

    def get_queryset(self) -> QuerySet[System]:
        return queries.systems_for(self.request.user, self.needed)  # type: ignore[arg-type]

    def perform_destroy(self, instance: System) -> None:
        services.remove_system(instance, by=self.request.user)


class ConnectionViewSet(Scoped):
    """Accounts at systems. Making or changing one does not test it; `test` does."""

    serializer_class = ConnectionSerializer
    filterset_fields = ("status", "is_paused", "catalogue", "protocol", "system__slug", "system__category")
    queryset = Connection.objects.none()

    def get_queryset(self) -> QuerySet[Connection]:
        return queries.connections_for(self.request.user, self.needed)  # type: ignore[arg-type]

    def perform_destroy(self, instance: Connection) -> None:
        services.remove_connection(instance, by=self.request.user)

    def perform_create(self, serializer: BaseSerializer[Connection]) -> None:
        saved = serializer.save()
        serializer.instance = self.get_queryset().get(pk=saved.pk)

    @extend_schema(operation_id="connections_test_values", request=AccountSerializer, responses=TestResultSerializer)
    @action(methods=["post"], detail=False, url_path="test", serializer_class=AccountSerializer)
    def test_values(self, request: Request) -> Response:
        """Test an account before it is stored. Takes at most five seconds; nothing is kept.

        A system that replaces refresh tokens when they are used is better tested after it is stored.
        """
        given = AccountSerializer(data=request.data, context=self.get_serializer_context())
        given.is_valid(raise_exception=True)
        values = {"secrets": {}, "allowed_networks": [], **given.validated_data}
        return _result(services.check_unsaved(**values)[0])

    @extend_schema(request=None, responses=TestResultSerializer)
    @action(methods=["post"], detail=True)
    def test(self, request: Request, slug: str) -> Response:
        """Test the stored account and keep the result. Takes at most five seconds."""
        return _result(services.check_connection(self.get_object()))

    @extend_schema(request=PauseReasonSerializer, responses=ConnectionSerializer)
    @action(methods=["post"], detail=True)
    def pause(self, request: Request, slug: str) -> Response:
        """Stop all work of the connection at the next page or batch; what waits is kept."""
        return self._paused(is_paused=True)

    @extend_schema(request=PauseReasonSerializer, responses=ConnectionSerializer)
    @action(methods=["post"], detail=True)
    def resume(self, request: Request, slug: str) -> Response:
        """Let the work of the connection go on."""
        return self._paused(is_paused=False)

    def _paused(self, *, is_paused: bool) -> Response:
        found = self.get_object()
        asked = PauseReasonSerializer(data=self.request.data)
        asked.is_valid(raise_exception=True)
        services.set_paused(
            connection=found, is_paused=is_paused, reason=asked.validated_data["reason"], by=self.request.user
        )
        return Response(self.get_serializer(found).data)

    @extend_schema(responses=StreamInfoSerializer(many=True), filters=False)
    @action(methods=["get"], detail=True, required_permission=queries.EDIT, pagination_class=None)
    def discover(self, request: Request, slug: str) -> Response:
        """The object types that the system offers, asked now."""
        found = services.discover(self.get_object())
        return Response(StreamInfoSerializer([asdict(info) for info in found], many=True).data)


def _result(steps: Sequence[CheckStep]) -> Response:
    found = {"ok": all(step.ok for step in steps), "steps": [asdict(step) for step in steps]}
    return Response(TestResultSerializer(found).data)


class StreamViewSet(Scoped):
    """Object types that were chosen."""

    serializer_class = StreamSerializer
    filterset_fields = ("connection__slug",)
    queryset = Stream.objects.none()

    def get_queryset(self) -> QuerySet[Stream]:
        return queries.streams_for(self.request.user, self.needed)  # type: ignore[arg-type]

    def perform_destroy(self, instance: Stream) -> None:
        services.remove_stream(instance, by=self.request.user)

    @extend_schema(responses={200: OpenApiTypes.OBJECT}, filters=False)
    @action(methods=["get"], detail=True, required_permission=queries.EDIT, pagination_class=None)
    def samples(self, request: Request, slug: str) -> Response:
        """Five records, read now and not stored, as `{"records": [...]}`; the account's secrets are masked."""
        return Response({"records": services.sample_records(self.get_object())})

    @extend_schema(request=None, responses=StreamSerializer)
    @action(methods=["post"], detail=True)
    def refresh(self, request: Request, slug: str) -> Response:
        """Ask the system again which fields the object has; key, cursor and schema stay."""
        stream = self.get_object()
        services.refresh_fields(stream, by=request.user)
        return Response(self.get_serializer(stream).data)


class KindList(APIView):
    """The kinds of connection, with the fields that each asks for."""

    required_permission = queries.VIEW
    permission_classes = [HasHubPermission]

    @extend_schema(
        parameters=[OpenApiParameter("q", str, description="Part of the name, category or description.")],
        responses=KindSerializer(many=True),
        operation_id="catalogue_list",
    )
    def get(self, request: Request) -> Response:
        found = [each for _, offers in gallery.groups(request.query_params.get("q", "")) for each in offers]
        return Response(KindSerializer([_kind(each) for each in found], many=True).data)


class KindDetail(APIView):
    """One kind of connection."""

    required_permission = queries.VIEW
    permission_classes = [HasHubPermission]

    @extend_schema(responses=KindSerializer, operation_id="catalogue_retrieve")
    def get(self, request: Request, kind: str) -> Response:
        found = gallery.offer(kind)
        if found is None:
            raise Http404
        return Response(KindSerializer(_kind(found)).data, status=status.HTTP_200_OK)


def _kind(found: Offer) -> dict[str, Any]:
    fields = [{**_FIELD, **spec, "name": name} for name, spec in found.fields().items()]
    return {
        **asdict(found),
        "kind": found.key,
        "catalogue": found.catalogue,
        "protocol": found.protocol,
        "fields": fields,
    }
