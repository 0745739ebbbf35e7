"""Billing rules over the API: the table in force, its versions, and a case to decide."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from governance.api.documents import DocumentSerializer, DocumentViewSet
from governance.billing import queries, services
from governance.billing.deciding import decide
from governance.billing.table import parse_table
from governance.models import BillingRule, BillingRuleVersion
from hub.accounts.models import User
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.registry import Document

READ_WRITE = {"GET": queries.SEE, "POST": queries.EDIT, "PUT": queries.EDIT}


class BillingRuleSerializer(DocumentSerializer):
    """`table` is the decision table in force (docs/billing-rules.md); another table makes the next version."""

    kind_name = services.KIND
    purpose = serializers.ChoiceField(BillingRule.Purpose.choices, default=BillingRule.Purpose.OTHER.value)
    domain = serializers.SlugField()
    table = serializers.JSONField()
    note = serializers.CharField(max_length=500, write_only=True, required=False, default="", allow_blank=True)

    def to_representation(self, row: Any) -> dict[str, Any]:
        found = super().to_representation(row)
        return {name: value for name, value in found.items() if name != "note"}


class BillingRuleVersionSerializer(serializers.ModelSerializer[BillingRuleVersion]):
    created_by: serializers.SlugRelatedField[User] = serializers.SlugRelatedField("email", read_only=True)
    table = serializers.JSONField()

    class Meta:
        model = BillingRuleVersion
        fields = ("number", "status", "note", "table", "created_by", "created_at", "activated_at")
        read_only_fields = fields


class TableDecisionSerializer(serializers.Serializer[Any]):
    """`rows` that counted, none for what comes out otherwise; amounts are decimal texts."""

    version = serializers.IntegerField()
    rows = serializers.ListField(child=serializers.IntegerField())
    results = serializers.ListField(child=serializers.DictField(child=serializers.CharField(allow_null=True)))


class TableCaseSerializer(serializers.Serializer[Any]):
    """Amounts and numbers as text, days as YYYY-MM-DD, booleans as true and false."""

    case = serializers.DictField()


class BillingRuleViewSet(DocumentViewSet):
    """Governed decision tables. Writing activates the table, and refuses one with an overlap or a gap."""

    required_permission: Any = READ_WRITE
    serializer_class = BillingRuleSerializer
    queryset = BillingRule.objects.none()

    def rows(self, permission: str) -> QuerySet[BillingRule]:
        user: Any = self.request.user
        return queries.rules_for(user, permission)

    def save(self, document: Document) -> Put:
        given = {name: value for name, value in document.items() if name != "note"}
        return services.activate(given, by=self.request.user, note=document.get("note", ""))

    @property
    def needed(self) -> str:
        """Deciding a case changes nothing, though it is sent."""
        return queries.SEE if self.action == "decide" else super().needed

    @extend_schema(responses=BillingRuleVersionSerializer(many=True))
    @action(detail=True, pagination_class=None)
    def versions(self, request: Request, slug: str) -> Response:
        """All versions, newest first. None of them ever changes."""
        rows = self.get_object().versions.select_related("created_by").order_by("-number")
        return Response(BillingRuleVersionSerializer(rows, many=True).data)

    @extend_schema(request=TableCaseSerializer, responses=TableDecisionSerializer)
    @action(detail=True, methods=["post"], required_permission=queries.SEE)
    def decide(self, request: Request, slug: str) -> Response:
        """What the table in force decides about a case. Nothing is stored."""
        given = TableCaseSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        active = self.get_object().active
        if active is None:
            raise ConfigError("No version of this billing rule is active.", where=slug, fix="Activate one first.")
        found = decide(parse_table(active.table), given.validated_data["case"])
        return Response({"version": active.number, **found.as_data()})
