"""Syncs, their schedules and their runs over the API; the same services as the pages."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.api.serializers import PauseReasonSerializer
from hub.common.api import BySlug, permission_of
from hub.common.moments import moment
from hub.sync import configure, queries, services
from hub.sync import dry_run as trial
from hub.sync import purge as queue
from hub.sync.api.serializers import (
    ConfirmSerializer,
    DryRunRequestSerializer,
    DryRunSerializer,
    NoteSerializer,
    RunSerializer,
    ScheduleSerializer,
    StartedSerializer,
    SyncSerializer,
)
from hub.sync.api.switches import PurgeSerializer
from hub.sync.models import Run, Schedule, Sync
from hub.sync.removals import services as removals


def text(name: str, description: str) -> OpenApiParameter:
    """A filter in the query of a list."""
    return OpenApiParameter(name, OpenApiTypes.STR, description=description)


@extend_schema_view(
    list=extend_schema(parameters=[text("direction", "in or out"), text("entity", "Slug of an entity.")])
)
class SyncViewSet(
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.ListModelMixin,
    viewsets.GenericViewSet[Sync],
):
    """Syncs, and what can be done with one."""

    required_permission: Any = {"GET": "syncs.view", "POST": "syncs.edit", "PATCH": "syncs.edit"}
    serializer_class: Any = SyncSerializer
    pagination_class = BySlug
    lookup_field = "slug"
    http_method_names = ["get", "post", "patch", "head", "options"]
    queryset = Sync.objects.none()

    def get_queryset(self) -> QuerySet[Sync]:
        rows = queries.syncs_for(self.request.user, permission_of(self))  # type: ignore[arg-type]
        asked = self.request.query_params
        if asked.get("direction"):
            rows = rows.filter(mapping__direction=asked["direction"])
        return rows.filter(mapping__entity__slug=asked["entity"]) if asked.get("entity") else rows

    def perform_create(self, serializer: Any) -> None:
        sync = Sync(**serializer.validated_data)
        serializer.instance = configure.save_sync(sync=sync, by=self.request.user)

    def perform_update(self, serializer: Any) -> None:
        sync = serializer.instance
        for name, value in serializer.validated_data.items():
            setattr(sync, name, value)
        configure.save_sync(sync=sync, by=self.request.user)

    @extend_schema(request=None, responses={202: StartedSerializer})
    @action(detail=True, methods=["post"], required_permission="syncs.run")
    def run(self, request: Request, slug: str) -> Response:
        """Start the sync now; answers with the run that is under way, when there is one."""
        found, made = services.start_run(sync=self.get_object(), by=request.user)
        body = StartedSerializer(Run.objects.select_related("sync", "requested_by").get(pk=found.pk)).data
        return Response({**body, "made": made}, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=PauseReasonSerializer, responses=SyncSerializer)
    @action(detail=True, methods=["post"], required_permission="syncs.run")
    def pause(self, request: Request, slug: str) -> Response:
        """Nothing of this sync runs until it is resumed; a running run stops at its next page."""
        return self._set_paused(is_paused=True)

    @extend_schema(request=PauseReasonSerializer, responses=SyncSerializer)
    @action(detail=True, methods=["post"], required_permission="syncs.run")
    def resume(self, request: Request, slug: str) -> Response:
        return self._set_paused(is_paused=False)

    def _set_paused(self, *, is_paused: bool) -> Response:
        sync, asked = self.get_object(), PauseReasonSerializer(data=self.request.data)
        asked.is_valid(raise_exception=True)
        services.set_paused(sync=sync, is_paused=is_paused, reason=asked.validated_data["reason"], by=self.request.user)
        return Response(self.get_serializer(sync).data)

    @extend_schema(request=PurgeSerializer, responses=PurgeSerializer)
    @action(detail=True, methods=["post"], required_permission="ledger.replay")
    def purge(self, request: Request, slug: str) -> Response:
        """Count what is queued; with `go` and a reason, discard it. The sync must be paused."""
        syncs, asked = Sync.objects.filter(pk=self.get_object().pk), PurgeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        go, reason = asked.validated_data["go"], asked.validated_data["reason"]
        found = queue.purge(syncs, reason=reason, by=request.user) if go else queue.plan(syncs)
        return Response(PurgeSerializer({**found.as_data(), "is_done": go}).data)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"], url_path="reset-cursor", required_permission="syncs.run")
    def reset_cursor(self, request: Request, slug: str) -> Response:
        """Make the next run read everything again."""
        services.reset_cursor(sync=self.get_object(), by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=DryRunRequestSerializer, responses=DryRunSerializer)
    @action(detail=True, methods=["post"], url_path="dry-run", required_permission="syncs.run")
    def dry_run(self, request: Request, slug: str) -> Response:
        """What a run would do with a sample of real records; nothing is written, here or at the other system."""
        sync, asked = self.get_object(), DryRunRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        found = trial.dry_run(sync, **asked.validated_data)
        may_reveal = request.user.has_hub_perm("payloads.reveal", sync.entity.domain_id)  # type: ignore[union-attr]
        return Response(DryRunSerializer(found if may_reveal else found.masked()).data)


class ScheduleViewSet(viewsets.ModelViewSet[Schedule]):
    """When syncs run by themselves: cron in a time zone."""

    required_permission: Any = {
        "GET": "syncs.view", "POST": "syncs.edit", "PATCH": "syncs.edit", "DELETE": "syncs.edit",
    }  # fmt: skip
    serializer_class = ScheduleSerializer
    pagination_class = BySlug
    lookup_field = "slug"
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    queryset = Schedule.objects.none()

    def get_queryset(self) -> QuerySet[Schedule]:
        needed = self.required_permission[self.request.method or "GET"]
        return Schedule.objects.filter(sync__in=queries.syncs_for(self.request.user, needed)).select_related("sync")  # type: ignore[arg-type]

    def perform_create(self, serializer: Any) -> None:
        serializer.instance = configure.save_schedule(
            schedule=Schedule(**serializer.validated_data), by=self.request.user
        )

    def perform_update(self, serializer: Any) -> None:
        for name, value in serializer.validated_data.items():
            setattr(serializer.instance, name, value)
        configure.save_schedule(schedule=serializer.instance, by=self.request.user)

    def perform_destroy(self, instance: Schedule) -> None:
        configure.delete_schedule(schedule=instance, by=self.request.user)


@extend_schema_view(
    list=extend_schema(
        parameters=[
            text("sync", "Slug of a sync."),
            text("status", "queued, running, succeeded, completed_with_errors, suspect, failed or cancelled"),
            text("trigger", "manual, schedule, after, change, release, event, hint or removal"),
            text("since", "24h, 7d, a date or an instant."),
            text("until", "A date or an instant."),
        ]
    )
)
class RunViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[Run]):
    """Runs, newest first."""

    required_permission: Any = {"GET": "syncs.view"}
    serializer_class = RunSerializer
    queryset = Run.objects.none()
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> QuerySet[Run]:
        asked = self.request.query_params
        rows = queries.runs_for(self.request.user, "syncs.view")  # type: ignore[arg-type]
        for name, column in (("sync", "sync__slug"), ("status", "status"), ("trigger", "trigger")):
            if asked.get(name):
                rows = rows.filter(**{column: asked[name]})
        if since := moment(asked.get("since", "")):
            rows = rows.filter(created_at__gte=since)
        if until := moment(asked.get("until", ""), end_of_day=True):
            rows = rows.filter(created_at__lt=until)
        return rows

    @extend_schema(request=NoteSerializer, responses=RunSerializer)
    @action(detail=True, methods=["post"], required_permission="syncs.run")
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop the run at its next page; one that has ended stays as it is."""
        asked = NoteSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        run = get_object_or_404(queries.runs_for(request.user, "syncs.run"), pk=pk)  # type: ignore[arg-type]
        services.cancel_run(run=run, by=request.user, note=asked.validated_data["note"])
        run.refresh_from_db()
        return Response(RunSerializer(run).data)

    @extend_schema(request=ConfirmSerializer, responses=RunSerializer)
    @action(detail=True, methods=["post"], required_permission="ledger.replay")
    def confirm(self, request: Request, pk: str) -> Response:
        """Say that a suspect run's source is right: what it did not show is gone, and its volume is usual from now on."""
        asked = ConfirmSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        run = get_object_or_404(queries.runs_for(request.user, "ledger.replay"), pk=pk)  # type: ignore[arg-type]
        removals.confirm(run=run, reason=asked.validated_data["reason"], by=request.user)
        return Response(RunSerializer(run).data)
