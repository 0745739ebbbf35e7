"""Possible duplicates over the API; the same service as the page."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field, extend_schema_view
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hub.common.api import permission_of
from hub.common.reasons import MAX_REASON
from hub.records.reading import Described
from hub.sync import totals
from hub.sync.duplicates import queries, services
from hub.sync.models import Duplicate

FILTERS = [
    OpenApiParameter(
        "status",
        OpenApiTypes.STR,
        enum=[value for value, _ in Duplicate.Status.choices],
        description="Only these; without it those that are open.",
    ),
    OpenApiParameter("entity", OpenApiTypes.STR, description="Only of this entity."),
]


class CandidateSerializer(serializers.Serializer[Any]):
    """A record that it may be: what the rule gave each compared field, 0 to 100."""

    record = serializers.IntegerField()
    key = serializers.CharField()
    rule = serializers.SlugField()
    score = serializers.IntegerField()
    comparisons = serializers.ListField(child=serializers.ListField())


class DuplicateSerializer(serializers.ModelSerializer[Duplicate]):
    """Masked values are left out of `body` and named in `masked`."""

    entity = serializers.SlugField(source="sync.entity.slug")
    sync = serializers.SlugField(source="sync.slug")
    body = serializers.SerializerMethodField()
    masked = serializers.SerializerMethodField()
    candidates = serializers.SerializerMethodField()
    amount = serializers.SerializerMethodField()
    chosen = serializers.CharField(source="chosen.key", default=None)
    decided_by = serializers.CharField(source="decided_by.email", default=None)

    class Meta:
        model = Duplicate
        fields = (
            "id", "entity", "sync", "external_id", "key", "score", "rule", "status", "candidates", "body", "masked",
            "amount", "currency", "run_id", "first_at", "last_at", "decision", "chosen", "reason", "decided_by",
            "decided_at",
        )  # fmt: skip
        read_only_fields = fields

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._known: dict[int, Described] = {}

    def _described(self, duplicate: Duplicate) -> Described:
        entity = duplicate.sync.entity
        if entity.pk not in self._known:
            self._known[entity.pk] = Described(entity)
        return self._known[entity.pk]

    @extend_schema_field(serializers.DictField())
    def get_body(self, duplicate: Duplicate) -> dict[str, Any]:
        return self._described(duplicate).open_body(duplicate.body)

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_masked(self, duplicate: Duplicate) -> list[str]:
        return sorted(self._described(duplicate).masked(duplicate.body))

    @extend_schema_field(CandidateSerializer(many=True))
    def get_candidates(self, duplicate: Duplicate) -> list[dict[str, Any]]:
        keys = {record.pk: record.key for record in queries.candidates_of(duplicate)}
        return [
            {
                "record": one["record"],
                "key": keys[one["record"]],
                "rule": one["rule"],
                "score": one["score"],
                "comparisons": one["fields"],
            }
            for one in duplicate.candidates
            if one["record"] in keys
        ]

    def get_amount(self, duplicate: Duplicate) -> str | None:
        """A decimal string, exact."""
        return totals.exact(duplicate.amount)


class DuplicateDecisionSerializer(serializers.Serializer[Any]):
    """`record` is the id of a candidate; without it the best one is meant."""

    decision = serializers.ChoiceField(choices=Duplicate.Decision.choices)
    record = serializers.IntegerField(required=False)
    reason = serializers.CharField(max_length=MAX_REASON)


@extend_schema_view(list=extend_schema(parameters=FILTERS))
class DuplicateViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[Duplicate]):
    """Records that are held because another system may have shown them before."""

    required_permission: Any = {"GET": "ledger.view", "POST": "ledger.replay"}
    serializer_class = DuplicateSerializer
    queryset = Duplicate.objects.none()
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> QuerySet[Duplicate]:
        rows = queries.duplicates_for(self.request.user, permission_of(self))  # type: ignore[arg-type]
        if self.action != "list":
            return rows
        asked = self.request.query_params
        rows = rows.filter(status=asked.get("status", "open"))
        return rows.filter(sync__mapping__entity__slug=asked["entity"]) if asked.get("entity") else rows

    @extend_schema(request=DuplicateDecisionSerializer, responses=DuplicateSerializer)
    @action(detail=True, methods=["post"], required_permission="ledger.replay")
    def decide(self, request: Request, pk: str) -> Response:
        """Link it, merge it, or say that it is new; a worker then takes the record in."""
        asked = DuplicateDecisionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        found = get_object_or_404(self.get_queryset(), pk=pk)
        chosen = None
        if "record" in values:
            candidates = {record.pk: record for record in queries.candidates_of(found)}
            if values["record"] not in candidates:
                raise serializers.ValidationError({"record": ["It is not one of the candidates."]})
            chosen = candidates[values["record"]]
        done = services.decide(
            duplicate=found, decision=values["decision"], record=chosen, reason=values["reason"], by=request.user
        )
        return Response(self.get_serializer(done).data)
