"""Configuration as code over the API: the same services as the command."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from hub.config import documents, services
from hub.config.api.serializers import DocumentsSerializer, PlanSerializer


def _given(request: Request) -> list[documents.Source]:
    serializer = DocumentsSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    return documents.from_data(serializer.validated_data["documents"])


class ConfigExport(APIView):
    """Everything that is configured, without secrets, in an order in which it can be applied."""

    required_permission: ClassVar[dict[str, str]] = {"GET": "config.view"}

    @extend_schema(operation_id="config_export", responses=DocumentsSerializer)
    def get(self, request: Request) -> Response:
        return Response({"documents": list(services.export())})


class ConfigPlan(APIView):
    """What applying these documents would change. Changes nothing."""

    required_permission: ClassVar[dict[str, str]] = {"POST": "config.view"}

    @extend_schema(operation_id="config_plan", request=DocumentsSerializer, responses=PlanSerializer)
    def post(self, request: Request) -> Response:
        return Response(services.plan(_given(request)).as_data())


class ConfigApply(APIView):
    """Bring the hub to what the documents say: all of it or nothing."""

    required_permission: ClassVar[dict[str, str]] = {"POST": "config.apply"}

    @extend_schema(operation_id="config_apply", request=DocumentsSerializer, responses=PlanSerializer)
    def post(self, request: Request) -> Response:
        by: Any = request.user
        return Response(services.apply(_given(request), by=by).as_data())
