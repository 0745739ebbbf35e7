"""Every change to people, roles and tokens. Pages, commands and the set-up go through here, so the rules stand once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.tokens import default_token_generator
from django.db import IntegrityError
from django.db.transaction import atomic
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes, force_str
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from hub.accounts.models import AccessEvent, ApiToken, Domain, RoleAssignment, SetupCode, User
from hub.accounts.roles import ROLES
from hub.common.acts import Act, tell
from hub.common.errors import HubError

SETUP_CODE_LIFE = timedelta(hours=24)
# No letters or digits that are mistaken for one another; 12 of 31 are 59 bits.
_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
SERVICE_HOST = "service.invalid"

Grant = tuple[str, Domain | None]
Event = AccessEvent.Event


class AccessError(HubError):
    """A change to people or roles that is not allowed; the sentence is for the person who asked."""

    code = "ACCESS"


# --- the first person -----------------------------------------------------------------------------------------------


def is_setup_open() -> bool:
    """True while nobody can sign in yet: service accounts, and people without a password, do not count."""
    return not User.objects.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX).exists()


def issue_setup_code() -> str:
    """A new one-time code for the set-up page, valid for a day; earlier codes stop working.

    Raises AccessError when there is a person already.
    """
    if not is_setup_open():
        raise AccessError("The hub is already set up.", fix="Sign in, or ask a person who manages access.")
    code = "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(3))
    with atomic():
        SetupCode.objects.all().delete()
        SetupCode.objects.create(code_hash=_hash(code), expires_at=timezone.now() + SETUP_CODE_LIFE)
    return code


@atomic
def complete_setup(*, code: str, email: str, password: str, name: str = "") -> User:
    """Create the first person, an integration admin for all domains. The code is used up.

    Raises AccessError when the code is wrong or old, or when somebody else was first.
    """
    used = SetupCode.objects.select_for_update().filter(code_hash=_hash(code), expires_at__gt=timezone.now()).first()
    if used is None or not is_setup_open():
        raise AccessError(
            "This code is not valid.", fix="Start the hub again, or run manage.py setup_code, for a new one."
        )
    if User.objects.filter(email=email.lower()).exists():
        raise AccessError(f"There is already an account for {email.lower()}.", fix="Choose another address.")
    used.delete()
    user = User.objects.create_user(email, password, name=name)
    _note(user, Event.CREATED, by=user, detail="with the set-up code")
    _save_roles(user, {("integration_admin", None)}, by=user)
    return user


def _hash(code: str) -> str:
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()


# --- people and roles -----------------------------------------------------------------------------------------------


@atomic
def invite_person(*, email: str, name: str, grants: Iterable[Grant], by: User) -> User:
    """A person with roles who cannot sign in until they open their welcome link and choose a password."""
    try:
        with atomic():
            user = User.objects.create_user(email, None, name=name)
    except IntegrityError:
        raise AccessError(
            f"There is already an account for {email.lower()}.", fix="Change its roles instead."
        ) from None
    _note(user, Event.CREATED, by=by)
    _save_roles(user, set(grants), by=by)
    return user


@atomic
def create_service(*, name: str, grants: Iterable[Grant], by: User | None) -> User:
    """A service account: it has tokens and can never sign in. `name` is a word, or an e-mail address."""
    email = name if "@" in name else f"{name}@{SERVICE_HOST}"
    if User.objects.filter(email=email.lower()).exists():
        raise AccessError(f"There is already an account called {name}.", fix="Choose another name.")
    user = User.objects.create_user(email, None, name=name.partition("@")[0], is_service=True)
    _note(user, Event.CREATED, by=by, detail="service account")
    _save_roles(user, set(grants), by=by)
    return user


@atomic
def set_roles(user: User, grants: Iterable[Grant], *, by: User) -> None:
    """Make the roles of a person exactly these; what changes is kept in the history with who did it.

    Raises AccessError when people change their own roles: that takes another person.
    """
    _refuse_self(user, by, "roles")
    _save_roles(User.objects.select_for_update().get(pk=user.pk), set(grants), by=by)
    user.forget_grants()


@atomic
def add_role(user: User, grant: Grant, *, by: User | None) -> None:
    """Give one more role, if the person does not hold it yet."""
    role, domain = grant
    if not user.roles.filter(role=role, domain=domain).exists():
        held = {(row.role, row.domain) for row in user.roles.select_related("domain")}
        _save_roles(user, held | {grant}, by=by)
        user.forget_grants()


@atomic
def set_active(user: User, is_active: bool, *, by: User) -> None:
    """Let a person in, or keep them out: their sessions and tokens stop working at once."""
    _refuse_self(user, by, "access")
    user.is_active = is_active
    user.save(update_fields=["is_active"])
    user.forget_grants()
    _note(user, Event.ON if is_active else Event.OFF, by=by)


def _refuse_self(user: User, by: User, what: str) -> None:
    if user.pk == by.pk:
        raise AccessError(f"You cannot change your own {what}.", fix="Ask another person who manages access.")


def _save_roles(user: User, wanted: set[Grant], *, by: User | None) -> None:
    if unknown := {role for role, _ in wanted} - set(ROLES):
        raise AccessError(f"There is no role {min(unknown)!r}.", fix=f"Choose one of {', '.join(ROLES)}.")
    for row in user.roles.select_related("domain"):
        if (row.role, row.domain) in wanted:
            wanted.remove((row.role, row.domain))
        else:
            _signed(row, by).delete()
            _tell_role("taken", row, by=by)
    for role, domain in wanted:
        row = _signed(RoleAssignment(user=user, role=role, domain=domain), by)
        row.save()
        _tell_role("given", row, by=by)


def _tell_role(what: str, row: RoleAssignment, *, by: User | None) -> None:
    details = {"role": row.role, "domain": row.domain.slug if row.domain else "all"}
    tell(Act(f"role.{what}", "User", row.user.email, by=by, details=details, domain=row.domain))


def _signed(row: RoleAssignment, by: User | None) -> RoleAssignment:
    """Tell simple-history who makes the change."""
    vars(row)["_history_user"] = by
    return row


@atomic
def choose_password(user: User, password: str) -> None:
    """A new password; sessions that were opened with the old one end."""
    user.set_password(password)
    user.save(update_fields=["password"])
    _note(user, Event.PASSWORD, by=user)


def save_preference(user: User, **fields: str) -> None:
    """Keep how a person likes to see the hub; the values are checked by the caller."""
    for name, value in fields.items():
        setattr(user, name, value)
    user.save(update_fields=list(fields))


def issue_welcome(user: User, *, by: User) -> str:
    """The address at which a person chooses a password; it works once, for PASSWORD_RESET_TIMEOUT seconds.

    Whoever holds it can sign in as that person, so who was given it is kept.
    """
    _note(user, Event.LINK, by=by)
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("accounts:welcome", args=[uid, default_token_generator.make_token(user)])


def find_welcome(uid: str, token: str) -> User | None:
    """The person a welcome address belongs to, while it works."""
    try:
        pk = int(force_str(urlsafe_base64_decode(uid)))
    except (ValueError, OverflowError):
        return None
    user = User.objects.filter(pk=pk, is_active=True, is_service=False).first()
    return user if user and default_token_generator.check_token(user, token) else None


# --- tokens ---------------------------------------------------------------------------------------------------------


@atomic
def create_token(
    user: User, *, name: str, days: int | None, by: User | None, is_read_only: bool = False
) -> tuple[ApiToken, str]:
    """A token and its secret, which cannot be shown again; `days` None means it never expires."""
    expiry = timedelta(days=days) if days else None
    made: tuple[ApiToken, str] = ApiToken.objects.create(
        user, expiry=expiry, name=name, is_read_only=is_read_only, created_by=by
    )
    _note(user, Event.TOKEN, by=by, detail=name)
    return made


@atomic
def revoke_token(token: ApiToken, *, by: User) -> None:
    """The token stops working at once."""
    _note(token.user, Event.REVOKED, by=by, detail=token.name)
    token.delete()


def _note(user: User, event: Event, *, by: User | None, detail: str = "") -> None:
    AccessEvent.objects.create(user=user, by=by, event=event, detail=detail)
    tell(Act(f"access.{event}", "User", user.email, by=by, details={"detail": detail} if detail else {}))
