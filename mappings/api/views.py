"""Mappings and value maps over the API; every change goes through the package's services."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from hub.common.errors import ConfigError
from hub.common.times import business_today
from mappings import entries as tables
from mappings import services
from mappings.api import serializers as api
from mappings.compile import compile_mapping
from mappings.models import Mapping, MappingVersion, ValueMap
from mappings.queries import known_value_maps, mappings_for, value_maps_for
from mappings.rules import FieldRule, parse_rules
from mappings.sides import sides_of
from mappings.validate import coverage, problems


def _permissions(area: str) -> dict[str, str]:
    return {"GET": f"{area}.view", **dict.fromkeys(("POST", "PUT", "PATCH", "DELETE"), f"{area}.edit")}


def _needed(request: Request, area: str) -> str:
    return f"{area}.view" if request.method in ("GET", "HEAD", "OPTIONS") else f"{area}.edit"


class MappingViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, viewsets.GenericViewSet[Mapping]
):
    """How records of a stream become records of an entity, or the other way round."""

    required_permission = _permissions("mappings")
    serializer_class = api.MappingSerializer
    lookup_field = "slug"
    queryset = Mapping.objects.none()

    def get_queryset(self) -> QuerySet[Mapping]:
        return mappings_for(self.request.user, _needed(self.request, "mappings"))

    def perform_create(self, serializer: BaseSerializer[Mapping]) -> None:
        entity = serializer.validated_data["entity"]
        if not self.request.user.has_hub_perm("mappings.edit", entity.domain):  # type: ignore[union-attr]
            raise PermissionDenied("Your roles do not include mappings of this entity's domain.")
        serializer.instance = services.create_mapping(by=self.request.user, **serializer.validated_data)

    @extend_schema(operation_id="mappings_versions", responses=api.MappingVersionSerializer(many=True))
    @action(methods=["get"], detail=True, pagination_class=None, filter_backends=[])
    def versions(self, request: Request, slug: str) -> Response:
        """Every version, the newest first; the draft, if there is one, among them."""
        return Response(api.MappingVersionSerializer(self.get_object().versions.all(), many=True).data)

    @extend_schema(
        operation_id="mappings_draft", request=api.MappingRulesSerializer, responses=api.MappingVersionSerializer
    )
    @action(methods=["put"], detail=True)
    def draft(self, request: Request, slug: str) -> Response:
        """Replace the draft's rules; nothing runs with them before they are activated."""
        given = api.MappingRulesSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        rules = given.validated_data["rules"]
        version = services.save_draft_rules(mapping=self.get_object(), rules=rules, by=request.user)
        return Response(api.MappingVersionSerializer(version).data)

    @extend_schema(operation_id="mappings_discard", request=None, responses={204: None})
    @action(methods=["post"], detail=True)
    def discard(self, request: Request, slug: str) -> Response:
        """Throw the draft away."""
        services.discard_draft(mapping=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        operation_id="mappings_activate", request=api.MappingNoteSerializer, responses=api.MappingVersionSerializer
    )
    @action(methods=["post"], detail=True)
    def activate(self, request: Request, slug: str) -> Response:
        """Put the draft into force; refused while it has problems that would stop records."""
        given = api.MappingNoteSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        mapping = self.get_object()
        errors = [p.sentence for p in _problems(mapping, _rules(mapping, None), []) if p.severity == "error"]
        if errors:
            raise ConfigError(
                f"The draft has {len(errors)} problems: {' '.join(errors[:5])}", fix="Correct them first."
            )
        version = services.activate_draft(mapping=mapping, by=request.user, note=given.validated_data.get("note", ""))
        return Response(api.MappingVersionSerializer(version).data)

    @extend_schema(
        operation_id="mappings_validate", request=api.MappingTrialSerializer, responses=api.MappingValidationSerializer
    )
    @action(methods=["post"], detail=True)
    def validate(self, request: Request, slug: str) -> Response:
        """Problems and coverage of the draft or of the given rules. Changes nothing."""
        mapping, rules, records = self._trial(request)
        found = coverage(rules, sides_of(mapping, samples=records).schema)
        names = ("required_mapped", "required_total", "optional_mapped", "optional_total")
        listed = [
            {"severity": p.severity, "target": p.target, "code": p.code, "sentence": p.sentence}
            for p in _problems(mapping, rules, records)
        ]
        return Response({"problems": listed, **{name: getattr(found, name) for name in names}})

    @extend_schema(
        operation_id="mappings_preview", request=api.MappingTrialSerializer, responses=api.MappingPreviewSerializer
    )
    @action(methods=["post"], detail=True)
    def preview(self, request: Request, slug: str) -> Response:
        """What the draft, or the given rules, make of up to 20 records. Writes nothing."""
        mapping, rules, records = self._trial(request)
        mapper = compile_mapping(
            rules,
            value_maps=known_value_maps(rules),
            time_zone=mapping.stream.time_zone,
            direction="in" if mapping.direction == "in" else "out",
            today=business_today(),
        )
        results = [
            {"mapped": result, "reasons": []}
            if isinstance(result, dict)
            else {"mapped": None, "reasons": [str(error) for error in result.errors]}
            for result in mapper.apply_all(records)
        ]
        return Response({"results": results})

    def _trial(self, request: Request) -> tuple[Mapping, tuple[FieldRule, ...], list[dict[str, Any]]]:
        given = api.MappingTrialSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        mapping = self.get_object()
        return mapping, _rules(mapping, given.validated_data.get("rules")), given.validated_data.get("records", [])


def _rules(mapping: Mapping, given: list[dict[str, Any]] | None) -> tuple[FieldRule, ...]:
    if given is not None:
        return parse_rules(given)
    wanted = (MappingVersion.Status.DRAFT, MappingVersion.Status.ACTIVE)
    versions = {version.status: version for version in mapping.versions.filter(status__in=wanted)}
    found = versions.get(wanted[0]) or versions.get(wanted[1])
    if found is None:
        raise Http404
    return parse_rules(found.rules)


def _problems(mapping: Mapping, rules: tuple[FieldRule, ...], records: list[dict[str, Any]]) -> list[Any]:
    sides = sides_of(mapping, samples=records)
    return list(
        problems(
            rules,
            source_fields=sides.sources,
            target_schema=sides.schema,
            sample_records=records,
            value_maps=known_value_maps(rules),
            time_zone=mapping.stream.time_zone,
            direction="in" if mapping.direction == "in" else "out",
        )
    )


class ValueMapViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, viewsets.GenericViewSet[ValueMap]
):
    """Tables "value there → value here", kept by the people who know the business."""

    required_permission = _permissions("valuemaps")
    serializer_class = api.ValueMapSerializer
    lookup_field = "slug"
    queryset = ValueMap.objects.none()

    def get_queryset(self) -> QuerySet[ValueMap]:
        return value_maps_for(self.request.user, _needed(self.request, "valuemaps"))

    def perform_create(self, serializer: BaseSerializer[ValueMap]) -> None:
        domain = serializer.validated_data.get("domain")
        if not self.request.user.has_hub_perm("valuemaps.edit", domain):  # type: ignore[union-attr]
            raise PermissionDenied("Your roles do not include value maps of this domain.")
        serializer.instance = tables.create_value_map(by=self.request.user, **serializer.validated_data)

    @extend_schema(operation_id="value_maps_entries", responses=api.ValueMapEntriesSerializer)
    @action(methods=["get"], detail=True, pagination_class=None, filter_backends=[])
    def entries(self, request: Request, slug: str) -> Response:
        return Response({"entries": services.dump_entries(self.get_object())})

    @extend_schema(
        operation_id="value_maps_replace_entries",
        request=api.ValueMapEntriesSerializer,
        responses=api.ValueMapEntriesSerializer,
    )
    @entries.mapping.put
    def replace_entries(self, request: Request, slug: str) -> Response:
        """Make these the map's entries: all of them, or none when anything is wrong."""
        given = api.ValueMapEntriesSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        value_map = self.get_object()
        services.replace_entries(value_map=value_map, entries=given.validated_data["entries"], by=request.user)
        return Response({"entries": services.dump_entries(value_map)})
