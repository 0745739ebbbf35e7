"""Service levels over the API: the promise, what is attained of it now, and what it would have been worth."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from governance.api.documents import DocumentSerializer, DocumentViewSet
from governance.models import ServiceLevel
from governance.service_levels import services
from governance.service_levels.queries import EDIT, SEE, levels_for, said_of
from governance.service_levels.words import sentence
from hub.common.errors import RecordError
from hub.common.governed import Put
from hub.common.registry import Document
from monitoring.service_levels.backtest import DAYS, MOST_DAYS, as_data, backtest
from monitoring.service_levels.measuring import measure_now

READ_WRITE = {"GET": SEE, "POST": EDIT, "PUT": EDIT, "DELETE": EDIT}


class ServiceLevelSerializer(DocumentSerializer):
    """Thresholds in seconds of business time; `condition` as `{"status": ["approved"]}`; `objective_percent` as text."""

    kind_name = services.KIND
    owner = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    measure = serializers.ChoiceField(ServiceLevel.MEASURES)
    domain = serializers.SlugField()
    entity = serializers.SlugField(allow_null=True, required=False, default=None)
    source = serializers.SlugField(allow_null=True, required=False, default=None)  # type: ignore[assignment]
    target = serializers.SlugField(allow_null=True, required=False, default=None)
    condition = serializers.JSONField(required=False, default=dict)
    calendar = serializers.SlugField(allow_null=True, required=False, default=None)
    warn_seconds = serializers.IntegerField(min_value=0, required=False, default=0)
    breach_seconds = serializers.IntegerField(min_value=0, required=False, default=0)
    due_time = serializers.CharField(max_length=5, required=False, allow_blank=True, default="")
    objective_percent = serializers.CharField(max_length=8, required=False, default="99")
    window = serializers.ChoiceField(ServiceLevel.WINDOWS, required=False, default="month")
    sentence = serializers.CharField(read_only=True)

    def to_representation(self, row: Any) -> dict[str, Any]:
        return {**super().to_representation(row), "sentence": sentence(said_of(row))}


class MonthSerializer(serializers.Serializer[Any]):
    month = serializers.CharField()
    met = serializers.IntegerField()
    warned = serializers.IntegerField()
    breached = serializers.IntegerField()
    running = serializers.IntegerField()
    attained_percent = serializers.CharField(allow_null=True)


class WorstSerializer(serializers.Serializer[Any]):
    what = serializers.CharField()
    verdict = serializers.CharField()
    began_at = serializers.DateTimeField()
    done_at = serializers.DateTimeField(allow_null=True)
    business_seconds = serializers.IntegerField()
    record = serializers.IntegerField(allow_null=True)
    transaction = serializers.IntegerField(allow_null=True)


class ServiceLevelMeasurementSerializer(serializers.Serializer[Any]):
    """Counts are records, days, or seconds for freshness; see `unit`."""

    service_level = serializers.CharField()
    measure = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    objective_percent = serializers.CharField()
    unit = serializers.CharField()
    has_history = serializers.BooleanField()
    state = serializers.CharField()
    met = serializers.IntegerField()
    warned = serializers.IntegerField()
    breached = serializers.IntegerField()
    running = serializers.IntegerField()
    attained_percent = serializers.CharField(allow_null=True)
    error_budget_left_percent = serializers.CharField(allow_null=True)
    sampled_one_in = serializers.IntegerField()
    months = MonthSerializer(many=True)
    worst = WorstSerializer(many=True)
    notes = serializers.ListField(child=serializers.CharField())


class ServiceLevelViewSet(DocumentViewSet):
    """What is promised to the business."""

    required_permission = READ_WRITE
    serializer_class = ServiceLevelSerializer
    queryset = ServiceLevel.objects.none()

    def rows(self, permission: str) -> QuerySet[ServiceLevel]:
        user: Any = self.request.user
        return levels_for(user, permission)

    def save(self, document: Document) -> Put:
        return services.save_service_level(document, by=self.request.user)

    @extend_schema(responses={204: OpenApiResponse(description="Deleted.")})
    def destroy(self, request: Request, slug: str) -> Response:
        """It is measured no more; what happened stays in the ledger."""
        services.delete_service_level(self.get_object(), by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses=ServiceLevelMeasurementSerializer)
    @action(detail=True, pagination_class=None)
    def attainment(self, request: Request, slug: str) -> Response:
        """What was attained in the running window so far; `months` holds that window alone."""
        _, found = measure_now(self.get_object())
        return Response(as_data(found))

    @extend_schema(
        parameters=[
            OpenApiParameter("days", int, description=f"Days of history, {DAYS} unless given, {MOST_DAYS} at most.")
        ],
        responses=ServiceLevelMeasurementSerializer,
    )
    @action(detail=True, pagination_class=None)
    def backtest(self, request: Request, slug: str) -> Response:
        """What it would have been worth, by month of the calendar's time zone, with the worst ten."""
        days = request.query_params.get("days", str(DAYS))
        if not (days.isascii() and days.isdigit() and 0 < int(days) <= MOST_DAYS):
            raise RecordError(f"{days!r} is no number of days up to {MOST_DAYS}.", field="days")
        return Response(as_data(backtest(self.get_object(), days=int(days))))


router = SimpleRouter()
router.register("service-levels", ServiceLevelViewSet, "service-level")
urlpatterns = router.urls
