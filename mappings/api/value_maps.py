"""Value maps over the API: settings, the whole table, and tables from CSV. The same services as the pages."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from hub.common.api import BySlug
from mappings import entries as tables
from mappings.api import value_map_serializers as api
from mappings.api.filters import asked, text
from mappings.api.parsing import ExactJSONParser
from mappings.entries import TablePlan
from mappings.models import ValueMap, ValueMapEntry
from mappings.queries import value_maps_for
from mappings.services import dump_entries, entry_problems
from mappings.value_map_csv import read_table

SEE, EDIT = "valuemaps.view", "valuemaps.edit"


@extend_schema_view(
    list=extend_schema(
        parameters=[
            text("domain", "Slug of a domain."),
            text("on_unmapped", "fail, keep, null or default"),
            text("q", "Words of the name, or of a value in the map."),
        ]
    ),
    retrieve=extend_schema(responses=api.ValueMapDetailSerializer),
)
class ValueMapViewSet(viewsets.ModelViewSet[ValueMap]):
    """Tables "value there → value here", kept by the people who know the business."""

    required_permission: Any = {"GET": SEE, "POST": EDIT, "PUT": EDIT, "PATCH": EDIT, "DELETE": EDIT}
    serializer_class: Any = api.ValueMapSerializer
    pagination_class = BySlug
    parser_classes = [ExactJSONParser]
    lookup_field = "slug"
    http_method_names = ["get", "post", "put", "patch", "delete", "head", "options"]
    queryset = ValueMap.objects.none()

    def get_queryset(self) -> QuerySet[ValueMap]:
        needed = self.required_permission.get(self.request.method, SEE)
        rows = value_maps_for(self.request.user, needed)
        rows = self._filtered(rows) if self.action == "list" else rows
        return rows.annotate(entry_count=Count("entries"))

    def _filtered(self, rows: QuerySet[ValueMap]) -> QuerySet[ValueMap]:
        for name, column in (("domain", "domain__slug"), ("on_unmapped", "on_unmapped")):
            if value := asked(self.request, name):
                rows = rows.filter(**{column: value})
        for word in asked(self.request, "q").split():
            holds = ValueMapEntry.objects.filter(Q(source__icontains=word) | Q(target__icontains=word))
            rows = rows.filter(Q(name__icontains=word) | Q(slug__icontains=word) | Q(pk__in=holds.values("value_map")))
        return rows

    def get_serializer_class(self) -> Any:
        return api.ValueMapDetailSerializer if self.action == "retrieve" else self.serializer_class

    def perform_create(self, serializer: BaseSerializer[ValueMap]) -> None:
        serializer.instance = tables.create_value_map(by=self.request.user, **serializer.validated_data)

    def perform_update(self, serializer: BaseSerializer[ValueMap]) -> None:
        found: Any = serializer.instance
        tables.save_value_map(value_map=found, by=self.request.user, **serializer.validated_data)

    def perform_destroy(self, instance: ValueMap) -> None:
        """Only a map that no mapping names."""
        tables.delete_value_map(value_map=instance, by=self.request.user)

    # --- the table

    @extend_schema(responses=api.ValueMapTableSerializer, filters=False)
    @action(detail=True, pagination_class=None)
    def entries(self, request: Request, slug: str) -> Response:
        """All entries, by source and first day."""
        return _table(self.get_object())

    @extend_schema(request=api.ValueMapTableSerializer, responses=api.ValueMapTableSerializer)
    @entries.mapping.put
    def replace_entries(self, request: Request, slug: str) -> Response:
        """Make these the map's entries: all of them, or none when anything is wrong."""
        value_map, given = self.get_object(), _valid(api.ValueMapTableSerializer, request)
        tables.apply_table(value_map=value_map, remove_others=True, by=request.user, **given)
        return _table(value_map)

    @extend_schema(request=api.ValueMapImportSerializer, responses=api.ValueMapPlanSerializer)
    @action(detail=True, methods=["post"], url_path="import")
    def bring_in(self, request: Request, slug: str) -> Response:
        """What a CSV text would change; with `apply`, the change itself. `errors` name the lines that are wrong."""
        value_map, given = self.get_object(), _valid(api.ValueMapImportSerializer, request)
        entries = _read(value_map, given["csv"], remove_others=given["remove_others"])
        plan = tables.plan_table(value_map, entries, remove_others=given["remove_others"])
        if given["apply"]:
            # the plan is of this revision: what is answered is what was done
            seen = given.get("seen_revision", value_map.revision)
            tables.apply_table(
                value_map=value_map,
                entries=entries,
                remove_others=given["remove_others"],
                by=request.user,
                seen_revision=seen,
            )
        return Response(_plan(plan, value_map, is_applied=given["apply"]))


# Shared ----------------------------------------------------------------------------------------------------
def _valid(serializer: Any, request: Request) -> Any:
    given = serializer(data=request.data)
    given.is_valid(raise_exception=True)
    return given.validated_data


def _table(value_map: ValueMap) -> Response:
    return Response({"entries": dump_entries(value_map), "revision": value_map.revision})


def _read(value_map: ValueMap, csv: str, *, remove_others: bool) -> tuple[dict[str, Any], ...]:
    """The entries of a CSV text; ValidationError with a sentence for each line that is wrong, or for the whole table."""
    reading = read_table(csv)
    if reading.problems:
        raise ValidationError({"csv": [f"Line {line}: {sentence}" for line, sentence in reading.problems]})
    table = tables.merged(value_map, reading.entries, remove_others=remove_others)
    if found := entry_problems(table):
        raise ValidationError({"csv": [f"With the entries that stay: {sentence}" for _, sentence in found]})
    return reading.entries


def _plan(plan: TablePlan, value_map: ValueMap, *, is_applied: bool) -> dict[str, Any]:
    return {
        "applied": is_applied,
        "added": plan.added,
        "changed": [{"before": before, "after": after} for before, after in plan.changed],
        "removed": plan.removed,
        "unchanged": plan.unchanged,
        "revision": value_map.revision,
    }
