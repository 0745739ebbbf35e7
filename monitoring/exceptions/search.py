"""What Ctrl K finds here: open exceptions by the record's key or id, else causes by their words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Q

from hub.common import search
from hub.common.search import Hit
from monitoring.exceptions import queries
from monitoring.models import ExceptionItem

EACH = 4
MIN_LENGTH = 2


@search.provider(order=8)
def find_exceptions(q: str, user: Any) -> Iterable[Hit]:
    """By equality on an index; titles of causes are few."""
    if len(q) < MIN_LENGTH or not user.has_hub_perm(queries.SEE):
        return []
    rows = queries.items_for(user).filter(state__in=ExceptionItem.UNSETTLED)
    items = rows.filter(Q(name=q) | Q(external_id=q, name__gt="")).order_by("-rank")[:EACH]
    groups = queries.groups_for(user).filter(open_items__gt=0, title__icontains=q).order_by("-rank")[:EACH]
    return [
        *(Hit(item.title, item.get_absolute_url(), "Exceptions", item.group.title, "alert-circle") for item in items),
        *(
            Hit(group.title, group.get_absolute_url(), "Exceptions", _records(group.open_items), "alert-circle")
            for group in groups
        ),
    ]


def _records(number: int) -> str:
    return f"{number:,} record{'' if number == 1 else 's'}"
