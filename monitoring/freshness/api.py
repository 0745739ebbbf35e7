"""Freshness over the API: every inbound stream, the worst first."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring.freshness.evaluating import as_data
from monitoring.freshness.queries import SEE, STATES, freshness_levels, inbound_for, rows_of


class FreshnessSerializer(serializers.Serializer[Any]):
    """`state` is ok, warn, late, no_data, or unlimited where no service level limits the age. Amounts are decimal text."""

    stream = serializers.CharField()
    sync = serializers.CharField()
    domain = serializers.CharField()
    entity = serializers.CharField()
    system = serializers.CharField()
    state = serializers.ChoiceField(list(STATES.items()))
    service_level = serializers.CharField(allow_null=True)
    last_at = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True)
    overdue_seconds = serializers.IntegerField(allow_null=True)
    stale_records = serializers.IntegerField(allow_null=True)
    stale_amount = serializers.CharField(allow_null=True)
    stale_unconverted = serializers.IntegerField(allow_null=True)
    acknowledged = serializers.CharField(allow_null=True)


class FreshnessList(APIView):
    """How old what the hub knows is."""

    required_permission = SEE

    @extend_schema(responses=FreshnessSerializer(many=True), operation_id="freshness_list")
    def get(self, request: Request) -> Response:
        """Every inbound stream of one's domains; not paged, there are as many as syncs."""
        user: Any = request.user
        return Response([as_data(row) for row in rows_of(inbound_for(user), freshness_levels(user))])


urlpatterns = [path("freshness/", FreshnessList.as_view(), name="freshness")]
