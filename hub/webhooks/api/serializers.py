"""Webhooks and their messages as programs see them. A secret is in the answer that makes it, and in no other."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from rest_framework import serializers

from hub.common.display import mask
from hub.sync.models import Sync
from hub.webhooks import queries, schemes, services
from hub.webhooks.models import Endpoint, Message


class WebhookSerializer(serializers.ModelSerializer[Endpoint]):
    """A webhook. `secret` may be given once, when it is made; `url` is for those who may edit it."""

    sync: serializers.SlugRelatedField[Sync] = serializers.SlugRelatedField("slug", queryset=Sync.objects.all())
    secret = serializers.CharField(write_only=True, required=False, trim_whitespace=False, max_length=200)
    prefix = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False, max_length=20)
    deleted_values = serializers.ListField(child=serializers.CharField(max_length=120), required=False)
    has_previous_secret = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()

    class Meta:
        model = Endpoint
        fields = (
            "slug", "name", "sync", "url", "scheme", "proof_name", "prefix", "encoding", "signed_text",
            "timestamp_name", "tolerance_seconds", "handshake",
            "event_mode", "record_path", "id_path", "time_path", "deleted_path",
            "deleted_values", "is_active", "secret", "has_previous_secret", "refused_at", "refused_reason",
            "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = ("refused_at", "refused_reason", "created_at", "updated_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        request = self.context.get("request")
        if request is not None and request.user.is_authenticated:
            found = queries.inbound_syncs_for(request.user, "syncs.edit")
            self.fields["sync"].queryset = found  # type: ignore[attr-defined]
        if isinstance(self.instance, Endpoint):
            self.fields["slug"].read_only = True
            self.fields["secret"].read_only = True

    def get_has_previous_secret(self, endpoint: Endpoint) -> bool:
        """Whether an older secret is still accepted."""
        return "previous" in endpoint.secrets

    def get_url(self, endpoint: Endpoint) -> str | None:
        """The address to give to the other system."""
        request = self.context.get("request")
        if request is None or not request.user.has_hub_perm("syncs.edit", endpoint.sync.entity.domain_id):
            return None
        return str(request.build_absolute_uri(reverse("webhooks:receive", args=[endpoint.path])))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        trial = (
            Endpoint() if self.instance is None else Endpoint.objects.select_related("sync").get(pk=self.instance.pk)
        )
        for name, value in attrs.items():
            if name != "secret":
                setattr(trial, name, value)
        found = services.problems(trial)
        if secret := attrs.get("secret"):
            found += [("secret", text) for text in [schemes.secret_problem(trial.scheme, secret)] if text]
        if found:
            raise serializers.ValidationError({name: [sentence] for name, sentence in found})
        return attrs


class MadeWebhookSerializer(WebhookSerializer):
    """A webhook with the secret that was made for it in this request; null when it kept the one it has."""

    secret = serializers.CharField(read_only=True, allow_null=True)


class SecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(required=False, trim_whitespace=False, max_length=200)


class MessageSerializer(serializers.ModelSerializer[Message]):
    """A message: headers without proofs, the body with masked values."""

    body = serializers.SerializerMethodField()

    class Meta:
        model = Message
        fields = (
            "id", "message_id", "received_at", "state", "outcome", "error", "run_id", "done_at", "headers", "body",
        )  # fmt: skip
        read_only_fields = fields

    def get_body(self, message: Message) -> Any:
        """As it was sent, masked."""
        body = queries.body_of(message)
        return mask(body, frozenset(queries.masked_in(message.endpoint, body)))


class TestedSerializer(serializers.Serializer[Any]):
    message_id = serializers.CharField()
