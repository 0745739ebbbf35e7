"""Contracts in other people's formats over the API: out as documents, in as text, which is compared before it counts."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.serializers import VerdictSerializer
from governance.api.views import contract_for
from governance.exchange import exporting, importing, reading
from governance.exchange.views import download
from governance.models import ContractVersion
from governance.queries import active_version, contracts_for

FILE = OpenApiResponse(OpenApiTypes.STR, description="The document, as YAML or JSON.")


class ImportSerializer(serializers.Serializer[Any]):
    """`content` is the text of the file. `name` and `domain` say what the file leaves out."""

    format = serializers.ChoiceField(importing.FORMATS)
    content = serializers.CharField(max_length=reading.MAX_BYTES, trim_whitespace=False)
    name = serializers.CharField(max_length=60, allow_blank=True, default="")
    domain = serializers.CharField(max_length=60, allow_blank=True, default="", help_text="For a new entity.")
    dry_run = serializers.BooleanField(default=False)
    seen = serializers.IntegerField(
        allow_null=True, default=None, help_text="The version that was compared; 0 for none."
    )
    breaking = serializers.BooleanField(default=False, help_text="Import it although it breaks what is promised.")


class FindingSerializer(serializers.Serializer[Any]):
    """One rule of a ruleset that a contract fails."""

    ruleset = serializers.CharField()
    rule = serializers.CharField()
    severity = serializers.CharField(help_text="error or warning.")
    sentence = serializers.CharField()


class ImportProposalSerializer(VerdictSerializer):
    """What the file makes of the contract; `applied` says whether it counts already."""

    severity = serializers.CharField(help_text="none, info, warn or err.")  # type: ignore[assignment]
    contract = serializers.CharField()
    is_new = serializers.BooleanField()
    active_version = serializers.IntegerField(allow_null=True)
    rulesets = FindingSerializer(many=True)
    notes = serializers.ListField(child=serializers.CharField())
    dry_run = serializers.BooleanField()
    applied = serializers.BooleanField()
    version = serializers.IntegerField(allow_null=True)
    said = serializers.CharField(allow_blank=True)


class ContractExport(APIView):
    """One version in a standard's format: `?version=2`, without it the one in force."""

    required_permission: ClassVar[dict[str, str]] = {"GET": "contracts.view"}

    @extend_schema(
        parameters=[
            OpenApiParameter("format", str, OpenApiParameter.PATH, enum=list(exporting.FORMATS)),
            OpenApiParameter("version", int),
        ],
        responses={200: FILE},
        operation_id="contract_export",
    )
    def get(self, request: Request, slug: str, format_: str) -> HttpResponse:
        contract, number = contract_for(request, slug), request.query_params.get("version", "")
        found: ContractVersion | None = active_version(contract)
        if number:
            found = contract.versions.filter(number=int(number)).first() if number.isdecimal() else None
        if found is None or format_ not in exporting.FORMATS:
            raise Http404
        return download(exporting.export_version(found, format_))


class EventsExport(APIView):
    """The events of every contract in your domains as one AsyncAPI 3.0 document."""

    required_permission: ClassVar[dict[str, str]] = {"GET": "contracts.view"}

    @extend_schema(responses={200: FILE}, operation_id="events_asyncapi")
    def get(self, request: Request) -> HttpResponse:
        return download(exporting.export_events(contracts_for(request.user)))  # type: ignore[arg-type]


class ContractImport(APIView):
    """Make a file the next version of a contract, or a new entity; with `dry_run` only compare."""

    required_permission: ClassVar[dict[str, str]] = {"POST": "contracts.edit"}

    @extend_schema(request=ImportSerializer, responses=ImportProposalSerializer, operation_id="contract_import")
    def post(self, request: Request) -> Response:
        asked = ImportSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given, by = asked.validated_data, request.user
        proposal = importing.propose(
            given["content"].encode(),
            format_=given["format"],
            where="content",
            name=given["name"],
            domain=given["domain"],
        )
        if not by.has_hub_perm("contracts.edit", proposal.domain):  # type: ignore[union-attr]
            raise PermissionDenied
        told = proposal.as_data() | {"dry_run": given["dry_run"], "applied": False, "version": None, "said": ""}
        if given["dry_run"]:
            return Response(ImportProposalSerializer(told).data)
        put = importing.accept(
            proposal, by=by, seen=given["seen"], is_breaking_accepted=given["breaking"], where="the API"
        )
        version = ContractVersion.objects.filter(contract__slug=proposal.slug, status="active").first()
        told |= {"applied": put.is_applied, "said": put.said, "version": version.number if version else None}
        made = put.is_applied and not proposal.is_same
        return Response(
            ImportProposalSerializer(told).data, status=status.HTTP_201_CREATED if made else status.HTTP_200_OK
        )
