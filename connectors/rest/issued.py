"""What a sign-in brings: a token, how long it lasts, and the secrets that it has replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Issued:
    """A token for use. `seconds` are left of it (infinity: until it is refused); `generation` tells it from others."""

    token: Any
    seconds: float
    base_url: str = ""
    generation: int = 0

    def numbered(self, generation: int) -> Issued:
        return replace(self, generation=generation)


@dataclass(frozen=True, slots=True)
class Renewal:
    """A new token, and the secrets that the system has replaced by name: the old ones are dead."""

    issued: Issued
    replaced: Mapping[str, str] = field(default_factory=dict)


class Tokens(Protocol):
    """Where the workers of a stored connection share its token; see connectors.tokens."""

    def current(self, mark_of: Callable[[Mapping[str, str]], str]) -> Issued | None:
        """The token that is kept for these settings, None without a usable one."""

    def renew(
        self,
        mark_of: Callable[[Mapping[str, str]], str],
        refused: int,
        sign_in: Callable[[Mapping[str, str]], Renewal],
    ) -> Issued:
        """A token newer than the generation `refused`; one worker at a time signs in."""


class LocalTokens:
    """The token of a connection that is not stored: nobody to share it with, nothing to keep."""

    def __init__(self, secrets: Mapping[str, str], on_replaced: Callable[[str, str], None]) -> None:
        self._secrets, self._on_replaced = dict(secrets), on_replaced
        self._generation = 0

    def current(self, mark_of: Callable[[Mapping[str, str]], str]) -> Issued | None:
        return None

    def renew(
        self,
        mark_of: Callable[[Mapping[str, str]], str],
        refused: int,
        sign_in: Callable[[Mapping[str, str]], Renewal],
    ) -> Issued:
        renewal = sign_in(self._secrets)
        self._secrets |= renewal.replaced
        for name, value in renewal.replaced.items():
            self._on_replaced(name, value)
        self._generation += 1
        return renewal.issued.numbered(self._generation)
