from __future__ import annotations

from rest_framework import serializers


class DocumentsSerializer(serializers.Serializer[dict[str, object]]):
    """Configuration documents: {kind, slug, …}, as `manage.py config export` writes them."""

    documents = serializers.ListField(child=serializers.DictField(), allow_empty=False, max_length=5000)


class ConfigDifferenceSerializer(serializers.Serializer[dict[str, object]]):
    path = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class PlanStepSerializer(serializers.Serializer[dict[str, object]]):
    action = serializers.ChoiceField(choices=["create", "change"])
    kind = serializers.CharField()
    slug = serializers.CharField()
    differences = ConfigDifferenceSerializer(many=True)


class PlanSerializer(serializers.Serializer[dict[str, object]]):
    changes = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    notes = serializers.ListField(child=serializers.CharField())
    steps = PlanStepSerializer(many=True)
