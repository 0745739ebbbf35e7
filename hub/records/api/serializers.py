"""Canonical records as programs see them. Masked values are left out of the body and named in `masked`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from governance.deprecation import as_version
from governance.models import Entity
from hub.common.money import decimal_text
from hub.records.models import CanonicalRecord
from hub.records.queries import links_of
from hub.records.reading import Described, plain_amount, sources_of


class RecordSerializer(serializers.ModelSerializer[CanonicalRecord]):
    entity: serializers.SlugRelatedField[Entity] = serializers.SlugRelatedField("slug", read_only=True)
    body = serializers.SerializerMethodField()
    masked = serializers.SerializerMethodField()
    amount = serializers.SerializerMethodField()

    class Meta:
        model = CanonicalRecord
        fields: tuple[str, ...] = (
            "id",
            "entity",
            "key",
            "version",
            "legal_entity",
            "customer",
            "project",
            "period",
            "amount",
            "currency",
            "updated_at",
            "body",
            "masked",
        )

    @property
    def described(self) -> Described:
        """The entity's contract, which the view has read once."""
        found: Described = self.context["described"]
        return found

    def get_amount(self, record: CanonicalRecord) -> str | None:
        """A decimal string, exact."""
        amount = plain_amount(record)
        return None if amount is None else decimal_text(amount)

    @extend_schema_field(serializers.DictField())
    def get_body(self, record: CanonicalRecord) -> dict[str, Any]:
        if self.context.get("revealed"):
            return record.body
        return self._by_version(self.described.open_body(record.body))

    def _by_version(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body in the words of the version by which it is served."""
        version = self.context.get("version")
        if version is None or version.schema == self.described.schema:
            return body
        return as_version(body, version.schema, self.described.schema)

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_masked(self, record: CanonicalRecord) -> list[str]:
        return [] if self.context.get("revealed") else sorted(self.described.masked(record.body))


class LinkSerializer(serializers.Serializer[Any]):
    """Where else a record is known; `url` leads there where the stream declares an address."""

    system = serializers.SlugField(source="stream.connection.system.slug")
    stream = serializers.SlugField(source="stream.slug")
    external_id = serializers.CharField()
    url = serializers.CharField()


class RecordDetailSerializer(RecordSerializer):
    """`supplied_by` names the system of each field, `known_as` the ids at all systems."""

    supplied_by = serializers.SerializerMethodField()
    known_as = serializers.SerializerMethodField()

    class Meta(RecordSerializer.Meta):
        fields = (*RecordSerializer.Meta.fields, "supplied_by", "known_as")

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_supplied_by(self, record: CanonicalRecord) -> dict[str, str]:
        return sources_of(record, "slug")

    @extend_schema_field(LinkSerializer(many=True))
    def get_known_as(self, record: CanonicalRecord) -> Any:
        return LinkSerializer(links_of(record), many=True).data


class RevealSerializer(serializers.Serializer[Any]):
    """Which record's masked values are asked for."""

    entity = serializers.SlugField()
    key = serializers.CharField()
