"""Editing what a change proposes on its own page: the document of an item as text, checked before it is kept."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from governance.changes.reviewing import advance
from governance.changes.services import edit_change, is_writer
from governance.models import ChangeItem, ChangeRequest
from hub.common.document_text import from_yaml, to_yaml
from hub.common.errors import ConfigError
from hub.common.reasons import needed

# Who may propose documents by file or API may put another one into a change.
PROPOSE = "config.apply"


def text_of(item: ChangeItem) -> str:
    """The proposed document as it is edited; empty for a removal."""
    return to_yaml(item.proposed) if item.proposed else ""


def may_amend(change: ChangeRequest, person: Any) -> bool:
    return change.state in ChangeRequest.UNDER_REVIEW and (is_writer(change, person) or person.has_hub_perm(PROPOSE))


@transaction.atomic
def amend(item: ChangeItem, text: str, *, by: Any, note: str, seen: str) -> ChangeRequest:
    """Propose this text instead. Whoever does becomes one of the writers; approvals of what it touches are void.

    Raises ConfigError for text that is no such document, and for content that somebody else edited meanwhile.
    """
    change = item.change
    if not may_amend(change, by):
        raise ConfigError(
            "Only its writers, and who may apply configuration, edit what a change proposes.",
            where=str(change),
            code="NOT_YOURS",
        )
    if item.is_removal:
        raise ConfigError("A removal has nothing to edit.", where=str(item), fix="Withdraw the change instead.")
    document = from_yaml(text, where=str(item))
    if (document.get("kind"), document.get("slug")) != (item.kind, item.key):
        raise ConfigError(
            f"The document is of {document.get('kind')} {document.get('slug')}.",
            where=str(item),
            fix=f"Leave kind {item.kind} and slug {item.key} as they are.",
        )
    needed(note, "Say what you changed.", where=str(item))
    return advance(edit_change(change, [document], by=by, note=note, seen=seen), by=by)
