"""Mappings, their versions and what is tried with them as programs see it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from connectors.models import Stream
from governance.models import Entity
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from mappings.drafts import rules_mark
from mappings.forms import RESERVED
from mappings.models import Mapping, MappingVersion

MAX_RULES, MAX_RECORDS = 2000, 20


def rules_field(**options: Any) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.DictField(),
        max_length=MAX_RULES,
        help_text="Field rules as docs/mappings.md says.",
        **options,
    )


class MappingSerializer(serializers.ModelSerializer[Mapping]):
    """What a mapping joins. Nothing of it changes; its rules do, by drafts that become versions."""

    stream = serializers.SlugRelatedField("slug", queryset=Stream.objects.all())
    entity = serializers.SlugRelatedField("slug", queryset=Entity.objects.all())
    active_version = serializers.IntegerField(read_only=True, allow_null=True, default=None)
    draft_version = serializers.IntegerField(read_only=True, allow_null=True, default=None)

    class Meta:
        model = Mapping
        fields = ("slug", "name", "direction", "stream", "entity", "active_version", "draft_version")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Only entities in whose domain the person may edit mappings can be named."""
        super().__init__(*args, **kwargs)
        request = self.context.get("request")
        if request is not None and request.user.is_authenticated:
            entities = scope_to_domains(Entity.objects.all(), request.user, "mappings.edit")
            self.fields["entity"].queryset = entities  # type: ignore[attr-defined]

    def validate_slug(self, slug: str) -> str:
        if slug in RESERVED:
            raise serializers.ValidationError(f"{slug!r} is the address of a page. Choose another slug.")
        return slug


class MappingVersionSerializer(serializers.ModelSerializer[MappingVersion]):
    created_by: serializers.SlugRelatedField[User] = serializers.SlugRelatedField("email", read_only=True)
    status = serializers.CharField(read_only=True, help_text="draft, active or superseded")

    class Meta:
        model = MappingVersion
        fields: tuple[str, ...] = ("number", "status", "note", "created_by", "created_at", "activated_at")
        read_only_fields = fields


class MappingVersionDetailSerializer(MappingVersionSerializer):
    """A version with its rules."""

    rules = rules_field(read_only=True)

    class Meta(MappingVersionSerializer.Meta):
        fields = (*MappingVersionSerializer.Meta.fields, "rules")


class MappingDraftSerializer(MappingVersionDetailSerializer):
    """`mark` says how the draft looks now: sent back as `seen`, it keeps two people from undoing each other's work."""

    mark = serializers.SerializerMethodField()

    class Meta(MappingVersionSerializer.Meta):
        fields = ("number", "created_by", "created_at", "updated_at", "mark", "rules")

    def get_mark(self, draft: MappingVersion) -> str:
        return rules_mark(draft.rules)


class MappingRulesSerializer(serializers.Serializer[Any]):
    """All rules of the draft. With `seen`, they are saved only if the draft still looks like that."""

    rules = rules_field()
    seen = serializers.CharField(required=False, allow_blank=True, max_length=40, default="")


class MappingActivationSerializer(serializers.Serializer[Any]):
    """`note` says why, for whoever reads the versions later."""

    note = serializers.CharField(required=False, allow_blank=True, max_length=2000, default="")
    seen = serializers.CharField(required=False, allow_blank=True, max_length=40, default="")


# Trying ----------------------------------------------------------------------------------------------------
class MappingCheckSerializer(serializers.Serializer[Any]):
    """Without anything, the draft (else the live version) is checked, as it is before it goes live.

    Rules that are sent are checked with the records that are sent, or by themselves.
    """

    rules = rules_field(required=False)
    records = serializers.ListField(child=serializers.DictField(), max_length=MAX_RECORDS, required=False)


class MappingTrialSerializer(serializers.Serializer[Any]):
    """Records to map, by the rules that are sent or else by the draft, else the live version."""

    records = serializers.ListField(child=serializers.DictField(), min_length=1, max_length=MAX_RECORDS)
    rules = rules_field(required=False)


class MappingStepSerializer(serializers.Serializer[Any]):
    """One step of a chain: the value before and after."""

    fn = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class MappingTraceSerializer(serializers.Serializer[Any]):
    """How one target field came about. `raw` and `value` are left out where there is no value, not even an empty one."""

    target = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    raw = serializers.JSONField(required=False, allow_null=True)
    steps = MappingStepSerializer(many=True)
    value = serializers.JSONField(required=False, allow_null=True)
    error = serializers.CharField(allow_blank=True)


class MappingResultSerializer(serializers.Serializer[Any]):
    """What became of one record: the mapped record, or null and a sentence for each field that is wrong."""

    mapped = serializers.DictField(allow_null=True)
    reasons = serializers.ListField(child=serializers.CharField())
    trace = MappingTraceSerializer(many=True)


class MappingPreviewSerializer(serializers.Serializer[Any]):
    """One result for each record, in order. Nothing was written."""

    results = MappingResultSerializer(many=True)


class MappingQuickFixSerializer(serializers.Serializer[Any]):
    """A rule that would solve a problem."""

    label = serializers.CharField()  # type: ignore[assignment]
    rule = serializers.DictField()


class MappingProblemSerializer(serializers.Serializer[Any]):
    """An `error` keeps the draft from going live, a `warning` does not."""

    severity = serializers.CharField()
    target = serializers.CharField()
    code = serializers.CharField()
    sentence = serializers.CharField()
    quick_fix = MappingQuickFixSerializer(allow_null=True)


class MappingCoverageSerializer(serializers.Serializer[Any]):
    """How many fields of the target have a rule."""

    required_mapped = serializers.IntegerField()
    required_total = serializers.IntegerField()
    optional_mapped = serializers.IntegerField()
    optional_total = serializers.IntegerField()


class MappingValidationSerializer(serializers.Serializer[Any]):
    problems = MappingProblemSerializer(many=True)
    coverage = MappingCoverageSerializer()


class MappingSuggestionSerializer(serializers.Serializer[Any]):
    """A source for a field that has no rule: `rule` is ready to be saved, `reasons` say why."""

    target = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    score = serializers.FloatField(help_text="From 0 to 1.")
    is_sure = serializers.BooleanField()
    reasons = serializers.ListField(child=serializers.CharField())
    rule = serializers.DictField()


class MappingSuggestionsSerializer(serializers.Serializer[Any]):
    suggestions = MappingSuggestionSerializer(many=True)
