"""Rulesets over the API, and what contracts fail."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from governance.api.exchange import FindingSerializer
from governance.models import Ruleset
from governance.rulesets import queries, services
from hub.common.api import BySlug
from hub.common.errors import ConfigError


class RulesetSerializer(serializers.ModelSerializer[Ruleset]):
    """`rules` as {rule, severity, …}; `selector` as {domains, entities, tags}."""

    class Meta:
        model = Ruleset
        fields = ("slug", "name", "description", "selector", "rules", "is_active")
        # The kind judges what a file, a form and a request say alike.
        extra_kwargs: dict[str, Any] = {"slug": {"validators": []}}


class FailingSerializer(FindingSerializer):
    """A rule that the version in force of a contract fails."""

    contract = serializers.CharField()
    domain = serializers.CharField()


class RulesetViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Ruleset]):
    """What the firm wants of its contracts. They reach over domains: changing one needs a role for all of them."""

    required_permission: Any = {"GET": "contracts.view", "POST": "contracts.edit", "PUT": "contracts.edit"}
    serializer_class: Any = RulesetSerializer
    pagination_class = BySlug
    lookup_field = "slug"
    queryset = Ruleset.objects.all()

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        given = self._given(request)
        if Ruleset.objects.filter(slug=given["slug"]).exists():
            raise ConfigError(f"There is already a ruleset {given['slug']!r}.", fix="Change it with PUT.")
        return self._saved(given, request, status.HTTP_201_CREATED)

    def update(self, request: Request, slug: str, *args: Any, **kwargs: Any) -> Response:
        self.get_object()
        return self._saved({**self._given(request), "slug": slug}, request, status.HTTP_200_OK)

    def _given(self, request: Request) -> dict[str, Any]:
        if not queries.may_edit(request.user):  # type: ignore[arg-type]
            raise PermissionDenied("A ruleset reaches over domains: this needs contracts.edit for all of them.")
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        return dict(given.validated_data)

    def _saved(self, given: dict[str, Any], request: Request, code: int) -> Response:
        put = services.save_ruleset({"kind": "Ruleset", **given}, by=request.user)
        found = Ruleset.objects.filter(slug=given["slug"]).first()
        if not put.is_applied:
            return Response({"detail": put.said, "url": put.url}, status=status.HTTP_202_ACCEPTED)
        if found is None:
            raise Http404
        return Response(self.get_serializer(found).data, status=code)

    @extend_schema(responses=FailingSerializer(many=True), filters=False)
    @action(detail=False, pagination_class=None, required_permission={"GET": "contracts.view"})
    def findings(self, request: Request) -> Response:
        """Every rule that a contract in your domains fails."""
        found = queries.failing(request.user, Ruleset.objects.all())  # type: ignore[arg-type]
        rows = [{"contract": each.contract.slug, "domain": each.domain, **each.finding.as_data()} for each in found]
        return Response(FailingSerializer(rows, many=True).data)
