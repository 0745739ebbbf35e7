"""Panels of acts and fixes, for the pages of an exception and of a cause: `{% exception_acts item=item can_resolve=True %}`."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from django import template
from django.db.models import QuerySet

from hub.accounts.models import User
from monitoring.exceptions import act_forms, fixes, notes
from monitoring.exceptions.plans import Plan
from monitoring.models import ExceptionGroup, ExceptionItem

register = template.Library()


def _asked(item: ExceptionItem | None, group: ExceptionGroup | None) -> dict[str, str]:
    return {"ids": str(item.pk)} if item else {"group": str(group.pk)} if group else {}


@register.inclusion_tag("exceptions/_acts_panel.html", takes_context=True)
def exception_acts(
    context: Any, item: ExceptionItem | None = None, group: ExceptionGroup | None = None, can_resolve: bool = False
) -> dict[str, Any]:
    """What can be done about one exception, or about all that are open of one cause."""
    request = context["request"]
    if item is not None and isinstance(request.user, User):
        notes.see(request.user, item)
    asked = _asked(item, group)
    return {
        "request": request,
        "item": item,
        "group": group,
        "can_resolve": can_resolve and (item is None or item.is_unsettled) and (group is None or group.open_items > 0),
        "people": act_forms.people() if can_resolve else [],
        "causes": act_forms.causes() if can_resolve else [],
        "query": act_forms.query_of(asked),
        "asked": asked,
        "token": uuid.uuid4().hex,
        "here": request.get_full_path(),
    }


@register.inclusion_tag("exceptions/_fix_panel.html", takes_context=True)
def exception_fix(
    context: Any, item: ExceptionItem | None = None, group: ExceptionGroup | None = None, can_resolve: bool = False
) -> dict[str, Any]:
    """Which fix suits it, ready to be filled in and planned."""
    request = context["request"]
    rows: QuerySet[ExceptionItem] = ExceptionItem.objects.filter(state__in=ExceptionItem.UNSETTLED)
    rows = rows.filter(pk=item.pk) if item else rows.filter(group=group)
    found = list(rows.select_related("entity", "group").order_by("-rank", "-pk")[: fixes.LOOKED_AT])
    return {
        "request": request,
        "offers": fixes.offers(found, by=request.user) if can_resolve else [],
        "query": act_forms.query_of(_asked(item, group)),
        "chosen": "",
        "posted": {},
    }


STEPS = (
    ("create", "Create", "ok", "plus"),
    ("update", "Update", "run", "pencil"),
    ("skip", "Skip", "muted", "equal"),
    ("would_duplicate", "Would duplicate", "review", "copy"),
    ("reject", "Still failing", "fail", "x"),
)


@register.simple_tag
def plan_cells(plan: Plan) -> list[dict[str, Any]]:
    """The five steps of a plan with their amounts in the firm's currency."""
    counts, amounts, unconverted = plan.counts, plan.amounts, plan.unconverted
    return [
        {
            "step": step,
            "word": word,
            "tone": tone if counts[step] else "muted",
            "icon": icon,
            "number": counts[step],
            "amount": amounts.get(step, Decimal(0)),
            "unconverted": unconverted.get(step, 0),
        }
        for step, word, tone, icon in STEPS
    ]


@register.filter
def posted_value(posted: dict[str, Any], one: fixes.Input) -> str:
    """What was filled in, else what the fix proposes."""
    return str(posted[one.name]) if one.name in posted else one.value
