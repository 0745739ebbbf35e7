"""Mappings over the API: versions, the draft, going live, and trying rules. The same services as the pages."""

from __future__ import annotations

from typing import Any

from django.db.models import Max, Q, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import generics, mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from hub.common.api import BySlug, KeysetPagination
from mappings import drafts, services
from mappings.api import serializers as api
from mappings.api import trials
from mappings.api.filters import asked, text
from mappings.api.parsing import ExactJSONParser
from mappings.editor import Editor
from mappings.models import Mapping, MappingVersion
from mappings.queries import mappings_for
from mappings.rules import FieldRule, parse_rules

SEE, EDIT = "mappings.view", "mappings.edit"
STATES = {"live": Q(active_version__gt=0), "draft": Q(draft_version__gt=0), "never": Q(active_version=None)}
SEARCHED = ("name", "slug", "stream__name", "stream__label", "stream__connection__name")


class NewestFirst(KeysetPagination):
    ordering = "-number"


@extend_schema_view(
    list=extend_schema(
        parameters=[
            text("direction", "in or out"),
            text("system", "Slug of a system."),
            text("stream", "Slug of a stream."),
            text("entity", "Slug of an entity."),
            text("state", "live, draft (with a draft) or never (never live)."),
            text("q", "Words of the name, the stream or the connection."),
        ]
    )
)
class MappingViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[Mapping],
):
    """How records of a stream become records of an entity, or the other way round."""

    required_permission: Any = {"GET": SEE, "POST": EDIT, "PUT": EDIT, "DELETE": EDIT}
    serializer_class: Any = api.MappingSerializer
    pagination_class = BySlug
    parser_classes = [ExactJSONParser]
    lookup_field = "slug"
    queryset = Mapping.objects.none()

    def get_queryset(self) -> QuerySet[Mapping]:
        rows = mappings_for(self.request.user, self._needed()).annotate(
            active_version=Max("versions__number", filter=Q(versions__status="active")),
            draft_version=Max("versions__number", filter=Q(versions__status="draft")),
        )
        return self._filtered(rows) if self.action == "list" else rows

    def _needed(self) -> str:
        """The permission that this act needs in the domain of the mapping's entity."""
        needed = self.required_permission
        return needed if isinstance(needed, str) else str(needed.get(self.request.method, SEE))

    def _filtered(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        columns = {
            "direction": "direction",
            "system": "stream__connection__system__slug",
            "stream": "stream__slug",
            "entity": "entity__slug",
        }
        for name, column in columns.items():
            if value := asked(self.request, name):
                rows = rows.filter(**{column: value})
        if state := asked(self.request, "state"):
            rows = rows.filter(STATES[state]) if state in STATES else rows.none()
        for word in asked(self.request, "q").split():
            holds = (Q(**{f"{column}__icontains": word}) for column in SEARCHED)
            rows = rows.filter(Q.create(list(holds), connector=Q.OR))
        return rows

    def perform_create(self, serializer: BaseSerializer[Mapping]) -> None:
        made = services.create_mapping(by=self.request.user, **serializer.validated_data)
        serializer.instance = self.get_queryset().get(pk=made.pk)

    def perform_destroy(self, instance: Mapping) -> None:
        """Only a mapping that no sync uses."""
        services.delete_mapping(mapping=instance, by=self.request.user)

    # --- the draft

    @extend_schema(responses=api.MappingDraftSerializer, filters=False)
    @action(detail=True, pagination_class=None)
    def draft(self, request: Request, slug: str) -> Response:
        """The draft with its rules; 404 when there is none."""
        found = self.get_object().versions.filter(status=MappingVersion.Status.DRAFT).first()
        if found is None:
            raise NotFound("There is no draft. Send rules to make one; it starts from the live version.")
        return Response(api.MappingDraftSerializer(found).data)

    @extend_schema(request=api.MappingRulesSerializer, responses=api.MappingDraftSerializer)
    @draft.mapping.put
    def replace_draft(self, request: Request, slug: str) -> Response:
        """Set all rules of the draft, which is made when there is none. Nothing runs with them before they are live."""
        mapping, given = self.get_object(), _valid(api.MappingRulesSerializer, request)
        version = drafts.replace_rules(mapping=mapping, by=request.user, **given)
        version.refresh_from_db()  # the mark is of the rules as they are stored
        return Response(api.MappingDraftSerializer(version).data)

    @extend_schema(responses={204: OpenApiResponse(description="There is no draft any more.")})
    @draft.mapping.delete
    def discard_draft(self, request: Request, slug: str) -> Response:
        """Throw the draft away; what is live stays."""
        services.discard_draft(mapping=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=api.MappingActivationSerializer, responses=api.MappingVersionDetailSerializer)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, slug: str) -> Response:
        """Make the draft the live version. Refused, with their sentences, while problems would stop records."""
        mapping, given = self.get_object(), _valid(api.MappingActivationSerializer, request)
        editor = Editor(mapping, request.user)
        blocking = [each.sentence for each in editor.problems if each.severity == "error"] if editor.draft else []
        if blocking:
            raise drafts.DraftBlocked(
                f"The draft cannot go live: {' '.join(blocking)}", where=mapping.slug, fix="Solve these first."
            )
        version = drafts.publish(
            mapping=mapping, errors=0, seen=given["seen"] or editor.mark, by=request.user, note=given["note"]
        )
        return Response(api.MappingVersionDetailSerializer(version).data)

    # --- trying

    @extend_schema(request=api.MappingCheckSerializer, responses=api.MappingValidationSerializer)
    @action(detail=True, methods=["post"], required_permission=SEE)
    def validate(self, request: Request, slug: str) -> Response:
        """What is wrong with the rules, and how much of the target they fill. Changes nothing."""
        mapping, given = self.get_object(), _valid(api.MappingCheckSerializer, request)
        if not given:
            return Response(trials.check_stored(Editor(mapping, request.user)))
        return Response(trials.check_given(mapping, _rules(mapping, given), given.get("records", [])))

    @extend_schema(request=api.MappingTrialSerializer, responses=api.MappingPreviewSerializer)
    @action(detail=True, methods=["post"], required_permission=SEE)
    def preview(self, request: Request, slug: str) -> Response:
        """What the rules make of up to 20 records, field by field. Writes nothing."""
        mapping, given = self.get_object(), _valid(api.MappingTrialSerializer, request)
        return Response({"results": trials.try_records(mapping, _rules(mapping, given), given["records"])})

    @extend_schema(responses=api.MappingSuggestionsSerializer, filters=False)
    @action(detail=True, pagination_class=None)
    def suggest(self, request: Request, slug: str) -> Response:
        """A source for each field that has no rule, where one is likely. Nothing is applied."""
        found = Editor(self.get_object(), request.user).suggestions
        return Response({"suggestions": [trials.suggestion(each) for each in found]})


class MappingVersionList(generics.ListAPIView[MappingVersion]):
    """All versions of a mapping, newest first, the draft among them; the rules stand in each one's own address."""

    required_permission = {"GET": SEE}
    serializer_class: Any = api.MappingVersionSerializer
    pagination_class = NewestFirst
    queryset = MappingVersion.objects.none()

    def get_queryset(self) -> QuerySet[MappingVersion]:
        return _versions(self.request, self.kwargs["slug"])


class MappingVersionDetail(generics.RetrieveAPIView[MappingVersion]):
    """One version with its rules. A version that was live never changes."""

    required_permission = {"GET": SEE}
    serializer_class: Any = api.MappingVersionDetailSerializer
    lookup_field = "number"
    queryset = MappingVersion.objects.none()

    def get_queryset(self) -> QuerySet[MappingVersion]:
        return _versions(self.request, self.kwargs["slug"])


# Shared ----------------------------------------------------------------------------------------------------
def _versions(request: Request, slug: str) -> QuerySet[MappingVersion]:
    mapping = get_object_or_404(mappings_for(request.user, SEE), slug=slug)
    return mapping.versions.select_related("created_by")


def _valid(serializer: Any, request: Request) -> Any:
    given = serializer(data=request.data)
    given.is_valid(raise_exception=True)
    return given.validated_data


def _rules(mapping: Mapping, given: dict[str, Any]) -> tuple[FieldRule, ...]:
    """The rules that were sent, else the draft's, else the live ones; none for a mapping without either."""
    if "rules" in given:
        return parse_rules(given["rules"])
    kept = mapping.versions.exclude(status=MappingVersion.Status.SUPERSEDED)
    by_status = {version.status: version for version in kept}
    found = by_status.get(MappingVersion.Status.DRAFT) or by_status.get(MappingVersion.Status.ACTIVE)
    return parse_rules(found.rules) if found else ()
