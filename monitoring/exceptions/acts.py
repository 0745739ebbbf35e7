"""What one person does about exceptions: one at a time with a look at who was faster, or a chunk of a job.

Every act writes an event of each item, one act of the audit, and raises `version`. Whoever saw an older version is told what
happened meanwhile, and nothing of theirs is applied.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet

from hub.common.acts import Act, tell
from hub.common.errors import ConfigError, HubError
from monitoring.exceptions import doing, notes
from monitoring.exceptions.doing import DOINGS
from monitoring.models import ExceptionEvent, ExceptionItem, ExceptionJob, Snooze

Action = ExceptionJob.Action
SHOWN = 5


class Conflict(HubError):
    """Somebody was faster. `yours` is what was asked for, `theirs` the newest events of the item, `item` as it is now."""

    code = "CHANGED_MEANWHILE"

    def __init__(self, item: ExceptionItem, yours: str, theirs: Sequence[ExceptionEvent]) -> None:
        who = next((str(event.by) for event in theirs if event.by), "the hub")
        super().__init__(f"This exception was changed by {who} meanwhile.", fix="Look at it, then decide again.")
        self.item, self.yours, self.theirs = item, yours, theirs


@dataclass(frozen=True, slots=True)
class Changed:
    """An item that an act has changed: its values before, and its version afterwards."""

    item_id: int
    before: dict[str, Any]
    version: int


@transaction.atomic
def act(
    *, item: ExceptionItem, action: str, given: Mapping[str, Any], by: Any, version: int | None = None
) -> ExceptionItem:
    """Do one act of DOINGS on one item, as it was seen in `version`; None asks nothing about that.

    The same again changes nothing and is no conflict. Raises Conflict, or ConfigError for arguments that cannot be meant.
    """
    wanted, arguments = DOINGS[action], doing.checked(action, given)
    row = ExceptionItem.objects.select_for_update().get(pk=item.pk)
    if _is_said_already(row, action, arguments, by) or wanted.is_done(_values(row, wanted.keeps), arguments):
        return row
    if version is not None and row.version != version:
        raise Conflict(row, wanted.said(arguments), newest(row))
    if row.state not in wanted.states:
        raise ConfigError(
            f"This exception is {row.get_state_display().lower()}.", fix="There is nothing to do with it."
        )
    carry_out(action, [row.pk], arguments, by=by)
    _tell(wanted.word, str(row.pk), by, wanted.said(arguments), row.domain)
    row.refresh_from_db()
    return row


def _is_said_already(row: ExceptionItem, action: str, arguments: Mapping[str, Any], by: Any) -> bool:
    """A comment that was sent twice."""
    if action != Action.COMMENT:
        return False
    last = row.events.last()
    return last is not None and (last.act, last.text, last.by) == ("commented", arguments["text"], by)


def _values(row: ExceptionItem, names: Collection[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def newest(row: ExceptionItem) -> list[ExceptionEvent]:
    return list(row.events.select_related("by").order_by("-pk")[:SHOWN])


def _tell(word: str, name: str, by: Any, reason: str, domain: Any = None, **details: Any) -> None:
    tell(Act(f"exception.{word}", "Exception", name, by=by, reason=reason[:500], domain=domain, details=details))


# A chunk ---------------------------------------------------------------------------------------------------
def carry_out(
    action: str, item_ids: Collection[int], arguments: Mapping[str, Any], *, by: Any, refresh: bool = True
) -> list[Changed]:
    """The act on all of these that it changes, in one transaction; the others are left as they are. Told to no audit."""
    wanted = DOINGS[action]
    columns = ["pk", "version", "state", "group_id", *wanted.keeps]
    rows = ExceptionItem.objects.select_for_update().filter(pk__in=item_ids, state__in=wanted.states).order_by("pk")
    found = [row for row in rows.values(*dict.fromkeys(columns)) if not wanted.is_done(row, arguments)]
    ids = [row["pk"] for row in found]
    if not ids:
        return []
    before = {row["pk"]: {name: _plain(row[name]) for name in wanted.keeps} for row in found}
    snoozes = _snoozes(ids) if action == Action.WAKE else {}
    for pk, snooze in snoozes.items():
        before[pk]["snooze"] = snooze
    wanted.change(ExceptionItem.objects.filter(pk__in=ids), arguments)
    said = wanted.said(arguments)
    events = notes.note(
        ids,
        wanted.word,
        by=by,
        text=said,
        before=before if wanted.keeps else None,
        after=dict(arguments) if wanted.keeps else None,
    )
    if action == Action.COMMENT:
        notes.mention(events, notes.mentioned(said))
    if wanted.moves_group and refresh:
        groups = {row["group_id"] for row in found}
        groups |= set(ExceptionItem.objects.filter(pk__in=ids).order_by().values_list("group", flat=True).distinct())
        notes.refresh_groups(groups)
    return [Changed(row["pk"], before[row["pk"]], row["version"] + 1) for row in found]


def _snoozes(ids: Collection[int]) -> dict[int, dict[str, Any]]:
    rows = Snooze.objects.filter(item__in=ids).values_list("item_id", "until", "threshold", "period")
    return {pk: {"until": until, "threshold": size, "period": period} for pk, until, size, period in rows}


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


# Words of the acts, one service each ------------------------------------------------------------------------
def assign(*, item: ExceptionItem, assignee: Any, by: Any, team: str = "", version: int | None = None) -> ExceptionItem:
    """Make it the turn of a person, of a team, or of nobody."""
    given = {"assignee": getattr(assignee, "pk", assignee), "team": team}
    return act(item=item, action=Action.ASSIGN, given=given, by=by, version=version)


def comment(*, item: ExceptionItem, text: str, by: Any) -> ExceptionItem:
    """Say something; `@ada` shows it among what needs her. Comments of two people never collide."""
    return act(item=item, action=Action.COMMENT, given={"text": text}, by=by)


def wake_due(*, now: Any, opened: Any) -> int:
    """Wake what has slept long enough: by date, by growth of its group, by `opened(legal_entity, period)`; how many."""
    asleep = ExceptionItem.objects.filter(state=ExceptionItem.State.SNOOZED)
    ids = set(asleep.filter(snoozed_until__lte=now).values_list("pk", flat=True)[:2_000])
    ids |= _grown(asleep)
    for pk, legal_entity, own, period in asleep.filter(snooze__until=Snooze.Until.PERIOD).values_list(
        "pk", "legal_entity", "period", "snooze__period"
    )[:2_000]:
        if (period or own) and opened(legal_entity, period or own):
            ids.add(pk)
    with transaction.atomic():
        return len(carry_out(Action.WAKE, ids, {}, by=None))


def _grown(asleep: QuerySet[ExceptionItem]) -> set[int]:
    rows = asleep.filter(snooze__until=Snooze.Until.GROWTH, group__open_items__gte=F("snooze__threshold"))
    return set(rows.values_list("pk", flat=True)[:2_000])
