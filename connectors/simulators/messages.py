"""Requests and replies as the simulators see them, and the JSON that they speak."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_MARK = "\ue000"
_MARKED_NUMBER = re.compile(f'"{_MARK}([^"]*){_MARK}"')


@dataclass(slots=True)
class Request:
    """`headers` have lower-case names; `query` keeps the last value of a repeated parameter."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    path: str = ""
    query: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parts = urlsplit(self.target)
        self.path = parts.path.replace("%28", "(").replace("%29", ")")
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))

    @property
    def origin(self) -> str:
        return f"http://{self.headers.get('host', '127.0.0.1')}"

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def basic(self) -> tuple[str, str]:
        """User and password of the Basic scheme; empty when the request shows none."""
        kind, _, encoded = self.headers.get("authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(encoded).decode().partition(":")
        except ValueError:
            return "", ""
        return (user, password) if kind == "Basic" else ("", "")

    def json(self) -> Any:
        """The body, numbers with a point as Decimal; Refusal("malformed") when it is not JSON."""
        try:
            return json.loads(self.body or b"null", parse_float=Decimal)
        except ValueError as error:
            raise Refusal("malformed", f"The body is not JSON: {error}") from None


@dataclass(slots=True)
class Reply:
    """`body` is sent as JSON unless it is bytes; `cut` sends only so many of its bytes, `drop` sends nothing at all."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    drop: bool = False

    def payload(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else encode(self.body)


class Refusal(Exception):
    """An answer that is an error; `kind` is a key of the simulator's WORDS."""

    def __init__(self, kind: str, message: str, *, field: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.kind, self.message, self.field, self.headers = kind, message, field, headers or {}


def encode(value: Any) -> bytes:
    """JSON in UTF-8; a Decimal becomes a number with all its digits, which `json` alone cannot write."""
    text = json.dumps(value, default=_marked, ensure_ascii=False)
    return _MARKED_NUMBER.sub(r"\1", text).encode()


def _marked(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{_MARK}{value:f}{_MARK}"
    raise TypeError(f"{type(value).__name__} cannot be written as JSON.")


def parse_instant(text: str) -> datetime:
    """An ISO 8601 instant with `Z`, `+0000` or `+00:00`; ValueError when it has no offset."""
    instant = datetime.fromisoformat(re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text.replace("Z", "+00:00")))
    if instant.tzinfo is None:
        raise ValueError(f"{text} has no offset.")
    return instant.astimezone(UTC)
