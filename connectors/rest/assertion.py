"""Signed JWTs, for sign-in with a private key in place of a secret (RFC 7523)."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Mapping
from typing import Any

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from hub.common.errors import ConfigError

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DEFAULT_LIFETIME_SECONDS = 180

_HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


def signed_assertion(section: Mapping[str, Any]) -> str:
    """The JWT of an `assertion` section with filled templates; raises ConfigError for a key that does not fit."""
    algorithm = section.get("algorithm", "RS256")
    now = int(time.time())
    claims = {"iat": now, "exp": now + assertion_lifetime(section), "jti": str(uuid.uuid4()), **section["claims"]}
    head = {"alg": algorithm, "typ": "JWT", **section.get("headers", {})}
    signed = f"{_part(orjson.dumps(head))}.{_part(orjson.dumps(claims))}"
    return f"{signed}.{_part(_sign(section['key'], algorithm, signed.encode()))}"


def assertion_lifetime(section: Mapping[str, Any]) -> int:
    """Seconds for which an assertion is valid."""
    return int(section.get("lifetime_seconds", DEFAULT_LIFETIME_SECONDS))


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _sign(pem: str, algorithm: str, data: bytes) -> bytes:
    family, digest = algorithm[:2], _HASHES[algorithm[2:]]
    try:
        key = load_pem_private_key(pem.strip().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            "The private key cannot be read.",
            where="auth.assertion.key",
            fix="Paste the whole PEM text, without a password.",
        ) from error
    if isinstance(key, rsa.RSAPrivateKey) and family == "RS":
        return key.sign(data, padding.PKCS1v15(), digest)
    if isinstance(key, rsa.RSAPrivateKey) and family == "PS":
        return key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    if isinstance(key, ec.EllipticCurvePrivateKey) and family == "ES":
        size = (key.curve.key_size + 7) // 8
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    raise ConfigError(f"The private key does not fit the algorithm {algorithm}.", where="auth.assertion")
