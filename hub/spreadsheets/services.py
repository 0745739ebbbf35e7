"""Every act on uploads: pages, programs and nothing else call these."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import PurePath
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from governance.models import Entity
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.registry import Document
from hub.config import services as config
from hub.config.documents import Source
from hub.spreadsheets import previewing, reading, sheets
from hub.spreadsheets.models import Upload, UploadPage
from hub.sync import engine
from hub.sync.models import Run, Sync
from hub.sync.services import refuse_paused

PROTOCOL = "upload"
SYSTEM = CONNECTION = "spreadsheets"
PAGE = 500


def open_source(*, entity: Entity, by: Any) -> config.Plan:
    """Make the stream, the mapping and the sync that uploads of an entity take; what reviewers must see waits for them."""
    fields = sheets.columns_of(entity)
    slug = f"sheet-{entity.slug.replace('_', '-')}"
    key = [field.name for field in fields if field.is_key]
    if not key:
        raise ConfigError(
            f"The contract of {entity.name} marks no key.", fix="Mark the field that identifies a record."
        )
    rules = [{"target": field.name, "source": field.name, **_typed(field.type)} for field in fields]
    title = f"{entity.name} from spreadsheets"
    stream = {"kind": "Stream", "slug": slug, "name": entity.slug, "connection": CONNECTION, "key": key}
    mapping = {"kind": "Mapping", "slug": slug, "name": title, "direction": "in", "stream": slug}
    documents: list[Document] = [
        {"kind": "System", "slug": SYSTEM, "name": "Spreadsheets", "category": "other"},
        {"kind": "Connection", "slug": CONNECTION, "name": "Spreadsheets", "system": SYSTEM, "protocol": PROTOCOL},
        {**stream, "label": f"{entity.name} (spreadsheet)"},
        {**mapping, "entity": entity.slug, "rules": rules},
        {"kind": "Sync", "slug": slug, "name": title, "mapping": slug},
    ]
    return config.apply([Source(document, "spreadsheets", number) for number, document in enumerate(documents)], by=by)


def _typed(kind: str) -> dict[str, str]:
    return {"type": kind} if kind in ("decimal", "integer", "boolean", "date") else {}


@transaction.atomic
def upload(*, sync: Sync, name: str, data: bytes, by: Any, decimal: str = ".") -> tuple[Upload, bool]:
    """Read a file and say what would become of it; (the upload, whether it is new).

    The same file again, when nothing was uploaded in between, is the upload that it was. Raises ConfigError for a file
    that cannot be read at all.
    """
    digest = hashlib.sha256(data).hexdigest()
    last = Upload.objects.filter(sync=sync).exclude(state=Upload.State.DISCARDED).first()
    if last is not None and last.sha256 == digest:
        return last, False
    fields = sheets.columns_of(sync.entity)
    key = list(sync.stream.key_fields)
    zone = ZoneInfo(sync.stream.connection.time_zone)
    table = reading.read(data, name=name, fields=fields, key=key, zone=zone, decimal=decimal)
    found = Upload.objects.create(
        sync=sync,
        file_name=PurePath(name.replace("\\", "/")).name[:200],
        sha256=digest,
        size=len(data),
        uploaded_by=by,
        rows=table.rows,
        columns=table.columns,
        notes=table.notes,
        refused=[asdict(each) for each in table.refused],
        preview=previewing.preview(sync, table),
    )
    entries = [list(entry) for entry in table.entries]
    starts = range(0, len(entries), PAGE)
    UploadPage.objects.bulk_create(
        [UploadPage.of(found, number, entries[start : start + PAGE]) for number, start in enumerate(starts)]
    )
    tell(_act("spreadsheet.uploaded", found, by))
    return found, True


@transaction.atomic
def confirm(*, upload: Upload, by: Any) -> Run:
    """Let the rows take the way of every source; returns the run that takes them."""
    found = Upload.objects.select_for_update().get(pk=upload.pk)
    refuse_paused(found.sync)
    if found.state not in (Upload.State.PREVIEWED, Upload.State.CONFIRMED):
        raise ConfigError(
            f"The file is {found.get_state_display().lower()} already.", fix="Upload it again.", code="STATE"
        )
    if not found.pages.exists():
        raise ConfigError(
            "No row of the file can be taken in.", fix="Correct the refused rows and upload them.", code="EMPTY"
        )
    if found.state == Upload.State.PREVIEWED:
        found.state, found.confirmed_by, found.confirmed_at = Upload.State.CONFIRMED, by, timezone.now()
        found.save(update_fields=["state", "confirmed_by", "confirmed_at"])
        tell(_act("spreadsheet.confirmed", found, by))
    run, _ = engine.start(found.sync, trigger=Run.Trigger.UPLOAD, by=by)
    return run


@transaction.atomic
def discard(*, upload: Upload, by: Any) -> None:
    """Forget the rows of a file that was not confirmed."""
    found = Upload.objects.select_for_update().get(pk=upload.pk)
    if found.state != Upload.State.PREVIEWED:
        raise ConfigError("Only a file that was not confirmed can be discarded.", code="STATE")
    found.pages.all().delete()
    found.state, found.refused, found.preview = Upload.State.DISCARDED, [], {}
    found.save(update_fields=["state", "refused", "preview"])
    tell(_act("spreadsheet.discarded", found, by))


def _act(act: str, upload: Upload, by: Any) -> Act:
    details = {"file": upload.file_name, "sha256": upload.sha256, "rows": upload.rows, "sync": upload.sync.slug}
    return Act(act, "Upload", str(upload.pk), by=by, details=details, domain=upload.sync.entity.domain)
