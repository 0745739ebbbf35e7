"""Reconciliations over the API: the document, comparisons, and what they found."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from governance.api.documents import DocumentSerializer, DocumentViewSet
from hub.common.errors import RecordError
from hub.common.governed import Put
from hub.common.registry import Document
from monitoring.models import Reconciliation, ReconciliationGap, ReconciliationRun
from monitoring.reconciliation import queries, services
from monitoring.reconciliation.kind import KIND
from monitoring.reconciliation.queries import EDIT, RESOLVE, SEE
from monitoring.reconciliation.results import as_data, gap_data

MOST = 1_000


class ReconciliationSerializer(DocumentSerializer):
    """Sides, compared fields, totals and rules as docs/reconciliation.md describes them."""

    kind_name = KIND
    owner = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    domain = serializers.SlugField()
    entity = serializers.SlugField()
    left = serializers.JSONField()
    right = serializers.JSONField()
    key = serializers.ListField(child=serializers.CharField())
    compare = serializers.ListField(child=serializers.JSONField(), required=False, default=list)
    totals = serializers.JSONField(required=False, default=dict)
    rules = serializers.ListField(child=serializers.JSONField(), required=False, default=list)
    periods = serializers.IntegerField(min_value=0, max_value=120, required=False, default=0)
    cron = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    time_zone = serializers.CharField(max_length=60, required=False, default="UTC")
    after = serializers.ListField(child=serializers.SlugField(), required=False, default=list)
    usual_min_percent = serializers.IntegerField(min_value=0, max_value=100, required=False, default=50)
    is_paused = serializers.BooleanField(required=False, default=False)


class ReconciliationTotalSerializer(serializers.Serializer[Any]):
    """Amounts as text; `difference` is right less left; `sums` holds [left, right] by field."""

    currency = serializers.CharField()
    legal_entity = serializers.CharField()
    period = serializers.CharField()
    left = serializers.IntegerField()
    right = serializers.IntegerField()
    matched = serializers.IntegerField()
    left_amount = serializers.CharField()
    right_amount = serializers.CharField()
    difference = serializers.CharField()
    sums = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))


class ReconciliationRunSerializer(serializers.Serializer[Any]):
    """Figures of one comparison; `reason` says why one was none."""

    reconciliation = serializers.CharField()
    run = serializers.IntegerField()
    status = serializers.ChoiceField(ReconciliationRun.Status.choices)
    reason = serializers.CharField()
    left = serializers.IntegerField()
    right = serializers.IntegerField()
    matched = serializers.IntegerField()
    only_left = serializers.IntegerField()
    only_right = serializers.IntegerField()
    differing = serializers.IntegerField()
    duplicates_left = serializers.IntegerField()
    duplicates_right = serializers.IntegerField()
    explained = serializers.IntegerField()
    unexplained = serializers.IntegerField()
    labels = serializers.DictField(child=serializers.IntegerField())
    totals = ReconciliationTotalSerializer(many=True)
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    timings = serializers.DictField(child=serializers.FloatField())


class ReconciliationGapSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    key = serializers.CharField()
    kind = serializers.ChoiceField(ReconciliationGap.Kind.choices)
    state = serializers.ChoiceField(ReconciliationGap.State.choices)
    label = serializers.ChoiceField(ReconciliationGap.Label.choices)  # type: ignore[assignment]
    note = serializers.CharField()
    evidence = serializers.JSONField()
    period = serializers.CharField()
    legal_entity = serializers.CharField()
    currency = serializers.CharField()
    client = serializers.CharField()
    project = serializers.CharField()
    left_id = serializers.CharField(allow_null=True)
    right_id = serializers.CharField(allow_null=True)
    left_amount = serializers.CharField(allow_null=True)
    right_amount = serializers.CharField(allow_null=True)
    difference = serializers.CharField()
    differs = serializers.JSONField()
    left = serializers.JSONField(allow_null=True)
    right = serializers.JSONField(allow_null=True)
    reason = serializers.CharField()
    opened_at = serializers.DateTimeField()


class GapPageSerializer(serializers.Serializer[Any]):
    """`next` is the value of `after` for the next page, null on the last one."""

    gaps = ReconciliationGapSerializer(many=True)
    next = serializers.IntegerField(allow_null=True)


class ReconciliationViewSet(DocumentViewSet):
    """Two sides that must hold the same."""

    required_permission: Any = {"GET": SEE, "POST": EDIT, "PUT": EDIT, "DELETE": EDIT}
    serializer_class = ReconciliationSerializer
    queryset = Reconciliation.objects.none()

    def rows(self, permission: str) -> QuerySet[Reconciliation]:
        user: Any = self.request.user
        return queries.reconciliations_for(user, permission)

    def save(self, document: Document) -> Put:
        return services.save_reconciliation(document, by=self.request.user)

    @extend_schema(responses={204: OpenApiResponse(description="Deleted.")})
    def destroy(self, request: Request, slug: str) -> Response:
        """Its gaps, matches and comparisons go with it; one with a signed period is kept (422)."""
        services.delete_reconciliation(self.get_object(), by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={202: ReconciliationRunSerializer})
    @action(detail=True, methods=["post"], required_permission={"GET": RESOLVE, "POST": RESOLVE})
    def compare(self, request: Request, slug: str) -> Response:
        """Start a comparison, or answer the one that is under way; ask `runs/{id}/` what became of it."""
        run, _ = services.start(self.get_object(), by=request.user)
        return Response(as_data(run), status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses=ReconciliationRunSerializer(many=True))
    @action(detail=True, pagination_class=None)
    def runs(self, request: Request, slug: str) -> Response:
        """The newest fifty comparisons with their control totals."""
        found = self.get_object()
        return Response([as_data(run) for run in found.runs.select_related("reconciliation").order_by("-pk")[:50]])

    @extend_schema(responses=ReconciliationRunSerializer)
    @action(detail=True, url_path=r"runs/(?P<run>[0-9]{1,18})", pagination_class=None)
    def result(self, request: Request, slug: str, run: str) -> Response:
        """One comparison."""
        found = self.get_object()
        return Response(as_data(get_object_or_404(found.runs.select_related("reconciliation"), pk=run)))

    @extend_schema(
        parameters=[
            OpenApiParameter("period", str, description="YYYY-MM, or `all` for records without one."),
            OpenApiParameter("label", str, enum=list(ReconciliationGap.Label.values)),
            OpenApiParameter("state", str, enum=list(ReconciliationGap.State.values)),
            OpenApiParameter("after", int, description="Gaps behind this id."),
            OpenApiParameter("limit", int, description=f"At most {MOST}, 200 unless given."),
        ],
        responses=GapPageSerializer,
    )
    @action(detail=True, pagination_class=None)
    def gaps(self, request: Request, slug: str) -> Response:
        """What does not agree, by id; gone ones only when asked for by `state=gone`."""
        rows = self.get_object().gaps.order_by("pk")
        asked = {name: value for name in ("period", "label", "state") if (value := request.query_params.get(name))}
        rows = rows.filter(**asked) if "state" in asked else rows.filter(**asked).exclude(state="gone")
        limit = min(_number(request, "limit", 200), MOST)
        found = list(rows.select_related("reconciliation").filter(pk__gt=_number(request, "after", 0))[: limit + 1])
        return Response(
            {
                "gaps": [gap_data(gap) for gap in found[:limit]],
                "next": found[limit - 1].pk if len(found) > limit else None,
            }
        )


def _number(request: Request, name: str, default: int) -> int:
    given = request.query_params.get(name, str(default))
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise RecordError(f"{given!r} is no number.", field=name)
    return int(given) or default


router = SimpleRouter()
router.register("reconciliations", ReconciliationViewSet, "reconciliation")
urlpatterns = router.urls
