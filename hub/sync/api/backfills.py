"""Backfills over the API; the same services as the pages."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hub.common.api import permission_of
from hub.sync import backfills, queries
from hub.sync.backfills import Asked
from hub.sync.models import Backfill


class BackfillRequestSerializer(serializers.Serializer[Any]):
    """A window (one end may be open) or keys. Without `go` it is only planned."""

    sync = serializers.SlugField()
    from_value = serializers.CharField(required=False, allow_blank=True, max_length=200, default="")
    to_value = serializers.CharField(required=False, allow_blank=True, max_length=200, default="")
    keys = serializers.ListField(child=serializers.CharField(), required=False, default=list)
    per_second = serializers.FloatField(required=False, default=0.0)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")
    go = serializers.BooleanField(default=False)


class BackfillPlanSerializer(serializers.Serializer[Any]):
    """What it would be; `number` is null where the source does not tell."""

    what = serializers.CharField()
    number = serializers.IntegerField(allow_null=True)
    known = serializers.IntegerField(allow_null=True)
    per_second = serializers.FloatField()
    reads_all = serializers.BooleanField()


class BackfillSerializer(serializers.ModelSerializer[Backfill]):
    """A backfill; counts are of its newest run. What has not been found yet is in `not_found`."""

    sync = serializers.CharField(source="sync.slug")
    state = serializers.CharField(source="shown_state")
    counts = serializers.DictField(source="run.counts", child=serializers.IntegerField())
    number_of_keys = serializers.SerializerMethodField()
    requested_by = serializers.CharField(source="requested_by.email", allow_null=True, default=None)

    class Meta:
        model = Backfill
        fields = (
            "id", "sync", "run_id", "state", "from_value", "to_value", "number_of_keys", "not_found", "per_second",
            "expected", "counts", "reason", "requested_by", "created_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_number_of_keys(self, backfill: Backfill) -> int:
        """0 for a window."""
        return len(backfill.keys)


class BackfillViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[Backfill]):
    """Reading a part of a source once more, beside the runs that follow it."""

    required_permission: Any = {"GET": "syncs.view", "POST": "syncs.run"}
    serializer_class: Any = BackfillSerializer
    queryset = Backfill.objects.none()

    def get_queryset(self) -> QuerySet[Backfill]:
        return queries.backfills_for(self.request.user, permission_of(self))  # type: ignore[arg-type]

    @extend_schema(request=BackfillRequestSerializer, responses={200: BackfillPlanSerializer, 202: BackfillSerializer})
    def create(self, request: Request) -> Response:
        """Plan a backfill; with `go`, put it in its lane."""
        asked = BackfillRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        sync = get_object_or_404(queries.syncs_for(request.user, "syncs.run"), slug=said.pop("sync"))  # type: ignore[arg-type]
        go = said.pop("go")
        if not go:
            return Response(backfills.plan(sync, Asked(**said)).as_data())
        made = backfills.start(sync, Asked(**said), by=request.user)
        return Response(self.get_serializer(made).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses=BackfillSerializer)
    @action(detail=True, methods=["post"], required_permission="syncs.run")
    def pause(self, request: Request, pk: str) -> Response:
        """Stop at the next page, to go on there later."""
        return self._did(backfills.pause)

    @extend_schema(request=None, responses=BackfillSerializer)
    @action(detail=True, methods=["post"], required_permission="syncs.run")
    def resume(self, request: Request, pk: str) -> Response:
        """Go on after the last page that was stored."""
        return self._did(backfills.resume)

    @extend_schema(request=None, responses=BackfillSerializer)
    @action(detail=True, methods=["post"], required_permission="syncs.run")
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop for good; what was stored stays."""
        return self._did(backfills.cancel)

    def _did(self, act: Any) -> Response:
        act(self.get_object(), by=self.request.user)
        return Response(self.get_serializer(self.get_object()).data)
