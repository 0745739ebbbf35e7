"""What a connector can do, and how each promise was proven: for the command, the gallery and programs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import yaml

from connectors import registry
from connectors.catalog import Declaration
from connectors.certification.certify import commit
from connectors.certification.proofs import Certificate, Proof
from connectors.certification.writing import operation_safety

PROVEN = Path(__file__).with_name("proven.json")
PEERS = Path(__file__).with_name("peers.yaml")
UNPROVED = "unproved against the vendor"
# Names under which people look for what a protocol does.
ALSO_CALLED = {"sftp": "files"}


@dataclass(frozen=True, slots=True)
class OperationFacts:
    """One write operation; `proof` says how its class was proven."""

    object: str
    op: str
    write_safety: str
    proof: str


def operations(declaration: Declaration) -> list[OperationFacts]:
    """Every write operation that a declaration offers."""
    found = _known(declaration)
    return [
        OperationFacts(stream, op, operation_safety(section, op), _proof(found, declaration.name, f"{stream}.{op}"))
        for stream, section in declaration.streams.items()
        for op in section.get("write", {})
    ]


def proof_line(declaration: Declaration) -> str:
    """How the connector as a whole was proven."""
    return _proof(_known(declaration), declaration.name, "")


def _proof(found: Mapping[str, Any] | None, name: str, operation: str) -> str:
    peer = peers().get(name)
    if peer and (not operation or operation in peer.get("proves", ())):
        return f"proved against the peer {peer['peer']} ({peer['test']})"
    if found is None or (operation and operation not in found["operations"]):
        return UNPROVED
    return f"certified against the {found['against']} on {found['commit'] or 'an unknown commit'}; {UNPROVED}"


def _known(declaration: Declaration) -> Mapping[str, Any] | None:
    """The certificate on record, unless the declaration has changed since."""
    found = proven().get(declaration.name)
    return found if found and found["declaration"] == fingerprint(declaration) else None


def fingerprint(declaration: Declaration) -> str:
    """Changes with anything that the declaration says to a system; its words for people do not count."""
    said = {name: value for name, value in declaration.body.items() if name not in ("label", "description", "docs")}
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def protocol_facts(name: str) -> dict[str, Any]:
    """A protocol without a system: what can be said of it before there is a declaration."""
    peer = peers().get(name, {})
    proof = f"proved against the peer {peer['peer']} ({peer['test']})" if peer else UNPROVED
    found = [OperationFacts(**each, proof=proof) for each in peer.get("operations", ())]
    return {
        "name": name,
        "vendor": "",
        "protocol": ALSO_CALLED.get(name, name),
        "objects": [],
        "operations": [asdict(each) for each in found],
        "proof": proof,
    }


def protocol_names(taken: Mapping[str, Any]) -> Iterator[str]:
    """Protocols by every name, without those that a system of the catalogue bears."""
    known = registry.protocols()
    names = [*known, *(also for also, name in ALSO_CALLED.items() if name in known)]
    return (name for name in names if name not in taken)


# --- what is on record ---------------------------------------------------------------------------------------------


def proven() -> Mapping[str, Any]:
    """Certificates that were passed, by connector: {against, commit, declaration, operations: {stream.op: class}}."""
    return _read(PROVEN, PROVEN.stat().st_mtime_ns) if PROVEN.is_file() else {}


def peers() -> Mapping[str, Any]:
    return _read(PEERS, PEERS.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read(path: Path, stamp: int) -> Mapping[str, Any]:
    text = path.read_text(encoding="utf-8")
    found: Mapping[str, Any] = orjson.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    return found


def record(declaration: Declaration, certificate: Certificate) -> None:
    """Put what a certificate proves on record; nothing of a connector whose certificate did not pass stays there."""
    kept = {name: value for name, value in proven().items() if name != declaration.name}
    if certificate.passed:
        classes = {proof.subject: proof.write_safety for proof in certificate.proofs if proof.write_safety}
        kept[declaration.name] = {
            "against": certificate.against,
            "commit": certificate.commit,
            "declaration": fingerprint(declaration),
            "operations": classes,
        }
    data = orjson.dumps(kept, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    draft = PROVEN.with_suffix(".tmp")
    draft.write_bytes(data + b"\n")
    draft.replace(PROVEN)


def protocol_certificate(name: str) -> Certificate:
    """A bare protocol has no objects before somebody declares them: there is nothing that could be certified."""
    peer = peers().get(name)
    where = f"its connector is proved against {peer['peer']} by {peer['test']}; " if peer else ""
    reason = f"{where}certify a declaration of the protocol instead."
    return Certificate(
        name, "", ALSO_CALLED.get(name, name), "", commit(), (Proof("keeps its promises", "", "not run", reason),)
    )


def stamp() -> tuple[int, int]:
    """Changes whenever what is on record changes."""
    return (PROVEN.stat().st_mtime_ns if PROVEN.is_file() else 0, PEERS.stat().st_mtime_ns)
