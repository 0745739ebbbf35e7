"""First loads over the API; the same services as the pages. Values that are masked on the pages are masked here."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hub.common.api import KeysetPagination, permission_of
from hub.sync import queries as syncs
from hub.sync import totals
from hub.sync.adopt import masks, queries, services
from hub.sync.api.syncs import text
from hub.sync.models import Adoption, StagedRecord, Sync

SEE, RUN, APPROVE = "ledger.view", "syncs.run", "approvals.decide"


class AdoptionSerializer(serializers.ModelSerializer[Adoption]):
    """A first load. `source` is null where it is what the hub holds; `groups` count records and amounts by currency."""

    target = serializers.SlugRelatedField("slug", queryset=Sync.objects.all())
    source = serializers.SlugRelatedField("slug", queryset=Sync.objects.all(), required=False, allow_null=True)  # type: ignore[assignment]
    groups = serializers.SerializerMethodField()

    class Meta:
        model = Adoption
        fields = (
            "id", "target", "source", "status", "error", "is_halted", "read_source", "read_target", "notes", "groups",
            "created_at", "approved_at", "finished_at",
        )  # fmt: skip
        read_only_fields = (
            "status", "error", "is_halted", "read_source", "read_target", "notes", "approved_at", "finished_at",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        request = self.context.get("request")
        if request is not None and request.user.is_authenticated:
            mine = syncs.syncs_for(request.user, RUN)
            self.fields["target"].queryset = self.fields["source"].queryset = mine  # type: ignore[attr-defined]

    def get_groups(self, adoption: Adoption) -> dict[str, Any]:
        return {group.name: group.as_data() for group in queries.summary(adoption)}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if found := services.problems(attrs["target"], attrs.get("source")):
            raise serializers.ValidationError({name: [sentence] for name, sentence in found})
        return attrs


class StagedSerializer(serializers.ModelSerializer[StagedRecord]):
    """One line: a source record with its partner, or a record that only the target holds."""

    partner = serializers.CharField(source="partner.external_id", read_only=True, allow_null=True, default=None)
    amount = serializers.SerializerMethodField()

    class Meta:
        model = StagedRecord
        fields = (
            "id", "side", "external_id", "key", "label", "verdict", "decision", "score", "partner", "candidates", "twins",
            "differences", "why", "amount", "currency", "applied_at",
        )  # fmt: skip

    def get_amount(self, row: StagedRecord) -> str | None:
        return totals.exact(row.amount)


class DecideSerializer(serializers.Serializer[Any]):
    """`partner` is the id of the target's line; without it the best candidate is meant."""

    record = serializers.IntegerField()
    decision = serializers.ChoiceField(choices=["link", "new", "leave"])
    partner = serializers.IntegerField(required=False, allow_null=True, default=None)


class AcceptSerializer(serializers.Serializer[Any]):
    at_least = serializers.IntegerField(min_value=1, max_value=100)


class AcceptedSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()


@extend_schema_view(
    list=extend_schema(parameters=[text("sync", "Slug of the sync that delivers."), text("status", "State.")])
)
class AdoptionViewSet(
    mixins.CreateModelMixin, mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[Adoption]
):
    """First loads, newest first."""

    required_permission: Any = {"GET": SEE, "POST": RUN}
    serializer_class: Any = AdoptionSerializer
    pagination_class: Any = KeysetPagination
    queryset = Adoption.objects.none()
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> QuerySet[Adoption]:
        rows = queries.adoptions_for(self.request.user, permission_of(self))  # type: ignore[arg-type]
        asked = self.request.query_params
        if asked.get("sync"):
            rows = rows.filter(target__slug=asked["sync"])
        return rows.filter(status=asked["status"]) if asked.get("status") else rows

    def perform_create(self, serializer: Any) -> None:
        chosen = serializer.validated_data
        serializer.instance = services.start(target=chosen["target"], source=chosen.get("source"), by=self.request.user)

    @extend_schema(responses=StagedSerializer(many=True), parameters=[text("group", ", ".join(queries.GROUPS))])
    @action(detail=True)
    def records(self, request: Request, pk: str) -> Response:
        """The lines of one group, in their order of reading."""
        adoption = self.get_object()
        name = request.query_params.get("group", "maybe")
        if name not in queries.GROUPS:
            raise serializers.ValidationError({"group": [f"Use one of: {', '.join(queries.GROUPS)}."]})
        rows: Any = queries.of_group(adoption, name).defer("record")
        page: Any = self.paginate_queryset(rows)
        shown = masks.shown(page, adoption, request.user)
        return self.get_paginated_response(StagedSerializer(shown, many=True).data)

    @extend_schema(request=DecideSerializer, responses=StagedSerializer)
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, pk: str) -> Response:
        """Say that a record is the same as one of the target, is new, or is left out."""
        adoption, asked = self.get_object(), DecideSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        chosen = asked.validated_data
        row = get_object_or_404(StagedRecord, adoption=adoption, pk=chosen["record"])
        row = services.decide(row=row, decision=chosen["decision"], partner_id=chosen["partner"], by=request.user)
        row = StagedRecord.objects.select_related("partner").get(pk=row.pk)
        return Response(StagedSerializer(masks.shown([row], adoption, request.user)[0]).data)

    @extend_schema(request=AcceptSerializer, responses=AcceptedSerializer)
    @action(detail=True, methods=["post"])
    def accept(self, request: Request, pk: str) -> Response:
        """Link undecided records to their best candidate, from a score on."""
        adoption, asked = self.get_object(), AcceptSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        number = services.accept(adoption=adoption, at_least=asked.validated_data["at_least"], by=request.user)
        return Response({"number": number})

    @extend_schema(request=None, responses={202: AdoptionSerializer})
    @action(detail=True, methods=["post"], required_permission=APPROVE)
    def approve(self, request: Request, pk: str) -> Response:
        """Let it link, then release what is new."""
        found = services.approve(adoption=self.get_object(), by=request.user)
        return Response(self.get_serializer(found).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses=AdoptionSerializer)
    @action(detail=True, methods=["post"])
    def abandon(self, request: Request, pk: str) -> Response:
        """End it before it was approved; nothing was written at either system."""
        return Response(self.get_serializer(services.abandon(adoption=self.get_object(), by=request.user)).data)

    @extend_schema(request=None, responses=AdoptionSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Go on after what stood in its way was put right."""
        adoption = self.get_object()
        services.resume(adoption=adoption, by=request.user)
        adoption.refresh_from_db()
        return Response(self.get_serializer(adoption).data)
