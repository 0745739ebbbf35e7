"""What processes put on the first page, into the navigation, and into the search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest

from hub.common import home, search
from hub.common.home import Need
from hub.common.nav import Badge
from hub.common.search import Hit
from hub.processes import queries
from hub.processes.models import State
from hub.sync.views.common import me


@home.needs()
def questions(request: HttpRequest) -> list[Need]:
    """Steps that ask somebody of this person's roles."""
    return [
        Need(
            title=step.more["question"],
            url=run.instance.get_absolute_url(),
            action="Answer",
            detail=str(run.instance),
            due_at=run.due_at,
            state="review",
        )
        for run, step in queries.questions_for(me(request))
    ]


@home.needs()
def told(request: HttpRequest) -> list[Need]:
    """What processes tell this person's roles, until somebody has seen it."""
    return [
        Need(
            title=message.text,
            url=message.instance.get_absolute_url(),
            action="Read",
            detail=str(message.instance),
            state="review",
        )
        for message in queries.messages_for(me(request))
    ]


def stopped(user: Any) -> Badge | None:
    """Instances that have stopped and wait for somebody."""
    number = queries.instances_for(user).filter(state=State.FAILED).count()
    return Badge(number, hot=True) if number else None


@search.provider(order=45)
def find(text: str, user: Any) -> Iterator[Hit]:
    if not user.has_hub_perm(queries.SEE):
        return
    for process in queries.processes_for(user).filter(name__icontains=text)[:5]:
        yield Hit(process.name, process.get_absolute_url(), "Processes", process.purpose[:80], "route")
    for one in queries.instances_for(user).filter(key=text)[:5]:
        yield Hit(str(one), one.get_absolute_url(), "Process runs", one.get_state_display(), "timeline")
