"""What is configuration over the API: rows as their documents, saved whole through the service that the form calls.

A write that reviewers have to see first answers 202 with a sentence and an address, and changes nothing.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status, viewsets
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from hub.accounts.models import Domain
from hub.common.api import BySlug
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.registry import Document, kind


class DocumentSerializer(serializers.Serializer[Any]):
    """Fields of a document; subclasses name their kind. What a document leaves out has the field's default."""

    kind_name = ""
    slug = serializers.SlugField(max_length=80)
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(required=False, allow_blank=True, default="")

    def to_representation(self, row: Any) -> dict[str, Any]:
        document = kind(self.kind_name).dump(row.slug) or {}
        return {name: document.get(name, _default(field)) for name, field in self.fields.items()}


def _default(field: Any) -> Any:
    return None if field.default is serializers.empty else field.default() if callable(field.default) else field.default


class ProposalSerializer(serializers.Serializer[Any]):
    said = serializers.CharField()
    url = serializers.CharField()


HELD = OpenApiResponse(ProposalSerializer, "Reviewers have to see it first; nothing is changed yet.")


@extend_schema_view(
    create=extend_schema(responses={202: HELD}),
    update=extend_schema(responses={202: HELD}),
)
class DocumentViewSet(viewsets.GenericViewSet[Any]):
    """Subclasses give the permissions, the rows that a person may see or edit, and `save`."""

    required_permission: Any = None
    pagination_class = BySlug
    lookup_field = "slug"
    serializer_class: Any = DocumentSerializer

    def rows(self, permission: str) -> QuerySet[Any]:
        raise NotImplementedError

    def save(self, document: Document) -> Put:
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Any]:
        return self.rows(self.needed)

    @property
    def needed(self) -> str:
        return str(self.required_permission.get(self.request.method or "GET", self.required_permission["GET"]))

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, slug: str) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    def create(self, request: Request) -> Response:
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        slug = given.validated_data["slug"]
        if slug in set(kind(self.serializer_class.kind_name).slugs()):
            raise ConfigError(f"There is one called {slug!r} already.", where="slug", fix="Change that one with PUT.")
        return self._put(given.validated_data, status.HTTP_201_CREATED)

    def update(self, request: Request, slug: str) -> Response:
        """The whole document: what is left out takes its default."""
        self.get_object()
        given = self.get_serializer(data={**dict(request.data), "slug": slug})
        given.is_valid(raise_exception=True)
        return self._put(given.validated_data, status.HTTP_200_OK)

    def _put(self, document: Document, done: int) -> Response:
        self.check_domain(document)
        put = self.save(document)
        if not put.is_applied:
            return Response({"said": put.said, "url": put.url}, status=status.HTTP_202_ACCEPTED)
        row: Model = self.rows(self.needed).get(slug=document["slug"])
        return Response(self.get_serializer(row).data, status=done)

    def check_domain(self, document: Document) -> None:
        """Nothing is put into a domain in which one may not edit."""
        domain = Domain.objects.filter(slug=document.get("domain")).first()
        user: Any = self.request.user
        if domain and not user.has_hub_perm(self.needed, domain):
            raise PermissionDenied("Your roles do not let you edit in this domain.")
