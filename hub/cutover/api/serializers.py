"""Cut-overs as the API gives them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from hub.cutover import queries
from hub.cutover.models import Cutover


class DaySerializer(serializers.Serializer[Any]):
    day = serializers.DateField()
    compared = serializers.IntegerField()
    different = serializers.IntegerField()
    unexplained = serializers.IntegerField()


class RouteSerializer(serializers.Serializer[Any]):
    legal_entity = serializers.CharField(help_text="`*`: every one without a route of its own.")
    state = serializers.CharField()
    since = serializers.DateTimeField()
    next = serializers.CharField(allow_null=True)
    gate_open = serializers.BooleanField(help_text="Whether the next step may be taken.")
    clean_days = serializers.IntegerField()
    reasons = serializers.ListField(child=serializers.CharField(), help_text="What the next step still needs.")
    unexplained = serializers.IntegerField()
    days = DaySerializer(many=True)


class CutoverSerializer(serializers.ModelSerializer[Cutover]):
    """A cut-over with its legal entities."""

    domain = serializers.SlugRelatedField[Any]("slug", read_only=True)
    entity = serializers.SlugRelatedField[Any]("slug", read_only=True)
    legacy = serializers.SlugRelatedField[Any]("slug", read_only=True)
    new = serializers.SlugRelatedField[Any]("slug", read_only=True)
    routes = serializers.SerializerMethodField()

    class Meta:
        model = Cutover
        fields = ("slug", "name", "domain", "entity", "legacy", "new", "owner", "days_needed", "carry", "routes")

    @extend_schema_field(RouteSerializer(many=True))
    def get_routes(self, found: Cutover) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = queries.as_data(found)["routes"]
        return list(RouteSerializer(rows, many=True).data)
