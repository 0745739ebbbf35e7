"""The ledger and the records in trouble over the API; the same filters and services as the pages."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from governance.models import Entity
from hub.common.api import KeysetPagination
from hub.common.moments import moment
from hub.sync import ledger_search, payloads, queries, threads, trouble
from hub.sync.api.ledger_serializers import (
    DecisionSerializer,
    DeliverySerializer,
    HeldSerializer,
    ReasonSerializer,
    RefSerializer,
    TransactionDetailSerializer,
    TransactionSerializer,
)
from hub.sync.api.syncs import text
from hub.sync.keys import DeliveryConverter, HeldConverter
from hub.sync.ledger_search import LedgerFilter
from hub.sync.models import Delivery, HeldRecord, Sync, Transaction
from hub.sync.states import HeldState
from hub.sync.trouble import IN_TROUBLE

SEE, ACT = "ledger.view", "ledger.replay"


def secrets_of(user: Any) -> dict[int, frozenset[str]]:
    """sync id → fields whose values an error's sentence must not tell."""
    return payloads.secret_by_sync(queries.syncs_for(user, SEE))


class LedgerPagination(BasePagination):
    """Pages by the number of the transaction, by the same reading as the pages of the hub."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        self.request, self.page = request, ledger_search.page(view.asked(), request._request)
        return self.page.rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self._url("after"), "previous": self._url("before"), "results": data})

    def _url(self, way: str) -> str | None:
        number = self.page.older if way == "after" else self.page.newer
        if not number:
            return None
        url = remove_query_param(self.request.build_absolute_uri(), "before" if way == "after" else "after")
        found: str = replace_query_param(url, way, number)
        return found

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        link = {"type": "string", "nullable": True, "format": "uri"}
        properties = {"next": link, "previous": link, "results": schema}
        return {"type": "object", "required": ["results"], "properties": properties}

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {"name": name, "in": "query", "required": False, "schema": {"type": "string"}, "description": words}
            for name, words in (("after", "Older than this number."), ("before", "Newer."), ("size", "50, 100 or 200."))
        ]


@extend_schema_view(
    list=extend_schema(
        parameters=[
            text("sync", "Slug of a sync."),
            text("system", "Slug of a system."),
            text("domain", "Slug of a domain."),
            text("amount", "900, >=1000, <=5 or 100..200."),
            text("error", "The code of an error."),
            text("run", "Number of a run."),
            text("outcome", "An outcome, or trouble, passed, rejected, failed."),
            text("entity", "Slug of an entity."),
            text("key", "A key, or an id at any system."),
            text("since", "24h, 7d, a date or an instant."),
            text("until", "A date or an instant."),
            text("q", "An id, or words of an error."),
        ]
    )
)
class TransactionViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[Transaction]):
    """The ledger, newest first. Payloads are shown on the pages only."""

    required_permission: Any = {"GET": SEE}
    serializer_class: Any = TransactionSerializer
    queryset = Transaction.objects.none()
    lookup_value_regex = "[0-9]+"

    pagination_class: Any = LedgerPagination

    def get_queryset(self) -> QuerySet[Transaction]:
        return self.asked().rows()

    def asked(self) -> LedgerFilter:
        asked = self.request.query_params
        run = asked.get("run", "")
        return LedgerFilter(
            sync_ids=self._sync_ids(),
            run_id=int(run) if run.isascii() and run.isdigit() and len(run) <= 18 else None,
            outcomes=ledger_search.outcomes_of(asked.get("outcome", "")),
            entity_id=Entity.objects.filter(slug=asked.get("entity", "")).values_list("pk", flat=True).first(),
            key=asked.get("key", ""),
            since=moment(asked.get("since", "")),
            until=moment(asked.get("until", ""), end_of_day=True),
            text=asked.get("q", ""),
            error_code=asked.get("error", ""),
            amounts=ledger_search.amounts_of(asked.get("amount", "")),
        )

    def _sync_ids(self) -> list[int] | None:
        asked = self.request.query_params
        if not any(asked.get(name) for name in ("sync", "system", "domain", "entity")):
            return queries.sync_ids_for(self.request.user, SEE)  # type: ignore[arg-type]
        rows = queries.syncs_for(self.request.user, SEE)  # type: ignore[arg-type]
        if asked.get("sync"):
            rows = rows.filter(slug=asked["sync"])
        if asked.get("system"):
            rows = rows.filter(mapping__stream__connection__system__slug=asked["system"])
        if asked.get("domain"):
            rows = rows.filter(mapping__entity__domain__slug=asked["domain"])
        if asked.get("entity"):
            rows = rows.filter(mapping__entity__slug=asked["entity"])
        return list(rows.values_list("pk", flat=True))

    def get_serializer_context(self) -> dict[str, Any]:
        context = dict(super().get_serializer_context())
        if not getattr(self, "swagger_fake_view", False):
            context["secret"] = secrets_of(self.request.user)
            context["slugs"] = dict(Sync.objects.values_list("pk", "slug"))
        return context

    @extend_schema(responses=TransactionDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One transaction with its thread: every transaction of the same cause, in time order."""
        row = self.get_object()
        seen = queries.sync_ids_for(request.user, SEE)  # type: ignore[arg-type]
        sync = threads.syncs_of([row]).get(row.sync_id)
        extra = {"sentence": threads.sentence(row, sync), "hops": [hop.row for hop in threads.thread_of(row, seen)]}
        context = self.get_serializer_context() | extra
        return Response(TransactionDetailSerializer(row, context=context).data)


class _Newest(KeysetPagination):
    ordering: Any = ("-last_at", "-sync_id", "-external_id")


class _InTrouble(KeysetPagination):
    ordering: Any = ("-next_at", "-sync_id", "-record_id")


@extend_schema_view(
    list=extend_schema(
        parameters=[text("sync", "Slug of a sync."), text("state", "quarantined, waiting, held, released")]
    )
)
class HeldViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[HeldRecord]):
    """Source records that may not pass, newest first. `id` is for addresses; payloads are shown on the pages only."""

    required_permission: Any = {"GET": SEE}
    serializer_class = HeldSerializer
    pagination_class = _Newest
    queryset = HeldRecord.objects.none()
    lookup_field = "id"
    lookup_value_regex = HeldConverter.regex

    def get_queryset(self) -> QuerySet[HeldRecord]:
        rows = _seen(HeldRecord.objects.select_related("sync"), self.request.user, _needed(self))
        asked = self.request.query_params
        if asked.get("sync"):
            rows = rows.filter(sync__slug=asked["sync"])
        states = {state.name.lower(): state.value for state in HeldState}
        return rows.filter(state=states[asked["state"]]) if asked.get("state") in states else rows

    def get_object(self) -> HeldRecord:
        try:
            key = HeldConverter().to_python(self.kwargs["id"])
        except ValueError:
            raise Http404 from None
        return get_object_or_404(self.get_queryset(), sync_id=key.sync_id, external_id=key.external_id)

    def get_serializer_context(self) -> dict[str, Any]:
        return _with_secrets(self, super().get_serializer_context())

    def retrieve(self, request: Request, id: str) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=None, responses=DecisionSerializer)
    @action(detail=True, methods=["post"], required_permission=ACT)
    def retry(self, request: Request, id: str) -> Response:
        """Let the record take the whole path again. `done` is false when somebody did so already."""
        return _decided(trouble.retry_held(held=self.get_object(), by=request.user))

    @extend_schema(request=ReasonSerializer, responses=DecisionSerializer)
    @action(detail=True, methods=["post"], required_permission=ACT)
    def discard(self, request: Request, id: str) -> Response:
        """Drop the record; the reason stands in the ledger."""
        reason = _valid(ReasonSerializer, request)["reason"]
        return _decided(trouble.discard_held(held=self.get_object(), reason=reason, by=request.user))


@extend_schema_view(
    list=extend_schema(
        parameters=[text("sync", "Slug of a sync."), text("state", "unsure, waiting, held, dead or retrying")]
    )
)
class DeliveryViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Delivery]):
    """Deliveries in trouble. `id` is for addresses."""

    required_permission: Any = {"GET": SEE}
    serializer_class = DeliverySerializer
    pagination_class = _InTrouble
    queryset = Delivery.objects.none()
    lookup_field = "id"
    lookup_value_regex = DeliveryConverter.regex

    def get_queryset(self) -> QuerySet[Delivery]:
        rows = _seen(Delivery.objects.select_related("sync", "record"), self.request.user, _needed(self))
        asked = self.request.query_params
        if self.action == "list":
            rows = rows.filter(IN_TROUBLE)
        if asked.get("sync"):
            rows = rows.filter(sync__slug=asked["sync"])
        return rows.filter(trouble.in_state(asked["state"])) if asked.get("state") else rows

    def get_object(self) -> Delivery:
        key = DeliveryConverter().to_python(self.kwargs["id"])
        return get_object_or_404(self.get_queryset(), sync_id=key.sync_id, record_id=key.record_id)

    def get_serializer_context(self) -> dict[str, Any]:
        return _with_secrets(self, super().get_serializer_context())

    def retrieve(self, request: Request, id: str) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=None, responses=DecisionSerializer)
    @action(detail=True, methods=["post"], required_permission=ACT)
    def retry(self, request: Request, id: str) -> Response:
        """Due at once, with all attempts before it. Does nothing to a delivery of unknown outcome."""
        found = self.get_object()
        rows = Delivery.objects.filter(sync_id=found.sync_id, record_id=found.record_id)
        return _decided(trouble.retry_deliveries(rows, by=request.user) == 1)

    @extend_schema(request=ReasonSerializer, responses=DecisionSerializer)
    @action(detail=True, methods=["post"], required_permission=ACT)
    def discard(self, request: Request, id: str) -> Response:
        """Do not send this version; the reason stands in the ledger."""
        reason = _valid(ReasonSerializer, request)["reason"]
        return _decided(trouble.discard_delivery(delivery=self.get_object(), reason=reason, by=request.user))

    @extend_schema(request=RefSerializer, responses=DecisionSerializer)
    @action(detail=True, methods=["post"], required_permission=ACT)
    def confirm(self, request: Request, id: str) -> Response:
        """A delivery of unknown outcome did arrive, under this id of the target's."""
        ref = _valid(RefSerializer, request)["ref"]
        return _decided(trouble.confirm_delivery(delivery=self.get_object(), ref=ref, by=request.user))

    @extend_schema(request=None, responses=DecisionSerializer)
    @action(detail=True, methods=["post"], required_permission=ACT)
    def resend(self, request: Request, id: str) -> Response:
        """A delivery of unknown outcome did not arrive: send it again."""
        return _decided(trouble.resend_unsure(delivery=self.get_object(), by=request.user))


# Shared ----------------------------------------------------------------------------------------------------
def _needed(view: Any) -> str:
    needed = view.required_permission
    return needed if isinstance(needed, str) else str(needed["GET"])


def _seen(rows: QuerySet[Any], user: Any, permission: str) -> QuerySet[Any]:
    seen = queries.sync_ids_for(user, permission)
    return rows if seen is None else rows.filter(sync_id__in=seen)


def _with_secrets(view: Any, context: Any) -> dict[str, Any]:
    fake = getattr(view, "swagger_fake_view", False)
    return {**context, "secret": {} if fake else secrets_of(view.request.user)}


def _valid(serializer: Any, request: Request) -> Any:
    asked = serializer(data=request.data)
    asked.is_valid(raise_exception=True)
    return asked.validated_data


def _decided(done: bool) -> Response:
    return Response({"done": done})
