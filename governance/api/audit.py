"""The audit over the API, newest first: the columns of the export, filtered as on the page."""

from __future__ import annotations

import django_filters
from django.db.models import QuerySet
from rest_framework import generics, serializers

from governance.models import AuditEntry


class AuditEntrySerializer(serializers.ModelSerializer[AuditEntry]):
    """One act. `seq`, `previous` and `hash` are its place in the chain; null until it is sealed."""

    seq = serializers.IntegerField(source="seal.seq", allow_null=True, default=None)
    previous = serializers.SerializerMethodField()
    hash = serializers.SerializerMethodField()

    class Meta:
        model = AuditEntry
        fields = (
            "id", "seq", "at", "act", "kind", "name", "domain", "actor_id", "actor", "on_behalf_of_id", "on_behalf_of",
            "reason", "before_hash", "after_hash", "details", "previous", "hash",
        )  # fmt: skip

    def get_previous(self, row: AuditEntry) -> str | None:
        return _hex(row, "previous")

    def get_hash(self, row: AuditEntry) -> str | None:
        return _hex(row, "hash")


def _hex(row: AuditEntry, name: str) -> str | None:
    seal = getattr(row, "seal", None)
    return bytes(getattr(seal, name)).hex() if seal else None


class AuditFilter(django_filters.FilterSet):
    """`since` and `until` are instants: from the first on, before the second."""

    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = AuditEntry
        fields = ("act", "kind", "name", "domain", "actor", "since", "until")


class AuditList(generics.ListAPIView[AuditEntry]):
    """What people did. Reading it page by page is no export; a file of it is, and is an act itself."""

    required_permission = "audit.view"
    serializer_class = AuditEntrySerializer
    filterset_class = AuditFilter
    queryset = AuditEntry.objects.none()

    def get_queryset(self) -> QuerySet[AuditEntry]:
        return AuditEntry.objects.select_related("seal")


class AuditDetail(generics.RetrieveAPIView[AuditEntry]):
    required_permission = "audit.view"
    serializer_class = AuditEntrySerializer
    queryset = AuditEntry.objects.select_related("seal")
