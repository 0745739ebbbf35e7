"""Alerts over the API: what is wrong now, its history, mutes and acknowledgements, and rules and routes as documents."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter

from governance.api.documents import DocumentSerializer, DocumentViewSet
from hub.common.governed import Put
from hub.common.registry import Document
from hub.sync.totals import exact
from monitoring.alerts import queries, services
from monitoring.alerts.conditions import conditions
from monitoring.alerts.kinds import ROUTE, RULE
from monitoring.alerts.queries import EDIT, SEE
from monitoring.models import Alert, AlertChange, AlertMute, AlertRoute, AlertRule, Level

READ_WRITE = {"GET": SEE, "POST": EDIT, "PUT": EDIT, "DELETE": EDIT}
LEVELS = [("warning", "Warning"), ("critical", "Critical")]


class PlainDecimal(serializers.DecimalField):
    """Digits as text, without the zeros of the column."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_digits=19, decimal_places=4, allow_null=True, **kwargs)

    def to_representation(self, value: Any) -> Any:
        return exact(value)


class AlertChangeSerializer(serializers.ModelSerializer[AlertChange]):
    amount_firm = PlainDecimal(read_only=True)
    channels = serializers.SerializerMethodField(help_text="How it was told; empty where nobody was.")

    class Meta:
        model = AlertChange
        fields = (
            "id", "at", "before", "after", "words", "details", "records", "amount_firm", "unconverted", "is_told",
            "untold_why", "channels",
        )  # fmt: skip

    def get_channels(self, change: AlertChange) -> list[str]:
        return sorted({notice.channel for notice in change.notices.all()})


class AlertSerializer(serializers.ModelSerializer[Alert]):
    """Amounts are in the firm's currency; `unconverted` has those without a rate, by currency."""

    rule = serializers.SlugRelatedField[AlertRule](slug_field="slug", read_only=True)
    domain = serializers.SlugRelatedField[Any](slug_field="slug", read_only=True)
    value = PlainDecimal(read_only=True)
    amount_firm = PlainDecimal(read_only=True)
    acknowledged_by = serializers.SlugRelatedField[Any](slug_field="email", read_only=True)
    is_muted = serializers.BooleanField(read_only=True)

    class Meta:
        model = Alert
        fields = (
            "id", "rule", "subject", "name", "state", "since", "seen_at", "words", "value", "records", "amount_firm",
            "unconverted", "details", "domain", "cause", "acknowledged_at", "acknowledged_by", "is_muted",
        )  # fmt: skip


class MuteRequestSerializer(serializers.Serializer[Any]):
    until = serializers.DateTimeField(help_text="Within 90 days.")
    reason = serializers.CharField(max_length=500)


class AlertMuteSerializer(serializers.ModelSerializer[AlertMute]):
    rule = serializers.SlugRelatedField[AlertRule](slug_field="slug", read_only=True)

    class Meta:
        model = AlertMute
        fields = ("id", "rule", "subject", "reason", "at", "until_at", "ended_at")


@extend_schema_view(
    list=extend_schema(
        parameters=[
            OpenApiParameter("state", enum=["active", *Level.values], description="All where it is not given."),
            OpenApiParameter("rule", str, description="The short name of a rule."),
        ]
    )
)
class AlertViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Alert]):
    """The state of each thing that a rule watches, newest first."""

    required_permission = {"GET": SEE, "POST": EDIT}
    serializer_class = AlertSerializer
    queryset = Alert.objects.none()

    def get_queryset(self) -> QuerySet[Alert]:
        user: Any = self.request.user
        rows = queries.with_mutes(queries.alerts_for(user, EDIT if self.request.method == "POST" else SEE))
        asked = self.request.query_params
        if state := asked.get("state"):
            rows = rows.exclude(state="ok") if state == "active" else rows.filter(state=state)
        return rows.filter(rule__slug=asked["rule"]) if asked.get("rule") else rows

    @extend_schema(responses=AlertChangeSerializer(many=True))
    @action(detail=True, pagination_class=None, filter_backends=[])
    def changes(self, request: Request, pk: str) -> Response:
        """The last hundred changes of its state, newest first."""
        rows = self.get_object().changes.prefetch_related("notices")[:100]
        return Response(AlertChangeSerializer(rows, many=True).data)

    @extend_schema(request=None, responses=AlertSerializer)
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str) -> Response:
        """Say that you look after it; it holds until the alert gets worse or is over."""
        services.acknowledge(self.get_object(), by=request.user)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=MuteRequestSerializer, responses={201: AlertMuteSerializer})
    @action(detail=True, methods=["post"])
    def mute(self, request: Request, pk: str) -> Response:
        """Tell nobody of this subject until then."""
        found, given = self.get_object(), MuteRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        made = services.mute(rule=found.rule, subject=found.subject, by=request.user, **given.validated_data)
        return Response(AlertMuteSerializer(made).data, status=status.HTTP_201_CREATED)


class AlertRuleSerializer(DocumentSerializer):
    """Thresholds as text, in the unit of the condition; null for never on that level."""

    kind_name = RULE
    description = None  # type: ignore[assignment]
    what = serializers.CharField(max_length=40, help_text="A condition: failed_run, dead_letter_amount, …")
    domain = serializers.SlugField(allow_null=True, required=False, default=None)
    system = serializers.SlugField(allow_null=True, required=False, default=None)
    sync = serializers.SlugField(allow_null=True, required=False, default=None)
    warning = serializers.CharField(max_length=30, allow_null=True, required=False, default=None)
    critical = serializers.CharField(max_length=30, allow_null=True, required=False, default=None)
    evaluations = serializers.IntegerField(min_value=1, max_value=20, required=False, default=1)
    owner = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")


class AlertConditionSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    unit = serializers.CharField()
    help = serializers.CharField()
    is_below = serializers.BooleanField(help_text="Less is worse.")
    warning = PlainDecimal()
    critical = PlainDecimal()


class AlertRuleViewSet(DocumentViewSet):
    """What is watched, and from when on it is a warning or critical."""

    required_permission = READ_WRITE
    serializer_class = AlertRuleSerializer
    queryset = AlertRule.objects.none()

    def rows(self, permission: str) -> QuerySet[AlertRule]:
        user: Any = self.request.user
        return queries.rules_for(user, permission).order_by("slug")

    def save(self, document: Document) -> Put:
        return services.save_rule(document, by=self.request.user)

    def check_domain(self, document: Document) -> None:
        check_scope(self, document)

    @extend_schema(responses={204: OpenApiResponse(description="Deleted.")})
    def destroy(self, request: Request, slug: str) -> Response:
        """With its alerts and their history; rules that ship with the hub stay."""
        services.delete_rule(self.get_object(), by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses=AlertConditionSerializer(many=True))
    @action(detail=False, pagination_class=None)
    def conditions(self, request: Request) -> Response:
        """What rules can watch, with the levels that are usual."""
        return Response(AlertConditionSerializer(list(conditions().values()), many=True).data)

    @extend_schema(request=MuteRequestSerializer, responses={201: AlertMuteSerializer})
    @action(detail=True, methods=["post"])
    def mute(self, request: Request, slug: str) -> Response:
        """Tell nobody of anything that the rule watches until then."""
        found, given = self.get_object(), MuteRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        made = services.mute(rule=found, by=request.user, **given.validated_data)
        return Response(AlertMuteSerializer(made).data, status=status.HTTP_201_CREATED)


class AlertRouteSerializer(DocumentSerializer):
    """`secrets` takes `chat` and `webhook`; they come back as placeholders, never as what they are."""

    kind_name = ROUTE
    description = None  # type: ignore[assignment]
    position = serializers.IntegerField(min_value=0, max_value=30_000, required=False, default=100)
    domain = serializers.SlugField(allow_null=True, required=False, default=None)
    system = serializers.SlugField(allow_null=True, required=False, default=None)
    rule = serializers.SlugField(allow_null=True, required=False, default=None)
    level = serializers.ChoiceField(LEVELS, required=False, default="warning")
    amount_from = serializers.CharField(max_length=30, allow_null=True, required=False, default=None)
    goes_on = serializers.BooleanField(required=False, default=False)
    mail = serializers.ListField(child=serializers.EmailField(), required=False, default=list)
    webhook = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")
    allowed_networks = serializers.ListField(child=serializers.CharField(max_length=50), required=False, default=list)
    secrets = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False, default=dict)
    digest = serializers.ChoiceField(AlertRoute.Digest.choices, required=False, default="immediately")
    digest_at = serializers.CharField(max_length=5, required=False, default="08:00")
    critical_at_once = serializers.BooleanField(required=False, default=True)
    calendar = serializers.SlugField(allow_null=True, required=False, default=None)


class AlertRouteViewSet(DocumentViewSet):
    """Who is told, by which way, and when."""

    required_permission = READ_WRITE
    serializer_class = AlertRouteSerializer
    queryset = AlertRoute.objects.none()

    def rows(self, permission: str) -> QuerySet[AlertRoute]:
        user: Any = self.request.user
        return queries.routes_for(user, permission).order_by("slug")

    def save(self, document: Document) -> Put:
        return services.save_route(document, by=self.request.user)

    def check_domain(self, document: Document) -> None:
        check_scope(self, document)

    @extend_schema(responses={204: OpenApiResponse(description="Deleted.")})
    def destroy(self, request: Request, slug: str) -> Response:
        """What waits to be sent by it is dropped."""
        services.delete_route(self.get_object(), by=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={202: OpenApiResponse(description="A test goes to every channel.")})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, slug: str) -> Response:
        """Send a test notice to every channel of the route."""
        services.test_fire(self.get_object(), by=request.user)
        return Response(status=status.HTTP_202_ACCEPTED)


def check_scope(view: DocumentViewSet, document: Document) -> None:
    """What is for the whole firm needs the permission for all domains."""
    user: Any = view.request.user
    if not document.get("domain") and user.domain_ids_for(view.needed) is not None:
        view.permission_denied(view.request, "Your roles do not let you edit for all domains; name one.")
    DocumentViewSet.check_domain(view, document)


router = SimpleRouter()
router.register("alerts", AlertViewSet, "alert")
router.register("alert-rules", AlertRuleViewSet, "alert-rule")
router.register("alert-routes", AlertRouteViewSet, "alert-route")
urlpatterns = router.urls
