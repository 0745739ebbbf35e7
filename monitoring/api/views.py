"""The glossary over the API; every change goes through governance.terms.services."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import generics, mixins, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.models import Term
from governance.terms import services
from governance.terms.queries import terms_for
from hub.common.api import BySlug, permission_of
from hub.common.registry import kind
from monitoring.api.serializers import (
    SemanticDriftSerializer,
    TermChangeSerializer,
    TermMeasurementSerializer,
    TermSerializer,
)
from monitoring.glossary import measuring, queries
from monitoring.models import SemanticDrift, TermMeasurement

READ_WRITE = {
    "GET": "contracts.view",
    "POST": "contracts.edit",
    "PATCH": "contracts.edit",
    "DELETE": "contracts.edit",
}


class TermViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Term]):
    """What the firm's words mean, and how they are counted."""

    required_permission = READ_WRITE
    serializer_class = TermSerializer
    pagination_class = BySlug
    lookup_field = "slug"
    queryset = Term.objects.none()

    def get_queryset(self) -> QuerySet[Term]:
        return terms_for(self.request.user, permission_of(self))  # type: ignore[arg-type]

    @extend_schema(request=TermSerializer, responses={201: TermSerializer})
    def create(self, request: Request) -> Response:
        """Add a term."""
        given = TermSerializer(data=request.data, context=self.get_serializer_context())
        given.is_valid(raise_exception=True)
        return self._put(given.document(), status.HTTP_201_CREATED)

    @extend_schema(request=TermChangeSerializer, responses=TermSerializer)
    def partial_update(self, request: Request, slug: str) -> Response:
        """Change a term; what is left out keeps its value."""
        term = self.get_object()
        given = TermChangeSerializer(term, data=request.data, partial=True, context=self.get_serializer_context())
        given.is_valid(raise_exception=True)
        return self._put({**(kind("Term").dump(slug) or {}), **given.document()}, status.HTTP_200_OK)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, slug: str) -> Response:
        """Take a term out of the glossary, with all that was measured of it."""
        services.remove_term(self.get_object(), by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _put(self, document: dict[str, Any], code: int) -> Response:
        """The term as it stands; 202 where the change went to its reviewers."""
        done = services.save_term(document, by=self.request.user)
        if not done.is_applied:
            return Response({"detail": done.said, "url": done.url}, status=status.HTTP_202_ACCEPTED)
        return Response(self.get_serializer(Term.objects.get(slug=document["slug"])).data, status=code)


def term_of(view: APIView) -> Term:
    """The term of the address, or 404 where it is missing or the person may not do this in its domain."""
    found = terms_for(view.request.user, permission_of(view)).filter(slug=view.kwargs["slug"]).first()  # type: ignore[arg-type]
    if found is None:
        raise Http404
    return found


class MeasurementList(generics.ListAPIView[TermMeasurement]):
    """What a term measured, newest first."""

    required_permission = READ_WRITE
    serializer_class = TermMeasurementSerializer
    queryset = TermMeasurement.objects.none()

    def get_queryset(self) -> QuerySet[TermMeasurement]:
        return term_of(self).measurements.all()

    @extend_schema(request=None, responses={201: TermMeasurementSerializer}, operation_id="term_measure")
    def post(self, request: Request, slug: str) -> Response:
        """Measure the term now, in the hub and in every system, and keep what comes out."""
        made = measuring.measure(term_of(self))
        return Response(self.get_serializer(made).data, status=status.HTTP_201_CREATED)


class DriftList(generics.ListAPIView[SemanticDrift]):
    """Where numbers part, newest first; `?state=open` for those that have not met again."""

    required_permission = {"GET": "contracts.view"}
    serializer_class = SemanticDriftSerializer
    queryset = SemanticDrift.objects.none()

    def get_queryset(self) -> QuerySet[SemanticDrift]:
        rows = queries.drifts_for(self.request.user)  # type: ignore[arg-type]
        state = self.request.query_params.get("state", "")
        return rows.filter(closed_at__isnull=state == "open") if state in ("open", "closed") else rows
