"""The exception queue for programs: causes, items, one item. The filters are the words of monitoring.exceptions.filters."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request

from hub.common.api import KeysetPagination
from hub.common.money import decimal_text
from monitoring.exceptions import classify, filters, queries, showing, valuing
from monitoring.exceptions.queries import SEE
from monitoring.models import ExceptionEvent, ExceptionGroup, ExceptionItem

_PAGING = ("cursor", "page_size", "format")
FILTERS = [OpenApiParameter(key, str, description=word) for key, word in filters.KEYS.items()]


class MoneyField(serializers.CharField):
    """An amount as decimal digits in a text; null where it is not known, never 0 instead."""

    def to_representation(self, value: Any) -> str:
        short = valuing.plain(value)
        return decimal_text(short) if short is not None else ""


class ExceptionGroupSerializer(serializers.ModelSerializer[ExceptionGroup]):
    """One root cause with the figures of the items that match; amounts in the firm's currency."""

    entity: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField("slug", read_only=True)
    domain: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField("slug", read_only=True)
    records = serializers.IntegerField(read_only=True)
    amount_firm = MoneyField(source="at_risk", read_only=True)
    unconverted = serializers.IntegerField(source="unpriced", read_only=True)
    due_at = serializers.DateTimeField(source="due", read_only=True, allow_null=True)
    oldest_at = serializers.DateTimeField(source="oldest", read_only=True, allow_null=True)

    class Meta:
        model = ExceptionGroup
        fields = (
            "id", "title", "cause", "entity", "domain", "facts", "records", "amount_firm", "unconverted", "due_at",
            "oldest_at", "first_at", "last_at", "reopened",
        )  # fmt: skip
        read_only_fields = fields


class ExceptionItemSerializer(serializers.ModelSerializer[ExceptionItem]):
    """One thing that a person has to settle. `detail` leaves out what its contract masks."""

    entity: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField("slug", read_only=True)
    domain: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField("slug", read_only=True)
    system: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField("slug", read_only=True)
    assignee: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField("email", read_only=True)
    amount = MoneyField(allow_null=True, read_only=True)
    amount_firm = MoneyField(allow_null=True, read_only=True)
    detail = serializers.SerializerMethodField()
    cause_name = serializers.SerializerMethodField()
    suggested_fix = serializers.SerializerMethodField()

    class Meta:
        model = ExceptionItem
        fields = (
            "id", "title", "cause", "cause_name", "classified_as", "kind", "state", "detail", "suggested_fix", "error_code",
            "field", "origin", "group", "entity", "domain", "system", "name", "external_id", "record_id", "transaction_id",
            "client", "client_name", "project", "project_name", "period", "legal_entity", "amount", "currency",
            "amount_firm", "rate_date", "amount_note", "due_at", "urgency", "assignee", "team", "tags", "snoozed_until",
            "opened_at", "seen_at", "times", "version", "resolved_at", "resolution", "evidence_id", "facts",
        )  # fmt: skip
        read_only_fields = fields

    def get_detail(self, item: ExceptionItem) -> str:
        found: dict[int, str] = self.context.get("details") or showing.details([item])
        return found.get(item.pk, "")

    def get_cause_name(self, item: ExceptionItem) -> str:
        return self._rule(item).name

    def get_suggested_fix(self, item: ExceptionItem) -> str:
        return self._rule(item).fix

    def _rule(self, item: ExceptionItem) -> classify.Rule:
        rules: dict[str, classify.Rule] = self.context.get("rules") or {}
        return rules.get(item.cause) or showing.rule_of(item.cause)


class ExceptionEventSerializer(serializers.ModelSerializer[ExceptionEvent]):
    by: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField("email", read_only=True)

    class Meta:
        model = ExceptionEvent
        fields = ("at", "act", "by", "text", "before", "after", "transaction_id")
        read_only_fields = fields


class ExceptionDetailSerializer(ExceptionItemSerializer):
    """One item with what was done about it."""

    events = serializers.SerializerMethodField()

    class Meta(ExceptionItemSerializer.Meta):
        fields = (*ExceptionItemSerializer.Meta.fields, "events")  # type: ignore[assignment]

    @extend_schema_field(ExceptionEventSerializer(many=True))
    def get_events(self, item: ExceptionItem) -> Any:
        """Sentences of the opening repeat the detail, which is masked above."""
        rows = ExceptionEventSerializer(item.events.select_related("by"), many=True).data
        return [{**row, "text": "" if row["act"] in ("opened", "seen_again") else row["text"]} for row in rows]


class ByRank(KeysetPagination):
    """The weightiest and most urgent first."""

    ordering = ("-rank", "-id")  # type: ignore[assignment]


class ByWeight(KeysetPagination):
    ordering = ("-weight", "-id")  # type: ignore[assignment]


def asked_of(request: Request) -> dict[str, str]:
    """What a request asks for; filters.find refuses what it does not know."""
    return {key: str(value) for key, value in request.query_params.items() if key not in _PAGING}


class ExceptionList(generics.ListAPIView[ExceptionItem]):
    """Exceptions that are not settled, or that a filter names."""

    required_permission = {"GET": SEE}
    serializer_class = ExceptionItemSerializer
    pagination_class = ByRank
    queryset = ExceptionItem.objects.none()
    filter_backends = ()

    def get_queryset(self) -> QuerySet[ExceptionItem]:
        user: Any = self.request.user
        return queries.items(user, asked_of(self.request))

    @extend_schema(parameters=FILTERS)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().get(request, *args, **kwargs)

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        self._details = showing.details(page or [])
        return page

    def get_serializer_context(self) -> dict[str, Any]:
        rules = {rule.slug: rule for rule in classify.all_rules()}
        return {**super().get_serializer_context(), "details": getattr(self, "_details", {}), "rules": rules}


class ExceptionDetail(generics.RetrieveAPIView[ExceptionItem]):
    """One exception with its history."""

    required_permission = {"GET": SEE}
    serializer_class = ExceptionDetailSerializer
    queryset = ExceptionItem.objects.none()

    def get_queryset(self) -> QuerySet[ExceptionItem]:
        user: Any = self.request.user
        return queries.items_for(user)


class ExceptionGroupList(generics.ListAPIView[ExceptionGroup]):
    """Root causes of the exceptions that match, with their number and the money that hangs on them."""

    required_permission = {"GET": SEE}
    serializer_class = ExceptionGroupSerializer
    pagination_class = ByWeight
    queryset = ExceptionGroup.objects.none()
    filter_backends = ()

    def get_queryset(self) -> QuerySet[ExceptionGroup]:
        user: Any = self.request.user
        return queries.groups(user, asked_of(self.request))

    @extend_schema(parameters=FILTERS, operation_id="exception_groups_list")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        return super().get(request, *args, **kwargs)


class ExceptionGroupDetail(generics.RetrieveAPIView[ExceptionGroup]):
    """One root cause with the figures of its open exceptions."""

    required_permission = {"GET": SEE}
    serializer_class = ExceptionGroupSerializer
    queryset = ExceptionGroup.objects.none()

    def get_object(self) -> ExceptionGroup:
        user: Any = self.request.user
        found = queries.with_figures(queries.groups_for(user)).filter(pk=self.kwargs["pk"]).first()
        if found is None:
            raise Http404
        return found


urlpatterns = [
    path("exceptions/", ExceptionList.as_view(), name="exceptions"),
    path("exceptions/groups/", ExceptionGroupList.as_view(), name="exception-groups"),
    path("exceptions/groups/<int:pk>/", ExceptionGroupDetail.as_view(), name="exception-group"),
    path("exceptions/<int:pk>/", ExceptionDetail.as_view(), name="exception"),
]
