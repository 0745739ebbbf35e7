"""The kinds of connection on offer: the declared systems of the catalogue, then the bare protocols for everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors import registry, services
from connectors.models import Connection, System

CATALOGUE, PROTOCOL = "catalogue", "protocol"
# Not taken from the connector classes, which would have to be imported to draw a list.
_PROTOCOL_WORDS = {
    "rest": ("Any REST API", "Described in a few lines of YAML"),
    "jsonrpc": ("JSON-RPC", "Described in a few lines of YAML"),
    "soap": ("SOAP service", "Operations of a WSDL"),
    "sql": ("SQL database", "Tables and views"),
    "files": ("Files or SFTP", "A folder, here or at a partner"),
    "upload": ("Spreadsheets", "What people upload under Spreadsheets"),
}
OTHERS = "Everything else"


@dataclass(frozen=True, slots=True)
class Offer:
    """One kind of connection. `key` ("catalogue:acme" or "protocol:sql") stands in addresses and in the API."""

    key: str
    label: str
    summary: str
    category: str = ""
    description: str = ""
    docs: str = ""

    @property
    def catalogue(self) -> str:
        return self.key.removeprefix(f"{CATALOGUE}:") if self.key.startswith(CATALOGUE) else ""

    @property
    def protocol(self) -> str:
        """The protocol of a kind that brings no declaration."""
        return self.key.removeprefix(f"{PROTOCOL}:") if self.key.startswith(PROTOCOL) else ""

    @property
    def initials(self) -> str:
        return initials(self.label)

    def fields(self, config: Mapping[str, Any] | None = None) -> dict[str, dict[str, Any]]:
        """The form fields; those of an own declaration follow it as soon as `config` holds a sound one."""
        return services.spec_fields(catalogue=self.catalogue, protocol=self.protocol, config=dict(config or {}))


def initials(name: str) -> str:
    """Two letters that stand for a system where there is no picture."""
    words = [word for word in name.replace("-", " ").split() if word[0].isalnum()]
    if not words:
        return "··"
    return (words[0][0] + words[1][0] if len(words) > 1 else words[0][:2]).upper()


def offers() -> list[Offer]:
    """All kinds, in the order of the gallery."""
    declared = sorted(registry.catalogue().values(), key=lambda each: each.label.lower())
    words = dict(System.Category.choices)
    found = [
        Offer(f"{CATALOGUE}:{each.name}", each.label, words[each.category], each.category, each.description, each.docs)
        for each in declared
    ]
    return found + [_protocol_offer(name) for name in registry.protocols()]


def _protocol_offer(name: str) -> Offer:
    known = _PROTOCOL_WORDS.get(name) or (registry.protocols()[name].label, "")
    return Offer(f"{PROTOCOL}:{name}", *known)


def offer(key: str) -> Offer | None:
    return next((each for each in offers() if each.key == key), None)


def offer_of(connection: Connection) -> Offer:
    """The kind of a stored connection; one that is no longer in the catalogue keeps its name."""
    key = key_of(connection.catalogue, connection.protocol)
    return offer(key) or Offer(key, connection.catalogue or connection.protocol, "no longer in the catalogue")


def key_of(catalogue: str, protocol: str) -> str:
    return f"{CATALOGUE}:{catalogue}" if catalogue else f"{PROTOCOL}:{protocol}"


def labels() -> dict[str, str]:
    """The name of each kind by its key, for lists."""
    return {each.key: each.label for each in offers()}


def groups(text: str = "") -> list[tuple[str, list[Offer]]]:
    """The gallery: kinds whose name, category or description holds the text, by category."""
    wanted = text.strip().lower()
    by_heading: dict[str, list[Offer]] = {word: [] for word in (*System.Category.labels, OTHERS)}
    words = dict(System.Category.choices)
    for each in offers():
        if wanted in f"{each.label} {each.summary} {each.description}".lower():
            by_heading[words.get(each.category, OTHERS)].append(each)
    return [(heading, found) for heading, found in by_heading.items() if found]


def kind_choices(connections: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """(key, label) of the kinds that are in use, for a filter; takes (catalogue, protocol) pairs."""
    keys, known = {key_of(*pair) for pair in connections}, labels()
    return sorted(((key, known.get(key, key.partition(":")[2])) for key in keys), key=lambda pair: pair[1].lower())
