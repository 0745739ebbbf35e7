"""Where a record is looked at in its own system: an address with {id} in it, kept with the stream."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from connectors.models import Stream

OPTION = "record_url"
ID = "{id}"


def url_of(stream: Stream, external_id: str) -> str:
    """The address of one record; empty where the stream declares none."""
    template = str(stream.options.get(OPTION) or "")
    return template.replace(ID, quote(external_id, safe="")) if template and not problem(template) else ""


def problem(template: str) -> str:
    """Why this cannot be the address of a record; empty when it can."""
    try:
        parts = urlsplit(template)
    except ValueError:
        return "This is not an address."
    if parts.scheme not in ("http", "https") or not parts.hostname or ID in parts.netloc:
        return "Begin with https:// and the name of the system's server."
    return "" if ID in template else f"Write {ID} where the record's id stands."
