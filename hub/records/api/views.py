"""Canonical records over the API: a page of one entity, one record, and what is masked for those who may reveal it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.models import Entity
from governance.queries import find_entity
from hub.common.api import KeysetPagination
from hub.records import queries, services
from hub.records.api.serializers import RecordDetailSerializer, RecordSerializer, RevealSerializer
from hub.records.api.serving import VERSION, ServesVersions
from hub.records.models import CanonicalRecord
from hub.records.queries import REVEAL, SEE
from hub.records.reading import PROMOTED, Described


def _text(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, description=description)


FILTERS = [
    _text("prefix", "Only records whose key begins with this."),
    VERSION,
    *(_text(name, f"Only records of this {name.replace('_', ' ')}.") for name in PROMOTED),
]


class ByKey(KeysetPagination):
    ordering = "key"


class RecordList(ServesVersions, generics.ListAPIView[CanonicalRecord]):
    """Records of an entity in the order of their keys. Masked values are left out and named in `masked`."""

    required_permission = SEE
    serializer_class = RecordSerializer
    pagination_class = ByKey
    queryset = CanonicalRecord.objects.none()

    @cached_property
    def entity(self) -> Entity:
        return find_entity(self.request.user, self.kwargs["entity"], SEE)  # type: ignore[arg-type]

    def get_queryset(self) -> QuerySet[CanonicalRecord]:
        asked = self.request.query_params
        rows = queries.with_key_from(queries.records_of(self.entity), asked.get("prefix", ""))
        return rows.filter(**{name: asked[name] for name in PROMOTED if asked.get(name)}).select_related("entity")

    def get_serializer_context(self) -> dict[str, Any]:
        context = dict(super().get_serializer_context())
        if not getattr(self, "swagger_fake_view", False):
            context |= {"described": Described(self.entity), "version": self.served_version}
        return context

    @extend_schema(parameters=FILTERS, operation_id="records_list")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class RecordDetail(ServesVersions):
    """One record by its key, with the system that supplied each field and the ids at all systems."""

    required_permission = SEE

    @cached_property
    def record(self) -> CanonicalRecord:
        return queries.find_record(self.request.user, self.kwargs["entity"], key=self.kwargs["key"])  # type: ignore[arg-type]

    @property
    def entity(self) -> Entity:
        return self.record.entity

    @extend_schema(parameters=[VERSION], responses=RecordDetailSerializer, operation_id="records_retrieve")
    def get(self, request: Request, entity: str, key: str) -> Response:
        record = self.record
        context = {"described": Described(record.entity), "version": self.served_version}
        return Response(RecordDetailSerializer(record, context=context).data)


class RevealView(APIView):
    """Ask for a record with its masked values. That it was asked for is kept, with who asked."""

    required_permission = {"POST": REVEAL}

    @extend_schema(request=RevealSerializer, responses={200: RecordDetailSerializer}, operation_id="reveals_create")
    def post(self, request: Request) -> Response:
        asked = RevealSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        user, data = request.user, asked.validated_data
        record = queries.find_record(user, data["entity"], REVEAL, key=data["key"])  # type: ignore[arg-type]
        described = Described(record.entity)
        services.reveal(record, described.masked(record.body), by=user)  # type: ignore[arg-type]
        context = {"described": described, "revealed": True}
        return Response(RecordDetailSerializer(record, context=context).data)
