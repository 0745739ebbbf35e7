"""The first page: how long until the next close, and what stands in its way."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse

from governance.views import me
from hub.common import home
from hub.common.display import money
from hub.common.home import Panel
from monitoring.close import queries
from monitoring.close.readiness import readiness
from monitoring.close.scope import SEE, scope_of


@home.panel("tiles", order=5, permission=SEE)
def next_close(request: HttpRequest) -> Panel | None:
    """The period with the nearest deadline; stays away until there is one."""
    book = queries.next_to_close()
    if book is None:
        return None
    found = readiness(scope_of(book, me(request)), book)
    return Panel(
        "close/_home_tile.html",
        {
            "label": f"{book} closes",
            "value": queries.countdown(book, found.at),
            "detail": f"{found.count:,} in the way"
            + (f", {found.rates.currency} {money(found.total, found.rates.currency)}" if found.rates.currency else ""),
            "state": found.state,
            "url": reverse("close:close", args=[book.legal_entity, book.period]),
        },
    )
