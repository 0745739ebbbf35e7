"""What each connector can do, for the gallery: read from its declaration and from what is on record about its proof."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from connectors import gallery, registry
from connectors.catalog import Declaration
from connectors.certification import describing
from connectors.certification.describing import OperationFacts
from connectors.declared import stream_label
from connectors.gallery import Offer

HUES = 6
SAFETY_WORDS = {
    "A": "The system knows the hub's key: a write that is sent again is answered with the same object.",
    "B": "A write that is sent again ends in the same object with the same content.",
    "C": "Sent again it would become two. After a lost answer the hub looks for the record first.",
    "D": "Nobody can tell whether a lost write was done. The hub sends it once and asks a person.",
}
AUTH_WORDS = {
    "none": "No sign-in",
    "basic": "User and password",
    "bearer": "Token",
    "header": "Key in a header",
    "query": "Key in the address",
    "oauth1": "OAuth 1",
    "oauth2": "OAuth 2",
    "jwt": "Signed token",
    "session": "Login session",
    "wsse": "WS-Security",
}
GRANT_WORDS = {
    "client_credentials": "client credentials",
    "authorization_code": "a person signs in",
    "refresh_token": "refresh token",
    "password": "password",
    "jwt_bearer": "key pair",
}
PROOF_WORDS = {
    "certified": "Certified against its simulator",
    "peer": "Proved against a real system",
    "unproved": "Unproved against the vendor",
}
_SOURCES = ("path", "call", "pattern", "table", "query", "operation", "entity_set")
_EVENTS = ("webhook", "webhooks", "events", "subscription", "subscriptions")


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """One object type: what it is called, how it is read, how it is written, what it becomes in the canonical model."""

    name: str
    label: str
    help: str
    reads: bool
    cursor: str
    operations: Sequence[OperationFacts]
    entity: str
    mapped: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Showcase:
    """One tile of the gallery and its page."""

    name: str
    offer: Offer
    protocol: str
    objects: Sequence[ObjectFacts]
    auth: Sequence[tuple[str, str]]
    has_events: bool
    limits: Sequence[tuple[str, str]]
    proof: str
    proof_line: str

    @property
    def hue(self) -> int:
        """A colour that stays with the name."""
        return zlib.crc32(self.name.encode()) % HUES

    @property
    def reads(self) -> bool:
        return any(each.reads for each in self.objects) or not self.objects

    @property
    def writes(self) -> bool:
        return any(each.operations for each in self.objects) or not self.objects

    @property
    def classes(self) -> list[str]:
        """The classes of write safety that its operations have, best first."""
        return sorted({op.write_safety for each in self.objects for op in each.operations})

    @property
    def auth_words(self) -> str:
        return ", ".join(word for _, word in self.auth)

    @property
    def can(self) -> list[str]:
        """Which of read, write and events it offers."""
        offered = {"read": self.reads, "write": self.writes, "events": self.has_events}
        return [word for word, holds in offered.items() if holds]

    @property
    def access(self) -> str:
        return ", ".join(self.can).capitalize()


def showcases() -> list[Showcase]:
    """Everything on offer, in the order of the gallery."""
    declarations = registry.catalogue()
    known = {each.key: each for each in gallery.offers()}
    found = [_of_declaration(known[f"catalogue:{name}"], declaration) for name, declaration in declarations.items()]
    bare = [_of_protocol(offer) for key, offer in known.items() if key.startswith("protocol:")]
    return sorted(found, key=lambda each: each.offer.label.lower()) + bare


def showcase(name: str) -> Showcase | None:
    """One of them by the name in its address; a system of the catalogue comes before a protocol."""
    return next((each for each in showcases() if each.name == name), None)


def _of_declaration(offer: Offer, declaration: Declaration) -> Showcase:
    return _declared(offer, declaration, describing.stamp())


@lru_cache(maxsize=512)
def _declared(offer: Offer, declaration: Declaration, stamp: object) -> Showcase:
    """Read once for each state of the declaration and of the proofs (`stamp`)."""
    operations: dict[str, list[OperationFacts]] = {}
    for each in describing.operations(declaration):
        operations.setdefault(each.object, []).append(each)
    line = describing.proof_line(declaration)
    return Showcase(
        name=declaration.name,
        offer=offer,
        protocol=declaration.protocol,
        objects=[_object(n, section, operations.get(n, [])) for n, section in declaration.streams.items()],
        auth=_auth(declaration.body.get("auth", {})),
        has_events=_has_events(declaration),
        limits=_limits(declaration.body.get("limits", {})),
        proof=_proof(line),
        proof_line=line,
    )


def _of_protocol(offer: Offer) -> Showcase:
    facts = describing.protocol_facts(offer.protocol)
    return Showcase(offer.protocol, offer, offer.protocol, (), (), False, (), _proof(facts["proof"]), facts["proof"])


def _proof(line: str) -> str:
    return "certified" if line.startswith("certified") else "peer" if line.startswith("proved") else "unproved"


def _object(name: str, section: Mapping[str, Any], operations: Sequence[OperationFacts]) -> ObjectFacts:
    cursor = section.get("incremental", {}).get("cursor", "")
    canonical = section.get("canonical", {})
    return ObjectFacts(
        name=name,
        label=stream_label(name, section),
        help=section.get("help", ""),
        reads=any(source in section for source in _SOURCES) or "write" not in section,
        cursor=cursor if isinstance(cursor, str) else ", ".join(cursor),
        operations=operations,
        entity=str(canonical.get("entity", "")),
        mapped=[(str(field), _source_text(source)) for field, source in canonical.get("fields", {}).items()],
    )


def _source_text(source: Any) -> str:
    """Where a canonical field comes from: a path, or the parts of a longer rule."""
    if isinstance(source, Mapping):
        return ", ".join(f"{name} {value}" for name, value in source.items())
    return str(source)


def _auth(section: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(kind, words) of each way to sign in."""
    if section.get("type") == "choice":
        found = [way for each in section.get("ways", {}).values() for way in _auth(each)]
        return list(dict.fromkeys(found))
    kind = str(section.get("type", "none"))
    grant = str(section.get("grant", "client_credentials")) if kind == "oauth2" else ""
    words = AUTH_WORDS.get(kind, kind)
    known = GRANT_WORDS.get(grant, "the system's own grant") if grant else ""
    return [(kind, f"{words} ({known})" if known else words)]


def _has_events(declaration: Declaration) -> bool:
    sections = [declaration.body, *declaration.streams.values()]
    return any(name in section for section in sections for name in _EVENTS)


def _limits(section: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The declared limits as words and values; a connection may override each."""
    return [(str(name).replace("_", " ").capitalize(), _source_text(value)) for name, value in section.items()]
