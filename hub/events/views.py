"""Pages of subscriptions and of the events that were sent."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.events import queries, services
from hub.events.forms import SinceForm, SubscriptionForm
from hub.events.models import Notification, Subscription
from hub.sync.views.common import me, tell
from hub.webhooks.forms import SecretForm

SHOWN = 25
STATES = [("on", "Sends events"), ("off", "Off")]
COLUMNS = [
    Column("slug", "Short name", "subscription.slug"),
    Column("name", "Subscription", "subscription.name"),
    Column("events", "Events", lambda row: " ".join(row.subscription.event_types)),
    Column("state", "State"),
    Column("delivered_at", "Last delivered (UTC)", "subscription.delivered_at"),
    Column("waiting", "Waiting"),
    Column("failed", "Given up"),
]
EVENT_COLUMNS = [
    Column("id", "Id", lambda row: str(row.event)),
    Column("type", "Event", "event.type"),
    Column("subject", "About"),
    Column("at", "Happened (UTC)", "event.at"),
    Column("state", "State", "shown_state"),
    Column("attempts", "Attempts"),
    Column("next_at", "Next attempt (UTC)"),
    Column("done_at", "Done (UTC)"),
    Column("error", "Error"),
]


# Lists -----------------------------------------------------------------------------------------------------
@requires("subscriptions.view")
def subscription_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    rows = queries.subscriptions_for(me(request), "subscriptions.view")
    bar = FilterBar(request, keys={"state": "State"}, selects=[Select("state", "State", STATES)])
    if state := bar.get("state"):
        is_on = {"is_active": True, "disabled_at__isnull": True}
        rows = rows.filter(**is_on) if state == "on" else rows.exclude(**is_on)
    if bar.text:
        rows = rows.filter(name__icontains=bar.text)
    if fmt:
        return export_response(queries.subscription_rows(rows.order_by("name")), COLUMNS, fmt, name="subscriptions")
    page = paginate(rows, request, order=("name",))
    can_edit = me(request).has_hub_perm("subscriptions.edit")
    context = {"page": page, "rows": queries.subscription_rows(page), "bar": bar, "can_edit": can_edit}
    return render(request, "events/subscription_list.html", context)


@requires("subscriptions.view")
def event_list(request: HttpRequest, slug: str, fmt: str = "") -> HttpResponseBase:
    subscription = _find(request, slug, "subscriptions.view")
    states = [(str(value), label) for value, label in Notification.State.choices]
    bar = FilterBar(
        request, keys={"state": "State"}, selects=[Select("state", "State", states)],
        hint="The beginning of what it is about, such as project/P-17",
    )  # fmt: skip
    rows = queries.notifications_of(subscription, state=bar.get("state"), text=bar.text)
    if fmt:
        return export_response(rows.order_by("-pk").iterator(), EVENT_COLUMNS, fmt, name=f"events-{slug}")
    page = paginate(rows, request)
    context = {"subscription": subscription, "page": page, "notifications": page, "bar": bar}
    return render(request, "events/event_list.html", context)


# One subscription, one event -------------------------------------------------------------------------------
@requires("subscriptions.view")
@never_cache
def subscription_detail(request: HttpRequest, slug: str) -> HttpResponse:
    subscription = _find(request, slug, "subscriptions.view")
    return render(request, "events/subscription_detail.html", _frame(request, subscription))


def _frame(request: HttpRequest, subscription: Subscription, **more: Any) -> dict[str, Any]:
    can_edit = queries.may_send_to(me(request), subscription, "subscriptions.edit")
    return {
        "subscription": subscription,
        "row": queries.subscription_rows([subscription])[0],
        "address": subscription.url if can_edit else queries.shown_address(subscription),
        "notifications": queries.notifications_of(subscription).order_by("-pk")[:SHOWN],
        "can_edit": can_edit,
        "can_send": queries.may_send_to(me(request), subscription, "subscriptions.send"),
        "secret_form": SecretForm(scheme=services.SCHEME),
        "since_form": SinceForm(),
        **more,
    }


def _find(request: HttpRequest, slug: str, permission: str) -> Subscription:
    return get_object_or_404(queries.subscriptions_for(me(request), permission), slug=slug)


@requires("subscriptions.view")
@never_cache
def event_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """What was sent, and each attempt."""
    subscription = _find(request, slug, "subscriptions.view")
    notification = get_object_or_404(queries.notifications_of(subscription), pk=pk)
    body, masked = queries.sent(notification)
    context = {
        "subscription": subscription,
        "notification": notification,
        "event": notification.event,
        "attempts": notification.tries.all(),
        "body": body,
        "masked": masked,
        "can_send": queries.may_send_to(me(request), subscription, "subscriptions.send"),
    }
    return render(request, "events/event_detail.html", context)


# Editing ---------------------------------------------------------------------------------------------------
@requires("subscriptions.edit")
@require_http_methods(["GET", "POST"])
@never_cache
def subscription_new(request: HttpRequest) -> HttpResponse:
    """A new subscription; its secret is shown in the answer to the form and never again."""
    form = SubscriptionForm(request.POST or None, user=me(request))
    if request.method == "POST" and form.is_valid():
        secret = services.save_subscription(
            subscription=form.instance, by=me(request), secret=form.cleaned_data["secret"]
        )
        return _with_secret(request, form.instance.slug, secret)
    status = 422 if request.method == "POST" else 200
    return render(request, "events/subscription_form.html", {"form": form}, status=status)


def _with_secret(request: HttpRequest, slug: str, secret: str) -> HttpResponse:
    """The page of the subscription with its secret on it, this once."""
    subscription = _find(request, slug, "subscriptions.edit")
    return render(request, "events/subscription_detail.html", _frame(request, subscription, secret=secret))


@requires("subscriptions.edit")
@require_http_methods(["GET", "POST"])
@never_cache
def subscription_settings(request: HttpRequest, slug: str) -> HttpResponse:
    subscription = _find(request, slug, "subscriptions.edit")
    form = SubscriptionForm(request.POST or None, user=me(request), instance=subscription)
    if request.method == "POST" and form.is_valid():
        services.save_subscription(subscription=form.instance, by=me(request))
        messages.success(request, f"{subscription.name} is saved.")
        return _to(request, slug)
    status = 422 if request.method == "POST" else 200
    shown = _find(request, slug, "subscriptions.edit")
    return render(request, "events/subscription_form.html", {"form": form, "subscription": shown}, status=status)


def _to(request: HttpRequest, slug: str) -> HttpResponse:
    return redirect_to(request, reverse("events:subscription_detail", args=[slug]))


@requires("subscriptions.edit")
@require_POST
@never_cache
def subscription_rotate(request: HttpRequest, slug: str) -> HttpResponse:
    """A new secret beside the one until now; shown in this answer only."""
    subscription = _find(request, slug, "subscriptions.edit")
    form = SecretForm(request.POST, scheme=services.SCHEME)
    if not form.is_valid():
        context = _frame(request, subscription, secret_form=form)
        return render(request, "events/subscription_detail.html", context, status=422)
    secret = form.cleaned_data["secret"]
    made = services.rotate_secret(subscription=subscription, by=me(request), secret=secret)
    return _with_secret(request, slug, made)


@requires("subscriptions.edit")
@require_POST
def subscription_drop(request: HttpRequest, slug: str) -> HttpResponse:
    """Nothing is signed with the older secret any more."""
    services.drop_previous(subscription=_find(request, slug, "subscriptions.edit"), by=me(request))
    messages.success(request, "Events are signed with the newest secret alone now.")
    return _to(request, slug)


@requires("subscriptions.edit")
@require_POST
def subscription_on(request: HttpRequest, slug: str) -> HttpResponse:
    services.switch_on(subscription=_find(request, slug, "subscriptions.edit"), by=me(request))
    messages.success(request, "It is told of events again, and what waits is sent now.")
    return _to(request, slug)


# Sending ---------------------------------------------------------------------------------------------------
@requires("subscriptions.send")
@require_POST
def subscription_test(request: HttpRequest, slug: str) -> HttpResponse:
    """A test event takes the way of every other one; its page shows how it goes."""
    try:
        made = services.send_test(subscription=_find(request, slug, "subscriptions.send"), by=me(request))
    except HubError as error:
        tell(request, error)
        return _to(request, slug)
    messages.success(request, "The test event is in line; the answer appears here in a moment.")
    return redirect_to(request, reverse("events:event_detail", args=[slug, made.pk]))


@requires("subscriptions.send")
@require_POST
def event_again(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The same event under the same id."""
    subscription = _find(request, slug, "subscriptions.send")
    notification = get_object_or_404(queries.notifications_of(subscription), pk=pk)
    try:
        if services.send_again(notification=notification, by=me(request)):
            messages.success(request, "The event is in line again.")
    except HubError as error:
        tell(request, error)
    return redirect_to(request, reverse("events:event_detail", args=[slug, pk]))


@requires("subscriptions.send")
@require_POST
def failed_again(request: HttpRequest, slug: str) -> HttpResponse:
    """Everything that was given up since a moment."""
    subscription = _find(request, slug, "subscriptions.send")
    form = SinceForm(request.POST)
    if not form.is_valid():
        context = _frame(request, subscription, since_form=form)
        return render(request, "events/subscription_detail.html", context, status=422)
    try:
        number = services.send_failed(subscription=subscription, since=form.cleaned_data["since"], by=me(request))
    except HubError as error:
        tell(request, error)
    else:
        words = {0: "No event was given up since then.", 1: "One event is in line again."}
        messages.success(request, words.get(number, f"{number:,} events are in line again."))
    return _to(request, slug)
