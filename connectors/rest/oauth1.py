"""OAuth 1.0a with a token that does not change: each request carries a signature of its own (RFC 5849)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

_DIGESTS = {"HMAC-SHA256": hashlib.sha256, "HMAC-SHA1": hashlib.sha1, "HMAC-SHA512": hashlib.sha512}
_DEFAULT_PORTS = {"http": 80, "https": 443}


class RequestSigner:
    """Signs the requests of one account. `section` is an `auth` section with filled templates."""

    def __init__(self, section: Mapping[str, Any]) -> None:
        self._section = section
        self._method: str = section.get("signature_method", "HMAC-SHA256")
        self._key = "&".join(_quoted(section.get(name, "")) for name in ("consumer_secret", "token_secret"))

    def __call__(self, method: str, url: str, form: Mapping[str, str] | None = None) -> dict[str, str]:
        """The headers that sign a request; `form` holds the fields of a form body."""
        given = {
            "oauth_consumer_key": self._section["consumer_key"],
            "oauth_token": self._section.get("token"),
            "oauth_signature_method": self._method,
            "oauth_timestamp": str(int(time.time())),
            "oauth_nonce": secrets.token_hex(16),
            "oauth_version": "1.0",
        }
        stated = {name: value for name, value in given.items() if value}
        base = signature_base(method, url, {**(form or {}), **stated})
        digest = hmac.new(self._key.encode(), base.encode(), _DIGESTS[self._method]).digest()
        stated["oauth_signature"] = base64.b64encode(digest).decode()
        realm = [f'realm="{self._section["realm"]}"'] if self._section.get("realm") else []
        parts = [*realm, *(f'{name}="{_quoted(value)}"' for name, value in stated.items())]
        return {"Authorization": f"OAuth {', '.join(parts)}"}


def signature_base(method: str, url: str, parameters: Mapping[str, str]) -> str:
    """The text that is signed: the method, the address without its query, and every parameter in order (section 3.4.1)."""
    parts = urlsplit(url)
    port = "" if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    address = f"{parts.scheme.lower()}://{host}{port}{parts.path or '/'}"
    pairs = [*parse_qsl(parts.query, keep_blank_values=True), *parameters.items()]
    ordered = "&".join(f"{name}={value}" for name, value in sorted((_quoted(n), _quoted(v)) for n, v in pairs))
    return "&".join((method.upper(), _quoted(address), _quoted(ordered)))


def _quoted(text: str) -> str:
    return quote(str(text), safe="-._~")
