"""Where secrets may go: a stored one stays with the place it was entered for, a typed one outlives a form in a seal.

Whoever may edit a connection may not read its secrets, and so may not have them sent to an address of their choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from cryptography.fernet import InvalidToken

from connectors import registry, services
from connectors.declared import DeclaredConnector
from connectors.models import Connection
from hub.common.encryption import cipher

SEAL_SECONDS = 3_600
# The sections of a declaration that decide to whom, and as whom, a connection speaks.
_DESTINATION = (
    *("base_url", "base_url_from", "auth", "headers", "query", "values"),
    *("trusted_hosts", "database", "storage"),
)

# What was typed into a secret's field -> the value to use: the same, or what the system has replaced it with.
Sealed = dict[str, tuple[str, str]]


def destination(*, catalogue: str, protocol: str, config: Mapping[str, Any]) -> bytes:
    """Where a connection's secrets go: equal for equal places. Raises ConfigError for an unusable declaration."""
    declaration = services.find_declaration(catalogue, config)
    if declaration is None:
        known = registry.protocols().get(protocol)
        declaration = known.own_declaration() if known and issubclass(known, DeclaredConnector) else None
    if declaration is None:
        return orjson.dumps([protocol, config], option=orjson.OPT_SORT_KEYS)
    sections = {name: declaration.body[name] for name in (*_DESTINATION, "odata") if name in declaration.body}
    text = orjson.dumps([declaration.protocol, sections], option=orjson.OPT_SORT_KEYS)
    given = {
        name: config.get(name) or field["default"]
        for name, field in declaration.config.items()
        if f"config.{name}".encode() in text
    }
    return text + orjson.dumps(given, option=orjson.OPT_SORT_KEYS)


def is_moved(connection: Connection, config: Mapping[str, Any]) -> bool:
    """Whether these values would send the stored secrets somewhere else than where they were entered for."""
    if not connection.secrets:
        return False
    same = {"catalogue": connection.catalogue, "protocol": connection.protocol}
    return destination(**same, config=config) != destination(**same, config=connection.config)


def seal(values: Sealed, *, holder: str) -> str:
    """Typed secrets as a text that only the hub can read, to travel in a form of `holder` for an hour."""
    if not values:
        return ""
    return cipher().encrypt(orjson.dumps({"holder": holder, "values": values})).decode()


def unseal(text: str, *, holder: str) -> Sealed:
    """What `seal` was given; nothing when it is too old, somebody else's, or for another kind of connection."""
    try:
        found = orjson.loads(cipher().decrypt(text.encode(), ttl=SEAL_SECONDS))
    except (InvalidToken, ValueError):
        return {}
    if not isinstance(found, dict) or found.get("holder") != holder:
        return {}
    return {name: (typed, value) for name, (typed, value) in found["values"].items()}
