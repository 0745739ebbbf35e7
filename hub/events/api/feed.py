"""Events of the firm over the API, one after the other: for programs that ask instead of being told."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from hub.events import feed
from hub.events.envelope import envelope
from hub.events.event_types import queries
from hub.events.models import Subscription


class EventPageSerializer(serializers.Serializer[None]):
    """`next` is the cursor behind this page: kept by the reader, it goes on there, also tomorrow."""

    data = serializers.ListField(  # type: ignore[assignment]
        child=serializers.DictField(), help_text="CloudEvents 1.0, as subscriptions are sent them."
    )
    next = serializers.CharField()


PARAMETERS = [
    OpenApiParameter(
        "cursor", OpenApiTypes.STR, description="From the last page. Empty: the oldest; `now`: what comes."
    ),
    OpenApiParameter("type", OpenApiTypes.STR, many=True, description="Names such as time.approved; empty for all."),
    OpenApiParameter(
        "limit", OpenApiTypes.INT, description=f"At most {feed.LARGEST}; {feed.PAGE} where nothing is said."
    ),
]


class EventFeed(APIView):
    """No event is passed over and none comes twice, whoever reads how often."""

    required_permission = queries.SEE

    @extend_schema(parameters=PARAMETERS, responses=EventPageSerializer, operation_id="events_list")
    def get(self, request: Request) -> Response:
        wanted = request.query_params.getlist("type")
        known = list(queries.event_types_for(request.user).values_list("name", flat=True))  # type: ignore[arg-type]
        types = [name for name in known if not wanted or name in wanted]
        events, cursor = feed.after(request.query_params.get("cursor", ""), types, limit=_limit(request))
        full = Subscription.Payload.FULL
        return Response({"data": [envelope(event, payload=full) for event in events], "next": cursor})


def _limit(request: Request) -> int:
    given = request.query_params.get("limit", "")
    if given and not (given.isdecimal() and 1 <= int(given[:9]) <= feed.LARGEST):
        raise ValidationError({"limit": f"A number from 1 to {feed.LARGEST}."})
    return int(given) if given else feed.PAGE
