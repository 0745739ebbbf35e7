"""Who may upload what, and what became of the rows of a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet

from governance.models import ContractVersion, Entity
from governance.queries import entities_for
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.common.display import MASK
from hub.common.xlsx import Sheet, workbook
from hub.spreadsheets import sheets
from hub.spreadsheets.models import Upload
from hub.spreadsheets.services import PROTOCOL
from hub.sync.models import Sync, Transaction
from hub.sync.payloads import masked_names, masked_sentence
from hub.sync.queries import syncs_for
from hub.sync.states import TROUBLED, Outcome

DOMAIN = "mapping__entity__domain"


@dataclass(frozen=True, slots=True)
class Choice:
    """An entity that people may fill by spreadsheet; `sync` is None until somebody has set that up."""

    entity: Entity
    sync: Sync | None
    last: Upload | None


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that did not get in: where, why, and its cells."""

    row: int
    column: str
    reason: str
    values: dict[str, Any]


def sources_for(user: User, permission: str = "syncs.view") -> QuerySet[Sync]:
    return syncs_for(user, permission).filter(mapping__stream__connection__protocol=PROTOCOL)


def uploads_for(user: User, permission: str = "syncs.view") -> QuerySet[Upload]:
    rows = Upload.objects.select_related(
        "sync__mapping__entity__domain", "sync__mapping__stream__connection__system", "uploaded_by", "confirmed_by"
    )
    return scope_to_domains(rows, user, permission, f"sync__{DOMAIN}")


def choices_for(user: User) -> list[Choice]:
    """Every entity of the person's domains that has an active contract."""
    active = Q(contract__versions__status=ContractVersion.Status.ACTIVE)
    entities = entities_for(user, "syncs.view").filter(active).distinct().order_by("name")
    syncs = {sync.entity.pk: sync for sync in sources_for(user)}
    newest = Upload.objects.filter(sync__in=syncs.values()).order_by("sync_id", "-pk").distinct("sync_id")
    last = {upload.sync_id: upload for upload in newest}
    found = [(entity, syncs.get(entity.pk)) for entity in entities]
    return [Choice(entity, sync, last.get(sync.pk) if sync else None) for entity, sync in found]


def outcomes_of(upload: Upload) -> dict[str, int]:
    """Outcome in words → rows, of what the runs stored; rows without a change are in no transaction."""
    counted = _transactions(upload).values("outcome").annotate(n=Count("id")).order_by("outcome")
    return {Outcome(found["outcome"]).label: found["n"] for found in counted}


def _transactions(upload: Upload) -> QuerySet[Transaction]:
    return Transaction.objects.filter(run_id__in=upload.run_ids, sync_id=upload.sync_id)


def refused_of(upload: Upload, *, for_user: User) -> list[Refused]:
    """Rows that could not be read, and those that the hub did not take in, by their number.

    Values that are not for everybody are shown to the one who uploaded them alone.
    """
    secret = set() if upload.uploaded_by_id == for_user.pk else masked_names(upload.columns, _schema(upload))
    found = [*_unread(upload), *_stopped(upload)]
    return [_masked(each, secret) for each in sorted(found, key=lambda each: each.row)]


def _schema(upload: Upload) -> dict[str, Any]:
    versions = ContractVersion.objects.filter(contract__entity=upload.sync.entity, status=ContractVersion.Status.ACTIVE)
    version = versions.first()
    return version.schema if version else {}


def _unread(upload: Upload) -> Iterator[Refused]:
    for each in upload.refused:
        first = each["problems"][0]
        reason = " ".join(sentence for _, sentence in each["problems"])
        yield Refused(each["row"], first[0], reason, each["values"])


def _stopped(upload: Upload) -> Iterator[Refused]:
    wanted = _transactions(upload).filter(outcome__in=TROUBLED).order_by("pk")
    why = dict(wanted.values_list("external_id", "error_detail"))
    if not why:
        return
    for page in upload.pages.all():
        for row, external_id, record in page.entries:
            if external_id in why:
                reason = why[external_id] or "The hub did not take the row in."
                yield Refused(row, sheets.column_in(reason, record), reason, record)


def _masked(refused: Refused, secret: set[str]) -> Refused:
    if not secret:
        return refused
    values = {
        name: MASK if name in secret and value not in (None, "") else value for name, value in refused.values.items()
    }
    return Refused(refused.row, refused.column, masked_sentence(refused.reason, secret), values)


def refused_workbook(upload: Upload, rows: Sequence[Refused]) -> bytes:
    """The refused rows under the headings of the template, with the reason in front: corrected, it can be uploaded."""
    fields = {field.name: field for field in sheets.columns_of(upload.sync.entity)}
    names = [name for name in upload.columns if name in fields]
    headings = [sheets.REFUSED_ROW, sheets.REFUSED_WHY, *(fields[name].title for name in names)]
    lines = ([each.row, each.reason, *(each.values.get(name) for name in names)] for each in rows)
    return workbook([Sheet("Refused rows", headings, lines)])
