"""Expectations over the API: what is due, soon late and late."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.routers import SimpleRouter

from hub.common.errors import RecordError
from monitoring.expectations.queries import SEE, TABS, expectations_for
from monitoring.models import Expectation


class ExpectationSerializer(serializers.ModelSerializer[Expectation]):
    """Amounts as decimal text; `amount_firm` is null where there is no exchange rate. `record` is null for runs."""

    service_level: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField("slug", read_only=True)
    domain: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField("slug", read_only=True)
    entity: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField("slug", read_only=True, allow_null=True)
    system: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField("slug", read_only=True, allow_null=True)
    record = serializers.IntegerField(source="record_id", read_only=True, allow_null=True)
    cause = serializers.IntegerField(source="cause_id", read_only=True)
    arrival = serializers.IntegerField(source="arrival_id", read_only=True, allow_null=True)

    class Meta:
        model = Expectation
        fields = (
            "id",
            "service_level",
            "domain",
            "entity",
            "system",
            "record",
            "key",
            "version",
            "state",
            "note",
            "opened_at",
            "warn_at",
            "due_at",
            "breached_at",
            "arrived_at",
            "cause",
            "arrival",
            "client",
            "project",
            "period",
            "legal_entity",
            "amount",
            "currency",
            "amount_firm",
        )
        read_only_fields = fields


class ExpectationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Expectation]):
    """What has to have happened by when, newest first."""

    required_permission = SEE
    serializer_class = ExpectationSerializer
    queryset = Expectation.objects.none()

    def get_queryset(self) -> QuerySet[Expectation]:
        rows = expectations_for(self.request.user)  # type: ignore[arg-type]
        if self.action != "list":
            return rows
        asked = self.request.query_params
        if level := asked.get("service_level"):
            rows = rows.filter(service_level__slug=level)
        return rows.filter(state__in=_states(asked.get("state", "all")))

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "state", str, description="late, warned, due, met, arrived_late, cancelled, unfinished or all."
            ),
            OpenApiParameter("service_level", str, description="Short name of a service level."),
        ]
    )
    def list(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Expectations; all of them unless a state is asked for."""
        return super().list(request, *args, **kwargs)


def _states(word: str) -> list[str]:
    if word == "all":
        return list(Expectation.State.values)
    name = "" if word == "unfinished" else word
    if name not in TABS or not word:
        known = ", ".join(filter(None, TABS))
        raise RecordError(
            f"{word!r} is no state of an expectation.", field="state", fix=f"Use {known}, unfinished or all."
        )
    return [str(state) for state in TABS[name][1]]


router = SimpleRouter()
router.register("expectations", ExpectationViewSet, "expectation")
urlpatterns = router.urls
