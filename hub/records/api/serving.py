"""Records by a version of their contract: the one in force, or with `?contract_version=2` a deprecated one until its sunset."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.deprecation import headers_of, served
from governance.models import ContractVersion, Entity
from governance.queries import active_version, contract_of
from hub.records import consumers

VERSION = OpenApiParameter(
    "contract_version",
    OpenApiTypes.INT,
    description="Serve records by this version of the contract; a deprecated one until its sunset. Retired: 410.",
)


def asked_version(entity: Entity, request: Request) -> ContractVersion | None:
    """The version that a request names, else the one in force. Raises ConfigError for a retired one, Http404 for none."""
    asked, contract = request.query_params.get("contract_version", ""), contract_of(entity)
    if not asked:
        return active_version(contract)
    found = contract.versions.filter(number=int(asked)).first() if contract and asked.isdecimal() else None
    if found is None or len(asked) > 9:
        raise Http404
    return served(found)


class ServesVersions(APIView):
    """A view of one entity's records: counts who read by which version, and says when that one ends."""

    @property
    def entity(self) -> Entity:
        raise NotImplementedError

    @cached_property
    def served_version(self) -> ContractVersion | None:
        return asked_version(self.entity, self.request)

    def finalize_response(self, request: Any, response: Response, *args: Any, **kwargs: Any) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        if answer.status_code == 200 and self.served_version is not None:
            consumers.note(self.served_version, self.request.auth)
            for name, value in headers_of(self.served_version).items():
                answer[name] = value
        return answer
