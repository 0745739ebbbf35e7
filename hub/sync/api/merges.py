"""Merges over the API; the same services as the pages."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hub.common.api import permission_of
from hub.records.queries import find_record
from hub.sync.api.serializers import ConfirmSerializer
from hub.sync.models import Merge
from hub.sync.removals import merges
from hub.sync.removals.queries import merges_for


class MergeSerializer(serializers.ModelSerializer[Merge]):
    """`loser` was merged into `winner`, both by key; `children` are [record id, field], `links` [stream id, external id]."""

    entity = serializers.SlugField()
    loser = serializers.CharField()
    winner = serializers.CharField()
    reason = serializers.CharField(max_length=500)
    in_force = serializers.BooleanField(read_only=True)
    by = serializers.CharField(source="by.email", read_only=True, allow_null=True, default=None)

    class Meta:
        model = Merge
        fields = (
            "id", "entity", "loser", "winner", "reason", "run_id", "by", "at", "children", "links", "in_force",
            "undone_at", "undone_reason",
        )  # fmt: skip
        read_only_fields = ("run_id", "at", "children", "links", "undone_at", "undone_reason")

    def to_representation(self, merge: Merge) -> dict[str, Any]:
        return {**super().to_representation(merge), "entity": merge.entity.slug}


@extend_schema_view(create=extend_schema(request=MergeSerializer, responses={201: MergeSerializer}))
class MergeViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[Merge]):
    """Records that turned out to be one."""

    required_permission: Any = {"GET": "ledger.view", "POST": "ledger.replay"}
    serializer_class = MergeSerializer
    queryset = Merge.objects.none()
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> QuerySet[Merge]:
        return merges_for(self.request.user, permission_of(self))  # type: ignore[arg-type]

    def create(self, request: Request) -> Response:
        """Merge one record into another."""
        asked = MergeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        user, entity, may = request.user, values["entity"], "ledger.replay"
        loser = find_record(user, entity, may, key=values["loser"])  # type: ignore[arg-type]
        winner = find_record(user, entity, may, key=values["winner"])  # type: ignore[arg-type]
        made = merges.merge(loser=loser, winner=winner, reason=values["reason"], by=user)
        return Response(MergeSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ConfirmSerializer, responses=MergeSerializer)
    @action(detail=True, methods=["post"], required_permission="ledger.replay")
    def undo(self, request: Request, pk: str) -> Response:
        """Make two records of one again."""
        asked = ConfirmSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        found = get_object_or_404(self.get_queryset(), pk=pk)
        return Response(
            MergeSerializer(merges.undo(merge=found, by=request.user, reason=asked.validated_data["reason"])).data
        )
