"""Who may sign in, which roles they hold in which domain, and the tokens of programs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import cache, cached_property
from typing import Any, ClassVar
from uuid import uuid4
from zoneinfo import available_timezones

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from knox.models import AbstractAuthToken
from simple_history.models import HistoricalRecords

from hub.accounts.roles import ROLES, grants

MARK_USED_EVERY = timedelta(minutes=1)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def validate_time_zone(name: str) -> None:
    if name not in _zones():
        raise ValidationError(f"{name!r} is not a time zone. Use a name such as Europe/London.")


class Domain(models.Model):
    """A part of the business that roles and approvals are given for, such as customers and contracts."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=200, blank=True)
    order = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["order", "name"]

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A person without any role; without a password nobody can sign in as them."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """The way back in from the command line: an integration admin for all domains."""
        user = self.create_user(email, password, **fields)
        RoleAssignment.objects.create(user=user, role="integration_admin")
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):  # type: ignore[django-manager-missing]  # knox is untyped
    """A person, or a service that calls the API. The e-mail address is the name to sign in with, in lower case."""

    class Theme(models.TextChoices):
        AUTO = "auto", "As the device"
        LIGHT = "light", "Light"
        DARK = "dark", "Dark"

    class Density(models.TextChoices):
        COMPACT = "compact", "Compact"
        DEFAULT = "default", "Default"
        COMFORTABLE = "comfy", "Comfortable"

    class TimeStyle(models.TextChoices):
        LOCAL = "local", "Local"
        UTC = "utc", "UTC"
        RELATIVE = "relative", "Ago"

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_service = models.BooleanField(default=False, help_text="A program: it has tokens and never a password.")
    joined_at = models.DateTimeField(default=timezone.now, editable=False)
    theme = models.CharField(max_length=8, choices=Theme.choices, default=Theme.AUTO)
    density = models.CharField(max_length=8, choices=Density.choices, default=Density.DEFAULT)
    time_style = models.CharField(max_length=8, choices=TimeStyle.choices, default=TimeStyle.LOCAL)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    single_key_shortcuts = models.BooleanField(default=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering: ClassVar = ["email"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(email=Lower("email")),
                name="user_email_is_lower_case",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def clean(self) -> None:
        self.email = self.email.strip().lower()

    @property
    def initials(self) -> str:
        """Up to two letters that stand for the person in a list."""
        words = (self.name or self.email.partition("@")[0].replace(".", " ")).split()
        return "".join(word[0] for word in words[:2]).upper()

    @cached_property
    def _grants(self) -> list[tuple[str, int | None]]:
        """(role, domain id or None for all), read once for each request."""
        return list(self.roles.values_list("role", "domain_id")) if self.is_active else []

    def forget_grants(self) -> None:
        """Read the roles again: whoever changes them calls this."""
        self.__dict__.pop("_grants", None)

    def has_hub_perm(self, name: str, domain: Domain | int | None = None) -> bool:
        """Whether a role brings this permission: in this domain, or (without one) in any domain at all."""
        ids = self.domain_ids_for(name)
        if ids is None or domain is None:
            return ids is None or bool(ids)
        return (domain.pk if isinstance(domain, Domain) else domain) in ids

    def domain_ids_for(self, name: str) -> frozenset[int] | None:
        """The domains in which this permission is held; None means all of them, and what belongs to none."""
        if any(domain is None and grants(role, name, firm_wide=True) for role, domain in self._grants):
            return None
        return frozenset(
            domain for role, domain in self._grants if domain is not None and grants(role, name, firm_wide=False)
        )

    @property
    def role_labels(self) -> Iterable[str]:
        """The names of the roles held, each once."""
        return dict.fromkeys(ROLES[role].label for role, _ in self._grants if role in ROLES)


class RoleAssignment(models.Model):
    """One role of one person, in one domain or (domain empty) in all. Every change is kept in its history."""

    user = models.ForeignKey(User, models.CASCADE, related_name="roles")
    role = models.CharField(max_length=32)
    domain = models.ForeignKey(Domain, models.PROTECT, null=True, blank=True, related_name="+")

    history = HistoricalRecords()

    class Meta:
        ordering: ClassVar = ["role", "domain__order"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "role", "domain"],
                nulls_distinct=False,
                name="one_assignment_of_a_role_and_domain",
            ),
        ]

    def __str__(self) -> str:
        role = ROLES[self.role].label if self.role in ROLES else self.role
        return f"{role}, {self.domain.name if self.domain else 'all domains'}"


class AccessEvent(models.Model):
    """What happened to an account besides its roles; rows are only ever added."""

    class Event(models.TextChoices):
        CREATED = "created", "Account made"
        LINK = "link", "Link to choose a password handed out"
        PASSWORD = "password", "Password chosen"
        OFF = "off", "Switched off"
        ON = "on", "Switched on again"
        TOKEN = "token", "Token made"
        REVOKED = "revoked", "Token revoked"

    user = models.ForeignKey(User, models.CASCADE, related_name="access_events")
    by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    event = models.CharField(max_length=16, choices=Event.choices)
    detail = models.CharField(max_length=80, blank=True)
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.get_event_display()}{f': {self.detail}' if self.detail else ''}"


class SetupCode(models.Model):
    """The code that lets the first person in; only its hash is kept."""

    code_hash = models.CharField(max_length=64)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"set-up code until {self.expires_at:%H:%M}"


class ApiToken(AbstractAuthToken):
    """A program's key. The secret is shown once and kept as a hash; `token_key` is its recognisable beginning."""

    uid = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.CharField(max_length=80)
    is_read_only = models.BooleanField(default=False)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering: ClassVar = ["-created"]

    def __str__(self) -> str:
        return self.name

    def mark_used(self) -> None:
        """Note the use, at most once a minute: a busy token must not cost a write for each call."""
        now = timezone.now()
        if self.last_used_at is None or now - self.last_used_at > MARK_USED_EVERY:
            ApiToken.objects.filter(pk=self.pk).update(last_used_at=now)

    @property
    def is_expired(self) -> bool:
        return self.expiry is not None and self.expiry < timezone.now()
