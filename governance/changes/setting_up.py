"""Pages on which it is set who reviews what: groups, policies and delegations."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from governance import saving
from governance.changes import delegations, policies, queries
from governance.changes.forms import DelegationForm, GroupForm, PolicyForm
from governance.models import ReviewGroup, ReviewPolicy
from governance.views import me
from hub.common.errors import ConfigError
from hub.common.htmx import redirect_to, render_page
from hub.common.permissions import requires
from hub.common.times import business_today

EDIT = "access.manage"
_FORMS: dict[str, tuple[type[GroupForm] | type[PolicyForm], Any, str]] = {
    "group": (GroupForm, ReviewGroup, "group"),
    "policy": (PolicyForm, ReviewPolicy, "policy"),
}


@requires("approvals.view")
@require_safe
def policy_list(request: HttpRequest) -> HttpResponse:
    """Who agrees to what, and who is in which group."""
    context = {
        "policies": ReviewPolicy.objects.select_related("group", "domain"),
        "groups": ReviewGroup.objects.all(),
        "can_edit": me(request).has_hub_perm(EDIT),
    }
    return render_page(request, "changes/policy_list.html", context)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def policy_edit(request: HttpRequest, what: str, slug: str = "") -> HttpResponse:
    """Add or change a group or a policy; where that itself is reviewed, it becomes a change request."""
    form_class, model, word = _FORMS[what]
    found = get_object_or_404(model, slug=slug) if slug else model()
    form = form_class(request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid():
        try:
            done = saving.save(form.document(), act=f"{word}.saved".replace(" ", "_"), by=me(request))
        except ConfigError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, done.said)
            return redirect_to(request, done.url or reverse("governance:review_policies"))
    context = {"form": form, "word": word, "found": found if slug else None}
    return render_page(request, "changes/policy_form.html", context, status=422 if form.errors else 200)


@requires(POST=EDIT)
@require_POST
def policy_delete(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(ReviewPolicy, slug=slug)
    try:
        policies.delete_policy(found, by=me(request))
    except ConfigError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{found.name} is deleted: nobody has to agree by it any more.")
    return redirect_to(request, reverse("governance:review_policies"))


@requires("approvals.view")
@require_http_methods(["GET", "POST"])
def delegation_list(request: HttpRequest) -> HttpResponse:
    """Mine: given and held; and a form to hand my seat to somebody for some days."""
    person = me(request)
    form = DelegationForm(person, request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            delegations.delegate(
                by=person,
                to=given["delegate"],
                from_date=given["from_date"],
                to_date=given["to_date"],
                reason=given["reason"],
            )
        except ConfigError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"{given['delegate']} decides in your place on these days.")
            return redirect_to(request, reverse("governance:delegations"))
    context = {"form": form, "rows": queries.delegations_of(person), "today": business_today()}
    return render_page(request, "changes/delegation_list.html", context, status=422 if form.errors else 200)


@requires(POST="approvals.view")
@require_POST
def delegation_end(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(queries.delegations_of(me(request)), pk=pk)
    try:
        delegations.end(found, by=me(request))
    except ConfigError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The delegation is over.")
    return redirect_to(request, reverse("governance:delegations"))
