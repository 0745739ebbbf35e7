"""Stopping everything, and purging queues, over the API; the same services as the pages."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from hub.sync import services
from hub.sync.models import Standstill


class StandstillSerializer(serializers.ModelSerializer[Standstill]):
    """Whether all work is paused; a pause needs a reason."""

    by = serializers.CharField(source="by.email", read_only=True, allow_null=True, default=None)
    is_paused = serializers.BooleanField()
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")

    class Meta:
        model = Standstill
        fields = ("is_paused", "reason", "by", "at")
        read_only_fields = ("at",)


class PurgeSerializer(serializers.Serializer[Any]):
    """Without `go` it is only counted. `amounts` are by currency, `by_sync` are numbers by slug."""

    go = serializers.BooleanField(default=False, write_only=True)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="", write_only=True)
    number = serializers.IntegerField(read_only=True)
    amounts = serializers.DictField(child=serializers.CharField(), read_only=True)
    oldest_at = serializers.DateTimeField(read_only=True, allow_null=True)
    by_sync = serializers.DictField(child=serializers.IntegerField(), read_only=True)
    is_done = serializers.BooleanField(read_only=True)


class StandstillView(APIView):
    """The switch for everything."""

    required_permission: Any = {"GET": "syncs.view", "POST": "syncs.run"}

    @extend_schema(responses=StandstillSerializer)
    def get(self, request: Request) -> Response:
        found = Standstill.objects.select_related("by").filter(pk=1).first() or Standstill()
        return Response(StandstillSerializer(found).data)

    @extend_schema(request=StandstillSerializer, responses=StandstillSerializer)
    def post(self, request: Request) -> Response:
        """Pause or resume all work; takes a role for all domains."""
        if request.user.domain_ids_for("syncs.run") is not None:  # type: ignore[union-attr]
            raise PermissionDenied("Pausing everything takes a role for all domains.")
        asked = StandstillSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        found = services.set_standstill(
            is_paused=asked.validated_data["is_paused"], reason=asked.validated_data["reason"], by=request.user
        )
        return Response(StandstillSerializer(found).data)
