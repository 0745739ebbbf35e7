"""Webhooks over the API; the same services as the pages."""

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
from hub.webhooks import queries, services
from hub.webhooks.api.serializers import (
    MadeWebhookSerializer,
    MessageSerializer,
    SecretSerializer,
    TestedSerializer,
    WebhookSerializer,
)
from hub.webhooks.models import Endpoint, Message


@extend_schema_view(
    create=extend_schema(responses={201: MadeWebhookSerializer}),
    partial_update=extend_schema(responses=MadeWebhookSerializer),
)
class WebhookViewSet(
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.ListModelMixin,
    viewsets.GenericViewSet[Endpoint],
):
    """Addresses that systems call to feed an inbound sync."""

    required_permission: Any = {"GET": "syncs.view", "POST": "syncs.edit", "PATCH": "syncs.edit"}
    serializer_class: Any = WebhookSerializer
    pagination_class = BySlug
    lookup_field = "slug"
    http_method_names = ["get", "post", "patch", "head", "options"]
    queryset = Endpoint.objects.none()

    def get_queryset(self) -> QuerySet[Endpoint]:
        return queries.endpoints_for(self.request.user, permission_of(self))  # type: ignore[arg-type]

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        secret = asked.validated_data.pop("secret", "")
        endpoint = Endpoint(**asked.validated_data)
        made = services.save_endpoint(endpoint=endpoint, by=request.user, secret=secret)
        return Response(self._made(endpoint, made), status=status.HTTP_201_CREATED)

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        endpoint = self.get_object()
        asked = self.get_serializer(endpoint, data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        for name, value in asked.validated_data.items():
            setattr(endpoint, name, value)
        return Response(self._made(endpoint, services.save_endpoint(endpoint=endpoint, by=request.user)))

    def _made(self, endpoint: Endpoint, secret: str) -> dict[str, Any]:
        return {**self.get_serializer(endpoint).data, "secret": secret or None}

    @extend_schema(request=SecretSerializer, responses=MadeWebhookSerializer)
    @action(detail=True, methods=["post"], url_path="rotate-secret", required_permission="syncs.edit")
    def rotate_secret(self, request: Request, slug: str) -> Response:
        """A new secret; the one until now is accepted beside it until it is dropped."""
        endpoint, asked = self.get_object(), SecretSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        made = services.rotate_secret(endpoint=endpoint, by=request.user, **asked.validated_data)
        return Response(self._made(endpoint, made))

    @extend_schema(request=None, responses=WebhookSerializer)
    @action(detail=True, methods=["post"], url_path="drop-older-secret", required_permission="syncs.edit")
    def drop_older_secret(self, request: Request, slug: str) -> Response:
        """Only the newest secret is accepted from now on."""
        endpoint = self.get_object()
        services.drop_previous(endpoint=endpoint, by=request.user)
        return Response(self.get_serializer(endpoint).data)

    @extend_schema(request=None, responses={202: TestedSerializer})
    @action(detail=True, methods=["post"], required_permission="syncs.run")
    def test(self, request: Request, slug: str) -> Response:
        """Sign a message and receive it; no record changes."""
        taken = services.send_test(endpoint=self.get_object())
        return Response({"message_id": taken.message_id}, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses=MessageSerializer(many=True), filters=False)
    @action(
        detail=True, methods=["get"], required_permission="ledger.view", pagination_class=KeysetPagination,
        serializer_class=MessageSerializer,
    )  # fmt: skip
    def messages(self, request: Request, slug: str) -> Response:
        """The messages of a webhook, newest first."""
        rows: Any = Message.objects.filter(endpoint=self.get_object()).select_related("endpoint__sync__mapping")
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(MessageSerializer(page, many=True).data)

    @extend_schema(
        request=None, responses=MessageSerializer,
        parameters=[OpenApiParameter("pk", OpenApiTypes.INT, OpenApiParameter.PATH, description="Id of a message.")],
    )  # fmt: skip
    @action(
        detail=True, methods=["post"], url_path="messages/(?P<pk>[0-9]+)/retry", required_permission="ledger.replay"
    )
    def retry(self, request: Request, slug: str, pk: str) -> Response:
        """A rejected message once more, with the settings of now."""
        message = get_object_or_404(Message, pk=pk, endpoint=self.get_object())
        services.try_again(message=message, by=request.user)
        message.refresh_from_db()
        return Response(MessageSerializer(message).data)
