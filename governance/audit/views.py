"""The audit on screen: filtered in the URL, exported with its hashes, one entry with its place in the chain."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render

from governance.audit.words import act_words
from governance.models import AuditEntry, AuditHead, AuditSeal
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.lists import paginate
from hub.common.moments import moment
from hub.common.permissions import requires


def _hex(name: str) -> Any:
    return lambda row: bytes(getattr(row.seal, name)).hex() if _seal_of(row) else None


def _seal_of(row: AuditEntry) -> AuditSeal | None:
    return getattr(row, "seal", None)


COLUMNS = [
    Column("seq", "Place", lambda row: row.seal.seq if _seal_of(row) else None),
    Column("id", "Entry", "pk"),
    Column("at", "At (UTC)"),
    Column("act", "Act"),
    Column("kind", "Kind"),
    Column("name", "Name"),
    Column("domain", "Domain"),
    Column("actor_id", "Actor id"),
    Column("actor", "Actor"),
    Column("on_behalf_of_id", "On behalf of id"),
    Column("on_behalf_of", "On behalf of"),
    Column("reason", "Reason"),
    Column("before_hash", "Before (SHA-256)"),
    Column("after_hash", "After (SHA-256)"),
    Column("details", "Details"),
    Column("previous", "Previous hash", _hex("previous")),
    Column("hash", "Hash", _hex("hash")),
]
KEYS = {
    "act": "Act",
    "kind": "Kind",
    "name": "Name",
    "by": "By",
    "domain": "Domain",
    "since": "Since",
    "until": "Until",
}


@requires("audit.view")
def audit_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    bar = FilterBar(
        request, keys=KEYS, selects=[Select("act", "Act", _acts())], hint="by:ada kind:Sync since:2026-11-01"
    )
    rows = _filtered(AuditEntry.objects.select_related("seal"), bar)
    if fmt:
        return export_response(rows.order_by("pk"), COLUMNS, fmt, name="audit")
    context = {"bar": bar, "page": paginate(rows, request), "head": AuditHead.objects.first()}
    return render(request, "audit/audit_list.html", context)


@requires("audit.view")
def audit_entry(request: HttpRequest, pk: int) -> HttpResponse:
    entry = get_object_or_404(AuditEntry.objects.select_related("seal"), pk=pk)
    seal = _seal_of(entry)
    context = {
        "entry": entry,
        "seal": seal,
        "hashes": [(word, bytes(value).hex()) for word, value in (("Hash", seal.hash), ("Before it", seal.previous))]
        if seal
        else [],
        "others": AuditEntry.objects.filter(kind=entry.kind, name=entry.name).exclude(pk=pk).order_by("-pk")[:10]
        if entry.name
        else [],
    }
    return render(request, "audit/audit_entry.html", context)


def _acts() -> list[tuple[str, str]]:
    """Acts that occur, as a loose index scan: their number is small and that of the entries is not."""
    found: list[tuple[str, str]] = []
    while (
        act := AuditEntry.objects.filter(act__gt=found[-1][0] if found else "")
        .order_by("act")
        .values_list("act", flat=True)
        .first()
    ):
        found.append((act, act_words(act)))
    return found


def _filtered(rows: QuerySet[AuditEntry], bar: FilterBar) -> QuerySet[AuditEntry]:
    for key, column in (("act", "act"), ("kind", "kind__iexact"), ("name", "name"), ("domain", "domain")):
        if value := bar.get(key):
            rows = rows.filter(**{column: value})
    if who := bar.get("by"):
        rows = rows.filter(Q(actor__icontains=who) | Q(on_behalf_of__icontains=who))
    for key, bound in (("since", "at__gte"), ("until", "at__lt")):
        if when := moment(bar.get(key)):
            rows = rows.filter(**{bound: when})
    if bar.text:
        rows = rows.filter(Q(name__icontains=bar.text) | Q(reason__icontains=bar.text) | Q(act__icontains=bar.text))
    return rows
