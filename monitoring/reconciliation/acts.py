"""What people do about gaps: match, undo, explain, carry forward, raise; and sign a period. Each act stands in the audit.

Rows are locked before they are judged: of two people who choose the same row, the second is told what the first has done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from hub.accounts.models import User
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.reasons import needed, tidy
from monitoring.models import Reconciliation, ReconciliationGap, ReconciliationMatch, ReconciliationPeriod
from monitoring.reconciliation import queries
from monitoring.reconciliation.choosing import Balance, Chosen, balance
from monitoring.reconciliation.results import short
from monitoring.reconciliation.work import definition_of

KIND = "Reconciliation"
State = ReconciliationGap.State
Status = ReconciliationPeriod.Status
MatchState = ReconciliationMatch.State
# What a person may say instead of a word of their own.
REASONS = ("Summed per day", "Timing", "Rate change", "Typed by hand", "Corrected later", "Adjustment posted")


class Conflict(ConfigError):
    """Somebody else was a moment faster: what was chosen is not what is there now."""

    code = "CONFLICT"


def _tell(act: str, reconciliation: Reconciliation, period: str, by: Any, reason: str = "", **details: Any) -> None:
    tell(
        Act(
            f"reconciliation.{act}",
            KIND,
            f"{reconciliation.slug}/{period}",
            by=by,
            reason=reason,
            details=details,
            domain=reconciliation.domain,
        )
    )


# Matching --------------------------------------------------------------------------------------------------
@transaction.atomic
def match(
    reconciliation: Reconciliation,
    period: str,
    left: Chosen,
    right: Chosen,
    *,
    reason: str,
    comment: str = "",
    by: Any,
    expect: int | None = None,
) -> ReconciliationMatch:
    """Put what is chosen together. `expect` is the number of rows that the person saw.

    Raises Conflict when one of them is no longer open, ConfigError for more than one currency or nothing on both sides.
    """
    reason = needed(reason, "Say why these belong together.", where="reason")
    _open_sheet(reconciliation, period)
    gaps = [*_locked(reconciliation, period, left), *_locked(reconciliation, period, right)]
    found = balance(reconciliation, period, definition_of(reconciliation), left, right)
    _refuse_changed(reconciliation, gaps, (left, right), expect)
    _refuse_mixed(found)
    made = ReconciliationMatch.objects.create(
        reconciliation=reconciliation,
        period=period,
        state=MatchState.CONFIRMED,
        reason=reason[:200],
        comment=tidy(comment),
        currency=found.currency,
        left_count=found.left_count,
        right_count=found.right_count,
        left_amount=found.left,
        right_amount=found.right,
        fingerprint=hashlib.md5(",".join(map(str, sorted(gaps))).encode(), usedforsecurity=False).hexdigest(),
        made_by=by,
        made_at=timezone.now(),
        decided_by=by,
        decided_at=timezone.now(),
    )
    _gaps(gaps).update(state=State.MATCHED, match=made, decided_by=by, decided_at=timezone.now())
    _tell(
        "matched", reconciliation, period, by, reason, match=made.pk, left=found.left_count, right=found.right_count,
        variance=short(found.variance), currency=found.currency, in_tolerance=found.is_in_tolerance,
    )  # fmt: skip
    return made


def _refuse_mixed(found: Balance) -> None:
    if not found.number:
        raise ConfigError("Nothing is chosen.", fix="Tick lines on both sides.")
    if len(found.currencies) > 1:
        raise ConfigError(
            f"The lines are in {' and '.join(one or 'no currency' for one in found.currencies)}.",
            fix="Match lines of one currency: amounts of several are never added up.",
        )
    if not (found.left_count and found.right_count) and not found.is_in_tolerance:
        raise ConfigError(
            "All lines are on one side, and they do not cancel out.",
            fix="Choose lines of both sides, or explain these.",
        )


def _locked(reconciliation: Reconciliation, period: str, chosen: Chosen) -> list[int]:
    rows = chosen.rows(reconciliation, period).order_by("pk").select_for_update(of=("self",))
    return list(rows.values_list("pk", flat=True))


def _gaps(ids: Sequence[int]) -> QuerySet[ReconciliationGap]:
    """By an array in one parameter: a hundred thousand of them would be slow to write into a statement."""
    return ReconciliationGap.objects.filter(pk__in=RawSQL("select unnest(%s::bigint[])", [list(ids)]))


def _refuse_changed(
    reconciliation: Reconciliation, gaps: Sequence[int], chosen: Sequence[Chosen], expect: int | None
) -> None:
    """Every row that was named is still open; of all that a filter shows, as many as the person saw."""
    named = {pk for one in chosen if not one.is_all for pk in one.ids}
    if missing := named - set(gaps):
        rows = ReconciliationGap.objects.filter(reconciliation=reconciliation, pk__in=missing)
        first = rows.select_related("decided_by").order_by("-decided_at", "pk").first()
        raise Conflict(_what_became_of(first), fix="Look at the list again: nothing was changed.")
    if expect is not None and expect != len(gaps):
        raise Conflict(f"There are {len(gaps):,} lines now, not {expect:,}.", fix="Look at the list again.")


def _what_became_of(gap: ReconciliationGap | None) -> str:
    if gap is None:
        return "A line that was chosen is not there any more."
    who = f" by {gap.decided_by}" if gap.decided_by else ""
    return f"{gap.key} is {gap.get_state_display().lower()}{who} already."


@transaction.atomic
def unmatch(found: ReconciliationMatch, *, by: Any, reason: str = "") -> None:
    """Its lines are open again. Raises Conflict when it was undone already."""
    _open_sheet(found.reconciliation, found.period)
    _change(found, (MatchState.CONFIRMED,), MatchState.UNDONE, by)
    found.gaps.update(state=State.OPEN, match=None, decided_by=None, decided_at=None)
    _tell("unmatched", found.reconciliation, found.period, by, reason, match=found.pk)


@transaction.atomic
def confirm(found: ReconciliationMatch, *, by: Any) -> None:
    """A person agrees with a suggestion."""
    _open_sheet(found.reconciliation, found.period)
    _change(found, (MatchState.SUGGESTED,), MatchState.CONFIRMED, by)
    found.gaps.update(state=State.MATCHED, decided_by=by, decided_at=timezone.now())
    _tell("suggestion_confirmed", found.reconciliation, found.period, by, match=found.pk, rule=found.rule)


@transaction.atomic
def discard(found: ReconciliationMatch, *, by: Any) -> None:
    """The same lines are not suggested again as long as they do not change."""
    _open_sheet(found.reconciliation, found.period)
    _change(found, (MatchState.SUGGESTED,), MatchState.DISCARDED, by)
    found.gaps.update(match=None)
    _tell("suggestion_discarded", found.reconciliation, found.period, by, match=found.pk, rule=found.rule)


@transaction.atomic
def confirm_all(reconciliation: Reconciliation, period: str, *, least: Decimal, by: Any) -> int:
    """Every suggestion of the period with at least this score; returns how many."""
    _open_sheet(reconciliation, period)
    rows = reconciliation.matches.filter(period=period, state=MatchState.SUGGESTED, score__gte=least)
    ids = list(rows.select_for_update().order_by("pk").values_list("pk", flat=True))
    now = timezone.now()
    ReconciliationMatch.objects.filter(pk__in=ids).update(state=MatchState.CONFIRMED, decided_by=by, decided_at=now)
    ReconciliationGap.objects.filter(match__in=ids).update(state=State.MATCHED, decided_by=by, decided_at=now)
    if ids:
        _tell("suggestions_confirmed", reconciliation, period, by, number=len(ids), least=str(least))
    return len(ids)


def _change(found: ReconciliationMatch, before: Sequence[str], after: str, by: Any) -> None:
    rows = ReconciliationMatch.objects.filter(pk=found.pk, state__in=before)
    if not rows.update(state=after, decided_by=by, decided_at=timezone.now()):
        found.refresh_from_db()
        who = f" by {found.decided_by}" if found.decided_by else ""
        raise Conflict(
            f"This match is {found.get_state_display().lower()}{who} already.", fix="Look at the list again."
        )


# What is left without a partner -----------------------------------------------------------------------------
@transaction.atomic
def settle(
    reconciliation: Reconciliation,
    period: str,
    chosen: Sequence[Chosen],
    state: str,
    *,
    reason: str,
    comment: str = "",
    by: Any,
    expect: int | None = None,
) -> int:
    """Explain the lines, or carry them forward to the next period; returns how many."""
    reason = needed(reason, "Say why.", where="reason")
    _open_sheet(reconciliation, period)
    gaps = [pk for one in chosen for pk in _locked(reconciliation, period, one)]
    _refuse_changed(reconciliation, gaps, chosen, expect)
    if not gaps:
        raise ConfigError("Nothing is chosen.", fix="Tick the lines that this is about.")
    _gaps(gaps).update(
        state=state, reason=reason[:200], comment=tidy(comment), decided_by=by, decided_at=timezone.now()
    )
    _tell(State(state).value, reconciliation, period, by, reason, number=len(gaps))
    return len(gaps)


@transaction.atomic
def raise_exceptions(reconciliation: Reconciliation, period: str, chosen: Sequence[Chosen], *, by: Any) -> int:
    """Put the lines before people as exceptions, whatever they are labelled."""
    gaps = [pk for one in chosen for pk in _locked(reconciliation, period, one)]
    _refuse_changed(reconciliation, gaps, chosen, None)
    if not gaps:
        raise ConfigError("Nothing is chosen.", fix="Tick the lines that this is about.")
    _gaps(gaps).update(is_raised=True)
    _tell("raised", reconciliation, period, by, number=len(gaps))
    return len(gaps)


@transaction.atomic
def reopen(gap: ReconciliationGap, *, by: Any) -> None:
    """Take back what was said about a line."""
    _open_sheet(gap.reconciliation, gap.period)
    rows = ReconciliationGap.objects.filter(pk=gap.pk, state__in=(State.EXPLAINED, State.CARRIED))
    if not rows.update(state=State.OPEN, reason="", comment="", decided_by=None, decided_at=None):
        gap.refresh_from_db()
        raise Conflict(_what_became_of(gap), fix="Look at the list again.")
    _tell("reopened_line", gap.reconciliation, gap.period, by, key=gap.key)


# Signing ---------------------------------------------------------------------------------------------------
def _sheet(reconciliation: Reconciliation, period: str) -> ReconciliationPeriod:
    found = reconciliation.sheets.select_for_update(of=("self",)).filter(period=period).first()
    if found is None:
        raise ConfigError(f"{reconciliation} has not been compared for {period} yet.", fix="Compare first.")
    return found


def _open_sheet(reconciliation: Reconciliation, period: str) -> None:
    sheet = _sheet(reconciliation, period)
    if sheet.status != Status.OPEN:
        raise ConfigError(
            f"{sheet} is {sheet.get_status_display().lower()}: what was signed does not change.",
            fix="Open the period again first; that is told to the audit.",
        )


@transaction.atomic
def prepare(reconciliation: Reconciliation, period: str, *, note: str = "", by: User) -> ReconciliationPeriod:
    """Sign that everything is matched or explained. ConfigError while something is not."""
    sheet = _sheet(reconciliation, period)
    _needs(sheet, Status.OPEN)
    if left := reconciliation.gaps.filter(queries.UNEXPLAINED, period=period).count():
        raise ConfigError(f"{left:,} lines are unexplained.", fix="Match or explain them, or carry them forward.")
    if reconciliation.matches.filter(period=period, state=MatchState.SUGGESTED).exists():
        raise ConfigError("There are suggestions that nobody has looked at.", fix="Confirm or discard them.")
    sheet.status, sheet.prepared_by, sheet.prepared_at = Status.PREPARED, by, timezone.now()
    sheet.note, sheet.signed = tidy(note), figures(reconciliation, period)
    sheet.save()
    _tell("prepared", reconciliation, period, by, tidy(note), **sheet.signed)
    return sheet


@transaction.atomic
def review(reconciliation: Reconciliation, period: str, *, by: User) -> ReconciliationPeriod:
    """A second person signs. Nobody reviews what they have prepared."""
    sheet = _sheet(reconciliation, period)
    _needs(sheet, Status.PREPARED)
    if sheet.prepared_by_id == by.pk:
        raise ConfigError("Nobody reviews what they have prepared.", fix="Ask somebody else to look.", code="OWN")
    if (now := figures(reconciliation, period)) != sheet.signed:
        raise Conflict(
            f"The figures have changed since it was prepared: {now['matched']} against {sheet.signed.get('matched')} matched.",
            fix="Open the period again and prepare it anew.",
        )
    sheet.status, sheet.reviewed_by, sheet.reviewed_at = Status.REVIEWED, by, timezone.now()
    sheet.save()
    _tell("reviewed", reconciliation, period, by, **sheet.signed)
    return sheet


@transaction.atomic
def close(reconciliation: Reconciliation, period: str, *, by: User) -> ReconciliationPeriod:
    sheet = _sheet(reconciliation, period)
    _needs(sheet, Status.REVIEWED)
    sheet.status = Status.CLOSED
    sheet.save()
    _tell("closed", reconciliation, period, by)
    return sheet


@transaction.atomic
def open_again(reconciliation: Reconciliation, period: str, *, reason: str, by: User) -> ReconciliationPeriod:
    """Both signatures are taken back."""
    reason = needed(reason, "Say why the period is opened again.", where="reason")
    sheet = _sheet(reconciliation, period)
    if sheet.status == Status.OPEN:
        raise Conflict(f"{sheet} is open already.")
    before = sheet.status
    sheet.status, sheet.prepared_by, sheet.prepared_at = Status.OPEN, None, None
    sheet.reviewed_by, sheet.reviewed_at, sheet.signed = None, None, {}
    sheet.save()
    _tell("opened_again", reconciliation, period, by, reason, was=before)
    return sheet


def _needs(sheet: ReconciliationPeriod, status: str) -> None:
    if sheet.status != status:
        raise Conflict(f"{sheet} is {sheet.get_status_display().lower()}.", fix="Look at the page again.")


def figures(reconciliation: Reconciliation, period: str) -> dict[str, Any]:
    """What a signature stands for: the counts and control totals of the period as they are now."""
    cell = queries.cells([reconciliation], period=period)[reconciliation.pk][0]
    return {
        "matched": cell.matched,
        "gaps": cell.gaps,
        "unexplained": cell.unexplained,
        "totals": [
            {
                "currency": row.currency,
                "legal_entity": row.legal_entity,
                "left": short(row.left_amount),
                "right": short(row.right_amount),
            }
            for row in queries.totals_of(reconciliation, period)
        ],
    }
