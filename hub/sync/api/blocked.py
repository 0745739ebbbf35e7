"""Stopped values over the API; the same services as the pages. What the contract masks stays masked."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hub.common.api import KeysetPagination, permission_of
from hub.sync.api.ledger_serializers import ReasonSerializer
from hub.sync.api.syncs import text
from hub.sync.models import BlockedValue
from hub.sync.ownership import deciding
from hub.sync.ownership.queries import DECIDE, SEE, blocked_for, shown


class BlockedValueSerializer(serializers.ModelSerializer[BlockedValue]):
    """`offered` was stopped, `kept` was held then; `run_id` and `transaction_id` lead to the ledger."""

    entity: Any = serializers.SlugRelatedField("slug", read_only=True)
    record = serializers.CharField(source="record.key", read_only=True)
    system: Any = serializers.SlugRelatedField("slug", read_only=True)
    state = serializers.SerializerMethodField()
    decided_by = serializers.CharField(source="decided_by.email", read_only=True, allow_null=True, default=None)

    class Meta:
        model = BlockedValue
        fields = (
            "id", "entity", "record", "field", "system", "offered", "kept", "rule", "policy", "state", "note", "run_id",
            "transaction_id", "external_id", "amount", "currency", "times", "first_at", "last_at", "decided_by",
            "decided_at", "reason",
        )  # fmt: skip

    def get_state(self, row: BlockedValue) -> str:
        return BlockedValue.State(row.state).name.lower()

    def to_representation(self, row: BlockedValue) -> dict[str, Any]:
        seen = next(iter(shown([row])))
        return {**super().to_representation(row), "offered": seen.offered, "kept": seen.kept}


@extend_schema_view(
    list=extend_schema(
        parameters=[
            text("entity", "Slug of an entity."),
            text("state", "ignored, open, sent_back, stuck, accepted, kept or agreed."),
            text("field", "A field."),
            text("system", "Slug of a system."),
            text("key", "A record's key."),
        ]
    )
)
class BlockedValueViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[BlockedValue]):
    """What systems offered for fields that they may not set."""

    required_permission: Any = {"GET": SEE}
    serializer_class = BlockedValueSerializer
    pagination_class = KeysetPagination
    queryset = BlockedValue.objects.none()
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> QuerySet[BlockedValue]:
        asked = self.request.query_params
        rows = blocked_for(self.request.user, permission_of(self))  # type: ignore[arg-type]
        words = {"entity": "entity__slug", "field": "field", "system": "system__slug", "key": "record__key"}
        rows = rows.filter(**{column: asked[word] for word, column in words.items() if asked.get(word)})
        state = {one.name.lower(): one for one in BlockedValue.State}.get(asked.get("state", ""))
        return rows.filter(state=state) if state else rows

    @extend_schema(request=ReasonSerializer, responses=BlockedValueSerializer)
    @action(detail=True, methods=["post"], required_permission=DECIDE)
    def accept(self, request: Request, pk: str) -> Response:
        """Take the offered value over, this once."""
        found = get_object_or_404(self.get_queryset(), pk=pk)
        done = deciding.accept(blocked=found, by=request.user, reason=_reason(request))  # type: ignore[arg-type]
        return Response(BlockedValueSerializer(done).data)

    @extend_schema(request=ReasonSerializer, responses=BlockedValueSerializer)
    @action(detail=True, methods=["post"], required_permission=DECIDE)
    def keep(self, request: Request, pk: str) -> Response:
        """Leave the field as it is."""
        found = get_object_or_404(self.get_queryset(), pk=pk)
        done = deciding.keep(blocked=found, by=request.user, reason=_reason(request))  # type: ignore[arg-type]
        return Response(BlockedValueSerializer(done).data)


def _reason(request: Request) -> str:
    asked = ReasonSerializer(data=request.data)
    asked.is_valid(raise_exception=True)
    return str(asked.validated_data["reason"])
