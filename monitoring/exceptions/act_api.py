"""Acts on exceptions over the API; the same filters and services as the pages.

A choice is `{"filter": {"client": "Acme"}}`, `{"filter": {"ids": "12,13"}}`; an empty filter is everything that the token may
resolve. What is done to many answers 202 with the job.
"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from hub.accounts.queries import scope_to_domains
from hub.common.api import KeysetPagination, permission_of
from hub.common.problems import PROBLEM
from monitoring.exceptions import acts, applying, choosing, fixes, jobs, plans, writeoffs
from monitoring.exceptions.acts import Conflict
from monitoring.exceptions.choosing import RESOLVE, SEE, Choice
from monitoring.models import ExceptionItem, ExceptionJob, ExceptionJobItem, Snooze, WriteOff


# What is sent ------------------------------------------------------------------------------------------------
class ChoiceSerializer(serializers.Serializer[Any]):
    """Which exceptions are meant. `expect` is the number that was seen; `token` makes the request good for once."""

    filter: Any = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False, default=dict)
    expect = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=0)
    token = serializers.CharField(required=False, allow_blank=True, default="", max_length=64)

    def choice(self, user: Any) -> Choice:
        return choosing.of(self.validated_data["filter"], user=user)


class VersionSerializer(serializers.Serializer[Any]):
    """`version` as it was read: 409 when somebody has changed the exception since."""

    version = serializers.IntegerField(required=False, allow_null=True, default=None)


class AssignSerializer(VersionSerializer):
    """`assignee` by e-mail address; none for nobody."""

    assignee = serializers.CharField(required=False, allow_blank=True, default="")
    team = serializers.CharField(required=False, allow_blank=True, default="", max_length=80)


class CommentSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=4_000)


class TagSerializer(VersionSerializer):
    add = serializers.ListField(child=serializers.CharField(max_length=40), required=False, default=list)
    remove = serializers.ListField(child=serializers.CharField(max_length=40), required=False, default=list)


class SnoozeSerializer(VersionSerializer):
    until = serializers.ChoiceField(Snooze.Until.choices, required=False, default="date")
    date = serializers.CharField(required=False, allow_blank=True, default="")
    period = serializers.CharField(required=False, allow_blank=True, default="")


class PlanRequestSerializer(ChoiceSerializer):
    """`fix` is retry, value_map, edit or period; `given` what it asks for, `{"value_0": "active"}`."""

    fix = serializers.CharField(required=False, default="retry")
    given: Any = serializers.DictField(required=False, default=dict)


class RetryRequestSerializer(PlanRequestSerializer):
    """`mark` is that of the plan; without one the plan is not asked for."""

    mark = serializers.CharField(required=False, allow_blank=True, default="")


class BulkSerializer(ChoiceSerializer):
    """`given` are the arguments of the act, as of the addresses of one exception."""

    action = serializers.ChoiceField(["assign", "comment", "tag", "snooze", "wake", "reclassify", "settle"])
    given: Any = serializers.DictField(required=False, default=dict)
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=500)


class WriteOffRequestSerializer(ChoiceSerializer):
    """`confirm` is the text WRITE OFF: nobody can take it back."""

    reason_code = serializers.ChoiceField(WriteOff.ReasonCode.choices)
    reason = serializers.CharField(max_length=500)
    confirm = serializers.CharField()


class ExceptionNoteSerializer(serializers.Serializer[Any]):
    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=500)


# What is answered ----------------------------------------------------------------------------------------------
class ActedSerializer(serializers.ModelSerializer[ExceptionItem]):
    """The exception as it is after the act."""

    assignee = serializers.CharField(source="assignee.email", read_only=True, allow_null=True, default=None)

    class Meta:
        model = ExceptionItem
        fields = ("id", "title", "state", "cause", "kind", "assignee", "team", "tags", "snoozed_until", "version")


class ExceptionPlanSerializer(serializers.Serializer[Any]):
    """Numbers by what would become of the records; amounts in the firm's currency as texts."""

    number = serializers.IntegerField()
    create = serializers.IntegerField()  # type: ignore[assignment]
    update = serializers.IntegerField()  # type: ignore[assignment]
    skip = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    failing = serializers.IntegerField()
    untried = serializers.IntegerField()
    amounts = serializers.DictField(child=serializers.CharField())
    unconverted = serializers.DictField(child=serializers.IntegerField())
    fix = serializers.CharField()
    notes = serializers.ListField(child=serializers.CharField())
    mark = serializers.CharField()


class ExceptionJobSerializer(serializers.ModelSerializer[ExceptionJob]):
    counts = serializers.SerializerMethodField()
    requested_by = serializers.CharField(source="requested_by.email", read_only=True, allow_null=True, default=None)

    class Meta:
        model = ExceptionJob
        fields = (
            "id", "action", "state", "selection", "planned", "counts", "reason", "error", "replay_id", "requested_by",
            "created_at", "finished_at",
        )  # fmt: skip

    def get_counts(self, row: ExceptionJob) -> dict[str, int]:
        return jobs.numbers(row)


class ExceptionJobItemSerializer(serializers.ModelSerializer[ExceptionJobItem]):
    status = serializers.SerializerMethodField()

    class Meta:
        model = ExceptionJobItem
        fields = ("id", "item_id", "status", "note", "transaction_id")

    def get_status(self, row: ExceptionJobItem) -> str:
        return ExceptionJobItem.Status(row.status).name.lower()


class WriteOffSerializer(serializers.ModelSerializer[WriteOff]):
    requested_by = serializers.CharField(source="requested_by.email", read_only=True, allow_null=True, default=None)
    decided_by = serializers.CharField(source="decided_by.email", read_only=True, allow_null=True, default=None)

    class Meta:
        model = WriteOff
        fields = (
            "id", "state", "reason_code", "reason", "approval", "number", "amount_firm", "currency", "unconverted",
            "requested_by", "created_at", "decided_by", "decided_at", "decision_note",
        )  # fmt: skip


# One exception ---------------------------------------------------------------------------------------------------
def _conflict(conflict: Conflict) -> Response:
    """409 with both sides, as the page shows them."""
    theirs = [
        {"by": str(event.by) if event.by else None, "said": event.text, "at": event.at} for event in conflict.theirs
    ]
    body = {
        "type": "about:blank", "title": "In conflict", "status": 409, "detail": conflict.what, "code": conflict.code,
        "fix": conflict.fix, "yours": conflict.yours, "theirs": theirs, "version": conflict.item.version,
    }  # fmt: skip
    return Response(body, status=409, content_type=PROBLEM)


class _ItemAct(APIView):
    """One act on one exception."""

    required_permission = {"POST": RESOLVE}
    act = ""
    serializer: type[serializers.Serializer[Any]] = VersionSerializer

    def _do(self, request: Request, pk: int) -> Response:
        asked = self.serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        rows = scope_to_domains(ExceptionItem.objects.all(), request.user, permission_of(self))  # type: ignore[arg-type]
        item = get_object_or_404(rows, pk=pk)
        given = dict(asked.validated_data)
        version = given.pop("version", None)
        try:
            done = acts.act(item=item, action=self.act, given=given, by=request.user, version=version)
        except Conflict as conflict:
            return _conflict(conflict)
        return Response(ActedSerializer(done).data)


_CONFLICT = OpenApiResponse(description="Somebody was faster: `yours` and `theirs`; nothing was applied.")
_ANSWERS: Any = {200: ActedSerializer, 409: _CONFLICT}


class AssignView(_ItemAct):
    act, serializer = "assign", AssignSerializer

    @extend_schema(request=AssignSerializer, responses=_ANSWERS, operation_id="exception_assign")
    def post(self, request: Request, pk: int) -> Response:
        """Make it the turn of a person, a team, or nobody."""
        return self._do(request, pk)


class CommentView(_ItemAct):
    act, serializer = "comment", CommentSerializer

    @extend_schema(request=CommentSerializer, responses=_ANSWERS, operation_id="exception_comment")
    def post(self, request: Request, pk: int) -> Response:
        """Say something; `@ada` shows it among what needs her."""
        return self._do(request, pk)


class TagView(_ItemAct):
    act, serializer = "tag", TagSerializer

    @extend_schema(request=TagSerializer, responses=_ANSWERS, operation_id="exception_tag")
    def post(self, request: Request, pk: int) -> Response:
        """Add and take off tags."""
        return self._do(request, pk)


class SnoozeView(_ItemAct):
    act, serializer = "snooze", SnoozeSerializer

    @extend_schema(request=SnoozeSerializer, responses=_ANSWERS, operation_id="exception_snooze")
    def post(self, request: Request, pk: int) -> Response:
        """Let it sleep until a date, until there are twice as many, or until its period opens."""
        return self._do(request, pk)


class WakeView(_ItemAct):
    act = "wake"

    @extend_schema(request=VersionSerializer, responses=_ANSWERS, operation_id="exception_wake")
    def post(self, request: Request, pk: int) -> Response:
        """Wake what sleeps."""
        return self._do(request, pk)


# Many ------------------------------------------------------------------------------------------------------------
def _accepted(job: ExceptionJob | None) -> Response:
    if job is None:
        return Response({"job": None, "detail": "Nothing was left to do."}, status=status.HTTP_200_OK)
    return Response(ExceptionJobSerializer(job).data, status=status.HTTP_202_ACCEPTED)


class PlanView(APIView):
    required_permission = {"POST": RESOLVE}

    @extend_schema(request=PlanRequestSerializer, responses=ExceptionPlanSerializer, operation_id="exceptions_plan")
    def post(self, request: Request) -> Response:
        """What a fix and a retry would do; nothing is written."""
        asked = PlanRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        choice = asked.choice(request.user)
        fix, given = cleaned(choice, asked.validated_data["fix"], asked.validated_data["given"], by=request.user)
        return Response(plans.make(choice, fix, given, by=request.user).as_data())


class RetryView(APIView):
    required_permission = {"POST": RESOLVE}

    @extend_schema(
        request=RetryRequestSerializer, responses={202: ExceptionJobSerializer}, operation_id="exceptions_retry"
    )
    def post(self, request: Request) -> Response:
        """Fix the cause, and put all of it again; 409 when the plan of `mark` does not stand any more."""
        asked = RetryRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said, choice = asked.validated_data, asked.choice(request.user)
        fix, given = cleaned(choice, said["fix"], said["given"], by=request.user)
        mark = said["mark"] or plans.mark_of(choice, fix, given, by=request.user)
        job, _ = applying.go(choice, fix.slug, given, by=request.user, mark=mark, token=said["token"])
        return _accepted(job)


def cleaned(choice: Choice, slug: str, given: dict[str, Any], *, by: Any) -> tuple[fixes.Fix, dict[str, Any]]:
    """The fix with what it was given, checked against what is chosen."""
    fix, items = fixes.find(slug), plans.looked_at(choice, by=by)
    return fix, fix.cleaned(items, given, by=by) if items else {}


class ActView(APIView):
    required_permission = {"POST": RESOLVE}

    @extend_schema(request=BulkSerializer, responses={202: ExceptionJobSerializer}, operation_id="exceptions_act")
    def post(self, request: Request) -> Response:
        """One act on all that is chosen, as a job."""
        asked = BulkSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        job, _ = jobs.start(
            asked.choice(request.user), said["action"], said["given"], by=request.user, reason=said["reason"],
            token=said["token"], expect=said["expect"],
        )  # fmt: skip
        return _accepted(job)


class ExceptionJobViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[ExceptionJob]):
    """Acts on many exceptions, and what became of each."""

    required_permission: Any = {"GET": SEE}
    serializer_class = ExceptionJobSerializer
    pagination_class = KeysetPagination
    queryset = ExceptionJob.objects.none()
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> QuerySet[ExceptionJob]:
        return jobs.jobs_for(self.request.user, permission_of(self))  # type: ignore[arg-type]

    @extend_schema(responses=ExceptionJobItemSerializer(many=True))
    @action(detail=True)
    def items(self, request: Request, pk: str) -> Response:
        """The results, one by one."""
        rows: Any = self.paginate_queryset(self.get_object().items.all())  # type: ignore[arg-type]
        return self.get_paginated_response(ExceptionJobItemSerializer(rows, many=True).data)

    @extend_schema(request=None, responses=ExceptionJobSerializer)
    @action(detail=True, methods=["post"], required_permission=RESOLVE)
    def cancel(self, request: Request, pk: str) -> Response:
        """Do nothing more; what was sent goes its way."""
        found = get_object_or_404(jobs.jobs_for(request.user, RESOLVE), pk=pk)  # type: ignore[arg-type]
        jobs.cancel(job=found, by=request.user)
        return Response(ExceptionJobSerializer(found).data)

    @extend_schema(request=None, responses={202: ExceptionJobSerializer})
    @action(detail=True, methods=["post"], required_permission=RESOLVE)
    def undo(self, request: Request, pk: str) -> Response:
        """Take it back, within five minutes, where nobody has changed an item since."""
        found = get_object_or_404(jobs.jobs_for(request.user, RESOLVE), pk=pk)  # type: ignore[arg-type]
        return _accepted(jobs.undo(job=found, by=request.user))


class WriteOffViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[WriteOff]):
    """What was given up, why, and who agreed."""

    required_permission: Any = {"GET": SEE, "POST": RESOLVE}
    serializer_class = WriteOffSerializer
    pagination_class = KeysetPagination
    queryset = WriteOff.objects.none()
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> QuerySet[WriteOff]:
        return writeoffs.write_offs_for(self.request.user, permission_of(self))  # type: ignore[arg-type]

    @extend_schema(request=WriteOffRequestSerializer, responses={201: WriteOffSerializer})
    def create(self, request: Request) -> Response:
        """Write off, or ask a second person: `state` is waiting then."""
        asked = WriteOffRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        said = asked.validated_data
        made = writeoffs.request(
            asked.choice(request.user), reason_code=said["reason_code"], reason=said["reason"], typed=said["confirm"],
            by=request.user, expect=said["expect"], token=said["token"],
        )  # fmt: skip
        return Response(WriteOffSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ExceptionNoteSerializer, responses=WriteOffSerializer)
    @action(detail=True, methods=["post"], required_permission=writeoffs.DECIDE)
    def approve(self, request: Request, pk: str) -> Response:
        """Agree. Nobody agrees to their own."""
        found, note = self._decided(request, pk)
        writeoffs.approve(write_off=found, by=request.user, note=note)
        return Response(WriteOffSerializer(found).data)

    @extend_schema(request=ExceptionNoteSerializer, responses=WriteOffSerializer)
    @action(detail=True, methods=["post"], required_permission=writeoffs.DECIDE)
    def decline(self, request: Request, pk: str) -> Response:
        """Do not agree, and say why."""
        found, note = self._decided(request, pk)
        writeoffs.decline(write_off=found, by=request.user, note=note)
        return Response(WriteOffSerializer(found).data)

    def _decided(self, request: Request, pk: str) -> tuple[WriteOff, str]:
        asked = ExceptionNoteSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        rows = writeoffs.write_offs_for(request.user, writeoffs.DECIDE)  # type: ignore[arg-type]
        return get_object_or_404(rows, pk=pk), str(asked.validated_data["note"])


router = SimpleRouter()
router.register("exceptions/jobs", ExceptionJobViewSet, "exception-job")
router.register("exceptions/write-offs", WriteOffViewSet, "write-off")
urlpatterns = [
    *router.urls,
    path("exceptions/plan/", PlanView.as_view(), name="exceptions-plan"),
    path("exceptions/retry/", RetryView.as_view(), name="exceptions-retry"),
    path("exceptions/act/", ActView.as_view(), name="exceptions-act"),
    path("exceptions/<int:pk>/assign/", AssignView.as_view(), name="exception-assign"),
    path("exceptions/<int:pk>/comment/", CommentView.as_view(), name="exception-comment"),
    path("exceptions/<int:pk>/tag/", TagView.as_view(), name="exception-tag"),
    path("exceptions/<int:pk>/snooze/", SnoozeView.as_view(), name="exception-snooze"),
    path("exceptions/<int:pk>/wake/", WakeView.as_view(), name="exception-wake"),
]
