"""Changes on screen: what waits for whom, and the page on which one is reviewed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from governance.changes import (
    amending,
    applying,
    asking,
    bulk,
    canary,
    checks,
    discussion,
    emergency,
    packets,
    page,
    queries,
    reviewing,
    services,
)
from governance.models import ChangeCanary, ChangeRequest, ReviewSeat
from governance.views import me
from hub.accounts.models import User
from hub.common.errors import ConfigError, HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.common.registry import kinds
from hub.common.times import parse_datetime

State = ChangeRequest.State
VIEWS = (("turn", "My turn"), ("open", "Open"), ("all", "All"))
COLUMNS = [
    Column("number", "Number", "pk"),
    Column("title", "Title"),
    Column("state", "State"),
    Column("author", "Author", "author.email"),
    Column("objects", "Objects", lambda change: ", ".join(str(item) for item in change.items.all())),
    Column("is_breaking", "Breaking"),
    Column("is_emergency", "Emergency"),
    Column("approvals", "Approvals", lambda change: sum(_stands(review) for review in change.reviews.all())),
    Column("created_at", "Opened (UTC)"),
    Column("effective_at", "Takes effect (UTC)"),
    Column("applied_at", "Applied (UTC)"),
]


def _stands(review: Any) -> bool:
    return review.decision == "approve" and review.voided_at is None


@requires("approvals.view")
@require_safe
def change_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Three lists of one table: what waits for me, what is open, and everything."""
    user = me(request)
    turn = [change.pk for change in queries.my_turn(user)]
    view = request.GET.get("view") or ("turn" if turn else "open")
    bar = FilterBar(
        request,
        keys={"state": "State", "kind": "Kind", "by": "By"},
        selects=[
            Select("state", "State", State.choices),
            Select("kind", "Kind", [(name, name) for name in sorted(kinds())]),
        ],
    )
    rows = _filtered(queries.with_counts(queries.changes_for(user)), bar)
    everything = queries.changes_for(user)
    counts = {"turn": len(turn), "open": everything.filter(state__in=ChangeRequest.WAITING).count()}
    if view == "turn":
        rows = rows.filter(pk__in=turn)
    elif view != "all":
        rows = rows.filter(state__in=ChangeRequest.WAITING)
    if fmt:
        return export_response(list(rows.order_by("-pk")), COLUMNS, fmt, name="changes")
    shown = paginate(rows, request)
    context = {
        "bar": bar,
        "page": shown,
        "alone": {change.pk: bulk.why_alone(change) for change in shown} if view == "turn" and turn else {},
        "view": view,
        "tabs": [(word, f"?view={name}", name == view, counts.get(name)) for name, word in VIEWS],
    }
    return render(request, "changes/change_list.html", context)


def _filtered(rows: QuerySet[ChangeRequest], bar: FilterBar) -> QuerySet[ChangeRequest]:
    if state := bar.get("state"):
        rows = rows.filter(state=state)
    if name := bar.get("kind"):
        rows = rows.filter(items__kind=name)
    if who := bar.get("by"):
        rows = rows.filter(author__email__icontains=who) | rows.filter(author__name__icontains=who)
    if bar.text:
        rows = rows.filter(title__icontains=bar.text) | rows.filter(items__key__icontains=bar.text)
    return rows.distinct()


@requires("approvals.view")
@require_safe
def change_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """The review page."""
    return _page(request, queries.find_change(me(request), pk))


@requires("approvals.view")
@require_safe
def change_record(request: HttpRequest, pk: int) -> HttpResponse:
    """The decision with everything that led to it, as a file."""
    change = queries.find_change(me(request), pk)
    body = orjson.dumps(queries.record_of(change), option=orjson.OPT_INDENT_2)
    response = HttpResponse(body, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="change-{pk}.json"'
    return response


@requires("approvals.view")
@require_safe
def change_packet(request: HttpRequest, pk: int) -> HttpResponse:
    """The packet alone, asked for again while it runs."""
    change = queries.find_change(me(request), pk)
    return render(request, "changes/_packet.html", {"change": change, "packet": packets.latest(change)})


@requires(POST="approvals.decide")
@require_POST
def change_decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Approve, ask for changes, or reject, on the content that the page showed."""
    change = queries.find_change(me(request), pk)
    given = {name: request.POST.get(name, "") for name in ("seen", "comment", "chair")}
    by, decision = me(request), request.POST.get("decision", "")
    acts: dict[str, Callable[[], ChangeRequest]] = {
        "approve": lambda: _approve(request, change, given),
        "request_changes": lambda: reviewing.request_changes(change, by=by, **given),
        "reject": lambda: reviewing.reject(change, by=by, **given),
    }
    return _act(request, change, acts.get(decision))


def _approve(request: HttpRequest, change: ChangeRequest, given: dict[str, str]) -> ChangeRequest:
    viewed = set(request.POST.getlist("viewed"))
    missed = [row for item in page.items_of(change) for row in item.rows if row.severity == "fail"]
    if missing := [row.name for row in missed if row.anchor not in viewed]:
        raise ConfigError(f"Look at what breaks first: {', '.join(missing)}.", code="NOT_VIEWED")
    return reviewing.approve(change, by=me(request), password=request.POST.get("password", ""), **given)


@requires(POST="approvals.view")
@require_POST
def change_act(request: HttpRequest, pk: int) -> HttpResponse:
    """Everything else that a person does to a change; services say who may."""
    change, by = queries.find_change(me(request), pk), me(request)
    reason = request.POST.get("reason", "")
    acts: dict[str, Callable[[], Any]] = {
        "submit": lambda: services.submit(change, by=by),
        "withdraw": lambda: services.withdraw(change, by=by, reason=reason),
        "apply": lambda: applying.apply_change(change, by=by),
        "schedule": lambda: applying.schedule(change, by=by, at=_instant(request.POST.get("at", ""))),
        "rebase": lambda: reviewing.bring_up(change, by=by),
        "roll_back": lambda: applying.roll_back(change, by=by, reason=reason),
        "packet": lambda: packets.ask(change, by=by),
        "canary": lambda: canary.arm(change, by=by),
        "canary_stop": lambda: canary.stop(change, by=by),
        "declare": lambda: emergency.declare(change, by=by, reason=reason),
        "confirm": lambda: emergency.confirm(
            change,
            by=by,
            seen=request.POST.get("seen", ""),
            reason=reason,
            password=request.POST.get("password", ""),
        ),
        "afterwards": lambda: emergency.review_afterwards(change, by=by, note=reason),
        "ask": lambda: _ask(request, change),
    }
    return _act(request, change, acts.get(request.POST.get("act", "")))


def _ask(request: HttpRequest, change: ChangeRequest) -> None:
    """Whom a seat waits for; the page says so itself."""
    asking.ask(change, group=request.POST.get("group", ""), email=request.POST.get("person", ""), by=me(request))
    messages.success(request, "The seat waits for them." if request.POST.get("person") else "Anybody of the group may.")


@requires("approvals.view")
@require_http_methods(["GET", "POST"])
def change_item(request: HttpRequest, pk: int, item: int) -> HttpResponse:
    """The document that an item proposes, as text to be edited."""
    change, by = queries.find_change(me(request), pk), me(request)
    found = get_object_or_404(change.items, pk=item)
    given = {name: request.POST.get(name, "") for name in ("text", "note", "seen")}
    problem: HubError | None = None
    if request.method == "POST":
        try:
            amending.amend(found, given["text"], by=by, note=given["note"], seen=given["seen"])
        except HubError as error:
            problem = error
        else:
            messages.success(request, f"#{change.pk} proposes that now. You are one of its writers.")
            return redirect_to(request, change.get_absolute_url())
    elif not amending.may_amend(change, by) or found.is_removal:
        raise PermissionDenied("Only the writers of a change that is under review edit what it proposes.")
    shown = given if problem else {"text": amending.text_of(found), "note": "", "seen": change.content_hash}
    context = {"change": change, "item": found, "problem": problem, **shown}
    return render_page(request, "changes/item_form.html", context, status=422 if problem else 200)


@requires(POST="approvals.decide")
@require_POST
def change_approve_all(request: HttpRequest) -> HttpResponse:
    """Approve the changes that were ticked, each with the content that the list showed; all of them or none."""
    user = me(request)
    pairs = [value.partition(":") for value in request.POST.getlist("change")]
    chosen = {int(number): seen for number, _, seen in pairs if number.isdecimal()}
    try:
        done = bulk.approve_all(chosen, by=user, comment=request.POST.get("comment", ""), among=queries.my_turn(user))
    except HubError as error:
        messages.error(request, f"Nothing is approved. {error}")
    else:
        messages.success(request, f"{done} change{'' if done == 1 else 's'} approved.")
    return redirect_to(request, f"{reverse('governance:change_list')}?view=turn")


@requires(POST="approvals.view")
@require_POST
def change_comment(request: HttpRequest, pk: int) -> HttpResponse:
    """Say something, answer, or settle a thread."""
    change, by = queries.find_change(me(request), pk), me(request)
    named = request.POST.get("thread", "")
    thread = get_object_or_404(change.comments, pk=int(named)) if named.isdecimal() else None
    if thread is not None and request.POST.get("act") in ("resolve", "reopen"):
        is_resolved = request.POST["act"] == "resolve"
        return _act(request, change, lambda: discussion.resolve(thread, by=by, is_resolved=is_resolved))
    text, anchor = request.POST.get("text", ""), request.POST.get("anchor", "")
    return _act(request, change, lambda: discussion.comment(change, by=by, text=text, anchor=anchor, answers=thread))


# ---------------------------------------------------------------------------------------------------------------------


def _act(request: HttpRequest, change: ChangeRequest, act: Callable[[], Any] | None) -> HttpResponse:
    """Do it and go back to the change, or to the one that came of it; what is refused is said on the page."""
    try:
        if act is None:
            raise ConfigError("The hub does not know what to do with that.")
        done = act()
    except HubError as error:
        change.refresh_from_db()
        return _page(request, change, problem=error, status=422)
    target = done if isinstance(done, ChangeRequest) else change
    if isinstance(done, ChangeRequest):
        messages.success(request, f"#{target.pk}: {target.get_state_display().lower()}.")
    return redirect_to(request, target.get_absolute_url())


def _page(
    request: HttpRequest, change: ChangeRequest, *, problem: HubError | None = None, status: int = 200
) -> HttpResponse:
    user = me(request)
    items, packet = page.items_of(change), packets.latest(change)
    found = checks.checks_of(change, items, packet)
    chairs = reviewing.chairs_for(change, user) if change.state in ChangeRequest.UNDER_REVIEW else []
    context = {
        "change": change,
        "problem": problem,
        "items": items,
        "tree": page.tree_of(items),
        "row_count": sum(len(item.rows) for item in items),
        "threads": page.loose_threads(change, items),
        "seats": [(seat, missing, _people(change, seat, missing)) for seat, missing in reviewing.standing(change)],
        "can_amend": amending.may_amend(change, user),
        "reviews": change.reviews.select_related("reviewer", "on_behalf_of", "group"),
        "edits": change.edits.select_related("by"),
        "checks": found,
        "packet": packet,
        "canary": ChangeCanary.objects.filter(change=change).first(),
        "can_replay": packets.is_possible(change),
        "chairs": chairs,
        "why_not": reviewing.why_not(change, user) if change.state == State.OPEN and not chairs else "",
        "is_writer": services.is_writer(change, user),
        "can_act": applying.may_act(change, user),
        "can_confirm": not emergency.why_not_confirm(change, user),
        "can_review_afterwards": not emergency.why_not_afterwards(change, user),
        "is_stale": any(check.title == checks.MOVED_ON for check in found),
        "comment": request.POST.get("comment", ""),
    }
    return render_page(request, "changes/change.html", context, status=status)


def _people(change: ChangeRequest, seat: ReviewSeat, missing: int) -> list[User]:
    """Whom the seat may wait for, while it waits."""
    is_waiting = missing and change.state in ChangeRequest.UNDER_REVIEW
    return list(asking.people_of(change, seat.group)) if is_waiting else []


def _instant(text: str) -> datetime | None:
    """What a datetime-local field sends has no zone: it is UTC, as the page says."""
    if not text:
        return None
    found = parse_datetime(text)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
