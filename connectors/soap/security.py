"""WS-Security: the header of a message that says who sends it and when.

http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0 and …-soap-message-security-1.0
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import etree

from connectors.soap.documents import find_child

_BASE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
WSSE = f"{_BASE}-wssecurity-secext-1.0.xsd"
WSU = f"{_BASE}-wssecurity-utility-1.0.xsd"
_PASSWORD = f"{_BASE}-username-token-profile-1.0#Password"
_BASE64 = f"{_BASE}-soap-message-security-1.0#Base64Binary"
_NONCE_BYTES = 16
DEFAULT_LIFETIME_SECONDS = 300.0
# Codes of the specification; a service with words of its own is described by `errors.rules`.
REFUSED_SIGN_IN = frozenset({"FailedAuthentication", "InvalidSecurityToken", "FailedCheck", "UnsupportedSecurityToken"})


class Security:
    """Signs messages by the `soap.security` section, whose templates are filled already."""

    def __init__(self, section: Mapping[str, Any]) -> None:
        self._section = section

    def sign(self, envelope: etree._Element, *, now: datetime | None = None) -> None:
        """Add the header; every sending needs its own nonce and time."""
        if not self._section:
            return
        moment = now or datetime.now(UTC)
        namespace = etree.QName(envelope).namespace
        security = etree.SubElement(_header(envelope), f"{{{WSSE}}}Security", nsmap={"wsse": WSSE, "wsu": WSU})
        security.set(f"{{{namespace}}}mustUnderstand", "1")
        if self._section.get("timestamp"):
            self._add_timestamp(security, moment)
        if self._section.get("username"):
            self._add_token(security, moment)

    def _add_timestamp(self, security: etree._Element, moment: datetime) -> None:
        lifetime = float(self._section.get("lifetime_seconds", DEFAULT_LIFETIME_SECONDS))
        timestamp = etree.SubElement(security, f"{{{WSU}}}Timestamp")
        etree.SubElement(timestamp, f"{{{WSU}}}Created").text = _utc(moment)
        etree.SubElement(timestamp, f"{{{WSU}}}Expires").text = _utc(moment + timedelta(seconds=lifetime))

    def _add_token(self, security: etree._Element, moment: datetime) -> None:
        token = etree.SubElement(security, f"{{{WSSE}}}UsernameToken")
        etree.SubElement(token, f"{{{WSSE}}}Username").text = str(self._section["username"])
        secret = str(self._section.get("password", ""))
        password = etree.SubElement(token, f"{{{WSSE}}}Password")
        if self._section.get("password_type", "text") == "text":
            password.set("Type", f"{_PASSWORD}Text")
            password.text = secret
            return
        nonce, created = secrets.token_bytes(_NONCE_BYTES), _utc(moment)
        password.set("Type", f"{_PASSWORD}Digest")
        password.text = digest(nonce, created, secret)
        encoded = etree.SubElement(token, f"{{{WSSE}}}Nonce")
        encoded.set("EncodingType", _BASE64)
        encoded.text = base64.b64encode(nonce).decode()
        etree.SubElement(token, f"{{{WSU}}}Created").text = created


def digest(nonce: bytes, created: str, password: str) -> str:
    """Base64 of SHA-1 over nonce, time and password, as the profile lays down."""
    return base64.b64encode(hashlib.sha1(nonce + created.encode() + password.encode()).digest()).decode()


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _header(envelope: etree._Element) -> etree._Element:
    found = find_child(envelope, "Header")
    if found is None:
        found = etree.Element(f"{{{etree.QName(envelope).namespace}}}Header")
        envelope.insert(0, found)
    return found
