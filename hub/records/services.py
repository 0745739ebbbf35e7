"""What people do with canonical records. They are written by hub.records.store alone."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from hub.accounts.models import User
from hub.common import facts
from hub.records.models import CanonicalRecord, Reveal


@transaction.atomic
def reveal(record: CanonicalRecord, fields: Iterable[str], *, by: User) -> Reveal:
    """Keep that a person is about to see masked values of a record, and tell whoever watches."""
    kept = Reveal.objects.create(record=record, by=by, fields=sorted(fields))
    facts.publish("payload_revealed", record=record, fields=kept.fields, by=by)
    return kept
