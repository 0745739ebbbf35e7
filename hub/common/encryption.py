"""Secrets at rest: a JSON column encrypted with MultiFernet. Key list in HUB_FIELD_KEYS, newest first."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

from hub.common.errors import ConfigError


@cache
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise ConfigError(
            f"HUB_FIELD_KEYS holds a key that is not 32 url-safe base64 bytes: {error}.",
            fix="Make one with: python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key())'",
        ) from None


def cipher() -> MultiFernet:
    return _cipher(tuple(settings.HUB_FIELD_KEYS))


def encrypt(value: Any) -> bytes:
    return cipher().encrypt(json.dumps(value).encode())


def decrypt(token: bytes) -> Any:
    try:
        return json.loads(cipher().decrypt(token))
    except InvalidToken:
        raise ConfigError(
            "A stored secret cannot be decrypted: none of the keys in HUB_FIELD_KEYS made it.",
            fix="Add the key that was used before, or enter the secret again.",
            code="SECRET_KEY_LOST",
        ) from None


class EncryptedJSONField(models.BinaryField[dict[str, Any], dict[str, Any]]):
    """A JSON object that is ciphertext in the database, in dumps and in backups. Cannot be filtered by."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default", dict)
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("editable", None)
        return name, path, args, kwargs

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return super().get_db_prep_value(None if value is None else encrypt(value), connection, prepared)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return None if value is None else decrypt(bytes(value))

    def to_python(self, value: Any) -> Any:
        return value

    def get_default(self) -> Any:
        return self.default() if callable(self.default) else self.default

    def value_to_string(self, obj: Any) -> str:
        raise ConfigError("Secrets are never serialised.", where=self.name or "")
