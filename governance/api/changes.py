"""Change requests over the API: propose documents, read what waits, and decide; the same services as the pages."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from governance.changes import applying, canary, discussion, packets, queries, reviewing, services
from governance.models import ChangeComment, ChangeItem, ChangePacket, ChangeRequest, Review, ReviewSeat
from hub.accounts.models import User
from hub.common.api import KeysetPagination
from hub.common.errors import ConfigError
from hub.common.registry import kinds

SEE, DECIDE, PROPOSE = "approvals.view", "approvals.decide", "config.apply"


class ChangeItemSerializer(serializers.ModelSerializer[ChangeItem]):
    """One document: as it was live, as it shall become, and how the two differ."""

    base = serializers.JSONField(allow_null=True)
    proposed = serializers.JSONField(allow_null=True, help_text="Null where the object shall be removed.")

    class Meta:
        model = ChangeItem
        fields = ("kind", "key", "base", "base_hash", "proposed", "proposed_hash")
        read_only_fields = fields


class ReviewSerializer(serializers.ModelSerializer[Review]):
    reviewer: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField("email", read_only=True)
    on_behalf_of: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField("email", read_only=True)
    group: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField("slug", read_only=True)

    class Meta:
        model = Review
        fields = (
            "reviewer", "on_behalf_of", "group", "decision", "content_hash", "comment", "at", "voided_at", "void_reason",
        )  # fmt: skip
        read_only_fields = fields


class ReviewSeatSerializer(serializers.ModelSerializer[ReviewSeat]):
    group: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField("slug", read_only=True)

    class Meta:
        model = ReviewSeat
        fields = ("group", "needed", "paths")
        read_only_fields = fields


class ChangeRequestSerializer(serializers.ModelSerializer[ChangeRequest]):
    """A change in a list. A decision has to name its `content_hash`."""

    author: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField("email", read_only=True)

    class Meta:
        model = ChangeRequest
        fields: tuple[str, ...] = (
            "id", "title", "reason", "state", "author", "content_hash", "is_breaking", "is_emergency", "effective_at",
            "created_at", "applied_at", "problem", "reverts",
        )  # fmt: skip
        read_only_fields = fields


class ChangeDetailSerializer(ChangeRequestSerializer):
    items = ChangeItemSerializer(many=True, read_only=True)
    seats = ReviewSeatSerializer(many=True, read_only=True)
    reviews = ReviewSerializer(many=True, read_only=True)

    class Meta(ChangeRequestSerializer.Meta):
        fields = (*ChangeRequestSerializer.Meta.fields, "items", "seats", "reviews")
        read_only_fields = fields


class ChangeProposalSerializer(serializers.Serializer[dict[str, Any]]):
    """Configuration documents: {kind, slug, …}, as they shall become."""

    documents = serializers.ListField(child=serializers.DictField(), allow_empty=False, max_length=500)
    reason = serializers.CharField(required=False, default="", max_length=500)
    effective_at = serializers.DateTimeField(required=False, allow_null=True, default=None)

    def validate_documents(self, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for document in documents:
            if document.get("kind") not in kinds() or not document.get("slug"):
                raise serializers.ValidationError("A document names a known `kind` and a `slug`.")
        return documents


class ChangeDecisionSerializer(serializers.Serializer[dict[str, Any]]):
    """`content_hash` is what was looked at; `password` is asked for where the change breaks something."""

    decision = serializers.ChoiceField(choices=Review.Decision.choices)
    content_hash = serializers.CharField(max_length=64)
    comment = serializers.CharField(required=False, default="", max_length=500, allow_blank=True)
    chair = serializers.CharField(required=False, default="", max_length=80, allow_blank=True)
    password = serializers.CharField(required=False, default="", write_only=True, allow_blank=True)


class ChangeActSerializer(serializers.Serializer[dict[str, Any]]):
    act = serializers.ChoiceField(
        choices=["submit", "withdraw", "apply", "rebase", "roll_back", "canary", "canary_stop"]
    )
    reason = serializers.CharField(required=False, default="", max_length=500, allow_blank=True)


class ChangeScheduleSerializer(serializers.Serializer[dict[str, Any]]):
    effective_at = serializers.DateTimeField(allow_null=True)


class ChangeCommentSerializer(serializers.ModelSerializer[ChangeComment]):
    """`kind`, `key` and `path` say what it is about; `answers` names the comment that it answers."""

    by: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField("email", read_only=True)

    class Meta:
        model = ChangeComment
        fields = ("id", "by", "at", "kind", "key", "path", "text", "answers", "resolved_at")
        read_only_fields = ("by", "at", "resolved_at")


class ChangePacketSerializer(serializers.ModelSerializer[ChangePacket]):
    """What stored payloads become, one part a mapping."""

    class Meta:
        model = ChangePacket
        fields = ("content_hash", "state", "done", "total", "result", "problem", "started_at", "ended_at")
        read_only_fields = fields


@extend_schema_view(
    list=extend_schema(parameters=[OpenApiParameter("state", str), OpenApiParameter("kind", str)]),
)
class ChangeViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[ChangeRequest]):
    """Changes of configuration that somebody else has to agree to."""

    required_permission: Any = {"GET": SEE, "POST": SEE}
    serializer_class: Any = ChangeRequestSerializer
    pagination_class = KeysetPagination
    lookup_value_regex = "[0-9]+"
    queryset = ChangeRequest.objects.none()

    def get_queryset(self) -> QuerySet[ChangeRequest]:
        rows = queries.changes_for(self.request.user)  # type: ignore[arg-type]
        if self.action != "list":
            return rows
        if state := self.request.query_params.get("state"):
            rows = rows.filter(state=state)
        if name := self.request.query_params.get("kind"):
            rows = rows.filter(items__kind=name).distinct()
        return rows

    def get_serializer_class(self) -> Any:
        return ChangeDetailSerializer if self.action == "retrieve" else self.serializer_class

    @extend_schema(request=ChangeProposalSerializer, responses={201: ChangeDetailSerializer})
    @action(detail=False, methods=["post"], required_permission=PROPOSE, url_path="propose")
    def propose(self, request: Request) -> Response:
        """Open a change request, whether or not a policy asks for one."""
        given = _valid(ChangeProposalSerializer, request)
        change = services.open_change(given.pop("documents"), by=request.user, **given)
        return Response(ChangeDetailSerializer(change).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ChangeDecisionSerializer, responses=ChangeDetailSerializer)
    @action(detail=True, methods=["post"], required_permission=DECIDE)
    def decide(self, request: Request, pk: str) -> Response:
        """Approve, ask for changes, or reject; nobody decides on what they wrote or edited."""
        change, given, by = self.get_object(), _valid(ChangeDecisionSerializer, request), _person(request)
        password, decision = given.pop("password"), given.pop("decision")
        given["seen"] = given.pop("content_hash")
        if decision == Review.Decision.APPROVE:
            done = reviewing.approve(change, by=by, password=password, **given)
        else:
            decide = reviewing.reject if decision == Review.Decision.REJECT else reviewing.request_changes
            done = decide(change, by=by, **given)
        return Response(ChangeDetailSerializer(done).data)

    @extend_schema(request=ChangeActSerializer, responses=ChangeDetailSerializer)
    @action(detail=True, methods=["post"])
    def act(self, request: Request, pk: str) -> Response:
        """Hand in again, withdraw, apply, bring up to what is live, or propose to take it back."""
        change, given, by = self.get_object(), _valid(ChangeActSerializer, request), request.user
        acts = {
            "submit": lambda: services.submit(change, by=by),
            "withdraw": lambda: services.withdraw(change, by=by, reason=given["reason"]),
            "apply": lambda: applying.apply_change(change, by=by),
            "rebase": lambda: reviewing.bring_up(change, by=by),
            "canary": lambda: canary.arm(change, by=by).change,
            "canary_stop": lambda: canary.stop(change, by=by),
            "roll_back": lambda: applying.roll_back(change, by=by, reason=given["reason"]),
        }
        return Response(ChangeDetailSerializer(acts[given["act"]]()).data)

    @extend_schema(request=ChangeScheduleSerializer, responses=ChangeDetailSerializer)
    @action(detail=True, methods=["post"])
    def schedule(self, request: Request, pk: str) -> Response:
        """When it shall take effect; null for as soon as it is approved."""
        given = _valid(ChangeScheduleSerializer, request)
        done = applying.schedule(self.get_object(), by=request.user, at=given["effective_at"])
        return Response(ChangeDetailSerializer(done).data)

    @extend_schema(responses=ChangeCommentSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def comments(self, request: Request, pk: str) -> Response:
        """What people said, in order."""
        return Response(ChangeCommentSerializer(self.get_object().comments.select_related("by"), many=True).data)

    @extend_schema(request=ChangeCommentSerializer, responses={201: ChangeCommentSerializer})
    @comments.mapping.post
    def say(self, request: Request, pk: str) -> Response:
        """Say something about the change, or about one field of it."""
        change, given = self.get_object(), _valid(ChangeCommentSerializer, request)
        answers = given.get("answers")
        if answers is not None and answers.change_id != change.pk:
            raise ConfigError("That comment is about another change.", where=str(change))
        place = f"{given.get('kind', '')} {given.get('key', '')}: {given.get('path', '')}" if given.get("kind") else ""
        made = discussion.comment(change, by=request.user, text=given["text"], anchor=place, answers=answers)
        return Response(ChangeCommentSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses=ChangePacketSerializer, filters=False)
    @action(detail=True, pagination_class=None)
    def packet(self, request: Request, pk: str) -> Response:
        """What stored payloads become under the change as it is now."""
        found = packets.latest(self.get_object())
        if found is None:
            raise ConfigError("Nobody has asked for it yet.", fix="POST to the same address.", code="NO_PACKET")
        return Response(ChangePacketSerializer(found).data)

    @extend_schema(request=None, responses={202: ChangePacketSerializer})
    @packet.mapping.post
    def ask_for_packet(self, request: Request, pk: str) -> Response:
        """Have a worker try the newest 1,000 payloads of each mapping."""
        made = packets.ask(self.get_object(), by=request.user)
        return Response(ChangePacketSerializer(made).data, status=status.HTTP_202_ACCEPTED)


def _person(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


def _valid(serializer: Any, request: Request) -> Any:
    given = serializer(data=request.data)
    given.is_valid(raise_exception=True)
    return given.validated_data
