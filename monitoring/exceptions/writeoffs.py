"""Giving money up: with a reason, and above a limit only when a second person agrees.

What counts is what one person, one cause, or one client adds up to within 24 hours, so that a large amount cannot be cut into
small ones. Amounts are added without their sign: a credit does not make room for a debit. An amount without a rate counts as
above the limit. A write-off drops the record behind an exception, which nobody can take back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Abs, Now
from django.utils import timezone

from governance.models import Firm
from hub.accounts.models import User
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.money import decimal_text
from hub.common.reasons import needed, tidy
from hub.sync.totals import exact
from monitoring.exceptions import choosing, jobs, notes
from monitoring.exceptions.choosing import Choice
from monitoring.models import ExceptionItem, ExceptionJob, WriteOff, WriteOffItem

WINDOW = timedelta(hours=24)
DECIDE = "approvals.decide"
LOCK = 0x57524F46
CONFIRM = "WRITE OFF"
State = WriteOff.State
OPEN = (ExceptionItem.State.OPEN, ExceptionItem.State.SNOOZED)


@dataclass(frozen=True, slots=True)
class Asked:
    """One exception of a write-off, as far as limits need it."""

    item_id: int
    group_id: int
    client: str
    amount: Decimal | None
    currency: str
    amount_firm: Decimal | None

    @property
    def counted(self) -> Decimal:
        return abs(self.amount_firm) if self.amount_firm is not None else Decimal(0)

    @property
    def has_no_rate(self) -> bool:
        return self.amount is not None and self.amount_firm is None


@dataclass(frozen=True, slots=True)
class Before:
    """What was written off within the window: by this person, and by cause and client whoever it was."""

    person: Decimal = Decimal(0)
    groups: Mapping[int, Decimal] = field(default_factory=dict)
    clients: Mapping[str, Decimal] = field(default_factory=dict)


# The rule, pure ----------------------------------------------------------------------------------------------
def why_approval(asked: Iterable[Asked], before: Before, limit: Decimal, currency: str) -> str:
    """Why a second person has to agree; empty where nobody has to."""
    rows = list(asked)
    if unconverted := sum(row.has_no_rate for row in rows):
        of = "amount has" if unconverted == 1 else "amounts have"
        return f"{unconverted:,} {of} no exchange rate, so that nobody knows whether it is above the limit."
    total = before.person + sum((row.counted for row in rows), Decimal(0))
    if total > limit:
        return _above("One person", total, limit, currency)
    for name, sums, of_row in (
        ("One cause", before.groups, lambda row: row.group_id),
        ("One client", before.clients, lambda row: row.client),
    ):
        found: dict[Any, Decimal] = defaultdict(Decimal)
        for row in rows:
            found[of_row(row)] += row.counted
        worst = max((found[key] + sums.get(key, Decimal(0)) for key in found if key != ""), default=Decimal(0))
        if worst > limit:
            return _above(name, worst, limit, currency)
    return ""


def _above(name: str, total: Decimal, limit: Decimal, currency: str) -> str:
    return f"{name} comes to {total:,.2f} {currency} within 24 hours, and {limit:,.2f} is the limit."


# Asking ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Preview:
    """What a write-off would give up, and whether somebody has to agree first."""

    number: int
    amount_firm: Decimal
    currency: str
    unconverted: Mapping[str, Decimal]
    approval: str


def preview(choice: Choice, *, by: Any) -> Preview:
    """Look, and touch nothing."""
    rows = _asked(choice, by)
    currency = _currency()
    return Preview(len(rows), _total(rows), currency, _unconverted(rows), _why(rows, by, currency))


def request(
    choice: Choice, *, reason_code: str, reason: str, by: Any, typed: str, expect: int | None = None, token: str = ""
) -> WriteOff:
    """Write these off, or put them before a second person. The same token again is the same write-off.

    Raises ConfigError: without a reason, without the typed confirmation, for what is settled or waits already.
    """
    if token and (known := WriteOff.objects.filter(token=token).first()):
        return known
    if reason_code not in WriteOff.ReasonCode.values:
        raise ConfigError("Choose why it is written off.", where="reason_code", code="NEEDED")
    reason = needed(reason, "Say why it is written off.", where="reason")
    if typed.strip().upper() != CONFIRM:
        raise ConfigError(
            f"Type {CONFIRM} to confirm: nobody can take a write-off back.", where="typed", code="CONFIRM"
        )
    with transaction.atomic():
        _one_at_a_time()
        rows = _asked(choice, by, lock=True)
        if expect is not None and expect != len(rows):
            raise ConfigError(
                f"There are {len(rows):,} now, not {expect:,}.", fix="Look again.", code="CHANGED_MEANWHILE"
            )
        if not rows:
            raise ConfigError(
                "Nothing is left to write off.", fix="What is settled, or waits for a second person, stays."
            )
        made = _make(rows, reason_code, reason, by, token)
        if made.is_waiting:
            _wait(made)
        else:
            _book(made)
    return made


def _one_at_a_time() -> None:
    """Two requests at once would each see the limit without the other."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [LOCK])


def _asked(choice: Choice, by: Any, *, lock: bool = False) -> list[Asked]:
    rows = choice.rows(by).filter(state__in=OPEN).order_by("pk")
    if lock:
        rows = rows.select_for_update()
    columns = ("pk", "group_id", "client", "amount", "currency", "amount_firm")
    return [Asked(*row) for row in rows.values_list(*columns)]


def _currency() -> str:
    return Firm.objects.values_list("currency", flat=True).first() or ""


def _total(rows: Iterable[Asked]) -> Decimal:
    return sum((row.counted for row in rows), Decimal(0))


def _unconverted(rows: Iterable[Asked]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row.has_no_rate:
            found[row.currency] += abs(row.amount or Decimal(0))
    return dict(found)


def _why(rows: list[Asked], by: Any, currency: str) -> str:
    return why_approval(rows, before(rows, by), Decimal(settings.HUB_WRITE_OFF_AMOUNT), currency)


def before(rows: Iterable[Asked], by: Any) -> Before:
    """By the database's clock, which nobody moves."""
    recent = WriteOffItem.objects.filter(
        write_off__created_at__gte=timezone.now() - WINDOW, write_off__state__in=WriteOff.COUNTING
    )
    counted = recent.annotate(counted=Abs("amount_firm")).order_by()

    def sums(column: str, keys: Iterable[Any]) -> dict[Any, Decimal]:
        found = counted.filter(**{f"{column}__in": list(keys)}).values_list(column).annotate(total=Sum("counted"))
        return {key: total or Decimal(0) for key, total in found}

    rows = list(rows)
    own = counted.filter(write_off__requested_by=by).aggregate(total=Sum("counted"))["total"]
    groups, clients = {row.group_id for row in rows}, {row.client for row in rows if row.client}
    return Before(own or Decimal(0), sums("group_id", groups), sums("client", clients))


def _make(rows: list[Asked], reason_code: str, reason: str, by: Any, token: str) -> WriteOff:
    currency = _currency()
    approval = _why(rows, by, currency)
    ids = [row.item_id for row in rows]
    domains = ExceptionItem.objects.filter(pk__in=ids).order_by().values_list("domain", flat=True).distinct()
    made = WriteOff.objects.create(
        reason_code=reason_code,
        reason=reason,
        state=State.WAITING if approval else State.APPROVED,
        approval=approval,
        token=token or None,
        number=len(rows),
        currency=currency,
        amount_firm=_total(rows),
        unconverted={code: exact(amount) for code, amount in _unconverted(rows).items()},
        domain_ids=sorted(domains, key=lambda pk: (pk is None, pk)),
        requested_by=by,
        created_at=timezone.now(),
    )
    WriteOffItem.objects.bulk_create(
        [
            WriteOffItem(
                write_off=made,
                item_id=row.item_id,
                group_id=row.group_id,
                client=row.client,
                amount=row.amount,
                currency=row.currency,
                amount_firm=row.amount_firm,
            )
            for row in rows
        ],
        batch_size=5_000,
    )
    _tell(made, "asked" if approval else "approved_by_limit", by, made.reason)
    return made


def _tell(made: WriteOff, verb: str, by: Any, reason: str) -> None:
    details = {"number": made.number, "amount": decimal_text(made.amount_firm), "currency": made.currency}
    tell(Act(f"write_off.{verb}", "WriteOff", str(made.pk), by=by, reason=reason, details=details))


def _wait(made: WriteOff) -> None:
    ids = list(made.items.values_list("item_id", flat=True))
    ExceptionItem.objects.filter(pk__in=ids).update(
        state=ExceptionItem.State.APPROVAL, snoozed_until=None, version=F("version") + 1
    )
    words = f"{made.get_reason_code_display()}: {made.reason}"
    notes.note(ids, "write_off_asked", by=made.requested_by, text=words)


def _book(made: WriteOff) -> ExceptionJob | None:
    """The job that writes off, and drops what stands behind the exceptions."""
    ids = made.items.order_by().values("item")
    choice = Choice({"write_off": str(made.pk)}, Q(pk__in=ids))
    job, _ = jobs.start(
        choice,
        ExceptionJob.Action.WRITE_OFF,
        by=made.requested_by,
        reason=f"{made}: {made.get_reason_code_display()}. {made.reason}",
        token=f"write-off-{made.pk}",
        write_off=made,
        scoped=False,
    )
    WriteOff.objects.filter(pk=made.pk).update(state=State.BOOKED)
    made.state = State.BOOKED
    return job


# The second person ---------------------------------------------------------------------------------------------
@transaction.atomic
def approve(*, write_off: WriteOff, by: Any, note: str = "") -> bool:
    """Agree; False when it was decided already. Nobody agrees to their own."""
    _refuse_own(write_off, by)
    if not _decide(write_off, State.APPROVED, by, tidy(note)):
        return False
    _tell(write_off, "approved", by, note)
    _book(write_off)
    return True


@transaction.atomic
def decline(*, write_off: WriteOff, by: Any, note: str) -> bool:
    """Do not agree: everything is open again. False when it was decided already."""
    note = needed(note, "Say why you decline.", where="note")
    _refuse_own(write_off, by)
    if not _decide(write_off, State.DECLINED, by, note):
        return False
    _open_again(write_off, "write_off_declined", by, note)
    _tell(write_off, "declined", by, note)
    return True


@transaction.atomic
def withdraw(*, write_off: WriteOff, by: Any) -> bool:
    """Take one's own request back before it is decided; False when it was decided already."""
    if write_off.requested_by_id != by.pk:
        raise ConfigError("Only who asked takes it back.", fix="Decline it instead.", code="NOT_YOURS")
    if not _decide(write_off, State.WITHDRAWN, by, ""):
        return False
    _open_again(write_off, "write_off_withdrawn", by, "")
    _tell(write_off, "withdrawn", by, "")
    return True


def _refuse_own(write_off: WriteOff, by: Any) -> None:
    if by is None or write_off.requested_by_id == by.pk:
        raise ConfigError(
            "Nobody decides about a write-off of their own.", fix="Ask somebody else to look.", code="OWN"
        )


def _decide(write_off: WriteOff, state: str, by: Any, note: str) -> bool:
    rows = WriteOff.objects.filter(pk=write_off.pk, state=State.WAITING)
    done = rows.update(state=state, decided_by=by, decided_at=Now(), decision_note=note)
    write_off.refresh_from_db()
    return bool(done)


def _open_again(write_off: WriteOff, word: str, by: Any, text: str) -> None:
    ids = list(write_off.items.values_list("item_id", flat=True))
    waiting = ExceptionItem.objects.filter(pk__in=ids, state=ExceptionItem.State.APPROVAL)
    found = list(waiting.values_list("pk", flat=True))
    waiting.update(state=ExceptionItem.State.OPEN, version=F("version") + 1)
    notes.note(found, word, by=by, text=text)


# Reads -----------------------------------------------------------------------------------------------------------
def write_offs_for(user: User, permission: str = choosing.SEE) -> QuerySet[WriteOff]:
    """Write-offs that concern only domains in which the person holds the permission."""
    rows = WriteOff.objects.select_related("requested_by", "decided_by")
    ids = user.domain_ids_for(permission)
    return rows if ids is None else rows.filter(domain_ids__contained_by=sorted(ids))


def may_decide(write_off: WriteOff, user: User) -> bool:
    """Whether this person may be the second one."""
    is_other = write_off.is_waiting and write_off.requested_by_id != user.pk
    return is_other and write_offs_for(user, DECIDE).filter(pk=write_off.pk).exists()
