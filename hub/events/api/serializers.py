"""Subscriptions and events as programs see them. A secret is in the answer that makes it, and in no other."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from governance.models import Entity
from hub.accounts.models import Domain
from hub.accounts.queries import domains_for
from hub.common.display import mask
from hub.common.moments import moment
from hub.events import queries, services
from hub.events.forms import changed_headers
from hub.events.models import Attempt, Notification, Subscription
from hub.events.types import TYPES
from hub.webhooks import schemes


class SubscriptionSerializer(serializers.ModelSerializer[Subscription]):
    """A subscription. Given `headers` are added to the stored ones, an empty value takes one away; values never come back."""

    event_types = serializers.ListField(
        child=serializers.CharField(max_length=40), help_text=f"Names of event types, or of {', '.join(TYPES)}."
    )
    domain: serializers.SlugRelatedField[Domain] = serializers.SlugRelatedField(
        "slug", queryset=Domain.objects.all(), required=False, allow_null=True
    )
    entity: serializers.SlugRelatedField[Entity] = serializers.SlugRelatedField(
        "slug", queryset=Entity.objects.all(), required=False, allow_null=True
    )
    only_when = serializers.DictField(child=serializers.ListField(child=serializers.CharField()), required=False)
    allowed_networks = serializers.ListField(child=serializers.CharField(max_length=50), required=False)
    headers = serializers.DictField(child=serializers.CharField(allow_blank=True), write_only=True, required=False)
    header_names = serializers.SerializerMethodField()
    secret = serializers.CharField(write_only=True, required=False, trim_whitespace=False, max_length=200)
    has_previous_secret = serializers.SerializerMethodField()
    url = serializers.CharField(max_length=500)

    class Meta:
        model = Subscription
        fields = (
            "slug", "name", "url", "event_types", "domain", "entity", "only_when", "payload", "allowed_networks",
            "headers", "header_names", "is_active", "secret", "has_previous_secret", "delivered_at", "failing_since",
            "rest_until", "disabled_at", "disabled_reason", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = (
            "delivered_at", "failing_since", "rest_until", "disabled_at", "disabled_reason", "created_at", "updated_at",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        request = self.context.get("request")
        if request is not None and request.user.is_authenticated:
            self.fields["domain"].queryset = domains_for(request.user, "subscriptions.edit")  # type: ignore[attr-defined]
            self.fields["entity"].queryset = queries.entities_for(request.user)  # type: ignore[attr-defined]
        if isinstance(self.instance, Subscription):
            self.fields["slug"].read_only = True
            self.fields["secret"].read_only = True

    def get_header_names(self, subscription: Subscription) -> list[str]:
        """Names of the headers that are sent along."""
        return sorted(subscription.headers)

    def get_has_previous_secret(self, subscription: Subscription) -> bool:
        """Whether an older secret still signs beside the newest one."""
        return "previous" in subscription.secrets

    def to_representation(self, instance: Subscription) -> dict[str, Any]:
        """The address without its query for those who may not edit it."""
        shown = super().to_representation(instance)
        user = self.context["request"].user
        if not queries.may_send_to(user, instance, "subscriptions.edit"):
            shown["url"] = queries.shown_address(instance)
        return shown

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        trial = Subscription() if self.instance is None else Subscription.objects.get(pk=self.instance.pk)
        if "headers" in attrs:
            attrs["headers"] = changed_headers(trial.headers, attrs["headers"])
        for name, value in attrs.items():
            if name != "secret":
                setattr(trial, name, value)
        services.take_domain(trial)
        found = services.problems(trial)
        if (secret := attrs.get("secret")) and (sentence := schemes.secret_problem(services.SCHEME, secret)):
            found.append(("secret", sentence))
        if not queries.may_send_to(self.context["request"].user, trial, "subscriptions.edit"):
            found.append(("domain", "Name an entity or a domain: your roles do not reach the whole hub."))
        if found:
            raise serializers.ValidationError({name: [sentence] for name, sentence in found})
        return attrs


class MadeSubscriptionSerializer(SubscriptionSerializer):
    """A subscription with the secret that was made for it in this request; null when it kept the one it has."""

    secret = serializers.CharField(read_only=True, allow_null=True)


class SubscriptionSecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(required=False, trim_whitespace=False, max_length=200)


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    """One request. Without `milliseconds` its sender fell before an answer could be noted."""

    class Meta:
        model = Attempt
        fields = ("at", "http_status", "milliseconds", "error", "answer")
        read_only_fields = fields


class SentEventSerializer(serializers.ModelSerializer[Notification]):
    """One event for a subscription."""

    event_id = serializers.CharField(source="event", help_text="The id that the receiver sees.")
    type = serializers.CharField(source="event.type")
    at = serializers.DateTimeField(source="event.at")

    class Meta:
        model = Notification
        fields = ("id", "event_id", "type", "subject", "at", "state", "attempts", "next_at", "done_at", "error")
        read_only_fields = fields


class SentEventDetailSerializer(SentEventSerializer):
    """With what is sent, masked, and each attempt, the newest first."""

    body = serializers.SerializerMethodField()
    tries = AttemptSerializer(many=True)

    class Meta:
        model = Notification
        fields = (*SentEventSerializer.Meta.fields, "body", "tries")
        read_only_fields = fields

    def get_body(self, notification: Notification) -> Any:
        """The CloudEvent."""
        body, masked = queries.sent(notification)
        return mask(body, frozenset(masked))


class SinceSerializer(serializers.Serializer[Any]):
    """`since` as in a filter: 24h, 7d, a date, or a full instant."""

    since = serializers.CharField(write_only=True)
    number = serializers.IntegerField(read_only=True)

    def validate_since(self, value: str) -> Any:
        found = moment(value)
        if found is None:
            raise serializers.ValidationError("Write 24h, 7d, a date such as 2026-11-03, or a full instant.")
        return found
