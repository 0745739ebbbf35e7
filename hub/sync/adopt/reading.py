"""Reading both sides into the staging area, page by page; each page goes on where the last one was stored."""

from __future__ import annotations

import time
from collections.abc import Sequence

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from connectors.services import open_connection
from hub.common.errors import ConfigError
from hub.common.records import Page
from hub.records.models import CanonicalRecord
from hub.sync.adopt import lease
from hub.sync.adopt.staging import Side, TargetReader, fresh_plan, of_source
from hub.sync.models import Adoption, StagedRecord
from hub.sync.plan import load_plan

HUB_PAGE = 1_000
NOT_SEARCHABLE = (
    "This target cannot be asked for a key. Whether it holds a record is judged by what was read here, so what is entered"
    " there by hand between the reading and the release can become a double."
)


def read(adoption: Adoption, *, deadline: float) -> bool:
    """Read until both sides are staged (True) or `deadline` (monotonic seconds) has passed (False)."""
    if adoption.side == Side.SOURCE and not _read_source(adoption, deadline):
        return False
    if adoption.side == Side.SOURCE:
        lease.fence(adoption, side=Side.TARGET, resume=None)
    return _read_target(adoption, deadline)


def _read_source(adoption: Adoption, deadline: float) -> bool:
    if adoption.source is None:
        return _read_hub(adoption, deadline)
    plan = fresh_plan(adoption.source)
    with open_connection(plan.connection) as connector:
        for page in connector.read(plan.stream, cursor=None, resume=adoption.resume):
            _keep(adoption, of_source(adoption.pk, plan, page), page)
            if page.resume is not None and time.monotonic() > deadline:
                return False
    return True


def _read_hub(adoption: Adoption, deadline: float) -> bool:
    """The hub's own records, by id; the position is the last id."""
    rows = CanonicalRecord.objects.filter(entity=adoption.entity, deleted_at__isnull=True).order_by("pk")
    while True:
        found = list(rows.filter(pk__gt=adoption.resume or 0)[:HUB_PAGE])
        if not found:
            return True
        _keep(adoption, [_of_hub(adoption.pk, record) for record in found], Page([], resume=found[-1].pk))
        if time.monotonic() > deadline:
            return False


def _of_hub(adoption_id: int, record: CanonicalRecord) -> StagedRecord:
    return StagedRecord(
        adoption_id=adoption_id,
        side=Side.SOURCE,
        external_id=record.key,
        key=record.key,
        label=str(record.body.get("name") or record.body.get("title") or ""),
        record={},
        body=record.body,
        record_id=record.pk,
        amount=record.amount,
        currency=record.currency,
    )


def _read_target(adoption: Adoption, deadline: float) -> bool:
    reader = TargetReader.of(adoption.target)
    plan = reader.outbound
    with open_connection(plan.connection) as connector:
        try:
            for page in connector.read(plan.stream, cursor=None, resume=adoption.resume):
                _keep(adoption, reader.of_target(adoption.pk, page), page)
                if page.resume is not None and time.monotonic() > deadline:
                    return False
        except NotImplementedError:
            raise ConfigError(
                f"The stream {plan.stream.name!r} cannot be read, so nothing in it can be matched.",
                where=adoption.target.slug,
                fix="Declare how it is read, or deliver to a stream that can be read.",
                code="NOT_READABLE",
            ) from None
    return True


def _keep(adoption: Adoption, rows: Sequence[StagedRecord], page: Page) -> None:
    """A page and the position behind it, together; a page that is read again changes nothing."""
    unique = list({row.external_id: row for row in rows}.values())
    counter = "read_source" if adoption.side == Side.SOURCE else "read_target"
    with transaction.atomic():
        lease.fence(adoption, resume=page.resume)
        held = StagedRecord.objects.filter(
            adoption=adoption, side=adoption.side, external_id__in=[row.external_id for row in unique]
        ).values_list("external_id", flat=True)
        known = set(held)
        new = [row for row in unique if row.external_id not in known]
        StagedRecord.objects.bulk_create(new)
        Adoption.objects.filter(pk=adoption.pk).update(**{counter: F(counter) + len(new)})


def is_searchable(adoption: Adoption) -> bool:
    """Whether the target can be asked for a key; asking for none costs no request."""
    plan = load_plan(adoption.target)
    with open_connection(plan.connection) as connector:
        try:
            connector.find(plan.stream, [])
        except NotImplementedError:
            return False
    return True


def finish(adoption: Adoption) -> None:
    notes = [] if is_searchable(adoption) else [NOT_SEARCHABLE]
    lease.fence(adoption, status=Adoption.Status.MATCHING, resume=None, notes=notes, target_read_at=Now())
