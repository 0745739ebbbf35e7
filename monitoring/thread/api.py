"""Threads over the API: any record's key leads to its engagement."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from hub.common.errors import ConfigError
from monitoring.thread import finding, queries, services
from monitoring.thread.data import as_data
from monitoring.thread.wiring import SEE


class LegIdSerializer(serializers.Serializer[Any]):
    system = serializers.CharField()
    id = serializers.CharField()
    url = serializers.CharField()


class LegPromiseSerializer(serializers.Serializer[Any]):
    service_level = serializers.CharField()
    verdict = serializers.CharField()
    business_seconds = serializers.IntegerField()
    due_at = serializers.DateTimeField()
    words = serializers.CharField()


class LegProblemSerializer(serializers.Serializer[Any]):
    what = serializers.CharField()
    why = serializers.CharField()
    turn = serializers.CharField()
    url = serializers.CharField()


class LegSerializer(serializers.Serializer[Any]):
    """`state` is done, in_flight, late, failed, missing, not_expected or not_connected; amounts are texts by currency."""

    leg = serializers.CharField()
    what = serializers.CharField()
    entity = serializers.CharField()
    state = serializers.CharField()
    systems = serializers.ListField(child=serializers.CharField())
    ids = LegIdSerializer(many=True)
    records = serializers.IntegerField()
    done = serializers.IntegerField()
    missing = serializers.IntegerField()
    quantity = serializers.CharField(allow_null=True)
    amounts = serializers.DictField(child=serializers.CharField())
    missing_amounts = serializers.DictField(child=serializers.CharField())
    left_at = serializers.DateTimeField(allow_null=True)
    happened_date = serializers.DateField(allow_null=True)
    arrived_at = serializers.DateTimeField(allow_null=True)
    expected_at = serializers.DateTimeField(allow_null=True)
    promise = LegPromiseSerializer(allow_null=True)
    transaction = serializers.IntegerField(allow_null=True)
    run = serializers.IntegerField(allow_null=True)
    versions = serializers.ListField(child=serializers.CharField())
    why = serializers.CharField()
    turn = serializers.CharField()
    problems = LegProblemSerializer(many=True)
    notes = serializers.ListField(child=serializers.CharField())


class ThreadSerializer(serializers.Serializer[Any]):
    entity = serializers.CharField()
    key = serializers.CharField()
    title = serializers.CharField()
    customer = serializers.CharField()
    at = serializers.DateTimeField()
    state = serializers.CharField()
    missing_legs = serializers.ListField(child=serializers.CharField())
    hidden_legs = serializers.IntegerField()
    legs = LegSerializer(many=True)


class ThreadView(APIView):
    """One engagement from closed-won to posted revenue, by the key of any of its records."""

    required_permission = {"GET": SEE}

    @extend_schema(responses=ThreadSerializer, operation_id="threads_retrieve")
    def get(self, request: Request, entity: str, key: str) -> Response:
        user: Any = request.user
        anchors = queries.find_engagements(user, entity, key)
        if len(anchors) > 1:
            known = ", ".join(anchor.key for anchor in anchors[:10])
            raise ConfigError(
                f"{key} belongs to {len(anchors)} engagements.", where="key", fix=f"Ask for one: {known}."
            )
        if not anchors:
            raise Http404
        return Response(as_data(queries.thread_of(user, anchors[0])))


class FoundSerializer(serializers.Serializer[Any]):
    entity = serializers.CharField()
    key = serializers.CharField()
    through_entity = serializers.CharField()
    through_key = serializers.CharField()


class FindView(APIView):
    """Engagements by any system's id, or the beginning of a key: `?q=`. At most eight."""

    required_permission = {"GET": SEE}

    @extend_schema(
        parameters=[OpenApiParameter("q", str, description="The id or the beginning of a key.")],
        responses=FoundSerializer(many=True),
        operation_id="threads_find",
    )
    def get(self, request: Request) -> Response:
        user: Any = request.user
        return Response([_found(one) for one in finding.find(user, request.query_params.get("q", "").strip()[:200])])


def _found(one: finding.Found) -> dict[str, str]:
    return {
        "entity": one.anchor.entity.slug, "key": one.anchor.key,
        "through_entity": one.through.entity.slug, "through_key": one.through.key,
    }  # fmt: skip


class EvidenceView(APIView):
    """The evidence pack of one record: payloads (masked), versions with their approvers, edits, audit, and a content hash.

    That it was taken is kept in the audit.
    """

    required_permission = {"GET": SEE}

    @extend_schema(responses=OpenApiTypes.OBJECT, operation_id="threads_explain")
    def get(self, request: Request, entity: str, key: str) -> Response:
        user: Any = request.user
        return Response(services.take_evidence(user, entity, key))


urlpatterns = [
    path("threads/explain/<slug:entity>/<path:key>/", EvidenceView.as_view(), name="thread-explain"),
    path("threads/", FindView.as_view(), name="threads"),
    path("threads/<slug:entity>/<path:key>/", ThreadView.as_view(), name="thread"),
]
