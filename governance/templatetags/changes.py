"""`{% change_banner "Contract" entity.slug %}`: that a change of this object waits, and where it is discussed."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context

from governance.changes import queries
from hub.common.permissions import is_allowed

register = template.Library()


@register.inclusion_tag("changes/_banner.html", takes_context=True)
def change_banner(context: Context, kind: str, key: str) -> dict[str, Any]:
    request = context.get("request")
    if request is None or not is_allowed(request.user, queries.VIEW):
        return {"change": None}
    item = queries.waiting_item(kind, key)
    return {
        "change": item.change if item else None,
        "is_removal": item is not None and item.is_removal,
        "request": request,
    }


@register.filter
def of(found: dict[Any, Any], key: Any) -> Any:
    """What a mapping holds under a key that a template knows as a variable."""
    return found.get(key)
