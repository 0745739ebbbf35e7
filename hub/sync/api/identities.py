"""Any id → the record and all its ids, over the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from hub.records.api.serializers import LinkSerializer
from hub.sync.duplicates import identities


class IdentitySerializer(serializers.Serializer[Any]):
    """`found_by` says what the text is to the record; empty where only its key begins with it."""

    id = serializers.IntegerField(source="record.pk")
    entity = serializers.SlugField(source="record.entity.slug")
    key = serializers.CharField(source="record.key")
    found_by = serializers.CharField()
    known_as = LinkSerializer(source="links", many=True)


class IdentityList(APIView):
    """Records that an id of any system, or a key, means; where there is none, those whose key begins with it."""

    required_permission = "ledger.view"

    @extend_schema(
        parameters=[OpenApiParameter("q", OpenApiTypes.STR, required=True, description="Any id or key.")],
        responses=IdentitySerializer(many=True),
        operation_id="identities_list",
    )
    def get(self, request: Request) -> Response:
        text = request.query_params.get("q", "").strip()
        if not text:
            raise serializers.ValidationError({"q": ["Give an id or a key."]})
        return Response(IdentitySerializer(identities.find(request.user, text), many=True).data)  # type: ignore[arg-type]
