"""Processes over the API; the same services as the pages."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from hub.common.api import BySlug, permission_of
from hub.processes import queries, services
from hub.processes.api.serializers import (
    AnswerSerializer,
    CancelSerializer,
    InstanceSerializer,
    ProcessSerializer,
    RetrySerializer,
    SettleSerializer,
    SignalSerializer,
    StartSerializer,
)
from hub.processes.definition import steps_of
from hub.processes.models import Process, ProcessInstance, State, StepRun

ONCE = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="The same key starts it once.",
)


class ProcessViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[Process]):
    """Processes, and starting them."""

    required_permission: Any = {"GET": queries.SEE, "POST": queries.RUN}
    serializer_class: Any = ProcessSerializer
    pagination_class = BySlug
    lookup_field = "slug"
    queryset = Process.objects.none()

    def get_queryset(self) -> QuerySet[Process]:
        return queries.processes_for(self.request.user, permission_of(self))  # type: ignore[arg-type]

    @extend_schema(request=StartSerializer, responses={202: InstanceSerializer}, parameters=[ONCE])
    @action(detail=True, methods=["post"], required_permission=queries.RUN)
    def start(self, request: Request, slug: str) -> Response:
        """Start it for a key. One that lives for the key is answered instead."""
        process, asked = self.get_object(), StartSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given, once = asked.validated_data.get("given"), request.headers.get("Idempotency-Key", "")[:100]
        made = services.start(process, asked.validated_data["key"], by=request.user, given=given, cause=once)
        return Response(InstanceSerializer(made).data, status=status.HTTP_202_ACCEPTED)


class ProcessRunViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[ProcessInstance]):
    """What runs: its steps, and what people and programs may do with it."""

    required_permission: Any = {"GET": queries.SEE, "POST": queries.RUN}
    serializer_class: Any = InstanceSerializer
    queryset = ProcessInstance.objects.none()

    def get_queryset(self) -> QuerySet[ProcessInstance]:
        rows = queries.instances_for(self.request.user, permission_of(self))  # type: ignore[arg-type]
        asked = self.request.query_params
        if asked.get("state") in State.values:
            rows = rows.filter(state=asked["state"])
        if asked.get("process"):
            rows = rows.filter(process__slug=asked["process"])
        return rows.filter(key=asked["key"]) if asked.get("key") else rows

    @extend_schema(
        parameters=[
            OpenApiParameter("state", enum=State.values),
            OpenApiParameter("process", str, description="Short name of the process."),
            OpenApiParameter("key", str, description="What it is about."),
        ]
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)

    @extend_schema(request=RetrySerializer, responses=InstanceSerializer)
    @action(detail=True, methods=["post"], required_permission=queries.RUN)
    def retry(self, request: Request, pk: int) -> Response:
        """Look again at what failed, or do again from a step on."""
        found, asked = self.get_object(), RetrySerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.retry(found, step=asked.validated_data.get("step", ""), by=request.user)
        return self._answer(found)

    @extend_schema(request=CancelSerializer, responses=InstanceSerializer)
    @action(detail=True, methods=["post"], required_permission=queries.RUN)
    def cancel(self, request: Request, pk: int) -> Response:
        """End it; with `undo`, take back what was done."""
        found, asked = self.get_object(), CancelSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.cancel(found, by=request.user, **asked.validated_data)
        return self._answer(found)

    @extend_schema(request=SettleSerializer, responses=InstanceSerializer)
    @action(detail=True, methods=["post"], required_permission=queries.RUN)
    def settle(self, request: Request, pk: int) -> Response:
        """Say that a step is done, with its id at the system, or that it is not needed."""
        found, asked = self.get_object(), SettleSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        run = self._step(found, asked.validated_data["step"])
        services.settle(
            run, reason=asked.validated_data["reason"], ref=asked.validated_data.get("ref", ""), by=request.user
        )
        return self._answer(found)

    @extend_schema(request=SignalSerializer, responses=InstanceSerializer)
    @action(detail=True, methods=["post"], required_permission=queries.RUN)
    def signal(self, request: Request, pk: int) -> Response:
        """Tell it that something has happened: expressions see it as `given.signals`."""
        found, asked = self.get_object(), SignalSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        services.signal(found, asked.validated_data["name"], asked.validated_data.get("given") or {}, by=request.user)
        return self._answer(found)

    @extend_schema(request=AnswerSerializer, responses=InstanceSerializer)
    @action(detail=True, methods=["post"], required_permission=queries.SEE)
    def answer(self, request: Request, pk: int) -> Response:
        """Answer a step that asks: people of its role may, whatever else they may."""
        found, asked = self.get_object(), AnswerSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        run = self._step(found, asked.validated_data["step"])
        step = steps_of(found.version.definition)[run.step]
        if not queries.may_answer(request.user, step, found.process):  # type: ignore[arg-type]
            raise PermissionDenied("Another role is asked.")
        services.answer(run, asked.validated_data["values"], by=request.user)
        return self._answer(found)

    def _step(self, found: ProcessInstance, name: str) -> StepRun:
        return get_object_or_404(StepRun, instance=found, step=name)

    def _answer(self, found: ProcessInstance) -> Response:
        return Response(InstanceSerializer(queries.fresh(found)).data)
