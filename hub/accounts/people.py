"""The access pages: people and service accounts, their roles by domain, their tokens, and who changed what."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from hub.accounts import queries, services
from hub.accounts.forms import GrantsMixin, PersonForm, RolesForm, ServiceForm, TokenForm
from hub.accounts.models import RoleAssignment, User
from hub.accounts.roles import ROLES
from hub.accounts.services import AccessError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar
from hub.common.permissions import requires

_TONE = {"off": "muted", "revoked": "muted", "link": "warn"}
COLUMNS = [
    Column("email", "E-mail"),
    Column("name", "Name"),
    Column("is_service", "Service account"),
    Column("is_active", "Active"),
    Column("roles", "Roles", lambda user: "; ".join(str(row) for row in user.roles.all())),
    Column("last_login", "Last signed in (UTC)"),
]


@requires("access.view")
def people_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Everybody with an account; ?view=services shows the service accounts instead."""
    services_only = request.GET.get("view") == "services"
    bar = FilterBar(request, keys={}, hint="Name or e-mail")
    found = queries.find_people(queries.people(services=services_only), bar.text)
    if fmt:
        return export_response(found, COLUMNS, fmt, name="people")
    context = {"people": found, "bar": bar, "services_only": services_only}
    return render(request, "accounts/people_list.html", context)


@requires("access.manage")
@never_cache
@require_http_methods(["GET", "POST"])
def person_new(request: HttpRequest) -> HttpResponse:
    """A person (who gets a link to choose a password), or with ?kind=service an account for a program."""
    is_service = request.GET.get("kind") == "service"
    form: GrantsMixin = (ServiceForm if is_service else PersonForm)(request.POST or None)
    if request.method == "POST" and form.is_valid() and (user := _create(form, by=_me(request))):
        return _person_page(request, user, link=not user.is_service, status=201)
    context = {"form": form, "matrix": matrix(form), "is_service": is_service}
    return render(request, "accounts/person_new.html", context, status=422 if form.is_bound else 200)


def _create(form: GrantsMixin, by: User) -> User | None:
    data = form.cleaned_data
    try:
        if isinstance(form, ServiceForm):
            return services.create_service(name=data["name"], grants=form.grant_list(), by=by)
        return services.invite_person(email=data["email"], name=data["name"], grants=form.grant_list(), by=by)
    except AccessError as error:
        form.add_error("name" if isinstance(form, ServiceForm) else "email", str(error))
        return None


@requires(GET="access.view", POST="access.manage")
@never_cache
@require_http_methods(["GET", "POST"])
def person(request: HttpRequest, pk: int) -> HttpResponse:
    """One account: roles by domain (sent here), tokens, and the history of its roles."""
    user = get_object_or_404(User, pk=pk)
    if request.method == "GET":
        return _person_page(request, user)
    form = RolesForm(request.POST)
    if form.is_valid():
        try:
            services.set_roles(user, form.grant_list(), by=_me(request))
        except AccessError as error:
            form.add_error(None, str(error))
    if form.errors:
        return _person_page(request, user, form=form, status=422)
    messages.success(request, f"The roles of {user} are saved.")
    return redirect("accounts:person", pk=user.pk)


@requires("access.manage")
@require_POST
def person_active(request: HttpRequest, pk: int) -> HttpResponse:
    """Switch an account on or off."""
    user = get_object_or_404(User, pk=pk)
    try:
        services.set_active(user, request.POST.get("is_active") == "1", by=_me(request))
    except AccessError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{user} is {'active again' if user.is_active else 'switched off'}.")
    return redirect("accounts:person", pk=user.pk)


@requires("access.manage")
@never_cache
@require_POST
def person_link(request: HttpRequest, pk: int) -> HttpResponse:
    """A new link with which a person chooses a password."""
    return _person_page(request, get_object_or_404(User, pk=pk, is_service=False, is_active=True), link=True)


@requires("access.manage")
@never_cache
@require_POST
def person_token(request: HttpRequest, pk: int) -> HttpResponse:
    """A token for a service account; people make their own."""
    user = get_object_or_404(User, pk=pk, is_service=True)
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _person_page(request, user, token_form=form, status=422)
    _, secret = services.create_token(user, by=_me(request), **form.cleaned_data)
    return _person_page(request, user, secret=secret)


def _person_page(
    request: HttpRequest,
    user: User,
    *,
    form: RolesForm | None = None,
    token_form: TokenForm | None = None,
    secret: str = "",
    link: bool = False,
    status: int = 200,
) -> HttpResponse:
    user.forget_grants()
    form = form or RolesForm(initial={"grants": [_value(row) for row in user.roles.all()]})
    context: dict[str, Any] = {
        "person": user,
        "form": form,
        "matrix": matrix(form),
        "token_form": token_form or TokenForm(),
        "tokens": queries.tokens_of(user),
        "secret": secret,
        "welcome_url": _welcome_url(request, user) if link else "",
        "history": history(user),
        "is_me": user.pk == _me(request).pk,
    }
    return render(request, "accounts/person.html", context, status=status)


def matrix(form: GrantsMixin) -> dict[str, Any]:
    """Roles as rows, all domains and each domain as columns: (value, is ticked, heading)."""
    ticked = form.ticked()
    columns = [("all", "All domains"), *((pk, domain.name) for pk, domain in form.domains.items())]
    rows = [
        (role, [(f"{role.slug}:{key}", f"{role.slug}:{key}" in ticked, heading) for key, heading in columns])
        for role in ROLES.values()
    ]
    return {"headings": [heading for _, heading in columns], "rows": rows}


def _value(row: RoleAssignment) -> str:
    return f"{row.role}:{row.domain_id or 'all'}"


def _welcome_url(request: HttpRequest, user: User) -> str:
    return request.build_absolute_uri(services.issue_welcome(user, by=_me(request)))


def history(user: User, limit: int = 20) -> list[dict[str, Any]]:
    """What happened to an account and its roles, newest first, for components/timeline.html."""
    events = [
        {"state": _TONE.get(row.event, "ok"), "title": str(row), "detail": _actor(row.by), "at": row.at}
        for row in user.access_events.select_related("by")[:limit]
    ]
    changes = [_role_change(row) for row in queries.role_history(user)[:limit]]
    return sorted([*events, *changes], key=lambda event: event["at"], reverse=True)[:limit]


def _role_change(row: Any) -> dict[str, Any]:
    role = ROLES[row.role].label if row.role in ROLES else row.role
    gave = row.history_type == "+"
    title = f"{role}, {row.domain or 'all domains'}: {'given' if gave else 'taken away'}"
    return {
        "state": "ok" if gave else "muted",
        "title": title,
        "detail": _actor(row.history_user),
        "at": row.history_date,
    }


def _actor(by: User | None) -> str:
    return f"by {by}" if by else "from the command line"


def _me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
