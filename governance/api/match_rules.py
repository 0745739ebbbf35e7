"""Match rules over the API; the same service as the form."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from governance.match_rules import queries, services
from governance.models import Entity, MatchRule
from hub.common.api import BySlug, permission_of
from hub.common.governed import Put


class MatchRuleSerializer(serializers.ModelSerializer[MatchRule]):
    """`comparisons` are {field, compare, form, threshold}; see docs/identity.md."""

    entity = serializers.SlugRelatedField("slug", queryset=Entity.objects.all())
    comparisons = serializers.ListField(child=serializers.DictField(), source="fields")
    reason = serializers.CharField(write_only=True, required=False, default="", max_length=500)

    class Meta:
        model = MatchRule
        fields = ("slug", "entity", "name", "position", "outcome", "is_active", "comparisons", "reason")

    def validate_entity(self, entity: Entity) -> Entity:
        """Nothing is put into a domain in which one may not edit."""
        if not self.context["request"].user.has_hub_perm("contracts.edit", entity.domain_id):
            raise serializers.ValidationError("Your roles do not let you edit match rules of this entity.")
        return entity


class MatchRuleViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, viewsets.GenericViewSet[MatchRule]
):
    """How a record that one system shows for the first time is recognised. Where reviewers stand before it, 202."""

    required_permission: Any = {"GET": "contracts.view", "POST": "contracts.edit", "PATCH": "contracts.edit"}
    serializer_class = MatchRuleSerializer
    lookup_field = "slug"
    pagination_class = BySlug
    queryset = MatchRule.objects.none()

    def get_queryset(self) -> QuerySet[MatchRule]:
        return queries.rules_for(self.request.user, permission_of(self))  # type: ignore[arg-type]

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        return self._put(given.validated_data, status.HTTP_201_CREATED)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change a rule; its entity and its short name stay."""
        rule = self.get_object()
        given = self.get_serializer(rule, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        kept = {name: getattr(rule, name) for name in ("name", "position", "outcome", "is_active", "fields")}
        values = kept | given.validated_data | {"slug": rule.slug, "entity": rule.entity}
        return self._put(values, status.HTTP_200_OK)

    def _put(self, values: dict[str, Any], done: int) -> Response:
        defaults: dict[str, Any] = {"position": 10, "outcome": MatchRule.Outcome.HOLD, "is_active": True}
        values = defaults | values
        reason = values.pop("reason", "")
        put: Put = services.put(services.document_of(**values), by=self.request.user, reason=reason)
        if not put.is_applied:
            return Response({"said": put.said, "url": put.url}, status=status.HTTP_202_ACCEPTED)
        return Response(self.get_serializer(MatchRule.objects.get(slug=values["slug"])).data, status=done)
