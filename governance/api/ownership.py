"""Ownership rules over the API; the same services as the pages."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from governance.models import Entity, OwnershipRule
from governance.ownership import services
from governance.ownership.queries import rules_for
from governance.queries import entities_for
from hub.common.api import BySlug, permission_of
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.registry import Document

SEE, EDIT = "contracts.view", "contracts.edit"
WORDS = (
    "slug", "entity", "group", "fields", "decide", "systems", "policy", "fills_empty", "legal_entities", "phase_field",
    "phases", "from_date", "to_date", "status", "replaces", "note",
)  # fmt: skip


class OwnershipRuleSerializer(serializers.ModelSerializer[OwnershipRule]):
    """A rule as configuration as code writes it. A new one is a draft unless `status` says otherwise."""

    slug = serializers.SlugField(max_length=80)
    entity: Any = serializers.SlugRelatedField("slug", queryset=Entity.objects.all())
    replaces: Any = serializers.SlugRelatedField(
        "slug", queryset=OwnershipRule.objects.all(), required=False, allow_null=True
    )

    class Meta:
        model = OwnershipRule
        fields = WORDS
        validators: list[Any] = []

    def get_fields(self) -> dict[str, Any]:
        """`fields` is a word of the rule and one of serializers; ours is the rule's."""
        return super().get_fields()

    @property
    def document(self) -> Document:
        given = self.validated_data
        words = {name: value for name, value in given.items() if value is not None}
        for name in ("entity", "replaces"):
            if name in words:
                words[name] = words[name].slug
        for name in ("from_date", "to_date"):
            if name in words:
                words[name] = words[name].isoformat()
        return {"kind": services.KIND, **words}


class OwnershipActivationSerializer(serializers.Serializer[Any]):
    """Whose drafts are put in force, and why."""

    entity = serializers.SlugField()
    reason = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


class PutSerializer(serializers.Serializer[Any]):
    """What became of a change: `is_applied`, or where it is discussed."""

    is_applied = serializers.BooleanField()
    said = serializers.CharField()
    url = serializers.CharField()


class OwnershipRuleViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[OwnershipRule]):
    """Which system may set which field, and what becomes of other values."""

    required_permission: Any = {"GET": SEE, "POST": EDIT, "PUT": EDIT, "DELETE": EDIT}
    serializer_class = OwnershipRuleSerializer
    pagination_class = BySlug
    lookup_field = "slug"
    queryset = OwnershipRule.objects.none()

    def get_queryset(self) -> QuerySet[OwnershipRule]:
        rows = rules_for(self.request.user, permission_of(self))  # type: ignore[arg-type]
        entity = self.request.query_params.get("entity")
        return rows.filter(entity__slug=entity) if entity else rows

    @extend_schema(responses={201: OwnershipRuleSerializer})
    def create(self, request: Request) -> Response:
        """A new rule. Refused where it is in force at once and leaves an overlap or a gap."""
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        if OwnershipRule.objects.filter(slug=given.validated_data["slug"]).exists():
            raise ConfigError("There is a rule of that name.", where=given.validated_data["slug"], fix="Use PUT.")
        return self._save(given, status.HTTP_201_CREATED)

    @extend_schema(responses=OwnershipRuleSerializer)
    def update(self, request: Request, slug: str) -> Response:
        """Change a rule; what is not said keeps its value."""
        given = self.get_serializer(self.get_object(), data={**dict(request.data), "slug": slug}, partial=True)
        given.is_valid(raise_exception=True)
        return self._save(given, status.HTTP_200_OK)

    def _save(self, given: Any, code: int) -> Response:
        before = self.get_serializer(given.instance).data if given.instance else {}
        document = {name: value for name, value in before.items() if value is not None} | given.document
        if not entities_for(self.request.user, EDIT).filter(slug=document["entity"]).exists():  # type: ignore[arg-type]
            raise Http404
        done = services.save(document=document, by=self.request.user, reason=document.get("note", ""))
        if not done.is_applied:
            return _answer(done)
        return Response(self.get_serializer(OwnershipRule.objects.get(slug=document["slug"])).data, status=code)

    @extend_schema(responses={204: OpenApiResponse(description="The draft is gone.")})
    def destroy(self, request: Request, slug: str) -> Response:
        """Remove a draft; a rule that was in force is retired with PUT."""
        services.remove_draft(rule=self.get_object(), by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=OwnershipActivationSerializer, responses=PutSerializer)
    @action(detail=False, methods=["post"], required_permission=EDIT)
    def activate(self, request: Request) -> Response:
        """Put all drafts of an entity in force together; refused with the cells that overlap or that nobody owns."""
        asked = OwnershipActivationSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        entity = entities_for(request.user, EDIT).filter(slug=asked.validated_data["entity"]).first()  # type: ignore[arg-type]
        if entity is None:
            raise Http404
        return _answer(services.activate(entity=entity, by=request.user, reason=asked.validated_data["reason"]))


def _answer(done: Put) -> Response:
    code = status.HTTP_200_OK if done.is_applied else status.HTTP_202_ACCEPTED
    return Response(PutSerializer(done).data, status=code)
