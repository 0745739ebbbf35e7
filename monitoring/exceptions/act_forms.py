"""What pages send: which exceptions, and what is filled in of an act or a fix."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from hub.accounts.models import User
from monitoring.exceptions import choosing
from monitoring.exceptions.choosing import Choice
from monitoring.models import ExceptionGroup, ExceptionItem


def asked_of(given: QueryDict) -> dict[str, str]:
    """The choice as words: ticked rows when there are any, else the filter; `group` ticked several times is several."""
    asked = {key: str(given[key]) for key in choosing.KEYS if given.get(key)}
    for key in ("ids", "group", "without"):
        if several := [word for word in given.getlist(key) if word.strip()]:
            asked[key] = ",".join(several)
    return {"ids": asked["ids"]} if asked.get("ids") else asked


def choice_of(given: QueryDict, user: User) -> Choice:
    """Raises ConfigError for what cannot be read."""
    return choosing.of(asked_of(given), user=user)


def asked_of_list(given: QueryDict) -> dict[str, str]:
    """What a list sends: ticked rows (`group` or `ids`), or with `all` everything that its filter matches (`filter_…`)."""
    if given.get("all"):
        words = {key.removeprefix("filter_"): str(given[key]) for key in given if key.startswith("filter_")}
        return {key: value for key, value in words.items() if key in choosing.KEYS and value}
    return {key: ",".join(found) for key in ("ids", "group") if (found := [w for w in given.getlist(key) if w.strip()])}


def query_of(asked: dict[str, str]) -> str:
    return urlencode(asked)


def people() -> list[tuple[int, str]]:
    """Whom an exception may be assigned to."""
    rows = User.objects.filter(is_active=True, is_service=False).order_by("name", "email")[:500]
    return [(person.pk, str(person)) for person in rows if person.domain_ids_for(choosing.SEE) != frozenset()]


def title_of(choice: Choice, number: int, items: list[ExceptionItem]) -> str:
    """What a page over a choice is called: its one item, its one cause, or how many."""
    if number == 1 and items:
        return items[0].title
    group_ids = {item.group_id for item in items}
    if set(choice.asked) <= {"group", "without"} and len(group_ids) == 1:
        return ExceptionGroup.objects.get(pk=group_ids.pop()).title
    return f"{number:,} exceptions"


def back_url(items: list[ExceptionItem], number: int) -> str:
    """Where one came from: the item, or the cause."""
    if not items:
        return ""
    return items[0].get_absolute_url() if number == 1 else items[0].group.get_absolute_url()


def filled(given: QueryDict) -> dict[str, Any]:
    """Everything that a form sends, the last of what comes twice."""
    return {key: given.get(key, "") for key in given if key not in ("csrfmiddlewaretoken",)}


def causes() -> list[str]:
    """Classes of cause that are in use: for a list of suggestions."""
    return list(ExceptionGroup.objects.order_by("cause").values_list("cause", flat=True).distinct()[:200])
