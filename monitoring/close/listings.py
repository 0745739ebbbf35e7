"""What the hub itself knows to stand in the way of a close. Each listing gives a row's figures and the list behind it from
one and the same query, so that they cannot part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Now
from django.urls import NoReverseMatch, reverse

from governance.models import ChangeItem, ChangeRequest
from hub.records.models import CanonicalRecord
from hub.sync.keys import delivery_key, held_key
from hub.sync.models import Delivery, HeldRecord, Run, Schedule, Sync
from hub.sync.states import DeliveryState, HeldState, RunStatus
from hub.sync.totals import exact
from hub.sync.trouble import IN_TROUBLE
from monitoring.close import awaiting
from monitoring.close.scope import Scope, before_people, parted, placed
from monitoring.close.sources import Row, join
from monitoring.models import AwaitingApproval, ExceptionItem, LateDecision, LatePolicy

MONEY_ENTITIES = ("time_entry", "expense", "milestone", "invoice")
# A schedule whose slot passed longer ago than this is behind; a shorter wait is the queue's usual one.
BEHIND_SECONDS = 900
NO_CURRENCY = "none"
SETTLED = ("billed", "written_off")


def plain(amount: Decimal | None) -> Decimal | None:
    """The same amount without the zeros that only its column's scale adds."""
    text = exact(amount)
    return None if text is None else Decimal(text)


@dataclass(slots=True)
class Entry:
    """One line of the list behind a row."""

    title: str
    url: str
    detail: str = ""
    project: str = ""
    amount: Decimal | None = None
    currency: str = ""
    at: datetime | None = None
    state: str = ""

    def __post_init__(self) -> None:
        self.amount = plain(self.amount)


@dataclass(frozen=True, slots=True)
class Listing:
    """`rows(scope)` gives everything; `amount` and `currency` are paths of the rows, empty where there is no money.

    `split` is a path whose values part the listing into several rows, told apart by `word(value)`. Where what is in no
    close and in every close alike is told by the records (their path is `placed_by`), `rows` gives those of all closes.
    """

    slug: str
    what: str
    turn: str
    source: Callable[[Scope], QuerySet[Any]]
    entry: Callable[[Any], Entry]
    order: tuple[str, ...]
    amount: str = ""
    currency: str = ""
    split: str = ""
    word: Callable[[Any], str] = str
    state: str = "blocked"
    blocks: bool = True
    related: tuple[str, ...] = field(default=())
    placed_by: str | None = None

    def rows(self, scope: Scope) -> QuerySet[Any]:
        found = self.source(scope)
        return found if self.placed_by is None else placed(found, scope, self.placed_by)

    def figures(self, scopes: Sequence[Scope]) -> list[list[Row]]:
        """For each scope, all of one person: a row for each currency, and each value of `split`."""
        if self.placed_by is None:
            return [[self._row(scope, each) for each in self._sums(self.rows(scope))] for scope in scopes]
        found: list[list[Row]] = [[] for _ in scopes]
        # Those of one person differ in nothing but the place, and to place a record is what takes the time.
        for each in self._sums(parted(self.source(scopes[0]), scopes, self.placed_by), "nth"):
            found[each["nth"]].append(self._row(scopes[each["nth"]], each))
        return found

    def _sums(self, rows: QuerySet[Any], *parts: str) -> list[dict[str, Any]]:
        parts = (*parts, *(path for path in (self.split, self.currency) if path))
        sums: dict[str, Any] = {"number": Count("*")}
        if self.amount:
            sums["total"] = Sum(self.amount)
        found = rows.order_by().values(*parts).annotate(**sums) if parts else [rows.aggregate(**sums)]
        return [each for each in found if each["number"]]

    def _row(self, scope: Scope, found: dict[str, Any]) -> Row:
        part = found.get(self.split) if self.split else None
        currency = found.get(self.currency) or "" if self.currency else ""
        asked = {"part": part} if part is not None else {}
        if self.currency:
            asked["currency"] = currency or NO_CURRENCY
        what = self.word(part) if self.split else self.what
        key = "-".join(filter(None, [self.slug, str(part) if part is not None else "", currency]))
        url = self.url(scope) + (f"?{urlencode(asked)}" if asked else "")
        return Row(
            key, what, found["number"], plain(found.get("total")), currency, url, self.turn, self.state, self.blocks
        )

    def url(self, scope: Scope) -> str:
        if scope.is_unplaced:
            return reverse("close:unplaced_list", args=[self.slug])
        return reverse("close:list", args=[scope.legal_entity, scope.period, self.slug])

    def filtered(self, scope: Scope, *, part: str = "", currency: str = "") -> QuerySet[Any]:
        rows = self.rows(scope).select_related(*self.related) if self.related else self.rows(scope)
        if part and self.split:
            rows = rows.filter(**{self.split: part})
        if currency and self.currency:
            none = Q(**{f"{self.currency}__isnull": True}) | Q(**{self.currency: ""})
            rows = rows.filter(none if currency == NO_CURRENCY else Q(**{self.currency: currency}))
        return rows


_listings: dict[str, Listing] = {}


def listing(found: Listing, *, order: int) -> Listing:
    """Make a listing known, and a source of it."""

    join(found.slug, order, found.figures)
    _listings[found.slug] = found
    return found


def find(slug: str) -> Listing | None:
    return _listings.get(slug)


# Exceptions --------------------------------------------------------------------------------------------------
def _items(scope: Scope) -> QuerySet[ExceptionItem]:
    rows = ExceptionItem.objects.filter(state__in=ExceptionItem.UNSETTLED)
    if scope.is_unplaced:
        rows = rows.filter(Q(legal_entity="") | Q(period=""), amount__isnull=False)
    else:
        rows = rows.filter(legal_entity=scope.legal_entity, period=scope.period)
    return scope.in_domains(rows, "domain")


def _item_entry(row: ExceptionItem) -> Entry:
    detail = row.detail or row.get_origin_display()
    project = row.project_name or row.project
    return Entry(row.title, _item_url(row), detail, project, row.amount, row.currency, row.opened_at, row.state)


def _item_url(row: ExceptionItem) -> str:
    """The item's own page, where the queue is installed."""
    try:
        return row.get_absolute_url()
    except NoReverseMatch:
        return ""


def cause_words(cause: Any) -> str:
    """`closed_period` becomes "Exceptions: closed period"."""
    return f"Exceptions: {str(cause).replace('_', ' ').replace('-', ' ')}"


# Deliveries --------------------------------------------------------------------------------------------------
def _deliveries(scope: Scope, which: Q) -> QuerySet[Delivery]:
    rows = Delivery.objects.filter(which, record__deleted_at__isnull=True, record__entity__slug__in=MONEY_ENTITIES)
    return scope.in_domains(rows, "sync__mapping__entity__domain")


def _troubled(scope: Scope) -> QuerySet[Delivery]:
    return before_people(_deliveries(scope, IN_TROUBLE), record_id="record_id", sync_id="sync_id")


def _in_flight(scope: Scope) -> QuerySet[Delivery]:
    waiting = Q(state=DeliveryState.PENDING, failing_since__isnull=True)
    return before_people(_deliveries(scope, waiting), record_id="record_id")


def _delivery_entry(row: Delivery) -> Entry:
    state = DeliveryState(row.state)
    word = "retrying" if state == DeliveryState.PENDING and row.failing_since else state.name.lower()
    detail = f"{row.sync.name}: {row.error_detail}" if row.error_detail else row.sync.name
    url = reverse("sync:delivery_detail", args=[delivery_key(row)])
    record = row.record
    return Entry(
        record.key, url, detail, record.project or "", record.amount, record.currency or "", row.failing_since, word
    )


# Held records ------------------------------------------------------------------------------------------------
def _held(scope: Scope) -> QuerySet[HeldRecord]:
    """Held records are not in the hub yet: they are placed by what the hub already holds under their id."""
    rows = HeldRecord.objects.exclude(state=HeldState.RELEASED).filter(sync__mapping__entity__slug__in=MONEY_ENTITIES)
    known = CanonicalRecord.objects.filter(
        crosswalk__stream=OuterRef("sync__mapping__stream"), crosswalk__external_id=OuterRef("external_id")
    )
    if scope.is_unplaced:
        anywhere = placed(known, scope)
        rows = rows.filter(Exists(anywhere) | ~Exists(known))
    else:
        rows = rows.filter(Exists(placed(known, scope)))
    rows = before_people(rows, sync_id="sync_id", external_id="external_id")
    return scope.in_domains(rows, "sync__mapping__entity__domain")


def _held_entry(row: HeldRecord) -> Entry:
    url = reverse("sync:held_detail", args=[held_key(row)])
    state = HeldState(row.state).name.lower()
    return Entry(
        row.external_id,
        url,
        f"{row.sync.name}: {row.error_detail}",
        "",
        row.amount,
        row.currency or "",
        row.first_at,
        state,
    )


# Approvals ---------------------------------------------------------------------------------------------------
def _unapproved(scope: Scope) -> QuerySet[CanonicalRecord]:
    """Time and expenses that somebody handed in and nobody has approved."""
    rows = CanonicalRecord.objects.filter(
        pk__in=AwaitingApproval.objects.values("record_id"),
        entity__slug__in=awaiting.ENTITIES,
        deleted_at__isnull=True,
        body__status__in=awaiting.STATUSES,
    )
    return scope.in_domains(rows, "entity__domain")


def _record_entry(row: CanonicalRecord) -> Entry:
    body = row.body if isinstance(row.body, dict) else {}
    detail = " · ".join(str(body[name]) for name in ("status", "date", "resource") if body.get(name))
    return Entry(
        row.key,
        row.get_absolute_url(),
        detail,
        row.project or "",
        row.amount,
        row.currency or "",
        row.updated_at,
        "review",
    )


def _changes(scope: Scope) -> QuerySet[ChangeRequest]:
    """Changes of the configuration that wait for their reviewers hold up every close alike."""
    rows = ChangeRequest.objects.filter(state__in=ChangeRequest.WAITING)
    if scope.is_unplaced:
        return rows.none()
    ids = scope.domain_ids
    if ids is None:
        return rows
    return rows.filter(Exists(ChangeItem.objects.filter(change=OuterRef("pk"), domain__in=ids)))


def _change_entry(row: ChangeRequest) -> Entry:
    return Entry(str(row), row.get_absolute_url(), row.reason, at=row.created_at, state=row.state)


# Syncs -------------------------------------------------------------------------------------------------------
def _behind(scope: Scope) -> QuerySet[Sync]:
    """Syncs that are paused, whose last run failed, or whose slot has passed without a run."""
    if scope.is_unplaced:
        return Sync.objects.none()
    last = Run.objects.filter(sync=OuterRef("pk"), finished_at__isnull=False).exclude(trigger=Run.Trigger.BACKFILL)
    rows = Sync.objects.annotate(last_status=last.order_by("-pk").values("status")[:1])
    missed = Schedule.objects.filter(
        sync=OuterRef("pk"), is_active=True, next_at__lt=Now() - timedelta(seconds=BEHIND_SECONDS)
    )
    rows = rows.filter(Q(is_paused=True) | Q(last_status=RunStatus.FAILED) | Exists(missed))
    return scope.in_domains(rows, "mapping__entity__domain")


def _sync_entry(row: Any) -> Entry:
    if row.is_paused:
        detail, state = f"Paused: {row.pause_reason or 'no reason is given'}", "paused"
    elif row.last_status == RunStatus.FAILED:
        detail, state = "Its last run failed.", "failed"
    else:
        detail, state = "Its schedule has passed, and no run began.", "late"
    return Entry(row.name, reverse("sync:sync_detail", args=[row.slug]), detail, at=row.paused_at, state=state)


# Moved here --------------------------------------------------------------------------------------------------
def _moved(scope: Scope) -> QuerySet[LateDecision]:
    """Postings of a closed period that are to be posted in this one, and are not billed yet."""
    if scope.is_unplaced:
        return LateDecision.objects.none()
    rows = LateDecision.objects.filter(
        ended_at__isnull=True,
        choice=LatePolicy.NEXT_PERIOD,
        legal_entity=scope.legal_entity,
        to_period=scope.period,
    )
    settled = CanonicalRecord.objects.filter(pk=OuterRef("record_id"), body__billing_status__in=SETTLED)
    rows = rows.filter(~Exists(settled))
    return scope.in_domains(rows, "entity__domain")


def _moved_entry(row: LateDecision) -> Entry:
    url = reverse("records:record", args=[row.entity.slug, row.record_id])
    return Entry(
        row.key, url, f"From {row.period}, by {row.by}: {row.reason}", "", row.amount, row.currency, row.at, "scheduled"
    )


listing(
    Listing(
        "exceptions", "Exceptions", "Whoever it is assigned to, else finance", _items, _item_entry, ("-rank", "-id"),
        "amount", "currency", split="cause", word=cause_words,
    ),
    order=10,
)  # fmt: skip
listing(
    Listing(
        "trouble", "Deliveries in trouble", "Operators", _troubled, _delivery_entry, ("sync_id", "record_id"),
        "record__amount", "record__currency", state="dead", related=("record", "sync"), placed_by="record__",
    ),
    order=20,
)  # fmt: skip
listing(
    Listing(
        "held", "Records that were not taken in", "The owner of the source", _held, _held_entry,
        ("sync_id", "external_id"), "amount", "currency", state="held", related=("sync",),
    ),
    order=30,
)  # fmt: skip
listing(
    Listing(
        "approvals", "Time and expenses that wait for approval", "Project managers", _unapproved, _record_entry,
        ("id",), "amount", "currency", state="review", related=("entity",), placed_by="",
    ),
    order=40,
)  # fmt: skip
listing(
    Listing(
        "moved", "Moved here from a closed period", "The owner of the ERP", _moved, _moved_entry, ("-id",),
        "amount", "currency", state="scheduled", related=("entity", "by"),
    ),
    order=50,
)  # fmt: skip
listing(
    Listing(
        "in-flight", "On the way to their targets", "The hub: nobody has to act", _in_flight, _delivery_entry,
        ("sync_id", "record_id"), "record__amount", "record__currency", state="queued", blocks=False,
        related=("record", "sync"), placed_by="record__",
    ),
    order=60,
)  # fmt: skip
listing(
    Listing("syncs", "Syncs behind their schedule", "Operators", _behind, _sync_entry, ("name", "id"), state="late"),
    order=70,
)
listing(
    Listing(
        "changes",
        "Changes that wait for their reviewers",
        "Reviewers",
        _changes,
        _change_entry,
        ("-id",),
        state="review",
    ),
    order=80,
)
