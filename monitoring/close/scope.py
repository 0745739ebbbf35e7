"""Whose close is looked at, by whom, and which records belong to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, TextField, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Left, NullIf

from hub.accounts.models import User
from hub.common.errors import HubError
from hub.common.times import period_bounds
from hub.records.models import CanonicalRecord
from monitoring.close.books import Book, Name
from monitoring.models import ExceptionItem

# What a day of a record is called, in the order in which it counts.
DAYS = ("date", "actual_date", "invoice_date", "posting_date", "forecast_date", "planned_date")
SEE, EDIT = "exceptions.view", "exceptions.resolve"


@dataclass(frozen=True, slots=True)
class Scope:
    """One legal entity and period, as one person may see them; without a legal entity it is what has none."""

    legal_entity: str
    period: str
    start_date: date | None
    end_date: date | None
    user: User | None = None

    @property
    def name(self) -> Name:
        return self.legal_entity, self.period

    @property
    def is_unplaced(self) -> bool:
        """What no close would show: records without a legal entity, or without a period and a day."""
        return not self.legal_entity

    @property
    def domain_ids(self) -> list[int] | None:
        """Ids of the domains that may be seen; None for all."""
        found = None if self.user is None else self.user.domain_ids_for(SEE)
        return None if found is None else list(found)

    def in_domains(self, rows: QuerySet[Any], field: str) -> QuerySet[Any]:
        ids = self.domain_ids
        return rows if ids is None else rows.filter(**{f"{field}__in": ids})


def scope_of(book: Book, user: User | None = None) -> Scope:
    return Scope(book.legal_entity, book.period, book.start_date, book.end_date, user)


def bare_scope(legal_entity: str, period: str, user: User | None = None) -> Scope:
    """A scope of a period that nobody has planned: the calendar month, or HubError where it is no period."""
    start, end = period_bounds(period)
    return Scope(legal_entity, period, start, end, user)


def unplaced(user: User | None = None) -> Scope:
    return Scope("", "", None, None, user)


def placed(rows: QuerySet[Any], scope: Scope, prefix: str = "") -> QuerySet[Any]:
    """Rows whose record (at `prefix`, a path that ends in __) belongs to the scope.

    A record's legal entity is its own, else its project's; its period is its own, else the one that its day lies in.
    """
    return _with_place(rows, prefix).filter(_within(scope))


def parted(rows: QuerySet[Any], scopes: Sequence[Scope], prefix: str = "") -> QuerySet[Any]:
    """Rows that belong to any of the scopes, with the place in the sequence of that which each belongs to as `nth`."""
    whens = [When(_within(scope), then=Value(n)) for n, scope in enumerate(scopes)]
    nth = Case(*whens, output_field=IntegerField())
    return _with_place(rows, prefix).annotate(nth=nth).filter(nth__isnull=False)


def _with_place(rows: QuerySet[Any], prefix: str) -> QuerySet[Any]:
    return rows.alias(
        book_entity=legal_entity_of(prefix),
        book_period=F(f"{prefix}period"),
        book_day=day_of(prefix),
    )


def _within(scope: Scope) -> Q:
    if scope.is_unplaced:
        return Q(book_entity__isnull=True) | Q(book_period__isnull=True, book_day__isnull=True)
    day = Q(book_day__gte=str(scope.start_date), book_day__lte=str(scope.end_date))
    when = Q(book_period=scope.period) | Q(book_period__isnull=True) & day
    return when & Q(book_entity=scope.legal_entity)


def legal_entity_of(prefix: str = "") -> Any:
    project = CanonicalRecord.objects.filter(entity__slug="project", key=OuterRef(f"{prefix}project"))
    own = NullIf(F(f"{prefix}legal_entity"), Value("", output_field=TextField()))
    return Coalesce(own, Subquery(project.values("legal_entity")[:1]), output_field=TextField())


def day_of(prefix: str = "") -> Any:
    """The record's business date as text; null where it has none."""
    named = [NullIf(KeyTextTransform(name, f"{prefix}body"), Value(""), output_field=TextField()) for name in DAYS]
    return Left(Coalesce(*named, output_field=TextField()), 10)


def before_people(rows: QuerySet[Any], **links: str) -> QuerySet[Any]:
    """Rows that stand in the queue of exceptions already are shown there, and counted once."""
    items = ExceptionItem.objects.filter(state__in=ExceptionItem.UNSETTLED)
    return rows.filter(~Exists(items.filter(**{name: OuterRef(path) for name, path in links.items()})))


def is_period(text: str) -> bool:
    try:
        period_bounds(text)
    except HubError:
        return False
    return True
