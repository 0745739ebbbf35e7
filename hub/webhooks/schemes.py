"""How a sender proves a message: over its raw bytes, compared in constant time, within a window of time.

Nothing here reads the database or parses a body.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets as random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.webhooks.models import Endpoint

STANDARD_ID, STANDARD_TIME, STANDARD_PROOF = "webhook-id", "webhook-timestamp", "webhook-signature"
STANDARD_PREFIX = "whsec_"
SECRET_BYTES = 32
# The spec of Standard Webhooks asks for 24 to 64 bytes; a short text as the key of any scheme could be guessed.
MIN_STANDARD_BYTES, MAX_STANDARD_BYTES, MIN_LENGTH = 24, 64, 16
# A sender that rotates sends a few; a header full of them would only cost us time.
MAX_SIGNATURES = 8
# What is computed for an address that does not exist, so that it takes as long as one that does.
DECOY = STANDARD_PREFIX + base64.b64encode(bytes(SECRET_BYTES)).decode()
_UNIX = re.compile(r"[0-9]{1,13}")
_MILLISECONDS_FROM = 100_000_000_000


class Refused(Exception):
    """The message proves nothing; the reason is for the log and the endpoint's page, never for the sender."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as far as a proof looks at it: header names in lower case."""

    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Proof:
    """What the proof covers: the signed bytes, and the sender's id where its scheme signs one."""

    signed: bytes
    message_id: str = ""


def verify(endpoint: Endpoint, incoming: Incoming, *, now: float) -> Proof:
    """The proof of a genuine message. Raises Refused."""
    check = {
        Endpoint.Scheme.STANDARD: _standard,
        Endpoint.Scheme.HMAC_SHA256: _hmac,
        Endpoint.Scheme.HMAC_SHA1: _hmac,
        Endpoint.Scheme.STATIC_HEADER: _static,
        Endpoint.Scheme.STATIC_QUERY: _static,
    }[Endpoint.Scheme(endpoint.scheme)]
    return check(endpoint, incoming, now)


# Standard Webhooks -----------------------------------------------------------------------------------------
def _standard(endpoint: Endpoint, incoming: Incoming, now: float) -> Proof:
    message_id, stamp = incoming.headers.get(STANDARD_ID, ""), incoming.headers.get(STANDARD_TIME, "")
    signed = f"{message_id}.{stamp}.".encode() + incoming.body
    given = [part[3:] for part in incoming.headers.get(STANDARD_PROOF, "").split() if part.startswith("v1,")]
    wanted = [_encoded(_digest(standard_key(secret), signed, "sha256"), "base64") for secret in endpoint.live_secrets]
    _match(given, wanted)
    if not message_id or len(message_id) > 200:
        raise Refused("The header webhook-id is missing or too long.")
    _in_time(stamp, endpoint.tolerance_seconds, now)
    return Proof(signed, message_id)


def standard_key(secret: str) -> bytes:
    """The key behind `whsec_…`; empty when it is none, and then nothing matches."""
    try:
        return base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return b""


# The vendors' own ------------------------------------------------------------------------------------------
def _hmac(endpoint: Endpoint, incoming: Incoming, now: float) -> Proof:
    stamp = incoming.headers.get(endpoint.timestamp_name.lower(), "") if endpoint.timestamp_name else ""
    signed = signed_bytes(endpoint.signed_text, stamp, incoming.body)
    given = incoming.headers.get(endpoint.proof_name.lower(), "").strip()
    has_prefix = given.startswith(endpoint.prefix)
    text = given.removeprefix(endpoint.prefix)
    algorithm = "sha1" if endpoint.scheme == Endpoint.Scheme.HMAC_SHA1 else "sha256"
    wanted = [_encoded(_digest(s.encode(), signed, algorithm), endpoint.encoding) for s in endpoint.live_secrets]
    _match([text.lower() if endpoint.encoding == Endpoint.Encoding.HEX else text] if has_prefix else [], wanted)
    if endpoint.signed_text != Endpoint.Signed.BODY:
        _in_time(stamp, endpoint.tolerance_seconds, now)
    return Proof(signed)


def signed_bytes(signed_text: str, stamp: str, body: bytes) -> bytes:
    if signed_text == Endpoint.Signed.V0:
        return b"v0:" + stamp.encode() + b":" + body
    if signed_text == Endpoint.Signed.BODY_TIME:
        return body + stamp.encode()
    return stamp.encode() + b"." + body if signed_text == Endpoint.Signed.TIME_BODY else body


def _static(endpoint: Endpoint, incoming: Incoming, now: float) -> Proof:
    is_query = endpoint.scheme == Endpoint.Scheme.STATIC_QUERY
    given = (
        incoming.query.get(endpoint.proof_name, "")
        if is_query
        else incoming.headers.get(endpoint.proof_name.lower(), "")
    )
    has_prefix = given.startswith(endpoint.prefix)
    _match([given.removeprefix(endpoint.prefix)] if has_prefix else [], endpoint.live_secrets)
    return Proof(incoming.body)


# What they share -------------------------------------------------------------------------------------------
def _match(given: Sequence[str], wanted: Sequence[str]) -> None:
    """Every pair is compared, whichever fits: how long it takes tells nothing."""
    if not wanted:
        raise Refused("The webhook has no secret yet.")
    if not given:
        raise Refused("There is no signature, or not in the form that the scheme says.")
    pairs = [(one, other) for one in given[:MAX_SIGNATURES] for other in wanted]
    found = [bool(other) & hmac.compare_digest(one.encode(), other.encode()) for one, other in pairs]
    if not any(found):
        raise Refused("The signature does not fit the secret.")


def _in_time(stamp: str, tolerance: int, now: float) -> None:
    if not _UNIX.fullmatch(stamp):
        raise Refused("The timestamp is missing or is not in seconds since 1970.")
    moment = int(stamp) / 1000 if int(stamp) >= _MILLISECONDS_FROM else int(stamp)
    if abs(now - moment) > tolerance:
        raise Refused(f"The timestamp is {abs(now - moment):.0f} s away from now; {tolerance} s are allowed.")


def _digest(key: bytes, signed: bytes, algorithm: str) -> bytes:
    return hmac.new(key, signed, algorithm).digest() if key else b""


def _encoded(digest: bytes, encoding: str) -> str:
    return base64.b64encode(digest).decode() if encoding == Endpoint.Encoding.BASE64 else digest.hex()


def waste_time(body: bytes) -> None:
    """Do for an unknown address what a known one would have cost."""
    _digest(standard_key(DECOY), body, "sha256")


# Making them -----------------------------------------------------------------------------------------------
def new_secret(scheme: str) -> str:
    """256 random bits in the form that the scheme's senders expect."""
    if scheme == Endpoint.Scheme.STANDARD:
        return STANDARD_PREFIX + base64.b64encode(random.token_bytes(SECRET_BYTES)).decode()
    return random.token_urlsafe(SECRET_BYTES)


def secret_problem(scheme: str, secret: str) -> str:
    """A sentence when a secret cannot be used with the scheme; empty when it can."""
    if scheme == Endpoint.Scheme.STANDARD:
        size = len(standard_key(secret))
        if not (secret.startswith(STANDARD_PREFIX) and MIN_STANDARD_BYTES <= size <= MAX_STANDARD_BYTES):
            return f"Write whsec_ and the Base64 of {MIN_STANDARD_BYTES} to {MAX_STANDARD_BYTES} random bytes."
    elif len(secret) < MIN_LENGTH or not secret.isprintable() or secret != secret.strip():
        return f"A secret has at least {MIN_LENGTH} printable characters, without blanks at its ends."
    return ""


def sign(endpoint: Endpoint, body: bytes, *, message_id: str, now: float) -> tuple[dict[str, str], dict[str, str]]:
    """Headers and query parameters with which the endpoint's own system would send this body."""
    secret, stamp = endpoint.live_secrets[0], str(int(now))
    if endpoint.scheme == Endpoint.Scheme.STANDARD:
        digest = _digest(standard_key(secret), f"{message_id}.{stamp}.".encode() + body, "sha256")
        proof = f"v1,{_encoded(digest, 'base64')}"
        return {STANDARD_ID: message_id, STANDARD_TIME: stamp, STANDARD_PROOF: proof}, {}
    if endpoint.scheme == Endpoint.Scheme.STATIC_QUERY:
        return {}, {endpoint.proof_name: endpoint.prefix + secret}
    if endpoint.scheme == Endpoint.Scheme.STATIC_HEADER:
        return {endpoint.proof_name.lower(): endpoint.prefix + secret}, {}
    algorithm = "sha1" if endpoint.scheme == Endpoint.Scheme.HMAC_SHA1 else "sha256"
    digest = _digest(secret.encode(), signed_bytes(endpoint.signed_text, stamp, body), algorithm)
    headers = {endpoint.proof_name.lower(): endpoint.prefix + _encoded(digest, endpoint.encoding)}
    return headers | ({endpoint.timestamp_name.lower(): stamp} if endpoint.timestamp_name else {}), {}


def content_hash(proof: Proof) -> bytes:
    """Of what was signed: where the time is signed too, the same body at another time is another message."""
    return hashlib.sha256(proof.signed).digest()
