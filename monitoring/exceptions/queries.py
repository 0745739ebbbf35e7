"""Reads of the queue: what a person may see of it, by group and by item, with totals that are those of the rows shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Count, DecimalField, F, Min, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce

from governance.models import Firm
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.common.times import business_now
from monitoring.exceptions import classify, filters
from monitoring.exceptions.valuing import plain
from monitoring.models import Classification, ExceptionGroup, ExceptionItem, ExceptionSweep, RoutingRule

SEE, RESOLVE, EDIT = "exceptions.view", "exceptions.resolve", "monitor.edit"
COUNTED = 10_000
TOP = 3
STOOD_DAYS = 90
_MONEY: DecimalField[Decimal, Decimal] = DecimalField(max_digits=24, decimal_places=4)
_UNCONVERTED = Q(amount__isnull=False, amount_firm__isnull=True)


# Items ------------------------------------------------------------------------------------------------------
def items_for(user: User, permission: str = SEE) -> QuerySet[ExceptionItem]:
    """All items in the domains in which the person holds the permission, settled ones too."""
    rows = ExceptionItem.objects.select_related("group", "entity", "assignee", "system", "domain")
    return scope_to_domains(rows, user, permission)


def items(user: User, asked: Mapping[str, str], permission: str = SEE) -> QuerySet[ExceptionItem]:
    """The items that some words mean (monitoring.exceptions.filters); without any, what is not settled."""
    return items_for(user, permission).filter(filters.find(asked, user))


# Groups -----------------------------------------------------------------------------------------------------
def groups_for(user: User, permission: str = SEE) -> QuerySet[ExceptionGroup]:
    return scope_to_domains(ExceptionGroup.objects.select_related("entity", "domain"), user, permission)


def groups(user: User, asked: Mapping[str, str], permission: str = SEE) -> QuerySet[ExceptionGroup]:
    """Groups of the items that are meant, as far as the person may see them; see `all_groups`."""
    return _figured(groups_for(user, permission), asked, user)


def all_groups(asked: Mapping[str, str], user: User | None = None) -> QuerySet[ExceptionGroup]:
    """Groups of the items that are meant, with their figures: records, at_risk, unpriced, due, oldest, weight.

    Without a filter they are the ones that every sweep keeps on the group; else those of the items that match.
    """
    return _figured(ExceptionGroup.objects.select_related("entity", "domain"), asked, user)


def _figured(rows: QuerySet[ExceptionGroup], asked: Mapping[str, str], user: User | None) -> QuerySet[ExceptionGroup]:
    if not any(value for value in asked.values()):
        return with_figures(rows.filter(open_items__gt=0))
    nought = Value(Decimal(0), output_field=_MONEY)
    return rows.filter(Q(items__isnull=False) & filters.find(asked, user, prefix="items__")).annotate(
        records=Count("items"),
        at_risk=Coalesce(Sum("items__amount_firm"), nought, output_field=_MONEY),
        unpriced=Count("items", filter=Q(items__amount__isnull=False, items__amount_firm__isnull=True)),
        due=Min("items__due_at"),
        oldest=Min("items__opened_at"),
        weight=Coalesce(Sum("items__rank"), nought, output_field=_MONEY),
    )


def with_figures(rows: QuerySet[ExceptionGroup]) -> QuerySet[ExceptionGroup]:
    """The figures that every sweep keeps on the group, under the names of `groups`."""
    return rows.annotate(
        records=F("open_items"),
        at_risk=F("amount_firm"),
        unpriced=F("unconverted"),
        due=F("due_at"),
        oldest=F("oldest_at"),
        weight=F("rank"),
    )


def heaviest(rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.order_by("-weight", "-id")


@dataclass(slots=True)
class Facet:
    """What stands beside a group's title: its most frequent clients, projects and periods, and who has it."""

    clients: list[str] = field(default_factory=list)
    more_clients: int = 0
    projects: list[str] = field(default_factory=list)
    periods: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)


_FACETS = ("client_name", "project", "period", "assignee_id", "team")
_NAMES = ("clients", "projects", "periods", "people", "teams")


def facets(rows: Iterable[ExceptionGroup], matching: QuerySet[ExceptionItem]) -> dict[int, Facet]:
    """group id → what its items that match are about; the items are read once for all of it."""
    ids = [row.pk for row in rows]
    found: dict[int, Facet] = defaultdict(Facet)
    if not ids:
        return found
    chosen = matching.filter(group__in=ids).order_by().select_related(None).values("group_id", *_FACETS)
    sql, params = chosen.query.sql_with_params()
    sets = ", ".join(f"(group_id, {name})" for name in _FACETS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"select group_id, {', '.join(_FACETS)}, count(*) as number from ({sql}) x group by grouping sets ({sets})"
            " order by group_id, number desc, 2, 3, 4, 5, 6",
            params,
        )
        lines = cursor.fetchall()
    people = dict(User.objects.filter(pk__in={line[4] for line in lines if line[4]}).values_list("pk", "name"))
    for group_id, *texts, _ in lines:
        for name, text in zip(_NAMES, texts, strict=True):
            if text not in (None, ""):
                getattr(found[group_id], name).append(people.get(text, "") if name == "people" else text)
    for facet in found.values():
        facet.more_clients = max(len(facet.clients) - TOP, 0)
        facet.clients = facet.clients[:TOP]
    return found


# Totals -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Totals:
    """Of the rows that match: `amount` in the firm's currency, `unconverted` by currency, `unknown` have no amount."""

    groups: int
    records: int
    amount: Decimal
    currency: str
    unconverted: Sequence[tuple[str, Decimal, int]]
    unknown: int
    oldest: datetime | None
    due: datetime | None

    @property
    def unpriced(self) -> int:
        return sum(number for _, _, number in self.unconverted)


def totals(rows: QuerySet[ExceptionItem]) -> Totals:
    """Amounts are added in the firm's currency alone; what has no rate is listed by its own."""
    bare = rows.order_by().select_related(None)
    one = bare.aggregate(
        groups=Count("group_id", distinct=True),
        records=Count("pk"),
        total=Sum("amount_firm"),
        unknown=Count("pk", filter=Q(amount__isnull=True)),
        oldest=Min("opened_at"),
        due=Min("due_at"),
    )
    return _totals(one, bare)


def open_totals(user: User) -> Totals:
    """Of all that is open for a person, by the figures that every sweep keeps on the groups."""
    one = _open_groups(user).aggregate(
        groups=Count("pk"),
        records=Sum("open_items"),
        total=Sum("amount_firm"),
        unknown=Sum("unknown"),
        oldest=Min("oldest_at"),
        due=Min("due_at"),
    )
    open_rows = items_for(user).filter(state__in=ExceptionItem.UNSETTLED)
    counts = {name: one[name] or 0 for name in ("groups", "records", "unknown")}
    return _totals({**one, **counts}, open_rows.order_by().select_related(None))


def _totals(one: Mapping[str, Any], bare: QuerySet[ExceptionItem]) -> Totals:
    rest = bare.filter(_UNCONVERTED).values_list("currency").annotate(Sum("amount"), Count("pk")).order_by("currency")
    firm = Firm.objects.first()
    return Totals(
        groups=one["groups"],
        records=one["records"],
        amount=plain(one["total"] or Decimal(0)) or Decimal(0),
        currency=firm.currency if firm else "",
        unconverted=[(currency, plain(total) or Decimal(0), number) for currency, total, number in rest],
        unknown=one["unknown"],
        oldest=one["oldest"],
        due=one["due"],
    )


def _open_groups(user: User) -> QuerySet[ExceptionGroup]:
    return scope_to_domains(ExceptionGroup.objects.filter(open_items__gt=0), user, SEE).order_by()


def tab_counts(user: User) -> dict[str, int | None]:
    """Open items of each tab, from groups and by index; settled ones are counted up to a limit, because they only grow."""
    rows = items_for(user).select_related(None).order_by()
    counts: dict[str, int | None] = {
        tab: rows.filter(filters.find({"tab": tab}, user)).count() for tab in ("mine", "new", "snoozed")
    }
    counts |= _open_groups(user).aggregate(
        open=Coalesce(Sum("open_items"), 0), regressed=Coalesce(Sum("open_items", filter=Q(reopened__gt=0)), 0)
    )
    settled = rows.filter(state__in=filters.SETTLED, resolved_at__isnull=False).values("pk")[: COUNTED + 1].count()
    return {**counts, "resolved": settled if settled <= COUNTED else None}


def open_count(user: User) -> int:
    found: int = _open_groups(user).aggregate(number=Coalesce(Sum("open_items"), 0))["number"]
    return found


# Around one item --------------------------------------------------------------------------------------------
def similar(item: ExceptionItem, user: User, limit: int = 8) -> list[ExceptionItem]:
    """Other open items of its group, the weightiest first."""
    rows = items_for(user).filter(group=item.group_id, state__in=ExceptionItem.UNSETTLED).exclude(pk=item.pk)
    return list(rows.order_by("-rank", "-id")[:limit])


def next_after(item: ExceptionItem, user: User) -> ExceptionItem | None:
    """The one that the list shows behind this one; at its end the first."""
    rows = items_for(user).filter(state__in=ExceptionItem.UNSETTLED).exclude(pk=item.pk).order_by("-rank", "-id")
    behind = Q(rank__lt=item.rank) | Q(rank=item.rank, pk__lt=item.pk)
    return rows.filter(behind).first() or rows.first()


def last_sweep() -> ExceptionSweep | None:
    return ExceptionSweep.objects.filter(pk=1).first()


# Rules ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Standing:
    """How often a classification stood: items that it recognised, and those that a person put under another cause."""

    items: int = 0
    stood: int = 0

    @property
    def percent(self) -> int | None:
        return 100 * self.stood // self.items if self.items else None


def standings() -> dict[str, Standing]:
    """slug → how often it stood, over the exceptions of the last `STOOD_DAYS` days."""
    since = business_now() - timedelta(days=STOOD_DAYS)
    rows = ExceptionItem.objects.filter(opened_at__gte=since).order_by().values_list("classified_as")
    counted = rows.annotate(number=Count("pk"), stood=Count("pk", filter=Q(cause=F("classified_as"))))
    return {slug: Standing(number, stood) for slug, number, stood in counted}


def open_by_cause() -> dict[str, int]:
    rows = ExceptionGroup.objects.filter(open_items__gt=0).order_by().values_list("cause")
    return dict(rows.annotate(number=Sum("open_items")))


def may_edit(user: User) -> bool:
    """Classifications and routing count for the whole firm: changing them needs the permission for all domains."""
    return user.has_hub_perm(EDIT) and user.domain_ids_for(EDIT) is None


def classification_rows() -> list[classify.Rule]:
    return classify.all_rules()


def routing_rows() -> QuerySet[RoutingRule]:
    return RoutingRule.objects.select_related("domain", "entity", "system")


def own_classification(slug: str) -> Classification | None:
    return Classification.objects.select_related("calendar").filter(slug=slug).first()
