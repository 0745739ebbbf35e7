"""Processes and their runs as the API gives them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from hub.processes import queries
from hub.processes.models import Process, ProcessInstance


class ProcessSerializer(serializers.ModelSerializer[Process]):
    """A process in its newest version."""

    domain = serializers.SlugRelatedField[Any]("slug", read_only=True)
    entity = serializers.SlugRelatedField[Any]("slug", read_only=True)
    version = serializers.IntegerField(source="newest.number", read_only=True)
    definition = serializers.JSONField(source="newest.definition", read_only=True)

    class Meta:
        model = Process
        fields = ("slug", "name", "purpose", "owner", "domain", "entity", "is_active", "version", "definition")


class StepSerializer(serializers.Serializer[Any]):
    step = serializers.CharField()
    title = serializers.CharField()
    kind = serializers.CharField()
    state = serializers.CharField()
    error = serializers.CharField()
    fix = serializers.CharField()
    attempts = serializers.IntegerField()
    due_at = serializers.DateTimeField(allow_null=True)
    is_late = serializers.BooleanField()
    result = serializers.DictField()


class InstanceSerializer(serializers.ModelSerializer[ProcessInstance]):
    """One time that a process runs, with its steps."""

    process = serializers.SlugRelatedField[Any]("slug", read_only=True)
    version = serializers.IntegerField(source="version.number", read_only=True)
    steps = serializers.SerializerMethodField()

    class Meta:
        model = ProcessInstance
        fields = ("id", "process", "version", "key", "state", "trigger", "started_at", "finished_at", "note", "steps")

    def get_steps(self, found: ProcessInstance) -> list[dict[str, Any]]:
        data: list[dict[str, Any]] = queries.as_data(found)["steps"]
        return data


class StartSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(max_length=200, help_text="What it is about: the key of a record.")
    given = serializers.DictField(required=False, help_text="What steps see as `given`.")


class RetrySerializer(serializers.Serializer[Any]):
    step = serializers.CharField(
        required=False, allow_blank=True, help_text="Empty: what failed. `start`: from the beginning."
    )


class CancelSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=500)
    undo = serializers.BooleanField(default=True, help_text="Take back what was done, the last step first.")


class AnswerSerializer(serializers.Serializer[Any]):
    step = serializers.CharField()
    values = serializers.DictField()


class SignalSerializer(serializers.Serializer[Any]):
    name = serializers.RegexField(r"^[a-z][a-z0-9_]{0,59}$")
    given = serializers.DictField(required=False)


class SettleSerializer(serializers.Serializer[Any]):
    step = serializers.CharField()
    reason = serializers.CharField(max_length=500)
    ref = serializers.CharField(required=False, allow_blank=True, max_length=200)
