"""Transactions, held records and deliveries as programs see them. Sentences come without values that are masked."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from hub.sync import payloads, totals
from hub.sync.keys import delivery_key, held_key
from hub.sync.models import Delivery, HeldRecord, Transaction
from hub.sync.states import DeliveryState, HeldState, Outcome


class _Told(serializers.ModelSerializer[Any]):
    """`error` without the values of masked fields; `secret` in the context names them by sync."""

    error = serializers.SerializerMethodField()
    amount = serializers.SerializerMethodField()

    def get_error(self, row: Any) -> str:
        return payloads.masked_sentence(row.error_detail, self.context["secret"].get(row.sync_id, ()))

    def get_amount(self, row: Any) -> str | None:
        """A decimal string, exact."""
        return totals.exact(row.record.amount if isinstance(row, Delivery) else row.amount)


class TransactionSerializer(_Told):
    sync = serializers.SerializerMethodField()
    outcome = serializers.SerializerMethodField()

    class Meta:
        model = Transaction
        fields: tuple[str, ...] = (
            "id", "at", "sync", "run_id", "correlation_id", "outcome", "key", "external_id", "record_id", "version",
            "changed", "refused", "attempt", "error_code", "error", "target_ref", "http_status", "amount", "currency",
        )  # fmt: skip

    def get_sync(self, row: Transaction) -> str | None:
        """Slug; null when the sync is gone."""
        slug: str | None = self.context["slugs"].get(row.sync_id)
        return slug

    def get_outcome(self, row: Transaction) -> str:
        return Outcome(row.outcome).name.lower()


class TransactionDetailSerializer(TransactionSerializer):
    """`sentence` says what happened; `thread` is every transaction of the same cause, in time order."""

    sentence = serializers.SerializerMethodField()
    thread = serializers.SerializerMethodField()

    class Meta(TransactionSerializer.Meta):
        fields = (*TransactionSerializer.Meta.fields, "sentence", "thread")

    def get_sentence(self, row: Transaction) -> str:
        return str(self.context["sentence"])

    @extend_schema_field(TransactionSerializer(many=True))
    def get_thread(self, row: Transaction) -> Any:
        return TransactionSerializer(self.context["hops"], many=True, context=self.context).data


class HeldSerializer(_Told):
    id = serializers.SerializerMethodField()
    sync = serializers.CharField(source="sync.slug")
    state = serializers.SerializerMethodField()

    class Meta:
        model = HeldRecord
        fields = (
            "id", "sync", "external_id", "state", "field", "error_code", "error", "missing_key", "amount", "currency",
            "transaction_id", "first_at", "last_at",
        )  # fmt: skip

    def get_id(self, held: HeldRecord) -> str:
        return held_key(held)

    def get_state(self, held: HeldRecord) -> str:
        return HeldState(held.state).name.lower()


class DeliverySerializer(_Told):
    id = serializers.SerializerMethodField()
    sync = serializers.CharField(source="sync.slug")
    key = serializers.CharField(source="record.key")
    currency = serializers.CharField(source="record.currency", allow_null=True)
    state = serializers.SerializerMethodField()

    class Meta:
        model = Delivery
        fields = (
            "id", "sync", "key", "state", "version", "delivered_version", "attempts", "failing_since", "next_at",
            "target_ref", "missing_key", "error_code", "error", "amount", "currency",
        )  # fmt: skip

    def get_id(self, delivery: Delivery) -> str:
        return delivery_key(delivery)

    def get_state(self, delivery: Delivery) -> str:
        """pending, retrying, unsure, waiting, held, dead, delivered or discarded"""
        if delivery.state == DeliveryState.PENDING and delivery.failing_since:
            return "retrying"
        return DeliveryState(delivery.state).name.lower()


class ReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=500)


class RefSerializer(serializers.Serializer[Any]):
    ref = serializers.CharField(max_length=200, help_text="The target's own id of the record.")


class DecisionSerializer(serializers.Serializer[Any]):
    done = serializers.BooleanField(help_text="False when there was nothing left to decide.")
