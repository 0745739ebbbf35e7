"""Syncs, schedules and runs as programs see them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from hub.sync import configure, previews, queries, scheduling
from hub.sync.forms import mappings_for
from hub.sync.models import Run, Schedule, Sync
from hub.sync.removals import policy
from mappings.models import Mapping


class SyncSerializer(serializers.ModelSerializer[Sync]):
    """A sync. Its mapping is chosen once; conditions (`only_when`) are for syncs that deliver."""

    mapping: serializers.SlugRelatedField[Mapping] = serializers.SlugRelatedField(
        "slug", queryset=Mapping.objects.all()
    )
    after: serializers.SlugRelatedField[Sync] = serializers.SlugRelatedField(
        "slug", queryset=Sync.objects.all(), required=False, allow_null=True
    )
    only_when = serializers.DictField(child=serializers.ListField(child=serializers.CharField()), required=False)
    direction = serializers.CharField(source="mapping.direction", read_only=True)
    stream = serializers.CharField(source="mapping.stream.slug", read_only=True)
    entity = serializers.CharField(source="mapping.entity.slug", read_only=True)
    trigger = serializers.SerializerMethodField()

    class Meta:
        model = Sync
        fields = (
            "slug", "name", "mapping", "direction", "stream", "entity", "mode", "after", "only_when", "page_size",
            "max_attempts", "latency_seconds", "records_a_day", "criticality", *policy.INBOUND, *policy.OUTBOUND,
            "is_paused", "pause_reason", "paused_at", "trigger", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = ("pause_reason", "paused_at", "created_at", "updated_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        request = self.context.get("request")
        if request is not None and request.user.is_authenticated:
            self.fields["mapping"].queryset = mappings_for(request.user)  # type: ignore[attr-defined]
            self.fields["after"].queryset = queries.syncs_for(request.user, "syncs.view")  # type: ignore[attr-defined]
        if isinstance(self.instance, Sync):
            self.fields["slug"].read_only = True
            self.fields["mapping"].read_only = True

    def get_trigger(self, sync: Sync) -> str:
        """When it runs, in plain words."""
        return queries.trigger_words(sync)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        trial = (
            Sync() if self.instance is None else Sync.objects.select_related("mapping__entity").get(pk=self.instance.pk)
        )
        for name, value in attrs.items():
            setattr(trial, name, value)
        if found := configure.problems(trial):
            raise serializers.ValidationError({name: [sentence] for name, sentence in found})
        return attrs


class ScheduleSerializer(serializers.ModelSerializer[Schedule]):
    sync: serializers.SlugRelatedField[Sync] = serializers.SlugRelatedField("slug", queryset=Sync.objects.all())
    slug = serializers.SlugField(required=False, max_length=80)
    words = serializers.SerializerMethodField()
    next_times = serializers.SerializerMethodField()

    class Meta:
        model = Schedule
        fields = ("slug", "sync", "cron", "time_zone", "is_active", "next_at", "words", "next_times")
        read_only_fields = ("next_at",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        request = self.context.get("request")
        if request is not None and request.user.is_authenticated:
            self.fields["sync"].queryset = queries.syncs_for(request.user, "syncs.edit")  # type: ignore[attr-defined]
        if isinstance(self.instance, Schedule):
            self.fields["sync"].read_only = self.fields["slug"].read_only = True

    def get_words(self, schedule: Schedule) -> str:
        return queries.schedule_words(schedule)

    @extend_schema_field(serializers.ListField(child=serializers.DateTimeField()))
    def get_next_times(self, schedule: Schedule) -> list[Any]:
        """The next ten times it fires, in UTC."""
        return scheduling.next_slots(schedule.cron, schedule.time_zone, previews.PREVIEWED)

    def validate_slug(self, slug: str) -> str:
        if Schedule.objects.filter(slug=slug).exists():
            raise serializers.ValidationError("There is a schedule with this slug already.")
        return slug

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        cron = attrs.get("cron", getattr(self.instance, "cron", ""))
        zone = attrs.get("time_zone", getattr(self.instance, "time_zone", "UTC"))
        if found := scheduling.problems(cron, zone):
            raise serializers.ValidationError({name: [sentence] for name, sentence in found})
        return attrs


class RunSerializer(serializers.ModelSerializer[Run]):
    """A run: `read` equals the sum of the counts behind it once it has ended; `timings` are seconds by stage.

    `missing` records were not shown by a complete crawl, `removed` of them were taken away; `doubts` make it suspect."""

    sync = serializers.CharField(source="sync.slug", read_only=True)
    requested_by = serializers.CharField(source="requested_by.email", read_only=True, allow_null=True, default=None)
    mapping_version = serializers.IntegerField(
        source="mapping_version.number", read_only=True, allow_null=True, default=None
    )
    contract_version = serializers.IntegerField(
        source="contract_version.number", read_only=True, allow_null=True, default=None
    )
    missing = serializers.IntegerField(source="crawl.missing", read_only=True, default=0)
    removed = serializers.IntegerField(source="crawl.removed", read_only=True, default=0)
    doubts = serializers.ListField(
        child=serializers.DictField(child=serializers.CharField()), source="crawl.doubts", read_only=True, default=list
    )
    seconds = serializers.SerializerMethodField()
    timings = serializers.DictField(child=serializers.FloatField(), read_only=True)

    class Meta:
        model = Run
        fields = (
            "id", "sync", "status", "trigger", "requested_by", "created_at", "started_at", "finished_at", "seconds",
            "stage", "page_no", "mapping_version", "contract_version", "cursor_from", "cursor_to", "read", "created",
            "updated", "unchanged", "rejected", "waiting", "failed", "missing", "removed", "doubts", "error_code", "error",
            "timings",
        )  # fmt: skip

    def get_seconds(self, run: Run) -> float | None:
        return queries.elapsed_seconds(run)


class StartedSerializer(RunSerializer):
    """`made` is false when a run of the sync was under way already; then this is that one."""

    made = serializers.BooleanField(read_only=True)

    class Meta(RunSerializer.Meta):
        fields = (*RunSerializer.Meta.fields, "made")  # type: ignore[assignment]


class NoteSerializer(serializers.Serializer[Any]):
    note = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")


class ConfirmSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=500, help_text="How you know that the source is right.")


# Dry runs --------------------------------------------------------------------------------------------------
class DryRunRequestSerializer(serializers.Serializer[Any]):
    sample = serializers.IntegerField(min_value=1, max_value=500, default=50)
    external_ids = serializers.ListField(
        child=serializers.CharField(max_length=500), required=False, max_length=500,
        help_text="Only these: ids of the source, or keys when the sync delivers.",
    )  # fmt: skip


class FieldChangeSerializer(serializers.Serializer[Any]):
    field = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
    is_known = serializers.BooleanField(help_text="False where the value before is not known.")


class DryRunRowSerializer(serializers.Serializer[Any]):
    would = serializers.ChoiceField(["create", "update", "skip", "would_duplicate", "reject", "waiting"])
    key = serializers.CharField()
    external_id = serializers.CharField()
    name = serializers.CharField(source="label")
    sentence = serializers.CharField()
    twin = serializers.CharField()
    changes = FieldChangeSerializer(many=True)


class DryRunSerializer(serializers.Serializer[Any]):
    """What would happen. Nothing was written."""

    direction = serializers.CharField()
    versions = serializers.CharField()
    read = serializers.IntegerField()
    seconds = serializers.FloatField()
    counts = serializers.DictField(child=serializers.IntegerField())
    notes = serializers.ListField(child=serializers.CharField())
    rows = DryRunRowSerializer(many=True)
