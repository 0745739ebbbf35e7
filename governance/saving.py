"""Saving one governed document for a person: through the door of governed edits, and told to the audit."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from hub.common import governed
from hub.common.acts import Act, tell
from hub.common.governed import Put
from hub.common.registry import Document, kind


@transaction.atomic
def save(document: Document, *, act: str, by: Any, reason: str = "", domain: Any = None) -> Put:
    """Apply the document, or hand it to its reviewers. Raises ConfigError for what its kind refuses."""
    name, slug = document["kind"], document["slug"]
    before = kind(name).dump(slug)
    done = governed.put([document], by=by, reason=reason)
    if done.is_applied:
        after = kind(name).dump(slug)
        tell(Act(act, name, slug, by=by, reason=reason, before=before, after=after, domain=domain))
    return done
