"""Reads of the glossary, limited to the domains in which a person sees contracts."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404

from governance.models import ContractVersion, Term
from governance.schemas import Field, fields_of
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains

SEE = "contracts.view"


def terms_for(user: User, permission: str = SEE) -> QuerySet[Term]:
    return scope_to_domains(Term.objects.select_related("domain"), user, permission)


def find_term(user: User, slug: str, permission: str = SEE) -> Term:
    """One term, or 404 where it is missing or outside the person's domains."""
    return get_object_or_404(terms_for(user, permission), slug=slug)


def search_terms(rows: QuerySet[Term], text: str) -> QuerySet[Term]:
    if not text:
        return rows
    return rows.filter(
        Q(name__icontains=text)
        | Q(slug__icontains=text)
        | Q(definition__icontains=text)
        | Q(synonyms__icontains=text)
        | Q(owner__icontains=text)
    )


def contract_fields(entity: str) -> Mapping[str, Field] | None:
    """The fields of an entity's contract in force by name; None where there is no such entity."""
    version = ContractVersion.objects.filter(contract__entity__slug=entity, status="active").first()
    return {field.name: field for field in fields_of(version.schema)} if version else None


def terms_by_field(user: User, entity: str) -> dict[str, list[Term]]:
    """The terms that are bound to the fields of an entity, by the field's name."""
    found: dict[str, list[Term]] = {}
    for term in terms_for(user).filter(fields__overlap=_names(entity)):
        for name in term.fields:
            if name.startswith(f"{entity}."):
                found.setdefault(name.partition(".")[2], []).append(term)
    return found


def _names(entity: str) -> list[str]:
    return [f"{entity}.{name}" for name in contract_fields(entity) or {}]
