"""Terms, what they measured and where their numbers part, as programs see them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from governance.models import Term
from hub.accounts.models import Domain
from hub.common.registry import Document
from monitoring.models import SemanticDrift, TermMeasurement


class ProbeSerializer(serializers.Serializer[Any]):
    """A `query` for a database, or a `stream` and what is counted in it."""

    connection = serializers.CharField()
    query = serializers.CharField(required=False)
    stream = serializers.CharField(required=False)
    expression = serializers.CharField(required=False)


class TermSerializer(serializers.ModelSerializer[Term]):
    """A term; the short name never changes. What is left out of a change keeps its value."""

    domain = serializers.SlugRelatedField("slug", queryset=Domain.objects.all())
    probes = ProbeSerializer(many=True, required=False)
    # Serializers keep their declared fields under this name, so the model's is told apart.
    contract_fields = serializers.ListField(
        child=serializers.CharField(max_length=130), source="fields", required=False
    )

    class Meta:
        model = Term
        fields = (
            "slug",
            "name",
            "domain",
            "definition",
            "owner",
            "synonyms",
            "unit",
            "currency",
            "per",
            "period",
            "expression",
            "tolerance",
            "tolerance_kind",
            "probes",
            "contract_fields",
        )

    def validate_domain(self, domain: Domain) -> Domain:
        """Nothing is put into a domain in which one may not edit."""
        if not self.context["request"].user.has_hub_perm("contracts.edit", domain):
            raise serializers.ValidationError("Your roles do not let you edit contracts of this domain.")
        return domain

    def document(self) -> Document:
        """What was given, in the words of a configuration file."""
        given: Document = dict(self.validated_data)
        if "domain" in given:
            given["domain"] = given["domain"].slug
        if "tolerance" in given:
            given["tolerance"] = str(given["tolerance"])
        if "probes" in given:
            given["probes"] = [dict(probe) for probe in given["probes"]]
        return given


class TermChangeSerializer(TermSerializer):
    """What may change of a term that exists."""

    class Meta(TermSerializer.Meta):
        fields = TermSerializer.Meta.fields[1:]  # type: ignore[assignment]


class ReadingSerializer(serializers.Serializer[Any]):
    """One system's number; `note` says why there is none."""

    system = serializers.CharField()
    name = serializers.CharField()
    connection = serializers.CharField()
    value = serializers.CharField(allow_null=True)
    difference = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(TermMeasurement.State.choices)
    note = serializers.CharField(allow_blank=True)


class TermMeasurementSerializer(serializers.ModelSerializer[TermMeasurement]):
    systems = ReadingSerializer(many=True)

    class Meta:
        model = TermMeasurement
        fields = ("measured_at", "period_start", "period_end", "hub", "hub_note", "systems", "state")
        read_only_fields = fields


class SemanticDriftSerializer(serializers.ModelSerializer[SemanticDrift]):
    term: serializers.SlugRelatedField[Term] = serializers.SlugRelatedField("slug", read_only=True)
    systems = ReadingSerializer(many=True)

    class Meta:
        model = SemanticDrift
        fields = (
            "id",
            "term",
            "opened_at",
            "closed_at",
            "difference",
            "amount",
            "currency",
            "systems",
            "measurements",
            "last_measured_at",
        )
        read_only_fields = fields
