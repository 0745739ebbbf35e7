"""Everything that ended without success, of both legs: why, how much, what next, and whether it is safe to put again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from hub.common.errors import HubError
from hub.common.exports import CHUNK, Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.lists import paginate
from hub.common.moments import SINCE_CHOICES
from hub.common.permissions import requires
from hub.sync import payloads, queries, totals
from hub.sync.keys import DeliveryKey, HeldKey
from hub.sync.models import DeadLetter
from hub.sync.replays import acts, causes, letters
from hub.sync.replays.causes import Cause
from hub.sync.replays.letters import LetterFilter
from hub.sync.views.common import asked_of, me, tell

COLUMNS = [
    Column("leg", "Direction", "letter.leg"),
    Column("sync", "Sync", "letter.sync.slug"),
    Column("name", "Record", "letter.name"),
    Column("customer", "Customer", "letter.customer"),
    Column("project", "Project", "letter.project"),
    Column("state", "State", "letter.state"),
    Column("class", "Class", "cause.word"),
    Column("cause", "Cause", "cause.cause"),
    Column("next_step", "Next step", "cause.next_step"),
    Column("safety", "Safe to put again", "cause.safety"),
    Column("error_code", "Error code", "letter.error_code"),
    Column("error", "Error", "letter.shown_error"),
    Column("attempts", "Attempts", "letter.attempts"),
    Column("acts_at", "Next attempt (UTC)", "letter.acts_at"),
    Column("failed_at", "Failed (UTC)", "letter.failed_at"),
    Column("amount", "Amount", lambda line: totals.exact(line.letter.amount)),
    Column("currency", "Currency", "letter.currency"),
]

ORDER = ("-failed_at", "-id")
NAMES = ("id", "leg", "sync", "record_id", "external_id", "failed_at")


@dataclass(frozen=True, slots=True)
class Line:
    """A letter, what is said of it, and its own page."""

    letter: DeadLetter
    cause: Cause
    url: str


@requires("ledger.view")
def dead_letter_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    bar = _bar(request)
    rows = _rows(request, bar)
    if fmt:
        found = acts.of_retry(rows).order_by(*ORDER).iterator(chunk_size=CHUNK)
        return export_response(lines(found), COLUMNS, fmt, name="dead-letters")
    # To put all in order takes little where it reads little: what each letter says of its past is read for the page alone.
    page = paginate(rows.select_related(None).only(*NAMES), request, order=ORDER)
    number, amounts = totals.number_and_amounts(rows)
    context = {
        "bar": bar,
        "page": page,
        "rows": list(lines(acts.of_retry(_whole(rows, page.rows)).order_by(*ORDER))),
        "number": number,
        "amounts": amounts,
        "tabs": totals.tabs(me(request), "letters"),
        "can_replay": me(request).has_hub_perm("ledger.replay"),
        "query": urlencode(asked_of(bar)),
    }
    return render(request, "sync/dead_letter_list.html", context)


def _bar(request: HttpRequest) -> FilterBar:
    syncs = queries.syncs_for(me(request), "ledger.view").order_by("name")
    return FilterBar(
        request,
        keys={key: word for key, word in letters.KEYS.items() if key != "text"},
        selects=[
            Select("sync", "Sync", list(syncs.values_list("slug", "name"))),
            Select("state", "State", letters.STATES),
            Select("class", "Class", list(causes.CLASSES.items())),
            Select("since", "Failed since", SINCE_CHOICES),
        ],
        hint="Key or any id, words of the error, connection: system: code: amount:",
    )


def _rows(request: HttpRequest, bar: FilterBar) -> QuerySet[DeadLetter]:
    """What the address asks for; nothing, and the reason, where it cannot be understood."""
    try:
        asked: LetterFilter = letters.of(asked_of(bar))
    except HubError as error:
        tell(request, error)
        return DeadLetter.objects.none()
    rows = asked.rows(queries.sync_ids_for(me(request), "ledger.view"))
    return rows.select_related("sync__mapping__entity", "sync__mapping__stream__connection__system")


def _whole(rows: QuerySet[DeadLetter], named: list[DeadLetter]) -> QuerySet[DeadLetter]:
    """These letters with all that is said of them, found by the keys of the tables behind the view."""
    records = [letter.record_id for letter in named if letter.leg == DeadLetter.Leg.OUT]
    held = [letter.external_id for letter in named if letter.leg == DeadLetter.Leg.IN]
    one = Q(leg=DeadLetter.Leg.OUT, record_id__in=records) | Q(leg=DeadLetter.Leg.IN, external_id__in=held)
    return rows.filter(one, sync__in={letter.sync_id for letter in named}, id__in=[letter.id for letter in named])


def lines(rows: Iterable[DeadLetter]) -> Iterator[Line]:
    """Letters that are annotated with their act."""
    for letter in payloads.with_shown_error(rows):
        yield Line(letter, causes.explain(letter, letter.act), url_of(letter))


def url_of(letter: DeadLetter) -> str:
    if letter.leg == DeadLetter.Leg.OUT:
        return reverse("sync:delivery_detail", args=[DeliveryKey(letter.sync_id, letter.record_id or 0)])
    return reverse("sync:held_detail", args=[HeldKey(letter.sync_id, letter.external_id or "")])
