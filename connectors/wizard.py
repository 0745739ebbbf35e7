"""Making and changing a connection: choose a kind, sign in, test, save. Nothing is stored before a test or `anyway`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from connectors import gallery, queries, registry, services
from connectors.examples import EXAMPLES
from connectors.forms import ConnectionForm
from connectors.gallery import Offer
from connectors.models import Connection
from connectors.problems import inline_problems
from connectors.sign_in_form import DECLARATION
from connectors.views import find, frame, me, test_result
from hub.common.htmx import redirect_to, render_page, wants_fragment
from hub.common.permissions import requires
from hub.common.records import CheckStep

TEMPLATE = "connectors/connection_new.html"
EDIT_TEMPLATE = "connectors/connection_edit.html"
# Parts that bring the sealed secrets of the form along.
OWN_SEAL = ("connectors/_own_fields.html", "connectors/_test.html")
# The part of the page that htmx asks for, by the id of the element it fills.
PARTS = {"gallery": "connectors/_gallery.html", "wizard": "connectors/_wizard.html"}


@requires("connections.edit")
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def connection_new(request: HttpRequest) -> HttpResponse:
    """The gallery, and with ?kind= the form of that kind. `action` of a form says what is wanted of it."""
    offer = gallery.offer(request.GET.get("kind", ""))
    if request.method == "POST" and offer is not None:
        return _answer(request, ConnectionForm(request.POST, offer=offer, user=me(request)))
    form = ConnectionForm(offer=offer, user=me(request)) if offer else None
    return _page(request, offer, form, partial=_part_asked_for(request))


def _part_asked_for(request: HttpRequest) -> str:
    htmx = getattr(request, "htmx", None)
    return PARTS.get(htmx.target or "", "") if htmx else ""


@requires(GET="connections.view", POST="connections.edit")
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def connection_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """The settings of a connection; stored secrets are kept unless new ones are typed."""
    found = find(request, slug, queries.EDIT if request.method == "POST" else queries.VIEW)
    offer = gallery.offer_of(found)
    if request.method == "POST":
        return _answer(request, ConnectionForm(request.POST, offer=offer, user=me(request), connection=found))
    return _page(request, offer, ConnectionForm(offer=offer, user=me(request), connection=found))


@requires("connections.edit")
@require_GET
def connection_slug(request: HttpRequest) -> HttpResponse:
    """A short name for a name, as the field of the form; what a person typed themselves is left alone."""
    typed, suggested = request.GET.get("slug", ""), request.GET.get("suggested", "")
    fresh = queries.free_slug(request.GET.get("name", "").replace("\x00", ""))
    slug = typed if typed not in ("", suggested) else fresh
    return render_page(request, "connectors/_slug.html", {"slug": slug, "suggested": fresh})


def _answer(request: HttpRequest, form: ConnectionForm) -> HttpResponse:
    """What one of the form's buttons asks for: read (the fields of a description), test, save, anyway."""
    action = request.POST.get("action", "save")
    in_the_way = form.errors if action in ("save", "anyway", "sign_in") else form.sign_in_errors
    if action == "read":
        return _read_declaration(request, form)
    if in_the_way:
        return _refused(request, form, action)
    if action == "test":
        return _tested(request, form)
    return _save(request, form, anyway=action in ("anyway", "sign_in"))


def _read_declaration(request: HttpRequest, form: ConnectionForm) -> HttpResponse:
    problems = inline_problems(form.data.get(f"c_{DECLARATION}"))
    shown = form.draft(form.sealed_after({}))
    return _page(request, form.offer, shown, partial="connectors/_own_fields.html", problems=problems)


def _refused(request: HttpRequest, form: ConnectionForm, action: str) -> HttpResponse:
    """The form with its complaints; a test that cannot begin names them where its steps would stand."""
    errors = form.sign_in_errors if action == "test" else {}
    sealed = form.sealed_after({})
    return _page(request, form.offer, form, partial="connectors/_test.html", errors=errors, sealed=sealed, status=422)


def _tested(request: HttpRequest, form: ConnectionForm) -> HttpResponse:
    steps, replaced = services.check_unsaved(**form.values())
    sealed = form.sealed_after(replaced)
    return _page(request, form.offer, form.draft(sealed), steps=steps, sealed=sealed, partial="connectors/_test.html")


def _save(request: HttpRequest, form: ConnectionForm, *, anyway: bool) -> HttpResponse:
    is_new, is_changed, secrets = form.connection is None, form.is_sign_in_changed, form.secret_changes()
    steps: list[CheckStep] = []
    if is_changed and not anyway:
        steps, replaced = services.check_unsaved(**form.values())
        secrets |= replaced
        if not all(step.ok for step in steps):
            sealed = form.sealed_after(replaced)
            return _page(request, form.offer, form.draft(sealed), steps=steps, sealed=sealed, status=422)
    try:
        saved = services.save_connection(
            form.apply(), secrets=secrets, new_system=form.system_to_make(), by=request.user
        )
    except ValidationError as error:
        form.add_error(None, error.messages)
        return _refused(request, form, "save")
    if steps:
        services.record_check(saved, steps)
    elif is_changed and request.POST.get("action") != "sign_in":
        services.check_connection(saved)
    return _saved(request, saved, is_new=is_new)


def _saved(request: HttpRequest, saved: Connection, *, is_new: bool) -> HttpResponse:
    if request.POST.get("action") == "sign_in":
        return redirect_to(request, reverse("connectors:connection_sign_in", args=[saved.slug]))
    if is_new:
        messages.success(request, f"{saved} is saved. Now choose the objects to work with.")
        return redirect_to(request, f"{reverse('connectors:connection_objects', args=[saved.slug])}?discover=1")
    messages.success(request, f"{saved} is saved.")
    return redirect("connectors:connection_detail", slug=saved.slug)


def _page(
    request: HttpRequest,
    offer: Offer | None,
    form: ConnectionForm | None,
    *,
    steps: Sequence[CheckStep] = (),
    partial: str = "",
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    q = request.GET.get("q", "").replace("\x00", "")
    context = {
        "offer": offer,
        "form": form,
        "q": q,
        "test": test_result([asdict(step) for step in steps], timezone.now()),
        "is_draft": True,
        "is_wizard": True,
        "is_part": partial in OWN_SEAL and wants_fragment(request),
        **more,
    }
    found = form.connection if form else None
    if found is not None:
        context |= frame(request, found, "settings")
        if not steps:
            context |= {"test": test_result(found.check_steps, found.checked_at), "is_draft": False}
        return render_page(request, EDIT_TEMPLATE, context, partial=partial, status=status)
    own = EXAMPLES.get(offer.protocol, "") if offer else ""
    context |= {"groups": gallery.groups(q), "broken": registry.catalogue_problems(), "example": own}
    return render_page(request, TEMPLATE, context, partial=partial, status=status)
