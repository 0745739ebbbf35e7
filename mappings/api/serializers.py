from __future__ import annotations

from typing import Any

from rest_framework import serializers

from connectors.models import Stream
from governance.models import Entity
from hub.accounts.models import Domain
from mappings.models import Mapping, MappingVersion, ValueMap


class MappingSerializer(serializers.ModelSerializer[Mapping]):
    """A mapping with the number of its version in force (null when it has none)."""

    stream = serializers.SlugRelatedField(slug_field="slug", queryset=Stream.objects.all())
    entity = serializers.SlugRelatedField(slug_field="slug", queryset=Entity.objects.all())
    active_version = serializers.SerializerMethodField()

    class Meta:
        model = Mapping
        fields = ("slug", "name", "direction", "stream", "entity", "active_version")

    def get_active_version(self, mapping: Mapping) -> int | None:
        found = mapping.versions.filter(status=MappingVersion.Status.ACTIVE).first()
        return found.number if found else None


class MappingVersionSerializer(serializers.ModelSerializer[MappingVersion]):
    """One version with its field rules; docs/mappings.md describes a rule."""

    rules = serializers.ListField(child=serializers.DictField())

    class Meta:
        model = MappingVersion
        fields = ("number", "status", "rules", "note", "created_at", "activated_at")


class MappingRulesSerializer(serializers.Serializer[dict[str, Any]]):
    rules = serializers.ListField(child=serializers.DictField(), max_length=2000)


class MappingNoteSerializer(serializers.Serializer[dict[str, Any]]):
    note = serializers.CharField(required=False, allow_blank=True, max_length=2000)


class MappingTrialSerializer(serializers.Serializer[dict[str, Any]]):
    """Records to try the rules on; without rules, the draft's (or else the active version's) are used."""

    records = serializers.ListField(child=serializers.DictField(), max_length=20, required=False)
    rules = serializers.ListField(child=serializers.DictField(), max_length=2000, required=False)


class MappingResultSerializer(serializers.Serializer[dict[str, Any]]):
    """What became of one record: the mapped record, or what is wrong."""

    mapped = serializers.DictField(allow_null=True)
    reasons = serializers.ListField(child=serializers.CharField())


class MappingPreviewSerializer(serializers.Serializer[dict[str, Any]]):
    results = MappingResultSerializer(many=True)


class MappingProblemSerializer(serializers.Serializer[dict[str, Any]]):
    severity = serializers.CharField()
    target = serializers.CharField()
    code = serializers.CharField()
    sentence = serializers.CharField()


class MappingValidationSerializer(serializers.Serializer[dict[str, Any]]):
    problems = MappingProblemSerializer(many=True)
    required_mapped = serializers.IntegerField()
    required_total = serializers.IntegerField()
    optional_mapped = serializers.IntegerField()
    optional_total = serializers.IntegerField()


class ValueMapEntrySerializer(serializers.Serializer[dict[str, Any]]):
    source = serializers.CharField(max_length=200)  # type: ignore[assignment]  # a field here, not where DRF reads from
    target = serializers.CharField(max_length=200, allow_blank=True)
    valid_from = serializers.DateField(required=False, allow_null=True)
    valid_to = serializers.DateField(required=False, allow_null=True)


class ValueMapSerializer(serializers.ModelSerializer[ValueMap]):
    domain = serializers.SlugRelatedField(
        slug_field="slug", queryset=Domain.objects.all(), allow_null=True, required=False
    )

    class Meta:
        model = ValueMap
        fields = ("slug", "name", "description", "domain", "on_unmapped", "default", "revision")
        read_only_fields = ("revision",)


class ValueMapEntriesSerializer(serializers.Serializer[dict[str, Any]]):
    entries = ValueMapEntrySerializer(many=True)
