"""Who may call the simulated NetSuite: signed requests of a token, and tokens for a certificate's signed assertion."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.simulators import oauth1
from connectors.simulators.clock import Clock
from connectors.simulators.messages import Refusal, Request

ACCOUNT = "1234567_SB1"
CONSUMER = ("ns-consumer-key", "ns-consumer-secret")
TOKEN = ("ns-token-id", "ns-token-secret")
CLIENT_ID, CERTIFICATE_ID = "ns-client-id", "ns-certificate-1"
TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_CLOCK_SECONDS = 300
_LONGEST_SECONDS = 3600
# No secret: the key with which rehearsals sign in at a simulator on loopback.
_DEMO_KEY = 0x5EED_0000_0000_0000_0000_0000_0000_0000_0000_0000_0000_0000_0000_0000_0000_0001


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(_DEMO_KEY, ec.SECP256R1())


def private_key() -> str:
    """PEM text of the key that belongs to the certificate of the rehearsal."""
    return _key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def token_secrets() -> dict[str, str]:
    """The secrets of token-based authentication by the names of the form's fields."""
    names = ("consumer_key", "consumer_secret", "token_id", "token_secret")
    return dict(zip(names, (*CONSUMER, *TOKEN), strict=True))


class Door:
    """Refuses what is not signed as it must be; every refusal says why, as a login audit trail does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._nonces: set[tuple[str, str]] = set()
        self._assertions: set[str] = set()

    # Signed requests

    def check_signature(self, request: Request) -> None:
        given = oauth1.parameters(request.headers.get("authorization", ""))
        if why := self._wrong(request, given):
            raise Refusal("unauthorised", f"Invalid login attempt. {why}")
        self._nonces.add((given["oauth_timestamp"], given["oauth_nonce"]))

    def _wrong(self, request: Request, given: Mapping[str, str]) -> str:
        if given.get("realm") != ACCOUNT:
            return f"The realm must be the account, {ACCOUNT}."
        if given.get("oauth_signature_method") != oauth1.METHOD:
            return f"The signature method must be {oauth1.METHOD}."
        if given.get("oauth_consumer_key") != CONSUMER[0] or given.get("oauth_token") != TOKEN[0]:
            return "The consumer key or the token is not known."
        if not self._is_fresh(given.get("oauth_timestamp", "")):
            return "The timestamp is too far from the system's time."
        if not given.get("oauth_nonce") or (given["oauth_timestamp"], given["oauth_nonce"]) in self._nonces:
            return "The nonce has been used."
        return "" if oauth1.is_signed(request, given, (CONSUMER[1], TOKEN[1])) else "The signature is wrong."

    def _is_fresh(self, timestamp: str) -> bool:
        """Callers sign by the machine's clock, which the virtual one of a rehearsal need not follow."""
        clocks = (self._clock.now(), datetime.now(UTC))
        return timestamp.isdecimal() and any(abs(at.timestamp() - int(timestamp)) <= _CLOCK_SECONDS for at in clocks)

    # Assertions

    def check_assertion(self, form: Mapping[str, str], url: str) -> None:
        """Raise Refusal("assertion") unless the form of a token request proves who is asking."""
        if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != ASSERTION_TYPE:
            raise Refusal("assertion", "invalid_request")
        head, claims, signed, signature = _parts(form.get("client_assertion", ""))
        if head.get("alg") not in ALGORITHMS:
            raise Refusal(
                "assertion", f"The algorithm {head.get('alg')} is not allowed; use one of {', '.join(ALGORITHMS)}."
            )
        if head.get("kid") != CERTIFICATE_ID or claims.get("iss") != CLIENT_ID:
            raise Refusal("assertion", "There is no certificate with this id for this client.")
        if why := self._wrong_claims(claims, url):
            raise Refusal("assertion", why)
        _verify(head["alg"], signed, signature)

    def _wrong_claims(self, claims: Mapping[str, Any], url: str) -> str:
        issued, ends = claims.get("iat"), claims.get("exp")
        audience = claims.get("aud")
        if url not in (audience if isinstance(audience, list) else [audience]):
            return f"The audience must be {url}."
        if not isinstance(issued, int) or not isinstance(ends, int) or not 0 < ends - issued <= _LONGEST_SECONDS:
            return "The assertion must end within an hour of being issued."
        if ends < datetime.now(UTC).timestamp():
            return "The assertion has ended."
        return "" if claims.get("scope") else "The assertion names no scope."


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Head, claims, what is signed, and the signature of a JWT."""
    try:
        head, claims, signature = (base64.urlsafe_b64decode(part + "==") for part in token.split("."))
        found = json.loads(head), json.loads(claims)
    except (ValueError, binascii.Error):
        raise Refusal("assertion", "The assertion is no JWT.") from None
    return *found, token.rpartition(".")[0].encode(), signature


def _verify(algorithm: str, signed: bytes, signature: bytes) -> None:
    """The certificate of the rehearsal holds a key on P-256, so ES256 is the one algorithm that fits it."""
    half = len(signature) // 2
    numbers = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    try:
        if algorithm != "ES256":
            raise InvalidSignature
        _key().public_key().verify(encode_dss_signature(*numbers), signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise Refusal("assertion", "The signature does not fit the certificate.") from None
