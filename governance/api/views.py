"""Entities, contracts, versions and fields over the API; every change goes through governance.services."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics, mixins, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from governance import consumers, lifecycle, services
from governance.api.serializers import (
    ContractSerializer,
    EntityChangeSerializer,
    EntitySerializer,
    FieldChangeSerializer,
    FieldSerializer,
    ProposalSerializer,
    VerdictSerializer,
    VersionSerializer,
)
from governance.deprecation import headers_of
from governance.field_specs import FieldInput, build, problem
from governance.models import Contract, ContractVersion, Entity
from governance.queries import active_version, contracts_for, entities_for
from governance.schemas import Field, fields_of
from hub.common.api import KeysetPagination
from hub.common.errors import ConfigError

READ_WRITE = {
    "GET": "contracts.view",
    "POST": "contracts.edit",
    "PUT": "contracts.edit",
    "PATCH": "contracts.edit",
    "DELETE": "contracts.edit",
}


class EntityViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, viewsets.GenericViewSet[Entity]
):
    """What the hub keeps. Making an entity makes its contract, with the key fields alone."""

    required_permission = READ_WRITE
    serializer_class = EntitySerializer
    lookup_field = "slug"
    queryset = Entity.objects.none()

    def get_queryset(self) -> QuerySet[Entity]:
        return entities_for(self.request.user, _needed(self.request))  # type: ignore[arg-type]

    def perform_create(self, serializer: BaseSerializer[Entity]) -> None:
        serializer.instance = services.create_entity(by=self.request.user, **serializer.validated_data)

    @extend_schema(request=EntityChangeSerializer, responses=EntitySerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change name, description, domain, load order or waiting time."""
        entity = self.get_object()
        change = EntityChangeSerializer(entity, data=request.data, partial=True, context=self.get_serializer_context())
        change.is_valid(raise_exception=True)
        services.change_entity(entity, by=request.user, **change.validated_data)
        return Response(self.get_serializer(entity).data)


class ContractViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Contract]):
    """What a record of an entity must look like: the version in force."""

    required_permission = READ_WRITE
    serializer_class = ContractSerializer
    lookup_field = "slug"
    queryset = Contract.objects.none()

    def get_queryset(self) -> QuerySet[Contract]:
        return contracts_for(self.request.user, _needed(self.request))  # type: ignore[arg-type]

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change what happens to fields that the contract does not know, or what a new version may not break."""
        contract = self.get_object()
        change = self.get_serializer(contract, data=request.data, partial=True)
        change.is_valid(raise_exception=True)
        services.change_entity(contract.entity, by=request.user, **change.validated_data)
        contract.refresh_from_db(fields=[*services.OF_CONTRACT])
        return Response(self.get_serializer(contract).data)


def contract_for(request: Request, slug: str) -> Contract:
    """The contract, or 404 where it is missing or the person may not do this in its domain."""
    found = contracts_for(request.user, _needed(request)).filter(slug=slug).first()  # type: ignore[arg-type]
    if found is None:
        raise Http404
    return found


def version_for(request: Request, slug: str) -> ContractVersion:
    """The version in force of a contract."""
    found = active_version(contract_for(request, slug))
    if found is None:
        raise Http404
    return found


def field_of(version: ContractVersion, name: str) -> Field:
    found = next((field for field in fields_of(version.schema) if field.name == name), None)
    if found is None:
        raise Http404
    return found


class NewestFirst(KeysetPagination):
    ordering = "-number"


class VersionList(generics.ListAPIView[ContractVersion]):
    """All versions of a contract, newest first. What has left the draft never changes."""

    required_permission = READ_WRITE
    serializer_class = VersionSerializer
    pagination_class = NewestFirst
    queryset = ContractVersion.objects.none()

    def get_queryset(self) -> QuerySet[ContractVersion]:
        return contract_for(self.request, self.kwargs["slug"]).versions.select_related("created_by")

    @extend_schema(request=ProposalSerializer, responses={201: VersionSerializer})
    def post(self, request: Request, slug: str) -> Response:
        """Propose a version: a draft, numbered as its difference from the version in force asks for."""
        contract = contract_for(request, slug)
        given = ProposalSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        made = lifecycle.propose(contract=contract, by=request.user, **given.validated_data)
        return Response(VersionSerializer(made).data, status=status.HTTP_201_CREATED)


class VersionDetail(generics.RetrieveAPIView[ContractVersion]):
    """One version; a deprecated one says so in its headers, with its sunset and its successor."""

    required_permission = READ_WRITE
    serializer_class = VersionSerializer
    queryset = ContractVersion.objects.none()
    lookup_field = "number"

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        version = self.get_object()
        return Response(self.get_serializer(version).data, headers=headers_of(version))

    def get_queryset(self) -> QuerySet[ContractVersion]:
        return contract_for(self.request, self.kwargs["slug"]).versions.select_related("created_by")


class VersionDiff(APIView):
    """What changed between two versions and what that breaks: `?old=1&new=2`, without them the two newest."""

    required_permission = READ_WRITE

    @extend_schema(
        parameters=[OpenApiParameter("old", int), OpenApiParameter("new", int)],
        responses=VerdictSerializer,
        operation_id="contract_diff",
    )
    def get(self, request: Request, slug: str) -> Response:
        contract = contract_for(request, slug)
        newest = contract.versions.order_by("-number").values_list("number", flat=True).first() or 1
        new = self._version(contract, request.query_params.get("new", str(newest)))
        old = self._version(contract, request.query_params.get("old", str(max(new.number - 1, 1))))
        verdict = lifecycle.compared(old, new)
        real = consumers.effective(verdict, consumers.of(contract.entity))
        return Response(VerdictSerializer(verdict.as_data() | {"effective": real.as_data()}).data)

    def _version(self, contract: Contract, number: str) -> ContractVersion:
        found = contract.versions.filter(number=int(number)).first() if number.isdecimal() else None
        if found is None:
            raise Http404
        return found


class FieldList(APIView):
    """The fields of the version in force."""

    required_permission = READ_WRITE

    @extend_schema(responses=FieldSerializer(many=True), operation_id="contract_fields_list")
    def get(self, request: Request, slug: str) -> Response:
        return Response(FieldSerializer(fields_of(version_for(request, slug).schema), many=True).data)

    @extend_schema(request=FieldSerializer, responses={201: FieldSerializer}, operation_id="contract_fields_create")
    def post(self, request: Request, slug: str) -> Response:
        """Add a field: a new contract version."""
        version = version_for(request, slug)
        given = FieldSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        name = given.validated_data["name"]
        if name in version.schema["properties"]:
            raise ConfigError(f"The contract already has a field {name!r}.", where=slug, fix="Change it with PUT.")
        saved = save(version, name, given.field_input(), by=request.user)
        return Response(FieldSerializer(saved).data, status=status.HTTP_201_CREATED)


class FieldDetail(APIView):
    """One field of the version in force."""

    required_permission = READ_WRITE

    @extend_schema(responses=FieldSerializer, operation_id="contract_fields_retrieve")
    def get(self, request: Request, slug: str, name: str) -> Response:
        return Response(FieldSerializer(field_of(version_for(request, slug), name)).data)

    @extend_schema(request=FieldChangeSerializer, responses=FieldSerializer, operation_id="contract_fields_update")
    def put(self, request: Request, slug: str, name: str) -> Response:
        """Change a field: a new contract version, or none when nothing differs."""
        version = version_for(request, slug)
        before = FieldSerializer().to_representation(field_of(version, name))
        given = FieldChangeSerializer(data={**before, **dict(request.data)})
        given.is_valid(raise_exception=True)
        return Response(FieldSerializer(save(version, name, given.field_input(), by=request.user)).data)

    @extend_schema(responses={204: OpenApiResponse(description="Removed.")}, operation_id="contract_fields_remove")
    def delete(self, request: Request, slug: str, name: str) -> Response:
        """Take a field out: a new contract version. A field that something else stands on is refused."""
        version = version_for(request, slug)
        field_of(version, name)
        services.remove_field(contract=version.contract, name=name, by=request.user, seen=version.number)
        return Response(status=status.HTTP_204_NO_CONTENT)


def save(version: ContractVersion, name: str, given: FieldInput, *, by: Any) -> Field:
    """Save one field and give back how it stands. Raises ConfigError with a sentence."""
    before = version.schema["properties"].get(name)
    spec = build(given, before, name in (version.schema.get("required") or ()))
    if sentence := problem(spec):
        raise ConfigError(sentence, where=name, fix="Give an example that fits the type, or none.")
    saved = services.save_field(
        contract=version.contract, name=name, spec=spec, required=given.required, by=by, seen=version.number
    )
    return next(field for field in fields_of(saved.schema) if field.name == name)


def _needed(request: Request) -> str:
    return READ_WRITE.get(request.method or "GET", "contracts.view")
