"""Which exceptions are meant: words of an address, of a request or of the command line, as one condition.

The same words filter items, and groups by their items; `find()` refuses what it does not understand, because acts on "all that
match" must never take more than was meant.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from django.db.models import Q

from hub.accounts.models import User
from hub.common.errors import ConfigError
from hub.common.times import business_now
from hub.sync.models import Sync
from monitoring.models import ExceptionItem

State = ExceptionItem.State
KEYS = {
    "tab": "Shown",
    "cause": "Cause",
    "kind": "Type",
    "entity": "Entity",
    "domain": "Domain",
    "system": "System",
    "sync": "Sync",
    "origin": "Origin",
    "state": "State",
    "client": "Client",
    "project": "Project",
    "period": "Period",
    "legal_entity": "Legal entity",
    "assignee": "Assignee",
    "team": "Team",
    "tag": "Tag",
    "amount": "Amount from",
    "age": "Older than",
    "due": "Due within",
    "group": "Group",
    "ids": "Exceptions",
    "text": "Text",
}
TABS = {
    "mine": "For me",
    "new": "New",
    "regressed": "Regressed",
    "snoozed": "Snoozed",
    "resolved": "Resolved",
    "all": "All",
}
NEW_FOR = timedelta(hours=24)
SETTLED = (State.RESOLVED, State.WRITTEN_OFF)
_SPAN = re.compile(r"(\d{1,5})\s*(m|h|d|w)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def find(asked: Mapping[str, str], user: User | None = None, *, prefix: str = "") -> Q:
    """The condition of some words, on items or, with `prefix`, on what has items. Raises ConfigError for others."""
    kept = {key: value.replace("\x00", "").strip() for key, value in asked.items() if value and value.strip()}
    condition = _tab(kept.pop("tab", ""), user, prefix, with_state="state" in kept)
    for key, value in kept.items():
        if key not in KEYS:
            raise _wrong(f"There is no filter {key!r}.", f"Use {', '.join(KEYS)}.")
        condition &= _CONDITIONS[key](value, user, prefix)
    return condition


def parse(text: str) -> dict[str, str]:
    """`cause:missing-rate client:Acme` or with `=`; words without a key are text. Raises ConfigError for half a quote."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise _wrong(f"The filter cannot be read: {error}.", "Close the quotes.") from None
    asked: dict[str, str] = {}
    for word in words:
        found = re.match(r"([a-z_]+)[:=](.+)", word)
        if found and found[1] in KEYS:
            asked[found[1]] = found[2]
        elif found:
            raise _wrong(f"There is no filter {found[1]!r}.", f"Use {', '.join(KEYS)}.")
        else:
            asked["text"] = f"{asked.get('text', '')} {word}".strip()
    return asked


def _wrong(what: str, fix: str) -> ConfigError:
    return ConfigError(what, where="filter", fix=fix, code="FILTER")


# Tabs -------------------------------------------------------------------------------------------------------
def _tab(tab: str, user: User | None, prefix: str, *, with_state: bool) -> Q:
    """Without a tab, and without a state, what is not settled."""
    if tab and tab not in TABS:
        raise _wrong(f"There is no tab {tab!r}.", f"Use {', '.join(TABS)}.")
    if tab == "resolved":
        return _q(prefix, state__in=SETTLED)
    if tab == "all" or (not tab and with_state):
        return Q()
    open_ones = _q(prefix, state__in=ExceptionItem.UNSETTLED)
    if tab == "mine":
        return open_ones & _q(prefix, assignee=user.pk if user else None)
    if tab == "new":
        return open_ones & _q(prefix, opened_at__gte=business_now() - NEW_FOR)
    if tab == "regressed":
        again = Q(reopened__gt=0) if prefix else Q(group__reopened__gt=0)
        return open_ones & again
    return _q(prefix, state=State.SNOOZED) if tab == "snoozed" else open_ones


def _q(prefix: str, **conditions: object) -> Q:
    return Q(**{f"{prefix}{name}": value for name, value in conditions.items()})


# Words ------------------------------------------------------------------------------------------------------
Condition = Callable[[str, User | None, str], Q]


def _equal(*columns: str) -> Condition:
    def condition(value: str, user: User | None, prefix: str) -> Q:
        found = Q()
        for column in columns:
            found |= _q(prefix, **{column: value})
        return found

    return condition


def _client(value: str, user: User | None, prefix: str) -> Q:
    return _q(prefix, client=value) | _q(prefix, client_name__icontains=value)


def _project(value: str, user: User | None, prefix: str) -> Q:
    return _q(prefix, project=value) | _q(prefix, project_name__icontains=value)


def _assignee(value: str, user: User | None, prefix: str) -> Q:
    if value == "me":
        return _q(prefix, assignee=user.pk if user else None)
    if value == "nobody":
        return _q(prefix, assignee__isnull=True)
    return _q(prefix, assignee__email=value.lower()) | _q(prefix, assignee__name__icontains=value)


def _team(value: str, user: User | None, prefix: str) -> Q:
    return _q(prefix, team="") if value == "none" else _q(prefix, team__iexact=value)


def _amount(value: str, user: User | None, prefix: str) -> Q:
    """From this amount up, in the firm's currency; credits count by their size. `none` is what has no rate or amount."""
    if value == "none":
        return _q(prefix, amount_firm__isnull=True)
    try:
        least = Decimal(value.removeprefix(">=").removeprefix(">").replace(",", ""))
    except InvalidOperation:
        least = Decimal("NaN")
    if not least.is_finite() or abs(least) > 10**15:
        raise _wrong(f"{value!r} is no amount.", "Write digits, such as 5000.")
    return _q(prefix, amount_firm__gte=least) | _q(prefix, amount_firm__lte=-least)


def span(value: str) -> timedelta:
    """`4h`, `2d`; ConfigError for anything else."""
    found = _SPAN.fullmatch(value.strip().lower())
    if found is None:
        raise _wrong(f"{value!r} is no span of time.", "Write 30m, 4h, 2d or 1w.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _age(value: str, user: User | None, prefix: str) -> Q:
    return _q(prefix, opened_at__lte=business_now() - span(value))


def _due(value: str, user: User | None, prefix: str) -> Q:
    """Within so long, what is overdue included; `overdue` alone."""
    now: datetime = business_now()
    return _q(prefix, due_at__lte=now if value == "overdue" else now + span(value))


def _state(value: str, user: User | None, prefix: str) -> Q:
    words = [word.strip() for word in value.split(",")]
    if wrong := [word for word in words if word not in State.values]:
        raise _wrong(f"There is no state {wrong[0]!r}.", f"Use {', '.join(State.values)}.")
    return _q(prefix, state__in=words)


def _numbers(value: str) -> list[int]:
    """One or several, with commas between them."""
    words = [word.strip() for word in value.split(",") if word.strip()]
    if not words or not all(word.isascii() and word.isdigit() and len(word) < 19 for word in words):
        raise _wrong(f"{value!r} are no numbers.", "Write those of their addresses, 12,13.")
    return [int(word) for word in words]


def _group(value: str, user: User | None, prefix: str) -> Q:
    return Q(pk__in=_numbers(value)) if prefix else Q(group_id__in=_numbers(value))


def _sync(value: str, user: User | None, prefix: str) -> Q:
    return _q(prefix, sync_id__in=list(Sync.objects.filter(slug=value).values_list("pk", flat=True)))


def _text(value: str, user: User | None, prefix: str) -> Q:
    """A key or an id that is known, else words of the title, the detail or the client."""
    if ExceptionItem.objects.filter(Q(name=value) | Q(external_id=value)).exists():
        return _q(prefix, name=value) | _q(prefix, external_id=value)
    found = Q()
    for word in value.split():
        one = _q(prefix, title__icontains=word) | _q(prefix, client_name__icontains=word)
        found &= one | _q(prefix, detail__icontains=word) | _q(prefix, project_name__icontains=word)
    return found


_CONDITIONS: dict[str, Condition] = {
    "cause": lambda value, user, prefix: _q(prefix, cause__in=value.split(",")),
    "kind": _equal("kind"),
    "entity": _equal("entity__slug"),
    "domain": _equal("domain__slug"),
    "system": _equal("system__slug"),
    "sync": _sync,
    "origin": _equal("origin"),
    "state": _state,
    "client": _client,
    "project": _project,
    "period": _equal("period"),
    "legal_entity": _equal("legal_entity"),
    "assignee": _assignee,
    "team": _team,
    "tag": lambda value, user, prefix: _q(prefix, tags__contains=[value]),
    "amount": _amount,
    "age": _age,
    "due": _due,
    "group": _group,
    "ids": lambda value, user, prefix: _q(prefix, pk__in=_numbers(value)),
    "text": _text,
}
assert set(_CONDITIONS) == set(KEYS) - {"tab"}
