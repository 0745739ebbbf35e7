"""Checks the signature of a request that is signed as OAuth 1.0 (RFC 5849) asks, with HMAC-SHA256."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from connectors.simulators.messages import Request

METHOD = "HMAC-SHA256"
_PART = re.compile(r'\s*([A-Za-z_]+)\s*=\s*"([^"]*)"\s*(?:,|$)')


def parameters(header: str) -> dict[str, str]:
    """The parts of an `Authorization: OAuth …` header; empty for any other."""
    kind, _, rest = header.partition(" ")
    if kind.lower() != "oauth":
        return {}
    return {name: unquote(value) for name, value in _PART.findall(rest)}


def signature(request: Request, given: Mapping[str, str], secrets: tuple[str, str]) -> str:
    """What the signature of this request has to be; `secrets` are those of consumer and token."""
    base = "&".join(map(_escaped, (request.method, request.origin + _path(request), _normalised(request, given))))
    key = "&".join(map(_escaped, secrets))
    return base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha256).digest()).decode()


def is_signed(request: Request, given: Mapping[str, str], secrets: tuple[str, str]) -> bool:
    return hmac.compare_digest(signature(request, given, secrets), given.get("oauth_signature", ""))


def _path(request: Request) -> str:
    return urlsplit(request.target).path


def _normalised(request: Request, given: Mapping[str, str]) -> str:
    """All parameters but realm and signature, encoded, then sorted (section 3.4.1.3.2)."""
    signed = [(name, value) for name, value in given.items() if name not in ("realm", "oauth_signature")]
    query = parse_qsl(urlsplit(request.target).query.replace("+", "%2B"), keep_blank_values=True)
    pairs = sorted((_escaped(name), _escaped(value)) for name, value in [*signed, *query])
    return "&".join(f"{name}={value}" for name, value in pairs)


def _escaped(text: str) -> str:
    return quote(text, safe="-._~")
