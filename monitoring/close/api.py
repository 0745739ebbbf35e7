"""Periods and closes over the API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from governance.api.documents import DocumentSerializer, DocumentViewSet
from hub.common.errors import HubError
from hub.common.governed import Put
from hub.common.registry import Document
from monitoring.close import queries, services
from monitoring.close.books import book_of, legal_entities
from monitoring.close.kind import KIND
from monitoring.close.readiness import as_data, readiness, running
from monitoring.close.scope import EDIT, SEE, bare_scope, scope_of
from monitoring.models import LatePolicy, Period, PeriodStatus

READ_WRITE = {"GET": SEE, "POST": EDIT, "PUT": EDIT, "DELETE": EDIT}


class PeriodSerializer(DocumentSerializer):
    """Dates as YYYY-MM-DD, the time of closing on the clock of `time_zone`; `standing` counts now, and `source` says so."""

    kind_name = KIND
    slug = serializers.SlugField(max_length=60)
    name = None  # type: ignore[assignment]
    description = None  # type: ignore[assignment]
    legal_entity = serializers.CharField(max_length=40)
    period = serializers.CharField(max_length=7)
    start_date = serializers.DateField()
    end_date = serializers.DateField()
    close_date = serializers.DateField()
    close_time = serializers.CharField(max_length=5, required=False, default="17:30")
    time_zone = serializers.CharField(max_length=60, required=False, default="UTC")
    calendar = serializers.SlugField(allow_null=True, required=False, default=None)
    status = serializers.ChoiceField([("", "By its dates"), *PeriodStatus.choices], required=False, default="")
    is_frozen = serializers.BooleanField(required=False, default=False)
    late_policy = serializers.ChoiceField(LatePolicy.choices, required=False, default="next_period")
    note = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")
    standing = serializers.CharField(read_only=True)
    source = serializers.CharField(read_only=True)  # type: ignore[assignment]
    closes_at = serializers.DateTimeField(read_only=True)

    def to_representation(self, row: Any) -> dict[str, Any]:
        book = book_of(row.legal_entity, row.period)
        shown = super().to_representation(row)
        told = {"standing": book.status, "source": book.source} if book else {}
        return {**shown, **told, "closes_at": row.closes_at}


class PeriodViewSet(DocumentViewSet):
    """The periods that are planned. Those that only the ERP knows are in the list of closes."""

    required_permission = READ_WRITE
    serializer_class = PeriodSerializer
    queryset = Period.objects.none()

    def rows(self, permission: str) -> QuerySet[Period]:
        if permission == EDIT:
            self._refuse_others()
        return queries.periods()

    def save(self, document: Document) -> Put:
        self._refuse_others()
        dates = {name: str(document[name]) for name in ("start_date", "end_date", "close_date")}
        return services.save_period({**document, **dates}, by=self.request.user)

    def _refuse_others(self) -> None:
        user: Any = self.request.user
        if not queries.may_edit(user):
            raise PermissionDenied(f"A period counts for the whole firm: changing it needs {EDIT} for all domains.")

    @extend_schema(responses={204: OpenApiResponse(description="It has no deadline any more.")})
    def destroy(self, request: Request, slug: str) -> Response:
        """What the ERP says of the period still counts."""
        self._refuse_others()
        services.delete_period(self.get_object(), by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class CloseRowSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    what = serializers.CharField()
    count = serializers.IntegerField()
    amount = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    amount_firm = serializers.CharField(allow_null=True)
    blocks = serializers.BooleanField()
    turn = serializers.CharField()
    url = serializers.CharField()


class CloseSerializer(serializers.Serializer[Any]):
    """`total` is in `currency`, without what `unconverted` lists; `state` is ready, blocked, late, closed or unmeasured."""

    legal_entity = serializers.CharField()
    period = serializers.CharField()
    status = serializers.CharField(allow_null=True)
    status_source = serializers.CharField(allow_null=True)
    closes_at = serializers.DateTimeField(allow_null=True)
    is_frozen = serializers.BooleanField()
    state = serializers.CharField()
    currency = serializers.CharField()
    count = serializers.IntegerField()
    total = serializers.CharField()
    by_currency = serializers.DictField(child=serializers.CharField())
    unconverted = serializers.DictField(child=serializers.CharField())
    failed = serializers.ListField(child=serializers.CharField())
    rows = CloseRowSerializer(many=True)


class CloseList(APIView):
    """The closes of open and closing periods, soonest first."""

    required_permission = SEE

    @extend_schema(operation_id="close_list", responses=CloseSerializer(many=True))
    def get(self, request: Request) -> Response:
        user: Any = request.user
        return Response([as_data(found) for found in running(user)])


class CloseDetail(APIView):
    """What stands in the way of one close."""

    required_permission = SEE

    @extend_schema(
        operation_id="close_retrieve",
        parameters=[
            OpenApiParameter("legal_entity", str, OpenApiParameter.PATH),
            OpenApiParameter("period", str, OpenApiParameter.PATH, description="YYYY-MM"),
        ],
        responses=CloseSerializer,
    )
    def get(self, request: Request, legal_entity: str, period: str) -> Response:
        user: Any = request.user
        book = book_of(legal_entity, period)
        if book is None and legal_entity not in legal_entities():
            raise NotFound(f"There is no legal entity {legal_entity!r}.")
        try:
            scope = scope_of(book, user) if book else bare_scope(legal_entity, period, user)
        except HubError as error:
            raise NotFound(str(error)) from None
        return Response(as_data(readiness(scope, book)))


router = SimpleRouter()
router.register("periods", PeriodViewSet, "period")
urlpatterns = [
    *router.urls,
    path("close/", CloseList.as_view(), name="close-list"),
    path("close/<str:legal_entity>/<str:period>/", CloseDetail.as_view(), name="close-detail"),
]
