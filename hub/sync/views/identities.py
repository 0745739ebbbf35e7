"""Any id → the record, and all its ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.htmx import redirect_to
from hub.common.permissions import requires
from hub.records.models import CanonicalRecord, Crosswalk
from hub.records.queries import find_record
from hub.sync.duplicates import identities, parting
from hub.sync.duplicates.identities import Identity
from hub.sync.views.common import me, tell

MAX_LENGTH = 500
COLUMNS = [
    Column("entity", "Entity", "record.entity.slug"),
    Column("key", "Key", "record.key"),
    Column("system", "System", "link.stream.connection.system.slug"),
    Column("stream", "Stream", "link.stream.slug"),
    Column("external_id", "External id", "link.external_id"),
    Column("url", "Address", "link.url"),
]


@dataclass(frozen=True, slots=True)
class _Line:
    record: CanonicalRecord
    link: Crosswalk | None


@requires("ledger.view")
def identity_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """An id that means one record leads straight to it."""
    text = request.GET.get("q", "").strip()[:MAX_LENGTH]
    found = identities.find(me(request), text)
    if fmt:
        return export_response(_lines(found), COLUMNS, fmt, name="identities")
    held = identities.held_under(me(request), text) if text else []
    if len(found) == 1 and found[0].found_by and not held:
        return redirect(found[0].record)
    context = {"text": text, "found": found, "held": held, "is_exact": any(one.found_by for one in found)}
    return render(request, "sync/identity_list.html", context)


@requires("ledger.replay")
@require_POST
def identity_part(request: HttpRequest, slug: str, record: int) -> HttpResponse:
    """An id that leads to this record is another one after all."""
    found = find_record(me(request), slug, "ledger.replay", pk=record)
    key = request.GET.get("key", "")
    try:
        parting.part(record=found, key=key, reason=request.POST.get("reason", ""), by=me(request))
    except HubError as error:
        tell(request, error)
    else:
        messages.success(request, f"{key} is taken in as a record of its own.")
    return redirect_to(request, found.get_absolute_url())


def _lines(found: list[Identity]) -> Iterator[_Line]:
    for one in found:
        for link in one.links or [None]:  # type: ignore[list-item]
            yield _Line(one.record, link)
