"""Uploads over the API; the same services as the pages."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from hub.common.api import KeysetPagination, permission_of
from hub.spreadsheets import queries, services
from hub.spreadsheets.models import Upload


class UploadSerializer(serializers.ModelSerializer[Upload]):
    """A file and what would become, or became, of its rows."""

    sync: Any = serializers.SlugRelatedField(slug_field="slug", read_only=True)
    preview = serializers.JSONField(read_only=True, help_text="counts, notes and rows of the dry run")
    runs = serializers.ListField(child=serializers.IntegerField(), source="run_ids", read_only=True)
    refused = serializers.SerializerMethodField()

    class Meta:
        model = Upload
        fields = ["id", "sync", "file_name", "sha256", "size", "state", "rows", "notes", "preview", "refused", "runs",
                  "created_at", "confirmed_at", "done_at"]  # fmt: skip
        read_only_fields = fields

    def get_refused(self, upload: Upload) -> list[dict[str, Any]]:
        rows = queries.refused_of(upload, for_user=self.context["request"].user)
        return [{"row": each.row, "column": each.column, "reason": each.reason} for each in rows[:500]]


class NewUploadSerializer(serializers.Serializer[Any]):
    """A file for the sync of an entity's spreadsheets."""

    sync = serializers.SlugField()
    file = serializers.FileField()
    decimal = serializers.ChoiceField(choices=[".", ","], default=".")


class UploadViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[Upload]):
    """Spreadsheets that people or programs upload. A file is looked at first; `confirm` lets its rows in."""

    required_permission: Any = {"GET": "syncs.view", "POST": "syncs.run"}
    serializer_class = UploadSerializer
    pagination_class = KeysetPagination
    http_method_names = ["get", "post", "head", "options"]
    queryset = Upload.objects.none()

    def get_queryset(self) -> QuerySet[Upload]:
        return queries.uploads_for(self.request.user, permission_of(self))  # type: ignore[arg-type]

    @extend_schema(request={"multipart/form-data": NewUploadSerializer}, responses={201: UploadSerializer})
    def create(self, request: Request) -> Response:
        """Upload a file and see what would become of it: 201, or 200 when it is the last one that was uploaded."""
        asked = NewUploadSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        sync = get_object_or_404(queries.sources_for(request.user, "syncs.run"), slug=given["sync"])  # type: ignore[arg-type]
        found, is_new = services.upload(
            sync=sync, name=given["file"].name, data=given["file"].read(), by=request.user, decimal=given["decimal"]
        )
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(self.get_serializer(found).data, status=code)

    def get_parsers(self) -> list[Any]:
        return [MultiPartParser()] if getattr(self, "action_map", {}).get("post") == "create" else super().get_parsers()

    @extend_schema(request=None, responses=UploadSerializer)
    @action(methods=["post"], detail=True)
    def confirm(self, request: Request, pk: str) -> Response:
        """Let the rows of a file take the way of every source."""
        found = self.get_object()
        services.confirm(upload=found, by=request.user)
        found.refresh_from_db()
        return Response(self.get_serializer(found).data)

    @extend_schema(request=None, responses={204: None})
    @action(methods=["post"], detail=True)
    def discard(self, request: Request, pk: str) -> Response:
        """Forget a file that was not confirmed."""
        services.discard(upload=self.get_object(), by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)
