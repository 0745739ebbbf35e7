"""Business calendars over the API, and what their hours make of an instant."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from governance.api.documents import DocumentSerializer, DocumentViewSet
from governance.calendars import queries, services
from governance.calendars.opening import add_business_time, is_open, next_open
from governance.models import BusinessCalendar
from hub.common.errors import RecordError
from hub.common.governed import Put
from hub.common.registry import Document
from hub.common.times import business_now, format_instant, parse_datetime

MOST_HOURS = 10_000
READ_WRITE = {"GET": queries.SEE, "POST": queries.EDIT, "PUT": queries.EDIT, "DELETE": queries.EDIT}


class BusinessCalendarSerializer(DocumentSerializer):
    """`hours` by day, `{"mon": ["09:00-17:30"]}`; `holidays` as `[{"date": "2026-12-25", "name": …}]`, `12-25` every year."""

    kind_name = services.KIND
    time_zone = serializers.CharField(max_length=60, default="UTC")
    parent = serializers.SlugField(allow_null=True, required=False, default=None)  # type: ignore[assignment]
    hours = serializers.JSONField(required=False, default=dict)
    holidays = serializers.ListField(child=serializers.DictField(child=serializers.CharField()), default=list)


class CountedSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    is_open = serializers.BooleanField()
    next_open = serializers.DateTimeField()
    hours = serializers.FloatField()
    due_at = serializers.DateTimeField()


class BusinessCalendarViewSet(DocumentViewSet):
    """When the firm works. Calendars belong to the whole firm: writing needs the permission for all domains."""

    required_permission = READ_WRITE
    serializer_class = BusinessCalendarSerializer
    queryset = BusinessCalendar.objects.none()

    def rows(self, permission: str) -> QuerySet[BusinessCalendar]:
        return queries.calendars()

    def save(self, document: Document) -> Put:
        return services.save_calendar(document, by=self.request.user)

    def check_domain(self, document: Document) -> None:
        user: Any = self.request.user
        if not queries.may_edit(user):
            raise PermissionDenied("A calendar counts for the whole firm: changing it needs a role for all domains.")

    @extend_schema(responses={204: OpenApiResponse(description="Deleted.")})
    def destroy(self, request: Request, slug: str) -> Response:
        """Only one that nothing counts by."""
        self.check_domain({})
        services.delete_calendar(self.get_object(), by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        parameters=[
            OpenApiParameter("hours", float, description="Business hours to add; 4 unless given."),
            OpenApiParameter("at", str, description="An instant with its offset; now unless given."),
        ],
        responses=CountedSerializer,
    )
    @action(detail=True, pagination_class=None)
    def due(self, request: Request, slug: str) -> Response:
        """When so many business hours have passed."""
        hours = self.get_object().opening_hours
        at = parse_datetime(request.query_params["at"]) if request.query_params.get("at") else business_now()
        if at.tzinfo is None:
            raise RecordError("The instant has no offset.", field="at", fix="Write 2026-11-30T09:00:00Z.")
        wanted = _hours(request.query_params.get("hours", "4"))
        return Response(
            {
                "at": format_instant(at),
                "is_open": is_open(hours, at),
                "next_open": format_instant(next_open(hours, at)),
                "hours": wanted,
                "due_at": format_instant(add_business_time(hours, at, timedelta(hours=wanted))),
            }
        )


def _hours(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1
    if not 0 <= found <= MOST_HOURS:
        raise RecordError(f"{text!r} is no number of hours up to {MOST_HOURS}.", field="hours")
    return found
