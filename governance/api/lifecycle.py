"""The life of contract versions over the API, their consumers, and the breaches that runs met."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance import breaches, deprecation, lifecycle
from governance.api.serializers import VersionSerializer
from governance.models import ContractBreach, ContractVersion
from governance.queries import contracts_for
from hub.common.api import KeysetPagination, permission_of


class ActSerializer(serializers.Serializer[Any]):
    """Why a version takes its next step."""

    reason = serializers.CharField(max_length=500, allow_blank=True, default="")


class ActivateSerializer(serializers.Serializer[Any]):
    """`accepted_break` says why a break of what the contract promises is accepted."""

    accepted_break = serializers.CharField(max_length=500, allow_blank=True, default="")


class SunsetSerializer(ActSerializer):
    sunset_date = serializers.DateField()


class StandingSerializer(serializers.Serializer[Any]):
    """A consumer of a version: in_use, notified, acknowledged, or migrated as its traffic shows."""

    kind = serializers.CharField(source="consumer.kind")
    name = serializers.CharField(source="consumer.name")
    way = serializers.CharField(source="consumer.way")
    state = serializers.ChoiceField(["in_use", "notified", "acknowledged", "migrated"])
    uses = serializers.IntegerField(source="seen.uses", default=0)
    last_at = serializers.DateTimeField(source="seen.last_at", default=None)
    notified_at = serializers.DateTimeField(source="notice.notified_at", default=None)
    acknowledged_at = serializers.DateTimeField(source="notice.acknowledged_at", default=None)
    migrated_at = serializers.DateTimeField(allow_null=True)


class AcknowledgeSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(max_length=40)
    name = serializers.CharField(max_length=120)
    note = serializers.CharField(max_length=500, allow_blank=True, default="")


class BreachSerializer(serializers.ModelSerializer[ContractBreach]):
    contract = serializers.SlugField(source="version.contract.slug", read_only=True)
    version = serializers.IntegerField(source="version.number", read_only=True)

    class Meta:
        model = ContractBreach
        fields = (
            "id",
            "at",
            "contract",
            "version",
            "sync",
            "run_id",
            "external_id",
            "field",
            "rule",
            "value",
            "sentence",
            "action",
            "is_at_source",
        )


def version_of(request: Request, view: Any, slug: str, number: int) -> ContractVersion:
    """A version of a contract for which the person holds the permission of the view; 404 otherwise."""
    found = contracts_for(request.user, permission_of(view)).filter(slug=slug).first()  # type: ignore[arg-type]
    version = found.versions.filter(number=number).first() if found else None
    if version is None:
        raise Http404
    return version


class _Act(APIView):
    """One step in the life of a version."""

    serializer: type[serializers.Serializer[Any]] = ActSerializer
    act: Callable[..., ContractVersion]

    def post(self, request: Request, slug: str, number: int) -> Response:
        version = version_of(request, self, slug, number)
        given = self.serializer(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(VersionSerializer(type(self).act(version, by=request.user, **given.validated_data)).data)


def _documented(view: type[_Act], name: str) -> type[_Act]:
    post = extend_schema(request=view.serializer, responses=VersionSerializer, operation_id=name)
    return extend_schema_view(post=post)(view)


class _Edit(_Act):
    required_permission = {"POST": "contracts.edit"}


class _Decide(_Act):
    required_permission = {"POST": "approvals.decide"}


class Submit(_Edit):
    """Hand a draft to the reviewers."""

    act = staticmethod(lifecycle.submit)


class Abandon(_Edit):
    """Give a draft up, with a reason."""

    act = staticmethod(lifecycle.abandon)


class Approve(_Decide):
    """Agree to a version that is in review; not one's own."""

    act = staticmethod(lifecycle.approve)


class SendBack(_Decide):
    """Make it a draft again, with a reason."""

    act = staticmethod(lifecycle.send_back)


class Activate(_Edit):
    """Put an approved version in force. What breaks the contract's promise is refused without `accepted_break`."""

    serializer = ActivateSerializer
    act = staticmethod(lifecycle.activate)


class Sunset(_Edit):
    """Say until when a deprecated version is served; its consumers are told."""

    serializer = SunsetSerializer
    act = staticmethod(deprecation.announce_sunset)


class Retire(_Edit):
    """Serve a deprecated version no longer. Refused before its sunset, and while somebody uses it."""

    act = staticmethod(deprecation.retire)


ACTS = {
    "submit": Submit,
    "abandon": Abandon,
    "approve": Approve,
    "send-back": SendBack,
    "activate": Activate,
    "sunset": Sunset,
    "retire": Retire,
}
for _name, _view in ACTS.items():
    _documented(_view, f"contract_version_{_name.replace('-', '_')}")


class VersionConsumers(APIView):
    """Who uses records by this version: syncs, mappings, subscriptions, and programs as their traffic shows."""

    required_permission = {"GET": "contracts.view", "POST": "contracts.edit"}

    @extend_schema(responses=StandingSerializer(many=True), operation_id="contract_version_consumers")
    def get(self, request: Request, slug: str, number: int) -> Response:
        version = version_of(request, self, slug, number)
        return Response(StandingSerializer(deprecation.standings(version), many=True).data)

    @extend_schema(
        request=AcknowledgeSerializer,
        responses=StandingSerializer(many=True),
        operation_id="contract_version_acknowledge",
    )
    def post(self, request: Request, slug: str, number: int) -> Response:
        """Note that the people of a consumer know of the sunset."""
        version = version_of(request, self, slug, number)
        given = AcknowledgeSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        deprecation.acknowledge(version, by=request.user, **given.validated_data)
        return Response(StandingSerializer(deprecation.standings(version), many=True).data)


FILTERS = ("field", "rule", "action", "sync")


@extend_schema(
    parameters=[
        OpenApiParameter("contract", OpenApiTypes.STR, description="Only breaches of this contract."),
        OpenApiParameter("run", OpenApiTypes.INT, description="Only breaches that this run met."),
        *(OpenApiParameter(name, OpenApiTypes.STR) for name in FILTERS),
    ]
)
class BreachList(generics.ListAPIView[ContractBreach]):
    """Records that broke their contract, and what was done with them, newest first."""

    required_permission = "contracts.view"
    serializer_class = BreachSerializer
    pagination_class = KeysetPagination
    queryset = ContractBreach.objects.none()

    def get_queryset(self) -> QuerySet[ContractBreach]:
        asked = self.request.query_params
        rows = breaches.breaches_for(self.request.user)  # type: ignore[arg-type]
        rows = rows.filter(**{name: asked[name] for name in FILTERS if asked.get(name)})
        if contract := asked.get("contract"):
            rows = rows.filter(version__contract__slug=contract)
        run = asked.get("run", "")
        return rows.filter(run_id=int(run)) if run.isdecimal() and len(run) < 19 else rows
