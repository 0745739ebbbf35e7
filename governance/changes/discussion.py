"""What people say about a change, on a field or on the whole, and that it is settled."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from governance.changes.services import tell_of
from governance.models import ChangeComment, ChangeRequest
from hub.common.reasons import needed


@transaction.atomic
def comment(
    change: ChangeRequest, *, by: Any, text: str, anchor: str = "", answers: ChangeComment | None = None
) -> ChangeComment:
    """Say something. `anchor` is "kind key: path" as the review page writes it; an answer stands where its question does."""
    words = needed(text, "Write something first.", where=str(change))
    if answers is not None:
        first = answers.answers or answers
        made = change.comments.create(by=by, text=words, answers=first, kind=first.kind, key=first.key, path=first.path)
    else:
        named, _, path = anchor.partition(": ")
        name, _, key = named.partition(" ")
        made = change.comments.create(by=by, text=words, kind=name[:40], key=key[:200], path=path[:300])
    tell_of(change, "commented", by=by, reason=words)
    return made


@transaction.atomic
def resolve(found: ChangeComment, *, by: Any, is_resolved: bool = True) -> ChangeComment:
    """Mark a thread as settled, or open it again."""
    first = found.answers or found
    first.resolved_by, first.resolved_at = (by, timezone.now()) if is_resolved else (None, None)
    first.save(update_fields=["resolved_by", "resolved_at"])
    tell_of(first.change, "thread_resolved" if is_resolved else "thread_reopened", by=by, reason=first.path)
    return first
