"""Subscriptions over the API; the same services as the pages."""

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

from hub.common.api import BySlug, KeysetPagination, permission_of
from hub.events import queries, services
from hub.events.api.serializers import (
    MadeSubscriptionSerializer,
    SentEventDetailSerializer,
    SentEventSerializer,
    SinceSerializer,
    SubscriptionSecretSerializer,
    SubscriptionSerializer,
)
from hub.events.models import Notification, Subscription

EVENT = OpenApiParameter("pk", OpenApiTypes.INT, OpenApiParameter.PATH, description="Id of an event of the list.")
STATE = OpenApiParameter("state", enum=Notification.State.values, description="Only events in this state.")


@extend_schema_view(
    create=extend_schema(responses={201: MadeSubscriptionSerializer}),
    partial_update=extend_schema(responses=SubscriptionSerializer),
)
class SubscriptionViewSet(
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.ListModelMixin,
    viewsets.GenericViewSet[Subscription],
):
    """Addresses that are told of events, and how that went."""

    required_permission: Any = {
        "GET": "subscriptions.view",
        "POST": "subscriptions.edit",
        "PATCH": "subscriptions.edit",
    }
    serializer_class: Any = SubscriptionSerializer
    pagination_class = BySlug
    lookup_field = "slug"
    http_method_names = ["get", "post", "patch", "head", "options"]
    queryset = Subscription.objects.none()

    def get_queryset(self) -> QuerySet[Subscription]:
        return queries.subscriptions_for(self.request.user, permission_of(self))  # type: ignore[arg-type]

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        secret = asked.validated_data.pop("secret", "")
        subscription = Subscription(**asked.validated_data)
        made = services.save_subscription(subscription=subscription, by=request.user, secret=secret)
        return Response(self._made(subscription, made), status=status.HTTP_201_CREATED)

    def perform_update(self, serializer: Any) -> None:
        for name, value in serializer.validated_data.items():
            setattr(serializer.instance, name, value)
        services.save_subscription(subscription=serializer.instance, by=self.request.user)

    def _made(self, subscription: Subscription, secret: str) -> dict[str, Any]:
        return {**self.get_serializer(subscription).data, "secret": secret}

    # Secrets and switches ----------------------------------------------------------------------------------
    @extend_schema(request=SubscriptionSecretSerializer, responses=MadeSubscriptionSerializer)
    @action(detail=True, methods=["post"], url_path="rotate-secret", required_permission="subscriptions.edit")
    def rotate_secret(self, request: Request, slug: str) -> Response:
        """A new secret; the one until now signs beside it until it is dropped."""
        subscription, asked = self.get_object(), SubscriptionSecretSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = services.rotate_secret(subscription=subscription, by=request.user, **asked.validated_data)
        return Response(self._made(subscription, made))

    @extend_schema(request=None, responses=SubscriptionSerializer)
    @action(detail=True, methods=["post"], url_path="drop-older-secret", required_permission="subscriptions.edit")
    def drop_older_secret(self, request: Request, slug: str) -> Response:
        """Only the newest secret signs from now on."""
        subscription = self.get_object()
        services.drop_previous(subscription=subscription, by=request.user)
        return Response(self.get_serializer(subscription).data)

    @extend_schema(request=None, responses=SubscriptionSerializer)
    @action(detail=True, methods=["post"], url_path="switch-on", required_permission="subscriptions.edit")
    def switch_on(self, request: Request, slug: str) -> Response:
        """Collect events again and send what waits, after it was switched off by a person or by failures."""
        subscription = self.get_object()
        services.switch_on(subscription=subscription, by=request.user)
        return Response(self.get_serializer(subscription).data)

    # Events ------------------------------------------------------------------------------------------------
    @extend_schema(request=None, responses={202: SentEventSerializer})
    @action(detail=True, methods=["post"], required_permission="subscriptions.send")
    def test(self, request: Request, slug: str) -> Response:
        """Put a test event in line; its attempts are those of every other event."""
        made = services.send_test(subscription=self.get_object(), by=request.user)
        return Response(SentEventSerializer(made).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses=SentEventSerializer(many=True), parameters=[STATE], filters=False)
    @action(
        detail=True, methods=["get"], required_permission="subscriptions.view", pagination_class=KeysetPagination,
        serializer_class=SentEventSerializer,
    )  # fmt: skip
    def events(self, request: Request, slug: str) -> Response:
        """The events of a subscription, newest first."""
        rows = queries.notifications_of(self.get_object(), state=request.query_params.get("state", ""))
        page: Any = self.paginate_queryset(rows)  # type: ignore[arg-type]
        return self.get_paginated_response(SentEventSerializer(page, many=True).data)

    @extend_schema(responses=SentEventDetailSerializer, parameters=[EVENT])
    @action(detail=True, methods=["get"], url_path="events/(?P<pk>[0-9]+)", required_permission="subscriptions.view")
    def event(self, request: Request, slug: str, pk: str) -> Response:
        """One event: what is sent, and each attempt."""
        return Response(SentEventDetailSerializer(self._event(pk)).data)

    @extend_schema(request=None, responses=SentEventSerializer, parameters=[EVENT])
    @action(
        detail=True, methods=["post"], url_path="events/(?P<pk>[0-9]+)/send-again",
        required_permission="subscriptions.send",
    )  # fmt: skip
    def send_again(self, request: Request, slug: str, pk: str) -> Response:
        """The same event once more, under the same id."""
        notification = self._event(pk)
        services.send_again(notification=notification, by=request.user)
        notification.refresh_from_db()
        return Response(SentEventSerializer(notification).data)

    @extend_schema(request=SinceSerializer, responses=SinceSerializer)
    @action(detail=True, methods=["post"], url_path="send-failed", required_permission="subscriptions.send")
    def send_failed(self, request: Request, slug: str) -> Response:
        """Every event that was given up and happened since then."""
        subscription, asked = self.get_object(), SinceSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        since = asked.validated_data["since"]
        number = services.send_failed(subscription=subscription, since=since, by=request.user)
        return Response({"number": number})

    def _event(self, pk: str) -> Notification:
        return get_object_or_404(queries.notifications_of(self.get_object()), pk=pk)
