"""Drifts over the API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance import drift
from governance.changes import drifts as reviewed
from governance.models import Drift


class DriftSerializer(serializers.ModelSerializer[Drift]):
    """`proposed` are the fields of the new shape, `verdict` what differs from the recorded one."""

    stream = serializers.SlugField(source="stream.slug", read_only=True)

    class Meta:
        model = Drift
        fields = (
            "id",
            "stream",
            "status",
            "seen_in",
            "is_breaking",
            "broken_paths",
            "proposed",
            "verdict",
            "reason",
            "first_at",
            "last_at",
            "times",
            "decided_at",
        )


class DriftDecisionSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField([Drift.Status.ACCEPTED.value, Drift.Status.DISMISSED.value])
    reason = serializers.CharField(max_length=500, allow_blank=True, default="")


class DriftList(generics.ListAPIView[Drift]):
    """Sources whose records do not look as they did, newest first; `?status=open`."""

    required_permission = "connections.view"
    serializer_class = DriftSerializer
    queryset = Drift.objects.none()

    @extend_schema(parameters=[OpenApiParameter("status", str)])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Drift]:
        rows = drift.drifts_for(self.request.user)  # type: ignore[arg-type]
        status = self.request.query_params.get("status")
        return rows.filter(status=status) if status else rows


class DriftDetail(APIView):
    """One drift, and the decision about it."""

    required_permission = {"GET": "connections.view", "PATCH": "connections.edit"}

    @extend_schema(responses=DriftSerializer, operation_id="drifts_retrieve")
    def get(self, request: Request, pk: int) -> Response:
        return Response(DriftSerializer(get_object_or_404(drift.drifts_for(request.user), pk=pk)).data)  # type: ignore[arg-type]

    @extend_schema(request=DriftDecisionSerializer, responses=DriftSerializer, operation_id="drifts_decide")
    def patch(self, request: Request, pk: int) -> Response:
        """Accept the new shape, or dismiss it with a reason; syncs that it had stopped go on."""
        found = get_object_or_404(drift.drifts_for(request.user, "connections.edit"), pk=pk)  # type: ignore[arg-type]
        given = DriftDecisionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        decide = reviewed.accept if given.validated_data["status"] == Drift.Status.ACCEPTED else drift.dismiss
        decide(found, by=request.user, reason=given.validated_data["reason"])
        return Response(DriftSerializer(found).data)
