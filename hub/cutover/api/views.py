"""Cut-overs over the API; read only, because a switch is a person's act or the command's."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework import mixins, viewsets

from hub.common.api import BySlug, permission_of
from hub.cutover import queries
from hub.cutover.api.serializers import CutoverSerializer
from hub.cutover.models import Cutover


class CutoverViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[Cutover]):
    """Cut-overs: how far each legal entity is, and what the shadow shows."""

    required_permission: Any = {"GET": queries.SEE}
    serializer_class: Any = CutoverSerializer
    pagination_class = BySlug
    lookup_field = "slug"
    queryset = Cutover.objects.none()

    def get_queryset(self) -> QuerySet[Cutover]:
        return queries.cutovers_for(self.request.user, permission_of(self))  # type: ignore[arg-type]
