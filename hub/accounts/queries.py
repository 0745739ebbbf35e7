"""Reads about people, their domains and their tokens."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Count, Model, Prefetch, Q, QuerySet

from hub.accounts.models import ApiToken, Domain, RoleAssignment, User

M = TypeVar("M", bound=Model)


def domains_for(user: User, permission: str) -> QuerySet[Domain]:
    """The domains in which a person holds a permission."""
    ids = user.domain_ids_for(permission)
    return Domain.objects.all() if ids is None else Domain.objects.filter(pk__in=ids)


def scope_to_domains(rows: QuerySet[M], user: User, permission: str, field: str = "domain") -> QuerySet[M]:
    """Only the rows whose domain (`field`, a path to a Domain) a person holds the permission in.

    A row without a domain belongs to the whole firm: it needs the permission for all domains.
    """
    if not user.is_authenticated:
        return rows.none()
    ids = user.domain_ids_for(permission)
    return rows if ids is None else rows.filter(**{f"{field}__in": ids})


def people(*, services: bool) -> QuerySet[User]:
    """People, or service accounts, with their roles and the number of tokens that still work."""
    roles = RoleAssignment.objects.select_related("domain")
    return (
        User.objects.filter(is_service=services)
        .prefetch_related(Prefetch("roles", queryset=roles))
        .annotate(token_count=Count("auth_token_set"))
        .order_by("-is_active", "name", "email")
    )


def is_more_than_one() -> bool:
    """Whether anybody besides the first person has an account."""
    return User.objects.filter(is_service=False)[1:2].exists()


def find_people(rows: QuerySet[User], text: str) -> QuerySet[User]:
    """Those whose name or e-mail contains the text."""
    return rows.filter(Q(name__icontains=text) | Q(email__icontains=text)) if text else rows


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """A person's own tokens, newest first."""
    return ApiToken.objects.filter(user=user)


def role_history(user: User) -> QuerySet[RoleAssignment]:
    """Who gave or took which role of this person, newest first."""
    return RoleAssignment.history.filter(user=user).select_related("domain", "history_user")
