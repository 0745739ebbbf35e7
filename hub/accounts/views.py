"""Signing in and out, the first set-up, and one's own profile and tokens. People and roles are in `people.py`."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from hub.accounts import queries, services
from hub.accounts.forms import PasswordForm, ProfileForm, SetupForm, SignInForm, TokenForm, WelcomeForm
from hub.accounts.models import ApiToken, User
from hub.common.htmx import safe_next, wants_fragment
from hub.common.permissions import public, signed_in

BACKEND = "django.contrib.auth.backends.ModelBackend"
LOCKED_OUT = "Too many attempts with this e-mail address. Wait 15 minutes, then try again."


@public
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """E-mail and password; attempts are counted by axes. A hub without people leads to its set-up."""
    if request.user.is_authenticated:
        return HttpResponseRedirect(safe_next(request))
    if services.is_setup_open():
        return redirect("accounts:setup")
    form = SignInForm(request, data=request.POST or None)
    if request.method == "POST" and form.is_valid():
        login(request, form.get_user())
        return HttpResponseRedirect(safe_next(request))
    return _sign_in_page(request, form, 422 if form.is_bound else 200)


def _sign_in_page(request: HttpRequest, form: SignInForm, status: int) -> HttpResponse:
    context = {"form": form, "next": safe_next(request, "")}
    return render(request, "accounts/sign_in.html", context, status=status)


def locked_out(request: HttpRequest, response: HttpResponse, credentials: dict[str, Any] | None) -> HttpResponse:
    """What axes shows instead of the answer; the same whether or not the address belongs to anybody."""
    form = SignInForm(request)
    return render(request, "accounts/sign_in.html", {"form": form, "locked": LOCKED_OUT, "next": ""}, status=429)


@public
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("accounts:sign_in")


@public
@never_cache
@sensitive_post_parameters("password", "code")
@require_http_methods(["GET", "POST"])
def setup(request: HttpRequest) -> HttpResponse:
    """The first person of a new hub, with the code that was printed where the hub was started."""
    if not services.is_setup_open():
        return render(request, "accounts/setup_closed.html", status=404)
    form = SetupForm(request.POST or None, initial={"code": request.GET.get("code", "")[:40]})
    if request.method == "POST" and form.is_valid() and (user := _first_person(form)):
        login(request, user, backend=BACKEND)
        messages.success(request, "Welcome. This hub is yours: you are its integration admin.")
        return redirect("home")
    return render(request, "accounts/setup.html", {"form": form}, status=422 if form.is_bound else 200)


def _first_person(form: SetupForm) -> User | None:
    try:
        return services.complete_setup(**form.cleaned_data)
    except services.AccessError as error:
        form.add_error("code", str(error))
        return None


@public
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def welcome(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """Choose a password with the link that an admin handed over; the link works once."""
    user = services.find_welcome(uid, token)
    if user is None:
        return render(request, "accounts/welcome_closed.html", status=404)
    form = WelcomeForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        services.choose_password(user, form.cleaned_data["password"])
        login(request, user, backend=BACKEND)
        return redirect("home")
    context = {"form": form, "person": user}
    return render(request, "accounts/welcome.html", context, status=422 if form.is_bound else 200)


@signed_in
def settings_index(request: HttpRequest) -> HttpResponse:
    return redirect("accounts:profile")


@signed_in
@require_http_methods(["GET", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    me = _me(request)
    form = ProfileForm(request.POST or None, instance=me)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Your profile is saved.")
        return redirect("accounts:profile")
    if form.is_bound:
        me.refresh_from_db()
    return render(request, "accounts/profile.html", {"form": form}, status=422 if form.is_bound else 200)


@signed_in
@sensitive_post_parameters("password", "current")
@require_http_methods(["GET", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    user = _me(request)
    form = PasswordForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        services.choose_password(user, form.cleaned_data["password"])
        update_session_auth_hash(request, user)
        messages.success(request, "Your password is changed; your other sessions are signed out.")
        return redirect("accounts:profile")
    return render(request, "accounts/password.html", {"form": form}, status=422 if form.is_bound else 200)


@signed_in
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Light or dark, kept in the profile; the page changes without a reload where htmx sent this."""
    chosen = request.POST.get("theme", "")
    if chosen in User.Theme.values:
        services.save_preference(_me(request), theme=chosen)
    if wants_fragment(request):
        return trigger_client_event(HttpResponse(status=204), "hub:theme", {"theme": _me(request).theme})
    return HttpResponseRedirect(safe_next(request))


@signed_in
@require_POST
def time_style(request: HttpRequest) -> HttpResponse:
    chosen = request.POST.get("time_style", "")
    if chosen in User.TimeStyle.values:
        services.save_preference(_me(request), time_style=chosen)
    return HttpResponseRedirect(safe_next(request))


@signed_in
@never_cache
@require_http_methods(["GET", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """One's own tokens. A new one is shown in the answer to its form, and never again."""
    form, secret = TokenForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        _, secret = services.create_token(_me(request), by=_me(request), **form.cleaned_data)
        form = TokenForm()
    context = {"form": form, "secret": secret, "tokens": queries.tokens_of(_me(request)), "now": timezone.now()}
    return render(request, "accounts/tokens.html", context, status=422 if form.is_bound else 200)


@signed_in
@require_POST
def revoke_token(request: HttpRequest, uid: str) -> HttpResponse:
    """One's own token, or anybody's for those who manage access."""
    me = _me(request)
    mine = ApiToken.objects.all() if me.has_hub_perm("access.manage") else queries.tokens_of(me)
    token = get_object_or_404(mine, uid=uid)
    services.revoke_token(token, by=me)
    messages.success(request, f"The token “{token.name}” no longer works.")
    return HttpResponseRedirect(safe_next(request, "/settings/tokens/"))


def _me(request: HttpRequest) -> User:
    user = request.user
    assert isinstance(user, User)
    return user
