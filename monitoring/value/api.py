"""Measures over the API: the definition, what it came to, and the rows behind it."""

from __future__ import annotations

from typing import Any

import psycopg
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from governance.api.documents import DocumentSerializer, DocumentViewSet
from hub.common.errors import RecordError
from hub.common.governed import Put
from hub.common.registry import Document
from hub.common.times import period_bounds
from monitoring.models import Measure
from monitoring.value import computing, queries, services
from monitoring.value.kind import KIND
from monitoring.value.queries import EDIT, SEE, plain
from monitoring.value.views import may_edit

READ_WRITE = {"GET": SEE, "POST": EDIT, "PUT": EDIT, "DELETE": EDIT}
MOST_ROWS = 1_000


class MeasureSerializer(DocumentSerializer):
    """`formula` names how it is computed; `baseline` is `{value, period, source}`, numbers as text."""

    kind_name = KIND
    slug = serializers.SlugField(max_length=60)
    description = None  # type: ignore[assignment]
    definition = serializers.CharField(max_length=2_000)
    formula = serializers.SlugField(max_length=60)
    parameters = serializers.JSONField(required=False, default=dict)
    owner = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    direction = serializers.ChoiceField(Measure.Direction.choices, required=False, default="down")
    target = serializers.CharField(max_length=30, required=False, allow_blank=True, default="")
    baseline = serializers.JSONField(required=False, default=dict)
    exclusions = serializers.JSONField(required=False, default=dict)
    position = serializers.IntegerField(min_value=0, required=False, default=100)


class MeasuredMonthSerializer(serializers.Serializer[Any]):
    month = serializers.CharField()
    state = serializers.CharField()
    value = serializers.CharField(allow_null=True)
    rows = serializers.IntegerField()


class MeasuredSerializer(serializers.Serializer[Any]):
    """What a measure came to; `value` is null where it is not connected or nothing counts, and `note` says why."""

    measure = serializers.CharField()
    name = serializers.CharField()
    formula = serializers.CharField()
    owner = serializers.CharField()
    unit = serializers.CharField()
    currency = serializers.CharField()
    month = serializers.CharField(allow_null=True)
    state = serializers.CharField()
    value = serializers.CharField(allow_null=True)
    second = serializers.CharField(allow_null=True)
    rows = serializers.IntegerField()
    target = serializers.CharField(allow_null=True)
    meets_target = serializers.BooleanField(allow_null=True)
    baseline = serializers.JSONField(allow_null=True)
    since_baseline_percent = serializers.CharField(allow_null=True)
    confidence = serializers.CharField()
    doubts = serializers.ListField(child=serializers.CharField())
    unconverted = serializers.DictField(child=serializers.CharField())
    note = serializers.CharField()
    history_days = serializers.IntegerField()
    computed_at = serializers.DateTimeField(allow_null=True)
    months = MeasuredMonthSerializer(many=True)


class MeasureRowSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    entity = serializers.CharField()
    record = serializers.IntegerField(allow_null=True)
    project = serializers.CharField()
    cause = serializers.CharField()
    value = serializers.CharField(allow_null=True)
    of = serializers.CharField()
    currency = serializers.CharField()


class MeasureViewSet(DocumentViewSet):
    """What the hub is worth, in figures that can be looked behind."""

    required_permission = READ_WRITE
    serializer_class = MeasureSerializer
    queryset = Measure.objects.none()

    def rows(self, permission: str) -> QuerySet[Measure]:
        if permission == EDIT:
            self._refuse_others()
        return Measure.objects.all()

    def save(self, document: Document) -> Put:
        self._refuse_others()
        return services.save_measure(document, by=self.request.user)

    def _refuse_others(self) -> None:
        user: Any = self.request.user
        if not may_edit(user):
            raise PermissionDenied(f"A measure counts for the whole firm: changing it needs {EDIT} for all domains.")

    @extend_schema(responses={204: OpenApiResponse(description="Deleted, with what was computed.")})
    def destroy(self, request: Request, slug: str) -> Response:
        """Its history of figures goes with it."""
        self._refuse_others()
        services.delete_measure(self.get_object(), by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses=MeasuredSerializer)
    @action(detail=True, pagination_class=None)
    def value(self, request: Request, slug: str) -> Response:
        """The newest month with the ones before it, as last computed."""
        return Response(queries.as_data(queries.standing(self.get_object())))

    @extend_schema(
        operation_id="measures_rows",
        parameters=[
            OpenApiParameter("month", str, description="YYYY-MM, this month unless given."),
            OpenApiParameter("cause", str, description="Rows of one cause alone."),
        ],
        responses=MeasureRowSerializer(many=True),
    )
    @action(detail=True, pagination_class=None, url_path="rows")
    def listed(self, request: Request, slug: str) -> Response:
        """What counts in a month, largest first, 1,000 at most; the page's CSV has all of it."""
        month = request.query_params.get("month", computing.this_month())
        period_bounds(month)
        asked = computing.ask(self.get_object(), month)
        if asked is None or computing.missing(asked.formula):
            return Response([])
        try:
            found = list(computing.rows_of(asked, cause=request.query_params.get("cause", ""), limit=MOST_ROWS))
        except psycopg.DataError as error:
            raise RecordError(f"A value could not be read: {error.diag.message_primary}.") from None
        return Response([_row(row) for row in found])


def _row(row: computing.MeasureRow) -> dict[str, Any]:
    return {
        "key": row.key,
        "label": row.label,
        "entity": row.entity,
        "record": row.record_id,
        "project": row.project,
        "cause": row.cause,
        "value": plain(row.worth),
        "of": plain(row.den),
        "currency": row.currency,
    }


router = SimpleRouter()
router.register("measures", MeasureViewSet, "measure")
urlpatterns = router.urls
