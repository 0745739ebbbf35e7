"""Dead letters and replays over the API; the same filters and services as the pages."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hub.common.api import KeysetPagination
from hub.sync import payloads, queries, totals
from hub.sync.api.ledger import ACT, SEE, secrets_of
from hub.sync.api.ledger_serializers import DecisionSerializer
from hub.sync.api.syncs import text
from hub.sync.models import DeadLetter, Replay, ReplayItem
from hub.sync.replays import acts, causes, jobs, letters, reads
from hub.sync.replays import plan as planning
from hub.sync.replays.plan import Wanted

DECIDE = "approvals.decide"


class DeadLetterSerializer(serializers.ModelSerializer[DeadLetter]):
    """`act` is what a replay would do; `is_safe` whether it may do so without a person looking."""

    sync = serializers.CharField(source="sync.slug")
    error = serializers.SerializerMethodField()
    amount = serializers.SerializerMethodField()
    act = serializers.CharField()
    letter_class = serializers.SerializerMethodField()
    cause = serializers.SerializerMethodField()
    next_step = serializers.SerializerMethodField()
    is_safe = serializers.SerializerMethodField()

    class Meta:
        model = DeadLetter
        fields = (
            "id", "leg", "sync", "name", "state", "letter_class", "cause", "next_step", "act", "is_safe", "error_code",
            "error", "attempts", "acts_at", "failed_at", "amount", "currency", "missing_key",
        )  # fmt: skip

    def get_error(self, row: DeadLetter) -> str:
        return payloads.masked_sentence(row.error_detail, self.context["secret"].get(row.sync_id, ()))

    def get_amount(self, row: DeadLetter) -> str | None:
        return totals.exact(row.amount)

    def get_letter_class(self, row: DeadLetter) -> str:
        """record, reference, system, setup or doubt"""
        return causes.class_of(row)

    def get_cause(self, row: Any) -> str:
        return causes.explain(row, row.act).cause

    def get_next_step(self, row: Any) -> str:
        return causes.explain(row, row.act).next_step

    def get_is_safe(self, row: Any) -> bool:
        return causes.explain(row, row.act).is_safe


class WantedSerializer(serializers.Serializer[Any]):
    """What is to be put again. `filter` as on the command line: `state=dead sync=psa-out since=2h`."""

    filter = serializers.CharField(allow_blank=True, max_length=500)
    action = serializers.ChoiceField(Replay.Action.choices, default=Replay.Action.RETRY)
    versions = serializers.ChoiceField(Replay.Versions.choices, default=Replay.Versions.CURRENT)
    scope = serializers.ChoiceField(Replay.Scope.choices, default=Replay.Scope.FAILED)


class GoSerializer(WantedSerializer):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")
    token = serializers.CharField(
        required=False, allow_blank=True, max_length=64, default="", help_text="The same token twice is one job."
    )
    expect = serializers.IntegerField(required=False, default=None, help_text="The number that the plan had.")


class ReplayPlanSerializer(serializers.Serializer[Any]):
    """`number` would be put; `left` needs a person; `amounts` are by currency, the rest are numbers by name."""

    number = serializers.IntegerField()
    left = serializers.IntegerField()
    by_act = serializers.DictField(child=serializers.IntegerField())
    by_state = serializers.DictField(child=serializers.IntegerField())
    by_sync = serializers.DictField(child=serializers.IntegerField())
    amounts = serializers.DictField(child=serializers.CharField())
    left_amounts = serializers.DictField(child=serializers.CharField())
    runs = serializers.IntegerField(help_text="Failed runs whose syncs are started again.")
    needs_approval = serializers.CharField(help_text="Why a second person has to agree; empty when none has to.")


class ReplaySerializer(serializers.ModelSerializer[Replay]):
    filter = serializers.CharField(source="words")
    counts = serializers.SerializerMethodField()
    requested_by = serializers.CharField(source="requested_by.email", allow_null=True, default=None)
    decided_by = serializers.CharField(source="decided_by.email", allow_null=True, default=None)
    plan = ReplayPlanSerializer()

    class Meta:
        model = Replay
        fields = (
            "id", "action", "filter", "versions", "scope", "reason", "state", "planned", "left", "counts", "plan",
            "requested_by", "decided_by", "created_at", "finished_at",
        )  # fmt: skip

    def get_counts(self, replay: Replay) -> dict[str, int]:
        """Items by status: planned, reading, put, done, failed, skipped, left."""
        return reads.numbers(replay)


class StartedReplaySerializer(serializers.Serializer[Any]):
    """`replay` is null when nothing was left; `made` is false when it was asked for before."""

    replay = ReplaySerializer(allow_null=True)
    made = serializers.BooleanField()


class ReplayItemSerializer(serializers.ModelSerializer[ReplayItem]):
    sync = serializers.CharField(source="sync.slug")
    status = serializers.SerializerMethodField()
    amount = serializers.SerializerMethodField()

    class Meta:
        model = ReplayItem
        fields = ("id", "leg", "sync", "name", "was", "act", "status", "note", "amount", "currency")

    def get_status(self, item: ReplayItem) -> str:
        """planned, reading, put, done, failed, skipped or left"""
        return ReplayItem.Status(item.status).name.lower()

    def get_amount(self, item: ReplayItem) -> str | None:
        return totals.exact(item.amount)


class _LatestFailure(KeysetPagination):
    ordering: Any = ("-failed_at", "-id")


@extend_schema_view(list=extend_schema(parameters=[text(name, word) for name, word in letters.KEYS.items()]))
class DeadLetterViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[DeadLetter]):
    """Everything that ended without success, of both legs, latest first."""

    required_permission: Any = {"GET": SEE}
    serializer_class = DeadLetterSerializer
    pagination_class = _LatestFailure
    queryset = DeadLetter.objects.none()

    def get_queryset(self) -> QuerySet[DeadLetter]:
        asked = {key: self.request.query_params[key] for key in letters.KEYS if key in self.request.query_params}
        seen = queries.sync_ids_for(self.request.user, SEE)  # type: ignore[arg-type]
        rows = letters.of(asked).rows(seen).select_related("sync__mapping__stream__connection__system")
        return acts.of_retry(rows)

    def get_serializer_context(self) -> dict[str, Any]:
        fake = getattr(self, "swagger_fake_view", False)
        return {**super().get_serializer_context(), "secret": {} if fake else secrets_of(self.request.user)}


class ReplayViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[Replay]):
    """Jobs that put dead letters again, newest first."""

    required_permission: Any = {"GET": SEE, "POST": ACT}
    serializer_class: Any = ReplaySerializer
    queryset = Replay.objects.none()
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> QuerySet[Replay]:
        needed = self.required_permission
        return reads.replays_for(
            self.request.user,  # type: ignore[arg-type]
            needed if isinstance(needed, str) else needed[self.request.method],
        )

    @extend_schema(request=WantedSerializer, responses=ReplayPlanSerializer)
    @action(detail=False, methods=["post"], required_permission=ACT)
    def plan(self, request: Request) -> Response:
        """Count what a replay would do, and touch nothing."""
        asked = WantedSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        found = planning.plan(_wanted(request, asked.validated_data), by=request.user)
        return Response(ReplayPlanSerializer(found.as_data()).data)

    @extend_schema(request=GoSerializer, responses={202: StartedReplaySerializer})
    def create(self, request: Request) -> Response:
        """Put them again; answers with the job that is under way, when there is one of the same filter or token."""
        asked = GoSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        chosen = {name: asked.validated_data[name] for name in ("reason", "token", "expect")}
        replay, made = jobs.go(_wanted(request, asked.validated_data), by=request.user, **chosen)
        body = StartedReplaySerializer({"replay": replay, "made": made}).data
        return Response(body, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses=ReplayItemSerializer(many=True))
    @action(detail=True, methods=["get"], required_permission=SEE)
    def items(self, request: Request, pk: str) -> Response:
        """What became of each letter, in the order in which they are put."""
        pages = KeysetPagination()
        pages.ordering = "id"
        rows = pages.paginate_queryset(self.get_object().items.select_related("sync"), request, view=self)
        return pages.get_paginated_response(ReplayItemSerializer(rows, many=True).data)

    @extend_schema(request=None, responses=DecisionSerializer)
    @action(detail=True, methods=["post"], required_permission=ACT)
    def cancel(self, request: Request, pk: str) -> Response:
        """Put nothing more; what was put already goes its way."""
        return Response({"done": jobs.cancel(replay=self.get_object(), by=request.user)})

    @extend_schema(request=None, responses=DecisionSerializer)
    @action(detail=True, methods=["post"], required_permission=DECIDE)
    def approve(self, request: Request, pk: str) -> Response:
        """Agree to a large replay that somebody else has asked for."""
        return Response({"done": jobs.approve(replay=self.get_object(), by=request.user)})


def _wanted(request: Request, asked: dict[str, Any]) -> Wanted:
    mine = queries.sync_ids_for(request.user, ACT)  # type: ignore[arg-type]
    chosen = {name: asked[name] for name in ("action", "versions", "scope")}
    return Wanted(letters.parse(asked["filter"]), mine, **chosen)
