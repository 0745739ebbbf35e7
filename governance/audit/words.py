"""An act, its object and its details in words; the codes stay in the address, the export and the API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ACTS = {
    "person.signed_in": "Signed in",
    "person.signed_out": "Signed out",
    "access.created": "Account made",
    "access.link": "Link to choose a password handed out",
    "access.password": "Password chosen",
    "access.off": "Account switched off",
    "access.on": "Account switched on again",
    "access.token": "API token made",
    "access.revoked": "API token revoked",
    "list.exported": "List exported",
    "payload.revealed": "Masked values revealed",
    "config.applied": "Configuration applied",
    "hub.paused": "Everything paused",
    "hub.resumed": "Everything resumed",
    "events.sent_again": "Events sent again",
    "records.merged": "Records merged",
}
KINDS = {"User": "Person", "CanonicalRecord": "Record", "EntryPayload": "Payload", "Adoption": "First load"}


def act_words(act: str) -> str:
    """ "sync.paused" → "Sync paused"."""
    return ACTS.get(act) or re.sub(r"[._]+", " ", act).capitalize()


def kind_words(kind: str) -> str:
    """ "ValueMap" → "Value map"."""
    return KINDS.get(kind) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).capitalize()


def detail_words(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Details as label and text, in the order in which they were told."""
    return [(name.replace("_", " ").capitalize(), _text(value)) for name, value in details.items() if value != ""]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
