"""Entities, contracts and their fields as programs see them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from governance.field_specs import TYPES, FieldInput, shown
from governance.models import Contract, ContractVersion, Entity
from governance.queries import active_version
from governance.schemas import CLASSIFICATIONS, Field, markers_of
from hub.accounts.models import Domain, User


class EntitySerializer(serializers.ModelSerializer[Entity]):
    """`key_fields` is given once, when the entity is made; the short name and the key never change."""

    domain = serializers.SlugRelatedField("slug", queryset=Domain.objects.all())
    contract: serializers.SlugRelatedField[Contract] = serializers.SlugRelatedField("slug", read_only=True)
    key_fields = serializers.ListField(child=serializers.CharField(max_length=60), write_only=True, required=False)

    class Meta:
        model = Entity
        fields = (
            "slug",
            "name",
            "description",
            "domain",
            "load_order",
            "max_wait_seconds",
            "contract",
            "key_fields",
        )

    def validate_domain(self, domain: Domain) -> Domain:
        """Nothing is put into a domain in which one may not edit."""
        if not self.context["request"].user.has_hub_perm("contracts.edit", domain):
            raise serializers.ValidationError("Your roles do not let you edit contracts of this domain.")
        return domain


class EntityChangeSerializer(EntitySerializer):
    """What may change of an entity that exists."""

    class Meta(EntitySerializer.Meta):
        fields = ("name", "description", "domain", "load_order", "max_wait_seconds")  # type: ignore[assignment]


class VersionSerializer(serializers.ModelSerializer[ContractVersion]):
    created_by: serializers.SlugRelatedField[User] = serializers.SlugRelatedField("email", read_only=True)
    schema = serializers.JSONField()

    class Meta:
        model = ContractVersion
        fields = (
            "number",
            "semver",
            "status",
            "note",
            "accepted_break",
            "schema",
            "created_by",
            "created_at",
            "activated_at",
            "deprecated_at",
            "sunset_date",
            "retired_at",
        )
        read_only_fields = fields


class ProposalSerializer(serializers.Serializer[Any]):
    """A schema that is proposed as the contract's next version."""

    schema = serializers.JSONField()
    note = serializers.CharField(max_length=1000, allow_blank=True, default="")


class ContractSerializer(serializers.ModelSerializer[Contract]):
    """Without a new version change only the modes (unknown fields, wrong types, unlisted values), what a breach does, and
    `compatibility`, what is promised.
    """

    entity: serializers.SlugRelatedField[Entity] = serializers.SlugRelatedField("slug", read_only=True)
    version = serializers.SerializerMethodField()
    key = serializers.SerializerMethodField()
    schema = serializers.SerializerMethodField()

    class Meta:
        model = Contract
        fields = (
            "slug",
            "name",
            "entity",
            "mode",
            "type_mode",
            "value_mode",
            "on_breach",
            "compatibility",
            "version",
            "key",
            "schema",
        )
        read_only_fields = ("slug", "name")

    def get_version(self, contract: Contract) -> int | None:
        version = active_version(contract)
        return version.number if version else None

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_key(self, contract: Contract) -> list[str]:
        version = active_version(contract)
        return list(markers_of(version.schema).key) if version else []

    @extend_schema_field(serializers.JSONField(allow_null=True))
    def get_schema(self, contract: Contract) -> dict[str, Any] | None:
        version = active_version(contract)
        return version.schema if version else None


class FieldSerializer(serializers.Serializer[Any]):
    """One field, in the words of the form. What is left out of a change keeps its value; `spec` is the property itself."""

    name = serializers.RegexField(r"^[a-z][a-z0-9_]{0,59}$", max_length=60)
    title = serializers.CharField(max_length=120)
    type = serializers.ChoiceField(sorted(TYPES), default="string")
    required = serializers.BooleanField(default=False)  # type: ignore[assignment]
    description = serializers.CharField(max_length=1000, allow_blank=True, default="")
    example = serializers.CharField(max_length=1000, allow_blank=True, default="")
    values = serializers.ListField(child=serializers.CharField(), default=list, help_text="Allowed values of a text.")
    max_length = serializers.IntegerField(min_value=1, allow_null=True, default=None)
    reference = serializers.CharField(allow_blank=True, default="", help_text="Entity whose key the field holds.")
    money = serializers.CharField(
        allow_blank=True, default="", help_text="Field that holds the currency of the amount."
    )
    classification = serializers.ChoiceField(CLASSIFICATIONS, default="internal")
    is_key = serializers.BooleanField(read_only=True)
    spec = serializers.JSONField(read_only=True)

    def to_representation(self, field: Field) -> dict[str, Any]:
        given = shown(field.spec, field.required)
        plain = asdict(given) | {"values": list(given.values), "title": field.title}
        return {"name": field.name, **plain, "is_key": field.is_key, "spec": field.spec}

    def field_input(self) -> FieldInput:
        data = {name: value for name, value in self.validated_data.items() if name != "name"}
        return FieldInput(**data | {"values": tuple(data["values"])})


class FieldChangeSerializer(FieldSerializer):
    """The same for a field that exists: its name stands in the address."""

    name = serializers.CharField(read_only=True)  # type: ignore[assignment]


class ChangeSerializer(serializers.Serializer[Any]):
    """One change; `breaks` names `forward` (consumers of the version before) and `backward` (records of it)."""

    path = serializers.CharField(allow_blank=True)
    kind = serializers.CharField()
    severity = serializers.ChoiceField(["info", "warn", "err"])
    breaks = serializers.ListField(child=serializers.CharField())
    rule = serializers.CharField()
    advice = serializers.CharField(allow_blank=True)
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class ConsumerSerializer(serializers.Serializer[Any]):
    """Who uses records; `way` is `reads` or `writes`."""

    kind = serializers.CharField()
    name = serializers.CharField()
    way = serializers.ChoiceField(["reads", "writes"])


class HitSerializer(serializers.Serializer[Any]):
    """A change with those whom it hits."""

    path = serializers.CharField(allow_blank=True)
    kind = serializers.CharField()
    severity = serializers.CharField()
    consumers = ConsumerSerializer(many=True)


class EffectiveSerializer(serializers.Serializer[Any]):
    """The verdict restricted to what the actual consumers use."""

    verdict = serializers.CharField()
    breaking = serializers.BooleanField()
    sentence = serializers.CharField()
    consumers = serializers.IntegerField()
    broken = ConsumerSerializer(many=True)
    changes = HitSerializer(many=True)


class VerdictSerializer(serializers.Serializer[Any]):
    """Two versions compared; `verdict` is what the change keeps: FULL, BACKWARD, FORWARD or BREAKING."""

    changes = ChangeSerializer(many=True)
    severity = serializers.ChoiceField(["none", "info", "warn", "err"])
    mode = serializers.CharField()
    verdict = serializers.CharField()
    breaking = serializers.BooleanField()
    sentence = serializers.CharField()
    suggested_version = serializers.CharField()
    effective = EffectiveSerializer(required=False)
