"""Which exceptions an act is about: some of them, a group, or all that match a filter, as it stands in an address.

What is not understood is an error: an act must never take more than was meant.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import Q, QuerySet

from hub.accounts.queries import scope_to_domains
from hub.common.errors import ConfigError
from monitoring.models import ExceptionItem

RESOLVE = "exceptions.resolve"
SEE = "exceptions.view"
KEYS = {
    "ids": "Exceptions",
    "group": "Cause",
    "without": "Without",
    "state": "State",
    "cause": "Class of cause",
    "kind": "Business or technical",
    "origin": "Origin",
    "client": "Client",
    "project": "Project",
    "period": "Period",
    "legal_entity": "Legal entity",
    "entity": "Entity",
    "assignee": "Assignee",
    "team": "Team",
    "tag": "Tag",
    "amount": "Amount from",
    "text": "Text",
}
# What a choice adds to the words of a list.
OWN = ("ids", "group", "without")


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked for, as words by key, and the same as a condition."""

    asked: Mapping[str, str]
    condition: Q

    def rows(self, user: Any, permission: str = RESOLVE) -> QuerySet[ExceptionItem]:
        """The unsettled ones among them that the person may act on; without a person (the command line) all."""
        rows = ExceptionItem.objects.filter(self.condition, state__in=ExceptionItem.UNSETTLED)
        return rows if user is None else scope_to_domains(rows, user, permission)


def of(asked: Mapping[str, str], *, user: Any = None) -> Choice:
    """The choice of some words; `assignee=me` means `user`. Raises ConfigError for what cannot be read."""
    kept = {key: str(value).replace("\x00", "").strip() for key, value in asked.items() if str(value).strip()}
    condition = Q()
    words = dict(kept)
    for key in OWN:
        if key in words:
            condition &= _CONDITIONS[key](words.pop(key))
    return Choice(kept, condition & _finders[0](words, user))


Finder = Callable[[Mapping[str, str], Any], Q]


def _find(asked: Mapping[str, str], user: Any) -> Q:
    condition = Q()
    for key, value in asked.items():
        if key not in KEYS:
            raise ConfigError(f"There is no filter {key!r}.", where="filter", fix=_known(), code="FILTER")
        condition &= _assignee(value, user) if key == "assignee" else _CONDITIONS[key](value)
    return condition


_finders: list[Finder] = [_find]


def install(find: Finder, keys: Mapping[str, str]) -> None:
    """Let the list say what its own words mean, so that what is seen there is what is acted on."""
    _finders[:] = [find]
    KEYS.update(keys)


def parse(text: str, *, user: Any = None) -> Choice:
    """`cause=missing_rate client=Acme` as it is typed on the command line."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"The filter cannot be read: {error}.", where="filter", code="FILTER") from None
    pairs = [word.partition("=") for word in words]
    for key, sign, _ in pairs:
        if not sign:
            raise ConfigError(f"{key!r} is not key=value.", where="filter", fix=_known(), code="FILTER")
    return of({key: value for key, _, value in pairs}, user=user)


def _known() -> str:
    return f"Use {', '.join(KEYS)}."


def _numbers(key: str, column: str) -> Callable[[str], Q]:
    def condition(text: str) -> Q:
        words = [word.strip() for word in text.split(",") if word.strip()]
        if not words or not all(word.isascii() and word.isdigit() and len(word) < 19 for word in words):
            raise ConfigError(f"{text!r} are no numbers of {key}.", where=key, fix="Write 12,13.", code="FILTER")
        return Q(**{f"{column}__in": [int(word) for word in words]})

    return condition


def _choices(key: str, known: list[str]) -> Callable[[str], Q]:
    def condition(text: str) -> Q:
        words = [word.strip().lower() for word in text.split(",")]
        for word in words:
            if word not in known:
                raise ConfigError(
                    f"There is no {key} {word!r}.", where=key, fix=f"Use {', '.join(known)}.", code="FILTER"
                )
        return Q(**{f"{key}__in": words})

    return condition


def _assignee(text: str, user: Any) -> Q:
    if text == "nobody":
        return Q(assignee__isnull=True)
    if text == "me":
        if user is None:
            raise ConfigError("'me' is nobody on the command line.", where="assignee", fix="Give an e-mail address.")
        return Q(assignee=user)
    return Q(assignee__email__iexact=text)


def _amount(text: str) -> Q:
    """Amounts in the firm's currency from this one up."""
    try:
        least = Decimal(text.removeprefix(">=").removeprefix(">"))
    except InvalidOperation:
        least = Decimal("NaN")
    if not least.is_finite():
        raise ConfigError(f"{text!r} is no amount.", where="amount", fix="Write digits, such as 5000.", code="FILTER")
    return Q(amount_firm__gte=least)


def _text(text: str) -> Q:
    return Q(title__icontains=text) | Q(external_id=text) | Q(project=text) | Q(client=text)


_CONDITIONS: dict[str, Callable[[str], Q]] = {
    "ids": _numbers("exceptions", "pk"),
    "group": _numbers("causes", "group_id"),
    "without": lambda text: ~_CONDITIONS["ids"](text),
    "state": _choices("state", [str(state) for state in ExceptionItem.UNSETTLED]),
    "kind": _choices("kind", [str(value) for value in ExceptionItem.Kind.values]),
    "origin": _choices("origin", [str(value) for value in ExceptionItem.Origin.values]),
    "cause": lambda text: Q(cause=text),
    "client": lambda text: Q(client=text) | Q(client_name=text),
    "project": lambda text: Q(project=text) | Q(project_name=text),
    "period": lambda text: Q(period=text),
    "legal_entity": lambda text: Q(legal_entity=text),
    "entity": lambda text: Q(entity__slug=text),
    "team": lambda text: Q(team=text),
    "tag": lambda text: Q(tags__contains=[text]),
    "amount": _amount,
    "text": _text,
}
